//! Prompts that a content filter blocks inside an answer of status 200: the next target is asked, and where there is none
//! the client gets the provider's own words.

mod accounts;
mod terms;

use domain::AttemptOutcome as O;

use super::{
    cascade::{headers, outcomes},
    harness::{Bench, Plan, Raw, Reply, Sim, plain_body, stream_body, text_of},
    oddities::clients::{CLIENTS, Speaks},
};

/// A provider that blocks the prompt.
const BLOCKED: &str = r#"{"blocked":true}"#;

async fn ask(bench: &Bench, stream: bool) -> Reply {
    if stream { bench.client.stream("hi").await } else { bench.client.say("hi").await }
}

/// What a client gets that asks one provider for itself.
async fn of(bench: &mut Bench, model: &str, stream: bool) -> String {
    let body = if stream { stream_body("hi") } else { plain_body("hi") };
    let reply = bench.client.chat(&body.replace("\"chat\"", &format!("\"{model}\""))).await;
    assert_eq!(headers(&reply), (200, &model[..1], "none", "1"), "{reply:?}");
    bench.event().await;
    words(&reply)
}

/// An answer without the gateway's comment.
fn words(reply: &Reply) -> String {
    reply.text().lines().filter(|line| !line.starts_with(": portcullis")).collect::<Vec<_>>().join("\n")
}

/// Every client, plain and streamed, before a first target that blocks and a second one that answers.
async fn all_clients(kinds: &'static [&'static str]) {
    let mut bench = Bench::start(Plan { simulators: 2, kinds, ..Plan::default() }).await;
    bench.sim().script(BLOCKED).await;
    for client in CLIENTS {
        for stream in [false, true] {
            let case = format!("{client:?} at {kinds:?}, streamed: {stream}");
            let reply = client.ask(&bench, stream).await;
            assert_eq!(headers(&reply), (200, "b", "content_filter", "2"), "{case}");
            let text = if stream { client.said(&reply.body).text } else { client.text(&reply) };
            assert_eq!(text, "echo: one two", "{case}");
            let event = bench.event().await;
            assert_eq!(outcomes(&event), [("a", O::ContentFilter), ("b", O::Ok)], "{case}");
            assert!(event.attempts.iter().all(|attempt| !attempt.estimated), "{case}: {event:?}");
        }
    }
    bench.finish().await;
}

#[tokio::test]
async fn by_openai_before_gemini() {
    all_clients(&["openai", "gemini"]).await;
}

#[tokio::test]
async fn by_gemini_before_gemini() {
    all_clients(&["gemini", "gemini"]).await;
}

#[tokio::test]
async fn by_anthropic_before_bedrock() {
    all_clients(&["anthropic", "bedrock"]).await;
}

#[tokio::test]
async fn by_bedrock_before_openai() {
    all_clients(&["bedrock", "openai"]).await;
}

#[tokio::test]
async fn one_that_every_target_blocks_is_the_last_ones_answer() {
    let mut bench = Bench::two().await;
    for sim in &bench.sims {
        sim.script(BLOCKED).await;
    }
    for stream in [false, true] {
        let reply = ask(&bench, stream).await;
        assert_eq!(headers(&reply), (200, "b", "content_filter", "2"));
        assert!(reply.text().contains(r#""finish_reason":"content_filter""#), "{}", reply.text());
        assert_eq!(outcomes(&bench.event().await), [("a", O::ContentFilter), ("b", O::Ok)]);
        assert_eq!(words(&reply), of(&mut bench, "b/m", stream).await);
    }
    bench.finish().await;
}

#[tokio::test]
async fn it_is_better_than_an_error() {
    for kinds in [&["custom", "custom"], &["gemini", "custom"]] {
        let mut bench = Bench::start(Plan { simulators: 2, kinds, ..Plan::default() }).await;
        bench.sim().script(BLOCKED).await;
        for failing in [r#"{"status":500}"#, r#"{"status":400}"#, r#"{"cut_after":0}"#] {
            bench.sims[1].script(failing).await;
            for stream in [false, true] {
                let reply = ask(&bench, stream).await;
                assert_eq!(headers(&reply), (200, "a", "content_filter", "2"), "{failing}");
                let event = bench.event().await;
                assert_eq!(event.attempts[0].outcome, O::ContentFilter);
                assert_eq!((event.status, event.fallback()), (200, Some(O::ContentFilter)));
                assert_eq!(event.answering().map(|attempt| attempt.provider.as_str()), Some("a"));
                if kinds[0] == "custom" {
                    assert_eq!(words(&reply), of(&mut bench, "a/m", stream).await, "{failing}");
                } else {
                    assert!(reply.text().contains(r#""finish_reason":"content_filter""#), "{}", reply.text());
                }
            }
        }
        bench.finish().await;
    }
}

#[tokio::test]
async fn it_is_better_than_a_target_that_cannot_be_asked() {
    let kinds = &["custom", "anthropic"];
    let mut bench = Bench::start(Plan { simulators: 2, kinds, ..Plan::default() }).await;
    bench.sim().script(BLOCKED).await;
    // Anthropic has one choice only.
    let reply = bench.client.chat(&plain_body("hi").replace("\"messages\"", "\"n\":2,\"messages\"")).await;
    assert_eq!(headers(&reply), (200, "a", "content_filter", "1"));
    assert_eq!(reply.json()["choices"].as_array().map(Vec::len), Some(2));
    let event = bench.event().await;
    assert_eq!((outcomes(&event), event.fallback()), (vec![("a", O::ContentFilter)], Some(O::ContentFilter)));
    bench.finish().await;
}

#[tokio::test]
async fn the_only_targets_answer_passes_byte_for_byte() {
    for (client, kinds) in [(Speaks::Chat, &["custom"]), (Speaks::Gemini, &["gemini"])] {
        let mut bench = Bench::start(Plan { kinds, ..Plan::default() }).await;
        bench.sim().script(BLOCKED).await;
        for (n, stream) in [(1, false), (3, true)] {
            // The one edit of streams is to hide a usage that the client did not ask for.
            let mut body = client.body(stream);
            if stream && client == Speaks::Chat {
                body["stream_options"] = serde_json::json!({ "include_usage": true });
            }
            let reply = client.send(&bench, stream, body.to_string()).await;
            assert_eq!(headers(&reply), (200, "a", "none", "1"), "{client:?}");
            let path = client.path(stream).replace("/chat:", "/echo-large:");
            let sent = bench.sim().body(n).await;
            let mut direct =
                http::Request::post(format!("{}{path}", bench.sim().url())).body(sent.into()).unwrap();
            direct.headers_mut().insert("x-goog-api-key", "any".parse().unwrap());
            let said = bench.client.plain.send(direct).await;
            assert_eq!(said.status, 200, "{said:?}");
            let comment = |line: &&str| !line.starts_with(": portcullis");
            let got: Vec<_> = reply.text().split_inclusive('\n').filter(comment).collect();
            assert_eq!(got.concat(), said.text(), "{client:?}, streamed: {stream}");
            assert_eq!(outcomes(&bench.event().await), [("a", O::Ok)]);
        }
        bench.finish().await;
    }
}

#[tokio::test]
async fn what_was_said_before_the_filter_is_the_answer() {
    let mut bench = Bench::two().await;
    bench.sim().script(r#"{"text":"half","finish_reason":"content_filter"}"#).await;
    for stream in [false, true] {
        let reply = ask(&bench, stream).await;
        assert_eq!(headers(&reply), (200, "a", "none", "1"));
        assert!(reply.text().contains("half") && reply.text().contains("content_filter"), "{}", reply.text());
        assert_eq!(outcomes(&bench.event().await), [("a", O::Ok)]);
    }
    // Nor is a word in the text a filter's.
    bench.sim().script(r#"{"text":"a \"content_filter\" is no filter"}"#).await;
    assert_eq!(headers(&bench.client.say("hi").await), (200, "a", "none", "1"));
    bench.event().await;
    bench.finish().await;
}

const HEAD: &str = "HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\n\r\n";

fn chunk(index: usize, delta: &str, finish: &str) -> String {
    format!(
        "data: {{\"id\":\"i\",\"choices\":[{{\"index\":{index},\"delta\":{delta},\"finish_reason\":{finish}}}]}}\n\n"
    )
}

/// A provider of one stream, with a connection that stays open after it, before a good one.
async fn before_a_good_one(stream: String, timeouts: &'static str) -> (Bench, Raw, Sim) {
    let raw = Raw::start(move |_| Some(format!("{HEAD}{stream}").into_bytes())).await;
    let good = Sim::start().await;
    let others = vec![raw.url.clone(), good.url()];
    (Bench::start(Plan { simulators: 0, others, timeouts, ..Plan::default() }).await, raw, good)
}

#[tokio::test]
async fn a_blocked_stream_without_an_end_is_not_waited_for() {
    let hasty = r#"{"connect":"1s","first_token":"300ms","between_tokens":"5s","total":"10s"}"#;
    for timeouts in [Plan::default().timeouts, hasty] {
        let stream = chunk(0, "{}", r#""content_filter""#);
        let (mut bench, _raw, _good) = before_a_good_one(stream, timeouts).await;
        let reply = bench.client.stream("hi").await;
        assert_eq!(headers(&reply), (200, "b", "content_filter", "2"), "{timeouts}");
        assert_eq!(text_of(reply.text()), "echo: hi");
        let event = bench.event().await;
        assert_eq!(outcomes(&event), [("a", O::ContentFilter), ("b", O::Ok)]);
        assert_eq!(event.attempts[0].cost.nanos(), 0, "it said no usage");
        assert!(event.duration_us < 5_000_000, "{event:?}");
        bench.finish().await;
    }
}

#[tokio::test]
async fn a_filter_of_one_choice_leaves_the_others_to_the_client() {
    let said = chunk(1, r#"{"content":"fine"}"#, "null");
    let stream = format!("{}{said}data: [DONE]\n\n", chunk(0, "{}", r#""content_filter""#));
    let (mut bench, _raw, _good) = before_a_good_one(stream, Plan::default().timeouts).await;
    let body = stream_body("hi").replace("\"stream\"", "\"n\":2,\"stream\"");
    let reply = bench.client.chat(&body).await;
    assert_eq!(headers(&reply), (200, "a", "none", "1"));
    assert!(reply.text().contains("fine"), "{}", reply.text());
    assert_eq!(outcomes(&bench.event().await), [("a", O::Ok)]);
    bench.finish().await;
}
