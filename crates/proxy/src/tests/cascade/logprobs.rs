//! Log-probabilities for the sake of a condition: asked for, judged by, and not shown to who did not ask.

use super::{
    super::{
        harness::{Bench, Plan},
        oddities::clients::{CLIENTS, Speaks},
    },
    frugal, headers,
};

const SURE: &str = frugal!("has(reply.mean_logprob) && reply.mean_logprob > -1.0");
/// The simulator's tokens have -0.125 to -1.25 each.
const SURER: &str = frugal!("reply.mean_logprob > -0.1");

async fn start(kinds: &'static [&'static str], route: &'static str) -> Bench {
    Bench::start(Plan { simulators: 2, kinds, route, ..Plan::default() }).await
}

/// Whether every client gets the first answer, its text and nothing of log-probabilities.
async fn all_clients(kinds: &'static [&'static str], route: &'static str, kept: bool) {
    let mut bench = start(kinds, route).await;
    for client in CLIENTS {
        for stream in [false, true] {
            let case = format!("{client:?} at {kinds:?}, streamed: {stream}");
            let reply = client.ask(&bench, stream).await;
            let who = if kept { (200, "a", "none", "1") } else { (200, "b", "rejected", "2") };
            assert_eq!(headers(&reply), who, "{case}: {reply:?}");
            let text = if stream { client.said(&reply.body).text } else { client.text(&reply) };
            assert_eq!(text, "echo: one two", "{case}");
            let shown = String::from_utf8_lossy(&reply.body);
            for sign in [r#""logprob":"#, "logProbability", r#""logprobs":{"#, r#""logprobs":[{"#] {
                assert!(!shown.contains(sign), "{case}: {shown}");
            }
            bench.event().await;
        }
    }
    bench.finish().await;
}

#[tokio::test]
async fn who_can_tell_them_is_asked() {
    for kinds in [&["openai", "openai"], &["gemini", "gemini"], &["cohere", "cohere"]] {
        all_clients(kinds, SURE, true).await;
    }
}

#[tokio::test]
async fn an_unsure_answer_is_replaced() {
    all_clients(&["openai", "openai"], SURER, false).await;
}

#[tokio::test]
async fn who_cannot_tell_them_is_not_accepted() {
    for kinds in [&["anthropic", "openai"], &["bedrock", "openai"]] {
        all_clients(kinds, SURE, false).await;
    }
}

#[tokio::test]
async fn the_request_is_the_clients_own_but_for_that_wish() {
    let mut bench = start(&[], SURE).await;
    bench.sim().script(r#"{"allow_unknown":true}"#).await;
    let body = r#"{"model":"chat","messages":[{"role":"user","content":"hi"}],"x":1.50,"logprobs":false}"#;
    assert_eq!(headers(&bench.client.chat(body).await), (200, "a", "none", "1"));
    let sent = body.replace("\"chat\"", "\"echo-large\"").replace("false", "true");
    assert_eq!(bench.sim().body(1).await, sent.as_bytes());
    bench.event().await;
    bench.finish().await;
}

#[tokio::test]
async fn a_client_that_asks_for_them_gets_them() {
    let mut bench = start(&[], SURE).await;
    for stream in [false, true] {
        let body = format!(
            r#"{{"model":"chat","stream":{stream},"logprobs":true,"messages":[{{"role":"user","content":"hi"}}]}}"#
        );
        let reply = bench.client.chat(&body).await;
        assert_eq!(headers(&reply), (200, "a", "none", "1"));
        assert!(reply.text().contains(r#""logprob":"#), "{reply:?}");
        bench.event().await;
    }
    bench.finish().await;
}

#[tokio::test]
async fn a_target_that_refuses_the_wish_does_not_end_the_request() {
    let mut bench = start(&[], SURE).await;
    bench.sim().script(r#"{"status":400,"error_message":"logprobs are not supported"}"#).await;
    let reply = Speaks::Chat.ask(&bench, false).await;
    assert_eq!(headers(&reply), (200, "b", "client_fault", "2"));
    bench.event().await;
    bench.finish().await;
}
