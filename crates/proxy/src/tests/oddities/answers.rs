//! Plain answers that are none: the next target is asked, and the client hears of it in its own words.

use domain::{AttemptOutcome, RequestOutcome};
use serde_json::json;

use super::{
    PROVIDERS,
    clients::{CLIENTS, Speaks},
    two,
};

#[tokio::test]
async fn what_is_no_answer_goes_to_the_next_target() {
    let deep = format!(r#"{{"x":{}{}}}"#, "[".repeat(200), "]".repeat(200));
    let scripts = [
        json!({ "gzip": true }),
        json!({ "invalid_utf8": true }),
        json!({ "cut_after": 0 }),
        json!({ "content_type": "text/event-stream" }),
        json!({ "raw_body": "<html>busy</html>", "content_type": "text/html" }),
        json!({ "raw_body": "" }),
        json!({ "raw_body": "{}" }),
        json!({ "raw_body": "[]" }),
        json!({ "raw_body": deep }),
        json!({ "raw_body": "{\"error\":{\"message\":\"the model fell over\"}}" }),
    ];
    for kinds in PROVIDERS {
        let mut bench = two(kinds).await;
        for script in &scripts {
            bench.sim().script(&script.to_string()).await;
            for client in CLIENTS {
                let case = format!("{client:?} at {}: {script}", kinds[0]);
                let reply = client.ask(&bench, false).await;
                assert_eq!(reply.status, 200, "{case}: {reply:?}");
                assert_eq!(client.text(&reply), "echo: one two", "{case}");
                let event = bench.event().await;
                let [first, second] = event.attempts.as_slice() else { panic!("{case}: {event:?}") };
                assert_ne!(first.outcome, AttemptOutcome::Ok, "{case}");
                assert_eq!((second.outcome, second.estimated), (AttemptOutcome::Ok, false), "{case}");
            }
        }
        bench.finish().await;
    }
}

#[tokio::test]
async fn compressed_streams_are_given_up_before_any_of_it_is_shown() {
    for kinds in PROVIDERS {
        let mut bench = two(kinds).await;
        bench.sim().script(r#"{"gzip":true}"#).await;
        for client in CLIENTS {
            let case = format!("{client:?} at {}", kinds[0]);
            let reply = client.ask(&bench, true).await;
            assert_eq!(client.said(&reply.body).text, "echo: one two", "{case}");
            assert_eq!(bench.event().await.attempts[0].outcome, AttemptOutcome::Protocol, "{case}");
        }
        bench.finish().await;
    }
}

#[tokio::test]
async fn when_nobody_has_an_answer_the_client_hears_it_in_its_own_words() {
    let mut bench = two(&["anthropic", "gemini"]).await;
    for sim in &bench.sims {
        sim.script(r#"{"gzip":true}"#).await;
    }
    for client in CLIENTS {
        for stream in [false, true] {
            let reply = client.ask(&bench, stream).await;
            assert_eq!(
                (reply.status, client.code(&reply).as_str()),
                (502, "all_targets_failed"),
                "{client:?}"
            );
            assert_eq!(bench.event().await.outcome, RequestOutcome::Error);
        }
    }
    bench.finish().await;
}

#[tokio::test]
async fn an_answer_too_large_to_translate_goes_to_the_next_target() {
    let mut bench = two(&["anthropic", "custom"]).await;
    let large = json!({
        "id": "msg_1", "type": "message", "role": "assistant", "model": "m", "stop_reason": "end_turn",
        "content": [{ "type": "text", "text": "x".repeat(9 << 20) }],
        "usage": { "input_tokens": 1, "output_tokens": 2 },
    });
    bench.sims[0].script(&json!({ "raw_body": large.to_string() }).to_string()).await;
    let chat = Speaks::Chat.ask(&bench, false).await;
    assert_eq!(chat.header("x-portcullis-provider"), "b");
    assert_eq!(bench.event().await.attempts[0].outcome, AttemptOutcome::Protocol);
    let same = Speaks::Messages.ask(&bench, false).await;
    assert_eq!((same.header("x-portcullis-provider"), same.body.len() > 9 << 20), ("a", true));
    bench.event().await;
    bench.finish().await;
}

#[tokio::test]
async fn absurd_counts_of_tokens_are_no_reason_to_fail() {
    for kinds in PROVIDERS {
        let mut bench = two(kinds).await;
        bench
            .sim()
            .script(r#"{"prompt_tokens":18446744073709551615,"completion_tokens":9007199254740993}"#)
            .await;
        for client in CLIENTS {
            for stream in [false, true] {
                let reply = client.ask(&bench, stream).await;
                assert_eq!(reply.status, 200, "{client:?} at {}: {reply:?}", kinds[0]);
                let event = bench.event().await;
                let [only] = event.attempts.as_slice() else { panic!("{event:?}") };
                assert!(only.estimated && only.cost.nanos() < 10_000_000, "{client:?}: {only:?}");
            }
        }
        bench.finish().await;
    }
}
