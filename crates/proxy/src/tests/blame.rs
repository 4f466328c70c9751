//! What a provider says of one model concerns that model alone, and its words reach the client.

use serde_json::{Value, json};

use super::harness::{Bench, Reply};

/// Asks for another model of the same provider.
async fn other_model(bench: &Bench) -> Reply {
    let body = json!({ "model": "a/other", "messages": [{ "role": "user", "content": "hi" }] });
    bench.client.chat(&body.to_string()).await
}

async fn script(bench: &Bench, status: u16, body: &Value) {
    let step = json!({ "status": status, "raw_body": body.to_string() });
    bench.sims[0].script(&step.to_string()).await;
}

fn error(message: &str, code: &str) -> Value {
    json!({ "error": { "message": message, "code": code } })
}

#[tokio::test]
async fn a_model_that_is_refused_shuts_no_other_model_of_the_provider() {
    for (status, body) in [
        (403, error("Your project has no access to model `m`.", "permission_denied")),
        (403, error("no", "model_not_found")),
        (404, error("The model `m` does not exist or you do not have access to it.", "model_not_found")),
        (402, error("Insufficient credits.", "402")),
    ] {
        let mut bench = Bench::one().await;
        script(&bench, status, &body).await;
        assert!(bench.client.say("hi").await.status >= 400, "{body}");
        bench.event().await;
        let reply = other_model(&bench).await;
        assert_eq!(reply.status, 200, "{status} {body}: {}", reply.text());
        bench.event().await;
        bench.finish().await;
    }
}

#[tokio::test]
async fn a_key_that_is_refused_is_refused_for_every_model() {
    let mut bench = Bench::one().await;
    script(&bench, 401, &error("Incorrect API key provided for model m", "invalid_api_key")).await;
    assert_eq!(bench.client.say("hi").await.status, 502);
    bench.event().await;
    assert_eq!(other_model(&bench).await.status, 503);
    bench.finish().await;
}

#[tokio::test]
async fn a_429_that_speaks_of_a_model_rests_it_alone() {
    let mut bench = Bench::one().await;
    let body = error("Rate limit reached for model `m`", "rate_limit_exceeded");
    let step = json!({ "status": 429, "retry_after": 60, "raw_body": body.to_string() });
    bench.sims[0].script(&step.to_string()).await;
    for _ in 0..2 {
        let reply = bench.client.say("hi").await;
        assert_eq!((reply.status, reply.header("retry-after")), (429, "60"));
    }
    bench.event().await;
    assert_eq!(bench.sims[0].requests().await.len(), 1, "the second request was not sent");
    assert_eq!(other_model(&bench).await.status, 200);
    bench.event().await;
    bench.finish().await;
}

#[tokio::test]
async fn a_provider_that_counts_by_model_is_believed_by_model() {
    for (kind, other) in [("openai", 200), ("custom", 429)] {
        let plan = super::harness::Plan {
            kinds: if kind == "openai" { &["openai"] } else { &["custom"] },
            ..Default::default()
        };
        let mut bench = Bench::start(plan).await;
        bench.sims[0].script(r#"{"status":429,"retry_after":60,"error_message":"slow down"}"#).await;
        assert_eq!(bench.client.say("hi").await.status, 429);
        bench.event().await;
        assert_eq!(other_model(&bench).await.status, other, "{kind}");
        if other == 200 {
            bench.event().await;
        }
        bench.finish().await;
    }
}

#[tokio::test]
async fn what_is_too_dear_for_the_credit_is_the_requests_own_fault() {
    let mut bench = Bench::one().await;
    let words = "This request requires more credits, or fewer max_tokens. You can only afford 12.";
    script(&bench, 402, &error(words, "402")).await;
    let reply = bench.client.say("hi").await;
    assert_eq!(reply.status, 402);
    assert_eq!(reply.json()["error"]["message"], words);
    bench.event().await;
    assert_eq!(other_model(&bench).await.status, 200);
    bench.event().await;
    bench.finish().await;
}

#[tokio::test]
async fn a_model_that_is_nowhere_is_a_404_that_no_client_repeats() {
    let mut bench = Bench::two().await;
    for sim in &bench.sims {
        let body = error("The model `m` does not exist", "model_not_found").to_string();
        sim.script(&json!({ "status": 404, "raw_body": body }).to_string()).await;
    }
    let reply = bench.client.say("hi").await;
    assert_eq!((reply.status, reply.code().as_str()), (404, "model_not_found"));
    assert_eq!(reply.json()["error"]["message"], "The model `m` does not exist");
    assert_eq!(reply.json()["error"]["portcullis"]["attempts"].as_array().unwrap().len(), 2);
    bench.event().await;
    bench.finish().await;
}

#[tokio::test]
async fn the_words_of_a_failing_provider_reach_the_client() {
    let mut bench = Bench::two().await;
    let words = "image input is not supported - hint: mmproj";
    bench.sims[0].script(&json!({ "status": 500, "error_message": words }).to_string()).await;
    bench.sims[1]
        .script(r#"{"status":502,"content_type":"text/plain","raw_body":"no healthy backend"}"#)
        .await;
    let reply = bench.client.say("hi").await;
    assert_eq!((reply.status, reply.code().as_str()), (502, "all_targets_failed"));
    let error = &reply.json()["error"];
    let attempts = &error["portcullis"]["attempts"];
    assert_eq!(
        (&attempts[0]["message"], &attempts[1]["message"]),
        (&words.into(), &"no healthy backend".into())
    );
    assert!(error["message"].as_str().unwrap().contains(words), "{error}");
    bench.event().await;
    bench.finish().await;
}

#[tokio::test]
async fn a_refusal_in_plain_words_keeps_them() {
    let mut bench = Bench::one().await;
    bench.sims[0]
        .script(r#"{"status":400,"content_type":"text/plain","raw_body":"prompt has no text\n"}"#)
        .await;
    let reply = bench.client.say("hi").await;
    assert_eq!(reply.status, 400);
    assert_eq!(reply.json()["error"]["message"], "prompt has no text");
    bench.event().await;
    bench.finish().await;
}
