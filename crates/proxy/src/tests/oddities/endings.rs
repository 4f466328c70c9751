//! Streams that end oddly, hold nothing, or hold what is not expected; plain answers without an answer.

use domain::{AttemptOutcome, RequestOutcome};
use serde_json::{Value, json};

use super::{
    PROVIDERS,
    clients::{CLIENTS, Speaks},
    two,
};

/// Who speaks the first dialect of a provider's kind.
const OWN: [Speaks; 5] = [Speaks::Chat, Speaks::Messages, Speaks::Gemini, Speaks::Cohere, Speaks::Converse];

#[tokio::test]
async fn an_empty_answer_is_an_answer() {
    for kinds in PROVIDERS {
        let mut bench = two(kinds).await;
        bench.sim().script(r#"{"text":""}"#).await;
        for client in CLIENTS {
            let case = format!("{client:?} at {}", kinds[0]);
            let plain = client.ask(&bench, false).await;
            assert_eq!(
                (plain.status, plain.header("x-portcullis-provider")),
                (200, "a"),
                "{case}: {plain:?}"
            );
            assert_eq!(bench.event().await.outcome, RequestOutcome::Ok, "{case}");
            let stream = client.ask(&bench, true).await;
            let said = client.said(&stream.body);
            assert_eq!((said.text.as_str(), said.whole), ("", true), "{case}: {stream:?}");
            assert_eq!(bench.event().await.outcome, RequestOutcome::Ok, "{case}");
        }
        bench.finish().await;
    }
}

#[tokio::test]
async fn a_terminal_event_that_is_missing_is_written() {
    for (kinds, own) in PROVIDERS.into_iter().zip(OWN) {
        let mut bench = two(kinds).await;
        bench.sim().script(r#"{"no_terminal":true}"#).await;
        for client in CLIENTS {
            let case = format!("{client:?} at {}", kinds[0]);
            // These say only in the last event why the answer ends: without it the answer is not known to be whole.
            let cut = matches!(own, Speaks::Gemini | Speaks::Cohere)
                || (client, own) == (Speaks::Responses, Speaks::Chat);
            let reply = client.ask(&bench, true).await;
            let said = client.said(&reply.body);
            let event = bench.event().await;
            assert_eq!(said.text, "echo: one two", "{case}: {reply:?}");
            assert_eq!(said.error.is_some(), cut, "{case}: {reply:?}");
            assert_eq!(event.outcome == RequestOutcome::Cut, cut, "{case}: {event:?}");
            assert!(cut || said.whole, "{case}: {reply:?}");
        }
        bench.finish().await;
    }
}

#[tokio::test]
async fn bytes_that_are_no_text_never_arrive_translated() {
    for (kinds, own) in PROVIDERS.into_iter().zip(OWN) {
        let mut bench = two(kinds).await;
        bench.sim().script(r#"{"invalid_utf8":true}"#).await;
        for client in CLIENTS {
            let case = format!("{client:?} at {}", kinds[0]);
            let reply = client.ask(&bench, true).await;
            let event = bench.event().await;
            // A stream of chat passes as it is.
            if client != own || own != Speaks::Chat {
                let said = client.said(&reply.body);
                assert!(said.error.is_some() != said.whole, "{case}: {reply:?}");
                assert_eq!(event.attempts[0].outcome, AttemptOutcome::Protocol, "{case}");
            }
        }
        bench.finish().await;
    }
}

fn sse(events: &[Value]) -> String {
    let event = |event: &Value| format!("data: {event}\n\n");
    let script = json!({
        "content_type": "text/event-stream; charset=utf-8",
        "raw_body": events.iter().map(event).collect::<String>() + "data: [DONE]\n\n",
    });
    script.to_string()
}

fn delta(delta: &Value) -> Value {
    json!({ "id": "c", "object": "chat.completion.chunk", "choices": [{ "index": 0, "delta": delta }] })
}

fn fragment(index: u32, name: Option<&str>, text: &str) -> Value {
    let mut call = json!({ "index": index, "function": { "arguments": text } });
    if let Some(name) = name {
        call["id"] = format!("call_{name}").into();
        call["type"] = "function".into();
        call["function"]["name"] = name.into();
    }
    delta(&json!({ "tool_calls": [call] }))
}

#[tokio::test]
async fn interleaved_calls_keep_their_arguments() {
    let mut bench = two(&["custom", "custom"]).await;
    let finish = json!({ "choices": [{ "index": 0, "delta": {}, "finish_reason": "tool_calls" }],
        "usage": { "prompt_tokens": 3, "completion_tokens": 4 } });
    let events = [
        fragment(0, Some("north"), "{\"a\":"),
        fragment(1, Some("south"), ""),
        fragment(1, None, "{\"b\":"),
        fragment(0, None, "11}"),
        json!({ "object": "something.new", "x": [1] }),
        fragment(1, None, "22}"),
        finish,
    ];
    bench.sim().script(&sse(&events)).await;
    for client in CLIENTS {
        let reply = client.ask(&bench, true).await;
        let said = client.said(&reply.body);
        assert!(said.whole && said.error.is_none(), "{client:?}: {reply:?}");
        let shown = String::from_utf8_lossy(&reply.body).into_owned();
        for word in ["north", "south", "11}", "22}"] {
            assert!(shown.contains(word), "{client:?}: {word} in {shown}");
        }
        let event = bench.event().await;
        assert!(!event.attempts[0].estimated && event.attempts[0].usage.output() == 4, "{client:?}");
    }
    bench.finish().await;
}

#[tokio::test]
async fn absurd_events_are_no_panic_and_no_charge_beyond_what_came() {
    let usage = |number: &str| {
        format!(r#"{{"choices":[],"usage":{{"prompt_tokens":{number},"completion_tokens":{number}}}}}"#)
    };
    let huge = format!("1{}", "0".repeat(400));
    let deep = format!(r#"{{"choices":{}1{}}}"#, "[".repeat(400), "]".repeat(400));
    let cases = [
        usage("1e999"),
        usage("-7"),
        usage("\"many\""),
        usage(&huge),
        deep,
        r#"{"choices":[{"index":0,"index":1,"delta":{"content":"x"}}]}"#.to_owned(),
        r#"{"choices":[{"index":1e999,"delta":{"content":7}}]}"#.to_owned(),
        r#"{"choices":"none"}"#.to_owned(),
        r#"{"choices":[null]}"#.to_owned(),
        "{".to_owned(),
    ];
    let mut bench = two(&["custom", "custom"]).await;
    for case in cases {
        let first = delta(&json!({ "content": "hello" }));
        let body = format!("data: {first}\n\ndata: {case}\n\n");
        let script = json!({ "content_type": "text/event-stream", "raw_body": body });
        bench.sim().script(&script.to_string()).await;
        for client in CLIENTS {
            let reply = client.ask(&bench, true).await;
            let event = bench.event().await;
            assert_eq!(reply.status, 200, "{client:?}: {case}: {reply:?}");
            // Whether told to the client in the stream or repeated elsewhere, it is booked once, as what it was.
            assert_ne!(event.attempts[0].outcome, AttemptOutcome::Ok, "{client:?}: {case}");
            assert!(event.attempts[0].cost.nanos() < 10_000_000, "{client:?}: {case}: {event:?}");
        }
    }
    bench.finish().await;
}

#[tokio::test]
async fn an_answer_without_a_choice_is_whole_or_nothing() {
    let mut bench = two(&["custom", "custom"]).await;
    let none = json!({ "id": "c", "object": "chat.completion", "model": "m", "choices": [],
        "usage": { "prompt_tokens": 3, "completion_tokens": 0 } });
    bench.sim().script(&json!({ "raw_body": none.to_string() }).to_string()).await;
    for client in CLIENTS {
        let reply = client.ask(&bench, false).await;
        assert_eq!(reply.status, 200, "{client:?}: {reply:?}");
        let event = bench.event().await;
        let whole = client == Speaks::Chat && event.attempts.len() == 1;
        assert!(whole || client.text(&reply) == "echo: one two", "{client:?}: {reply:?}");
    }
    bench
        .sim()
        .script(&sse(&[json!({ "choices": [], "usage": { "prompt_tokens": 3, "completion_tokens": 0 } })]))
        .await;
    for client in CLIENTS {
        let reply = client.ask(&bench, true).await;
        let said = client.said(&reply.body);
        assert!(said.whole && said.error.is_none(), "{client:?}: {reply:?}");
        bench.event().await;
    }
    bench.finish().await;
}
