//! Clients of one dialect before providers of another, and of the same: what is translated, and what stays as it was.

use http::Method;
use serde_json::{Value, json};

use super::harness::{Bench, Plan, Reply};

/// The n-th provider's kind is the n-th of these.
async fn bench(kinds: &'static [&'static str]) -> Bench {
    Bench::start(Plan { simulators: kinds.len(), kinds, ..Plan::default() }).await
}

async fn post(bench: &Bench, path: &str, body: &str, headers: &[(&'static str, &str)]) -> Reply {
    let mut request = bench.client.request(Method::POST, path, body);
    for (name, value) in headers {
        request.headers_mut().insert(*name, value.parse().unwrap());
    }
    bench.client.plain.send(request).await
}

const MESSAGES: &str =
    r#"{ "max_tokens":64, "model" : "chat", "messages":[{"role":"user","content":"one two"}] }"#;
const STREAMED: &str =
    r#"{"max_tokens":64,"model":"chat","stream":true,"messages":[{"role":"user","content":"one two"}]}"#;
const VERSION: (&str, &str) = ("anthropic-version", "2023-06-01");

#[tokio::test]
async fn the_same_dialect_passes_as_bytes() {
    let mut bench = bench(&["anthropic"]).await;
    let reply = post(&bench, "/v1/messages", MESSAGES, &[VERSION]).await;
    assert_eq!(reply.status, 200, "{reply:?}");
    let sent = bench.sim().body(1).await;
    assert_eq!(sent, MESSAGES.replace("\"chat\"", "\"echo-large\"").as_bytes());
    assert_eq!(reply.json()["content"][0]["text"], "echo: one two");
    let seen = &bench.sim().requests().await[0];
    assert_eq!(seen["headers"]["anthropic-version"], "2023-06-01", "{seen}");
    let event = bench.event().await;
    let usage = &event.attempts[0].usage;
    assert_eq!(reply.header("x-portcullis-tokens-out"), usage.output().to_string());
    assert!(!event.attempts[0].estimated && usage.input() > 0, "{usage:?}");
    bench.finish().await;
}

#[tokio::test]
async fn a_chat_client_talks_to_anthropic() {
    let mut bench = bench(&["anthropic"]).await;
    let plain = bench.client.say("one two").await;
    assert_eq!(plain.status, 200, "{plain:?}");
    let json = plain.json();
    assert_eq!(json["choices"][0]["message"]["content"], "echo: one two", "{json}");
    assert_eq!(json["choices"][0]["finish_reason"], "stop");
    assert_eq!(json["usage"]["completion_tokens"].to_string(), plain.header("x-portcullis-tokens-out"));
    bench.event().await;
    let stream = bench.client.stream("one two").await;
    assert_eq!(super::harness::text_of(stream.text()), "echo: one two", "{}", stream.text());
    let account = super::harness::account(stream.text());
    let event = bench.event().await;
    assert_eq!(account["tokens_out"], event.attempts[0].usage.output());
    assert_eq!(account["estimated"], false);
    bench.finish().await;
}

#[tokio::test]
async fn an_anthropic_client_talks_to_chat() {
    let mut bench = bench(&["custom"]).await;
    let plain = post(&bench, "/v1/messages", MESSAGES, &[VERSION]).await;
    let json = plain.json();
    assert_eq!((&json["type"], &json["stop_reason"]), (&json!("message"), &json!("end_turn")), "{json}");
    assert_eq!(json["content"], json!([{ "type": "text", "text": "echo: one two" }]));
    bench.event().await;
    let stream = post(&bench, "/v1/messages", STREAMED, &[VERSION]).await;
    let events: Vec<&str> = stream.text().lines().filter_map(|line| line.strip_prefix("event: ")).collect();
    assert_eq!(
        (events.first(), events.last()),
        (Some(&"message_start"), Some(&"message_stop")),
        "{events:?}"
    );
    let (_, after) = stream.text().split_once("\n: portcullis ").unwrap();
    assert!(after.contains("event: message_stop"), "the account stands before the terminal event: {after}");
    bench.event().await;
    bench.finish().await;
}

#[tokio::test]
async fn gemini_clients_and_providers_take_part() {
    let mut bench = bench(&["gemini"]).await;
    let body = r#"{"contents":[{"role":"user","parts":[{"text":"one two"}]}]}"#;
    let plain = post(&bench, "/v1beta/models/chat:generateContent", body, &[]).await;
    assert_eq!(plain.json()["candidates"][0]["content"]["parts"][0]["text"], "echo: one two", "{plain:?}");
    assert_eq!(bench.sim().body(1).await, body.as_bytes());
    bench.event().await;
    let stream = post(&bench, "/gemini/v1/models/chat:streamGenerateContent?alt=sse", body, &[]).await;
    assert!(stream.text().contains("usageMetadata"), "{stream:?}");
    assert!(!stream.text().contains("\n: "), "Google's clients fail on comments: {stream:?}");
    bench.event().await;
    let chat = bench.client.stream("one two").await;
    assert_eq!(super::harness::text_of(chat.text()), "echo: one two", "{}", chat.text());
    bench.event().await;
    let messages = post(&bench, "/v1/messages", MESSAGES, &[VERSION]).await;
    assert_eq!(messages.json()["content"][0]["text"], "echo: one two", "{messages:?}");
    bench.event().await;
    bench.finish().await;
}

#[tokio::test]
async fn what_a_target_cannot_express_is_refused_by_name_or_let_go_and_said() {
    let mut bench = bench(&["anthropic"]).await;
    let body = r#"{"model":"chat","logit_bias":{"5":1},"messages":[{"role":"user","content":"hi"}]}"#;
    let strict = bench.client.chat(body).await;
    assert_eq!((strict.status, strict.code().as_str()), (400, "unsupported_by_target"));
    assert_eq!(strict.json()["error"]["param"], "logit_bias");
    assert!(bench.sim().requests().await.is_empty(), "nothing was sent");
    let lenient = bench.client.plain.send(bench.client.asking(body, &[("x-portcullis-lenient", "1")])).await;
    assert_eq!(lenient.status, 200, "{lenient:?}");
    assert!(lenient.header("x-portcullis-dropped").contains("logit_bias"), "{lenient:?}");
    bench.event().await;
    bench.finish().await;
}

#[tokio::test]
async fn another_target_may_express_it() {
    let mut bench = bench(&["anthropic", "custom"]).await;
    let body = r#"{"model":"chat","logit_bias":{"5":1},"messages":[{"role":"user","content":"hi"}]}"#;
    let reply = bench.client.chat(body).await;
    assert_eq!((reply.status, reply.header("x-portcullis-provider")), (200, "b"), "{reply:?}");
    bench.event().await;
    bench.finish().await;
}

#[tokio::test]
async fn troubles_are_told_in_the_clients_words() {
    let mut bench = bench(&["custom", "anthropic"]).await;
    let mut request = bench.client.request(Method::POST, "/v1/messages", MESSAGES);
    request.headers_mut().insert("authorization", "Bearer wrong".parse().unwrap());
    let refused = bench.client.plain.send(request).await;
    let json: Value = refused.json();
    assert_eq!(
        (refused.status, &json["type"], &json["error"]["type"]),
        (401, &json!("error"), &json!("authentication_error"))
    );
    let body = r#"{"contents":[{"role":"user","parts":[{"text":"hi"}]}]}"#;
    let unknown = post(&bench, "/v1beta/models/none:generateContent", body, &[]).await;
    assert_eq!(
        (unknown.status, &unknown.json()["error"]["status"]),
        (404, &json!("NOT_FOUND")),
        "{unknown:?}"
    );
    // The provider's own words about a request at fault arrive in the client's.
    bench.sims[0].script(r#"{"status":529}"#).await;
    bench.sims[1].script(r#"{"status":400,"error_message":"max_tokens: too many"}"#).await;
    let fault = post(&bench, "/v1/messages", MESSAGES, &[VERSION]).await;
    assert_eq!(
        (fault.status, &fault.json()["error"]["type"]),
        (400, &json!("invalid_request_error")),
        "{fault:?}"
    );
    assert_eq!(bench.event().await.attempts.len(), 2);
    bench.finish().await;
}

#[tokio::test]
async fn a_stream_that_breaks_after_content_ends_in_the_clients_words() {
    let mut bench = bench(&["custom"]).await;
    bench.sim().script(r#"{"chunks":4,"cut_after":2}"#).await;
    let stream = post(&bench, "/v1/messages", STREAMED, &[VERSION]).await;
    let last = stream.text().rsplit("event: ").next().unwrap();
    assert!(last.starts_with("error\n"), "{}", stream.text());
    assert!(!stream.text().contains("message_stop"), "{}", stream.text());
    bench.event().await;
    bench.finish().await;
}

#[tokio::test]
async fn counts_of_tokens_are_relayed_where_the_provider_has_them_and_cost_nothing() {
    let mut bench = bench(&["anthropic"]).await;
    let body = r#"{"model":"chat","messages":[{"role":"user","content":"one two"}]}"#;
    let counted = post(&bench, "/v1/messages/count_tokens", body, &[VERSION]).await;
    assert!(counted.json()["input_tokens"].as_u64().is_some_and(|count| count > 0), "{counted:?}");
    assert_eq!(counted.header("x-portcullis-cost-usd"), "0");
    assert_eq!(bench.event().await.attempts[0].usage, domain::Usage::default());
    let gemini = r#"{"contents":[{"role":"user","parts":[{"text":"hi"}]}]}"#;
    let elsewhere = post(&bench, "/v1beta/models/chat:countTokens", gemini, &[]).await;
    assert_eq!(elsewhere.status, 400, "{elsewhere:?}");
    bench.finish().await;
}

#[tokio::test]
async fn embeddings_of_openais_clients_come_from_gemini_and_cohere() {
    for kind in ["gemini", "cohere"] {
        let mut bench = Bench::start(Plan {
            kinds: if kind == "gemini" { &["gemini"] } else { &["cohere"] },
            ..Plan::default()
        })
        .await;
        let body = r#"{"model":"chat","input":["one","two"],"encoding_format":"base64"}"#;
        let reply = post(&bench, "/v1/embeddings", body, &[]).await;
        assert_eq!(reply.status, 200, "{kind}: {reply:?}");
        let data = &reply.json()["data"];
        assert!(
            data[1]["embedding"].is_string() && data[0]["embedding"] != data[1]["embedding"],
            "{kind}: {data}"
        );
        assert!(bench.event().await.attempts[0].usage.input() > 0, "{kind}");
        bench.finish().await;
    }
}

#[tokio::test]
async fn other_operations_of_openai_are_relayed_and_metered() {
    let mut bench = Bench::one().await;
    let images =
        post(&bench, "/v1/images/generations", r#"{"model":"chat","prompt":"a cat","n":2}"#, &[]).await;
    assert_eq!(images.status, 200, "{images:?}");
    let usage = bench.event().await.attempts[0].usage;
    assert!(usage.images == 2 || usage.output() > 0, "{usage:?}");
    let speech =
        post(&bench, "/v1/audio/speech", r#"{"model":"chat","input":"häuser","voice":"alloy"}"#, &[]).await;
    assert_eq!(speech.status, 200, "{speech:?}");
    assert_eq!(bench.event().await.attempts[0].usage.characters, 6);
    let moderated = post(&bench, "/v1/moderations", r#"{"model":"chat","input":"hi"}"#, &[]).await;
    assert!(moderated.json()["results"].is_array(), "{moderated:?}");
    bench.event().await;
    let ranked =
        post(&bench, "/v1/rerank", r#"{"model":"chat","query":"q","documents":["a","b"]}"#, &[]).await;
    assert_eq!(ranked.status, 200, "{ranked:?}");
    bench.event().await;
    let completed =
        post(&bench, "/v1/completions", r#"{"model":"chat","prompt":"one","stream":true}"#, &[]).await;
    assert!(
        completed.text().contains(": portcullis {") && completed.text().contains("[DONE]"),
        "{completed:?}"
    );
    assert!(bench.event().await.attempts[0].usage.output() > 0);
    let form = "--b\r\nContent-Disposition: form-data; name=\"model\"\r\n\r\nchat\r\n--b\r\nContent-Disposition: \
        form-data; name=\"file\"; filename=\"a.wav\"\r\n\r\nRIFF\r\n--b--\r\n";
    let upload = [("content-type", "multipart/form-data; boundary=b")];
    let heard = post(&bench, "/v1/audio/transcriptions", form, &upload).await;
    assert!(heard.json()["text"].is_string(), "{heard:?}");
    let event = bench.event().await;
    assert_eq!((event.api.as_str(), event.attempts.len()), ("transcriptions", 1));
    bench.finish().await;
}

#[tokio::test]
async fn azures_clients_are_at_home() {
    let mut bench = Bench::one().await;
    let body = super::harness::plain_body("one two");
    let path = "/openai/deployments/chat/chat/completions?api-version=2024-10-21";
    let mut request = bench.client.request(Method::POST, path, &body);
    let key = bench.client.keys.good.parse().unwrap();
    request.headers_mut().remove("authorization");
    request.headers_mut().insert("api-key", key);
    let reply = bench.client.plain.send(request).await;
    assert_eq!((reply.status, reply.header("x-portcullis-route")), (200, "chat"), "{reply:?}");
    bench.event().await;
    bench.finish().await;
}
