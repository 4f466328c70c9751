//! Streams: what is added, what is kept from the client, and how every provider's habits come out the same.

use domain::RequestOutcome;
use serde_json::json;

use super::harness::{Bench, Plan, Price, Raw, UPSTREAM, account, chunks, text_of};

const USAGE: &str = r#"{"prompt_tokens":100,"cached_tokens":64,"completion_tokens":7}"#;

#[tokio::test]
async fn a_client_that_did_not_ask_for_usage_sees_none_of_it() {
    let mut bench = Bench::one().await;
    bench.sim().script(USAGE).await;
    let reply = bench.client.stream("one two").await;
    assert_eq!((reply.status, reply.header("content-type")), (200, "text/event-stream"));
    assert_eq!(text_of(reply.text()), "echo: one two");
    assert!(!reply.text().contains("usage"), "{}", reply.text());
    assert!(chunks(reply.text()).iter().all(|chunk| chunk["choices"] != json!([])));
    let account = account(reply.text());
    let sent = String::from_utf8(bench.sim().body(1).await.to_vec()).unwrap();
    let asked = format!(
        r#"{{"model":"{UPSTREAM}","stream":true,"messages":[{{"role":"user","content":"one two"}}],"stream_options":{{"include_usage":true}}}}"#
    );
    assert_eq!(sent, asked);
    let event = bench.event().await;
    assert_eq!((event.outcome, event.stream), (RequestOutcome::Ok, true));
    assert_eq!(event.attempts[0].cost.nanos(), 174_000);
    let told = json!({
        "request_id": event.request, "cost_usd": "0.000174", "tokens_in": 100, "tokens_cached": 64,
        "tokens_out": 7, "estimated": false,
    });
    assert_eq!(account, told);
    bench.finish().await;
}

#[tokio::test]
async fn a_client_that_asked_for_usage_gets_the_providers_bytes() {
    let mut bench = Bench::one().await;
    bench.sim().script(USAGE).await;
    let body = r#"{"stream_options":{"include_usage":true},"model":"chat","stream":true,"messages":[{"role":"user","content":"hi"}]}"#;
    let reply = bench.client.chat(body).await;
    assert_eq!(bench.sim().body(1).await, body.replace("\"chat\"", &format!("\"{UPSTREAM}\"")).as_bytes());
    let chunks = chunks(reply.text());
    let (last, others) = chunks.split_last().unwrap();
    assert_eq!(last["usage"]["prompt_tokens"], 100);
    assert!(others.iter().all(|chunk| chunk.get("usage") == Some(&json!(null))), "{others:?}");
    assert_eq!(account(reply.text())["tokens_in"], 100);
    bench.event().await;
    bench.finish().await;
}

#[tokio::test]
async fn explain_lists_every_attempt() {
    let mut bench = Bench::two().await;
    bench.sims[0].script(r#"{"status":503}"#).await;
    let body = r#"{"model":"chat","stream":true,"messages":[{"role":"user","content":"hi"}]}"#;
    let request = bench.client.asking(body, &[("x-portcullis-explain", "1")]);
    let reply = bench.client.plain.send(request).await;
    let account = account(reply.text());
    let event = bench.event().await;
    let line = |n: usize, target: &str, outcome: &str| {
        let line = &account["attempts"][n];
        let at = format!("{}/{}", line["provider"].as_str().unwrap(), line["model"].as_str().unwrap());
        assert_eq!((at.as_str(), line["outcome"].as_str()), (target, Some(outcome)));
        assert_eq!(line["cost_usd"], event.attempts[n].cost.to_string());
        assert_eq!(line["duration_us"], event.attempts[n].duration_us);
    };
    line(0, "a/m", "server_error");
    line(1, "b/m", "ok");
    assert_eq!(account["cost_usd"], event.attempts[1].cost.to_string());
    bench.finish().await;
}

#[tokio::test]
async fn explain_knows_no_cost_where_nobody_knows_the_price() {
    let mut bench = Bench::one().await;
    let body = r#"{"model":"a/unpriced","stream":true,"messages":[{"role":"user","content":"hi"}]}"#;
    let request = bench.client.asking(body, &[("x-portcullis-explain", "1")]);
    let account = account(bench.client.plain.send(request).await.text());
    assert_eq!((&account["cost_usd"], &account["attempts"][0]["cost_usd"]), (&json!(null), &json!(null)));
    bench.event().await;
    bench.finish().await;
}

#[tokio::test]
async fn every_way_of_writing_a_stream_comes_out_whole() {
    for (script, estimated) in [
        (r#"{"split_bytes":1}"#, false),
        (r#"{"crlf":true}"#, false),
        (r#"{"crlf":true,"split_bytes":1}"#, false),
        (r#"{"usage":"last_choice"}"#, false),
        (r#"{"usage":"none"}"#, true),
        (r#"{"content_type":"text/plain"}"#, false),
        (r#"{"chunk_delay_ms":20,"keepalive_comments":5}"#, false),
    ] {
        let mut bench = Bench::one().await;
        bench.sim().script(script).await;
        let reply = bench.client.stream("grüße 👋🏽 an alle").await;
        assert!(reply.text().ends_with('\n'), "{script}");
        let text = reply.text().replace("\r\n", "\n");
        assert_eq!(text_of(&text), "echo: grüße 👋🏽 an alle", "{script}");
        assert_eq!(reply.header("content-type"), "text/event-stream");
        let (account, event) = (account(&text), bench.event().await);
        let attempt = &event.attempts[0];
        assert_eq!((event.outcome, attempt.estimated), (RequestOutcome::Ok, estimated), "{script}");
        // The provider's pace is no overhead.
        assert_eq!(reply.header("x-portcullis-overhead-us"), event.overhead_us.to_string());
        assert_eq!(attempt.cost.nanos(), Price::of(0).cost(&attempt.usage), "{script}");
        assert!(attempt.usage.input() > 0 && attempt.usage.output() > 0, "{script}");
        assert_eq!(account["cost_usd"], attempt.cost.to_string(), "{script}");
        bench.finish().await;
    }
}

/// A stream in HTTP chunks; what follows `|` is written apart.
fn stream(events: &str) -> Option<Vec<u8>> {
    let head = "HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\ntransfer-encoding: chunked\r\n\r\n";
    Some(format!("{head}{:x}\r\n{events}\r\n|0\r\n\r\n", events.len()).into_bytes())
}

const WHOLE: &str = "data: {\"choices\":[{\"index\":0,\"delta\":{\"content\":\"hi\"},\"finish_reason\":\"stop\"}],\
    \"usage\":{\"prompt_tokens\":3,\"completion_tokens\":1}}\n\n";

#[tokio::test]
async fn a_terminal_event_that_the_provider_leaves_out_is_added() {
    let raw = Raw::start(|_| stream(WHOLE)).await;
    let others = vec![raw.url.clone()];
    let mut bench = Bench::start(Plan { simulators: 0, others, ..Plan::default() }).await;
    let reply = bench.client.stream("hi").await;
    assert_eq!((text_of(reply.text()), account(reply.text())["tokens_in"].clone()), ("hi".into(), json!(3)));
    assert_eq!(bench.event().await.outcome, RequestOutcome::Ok);
    bench.finish().await;
}

#[tokio::test]
async fn usage_behind_the_terminal_event_still_counts() {
    let late = "data: {\"choices\":[{\"index\":0,\"delta\":{\"content\":\"hi\"}}]}\n\ndata: [DONE]\n\n\
        data: {\"choices\":[],\"usage\":{\"prompt_tokens\":3,\"completion_tokens\":1}}\n\n";
    let raw = Raw::start(move |_| stream(late)).await;
    let others = vec![raw.url.clone()];
    let mut bench = Bench::start(Plan { simulators: 0, others, ..Plan::default() }).await;
    let reply = bench.client.stream("hi").await;
    assert_eq!(account(reply.text())["tokens_in"], 3);
    assert!(!bench.event().await.attempts[0].estimated);
    bench.finish().await;
}

#[tokio::test]
async fn a_connection_is_used_again_after_a_stream() {
    let whole = format!("{WHOLE}data: [DONE]\n\n");
    let raw = Raw::start(move |_| stream(&whole)).await;
    let others = vec![raw.url.clone()];
    let mut bench = Bench::start(Plan { simulators: 0, others, ..Plan::default() }).await;
    for _ in 0..3 {
        let reply = bench.client.stream("hi").await;
        assert_eq!(account(reply.text())["tokens_out"], 1);
        bench.event().await;
    }
    assert_eq!((raw.requests(), raw.connections()), (3, 1));
    bench.finish().await;
}

#[tokio::test]
async fn a_usage_that_cannot_be_all_is_raised_to_what_was_seen() {
    let delta = "data: {\"choices\":[{\"index\":0,\"delta\":{\"content\":\"a longer word \"}}]}\n\n";
    let usage = |input: u64, output: u64| {
        format!(
            "data: {{\"choices\":[],\"usage\":{{\"prompt_tokens\":{input},\"completion_tokens\":{output}}}}}\n\n"
        )
    };
    let three = delta.repeat(3);
    for (events, output, estimated) in [
        (format!("{}{three}data: [DONE]\n\n", usage(9, 1)), 3, true),
        (format!("{three}{}data: [DONE]\n\n", usage(9, 0)), 3, true),
        (format!("{three}{}data: [DONE]\n\n", usage(0, 2)), 2, true),
        // Fewer tokens than pieces, told behind the last of them: the provider knows better.
        (format!("{three}{}data: [DONE]\n\n", usage(9, 2)), 2, false),
    ] {
        let case = events.clone();
        let raw = Raw::start(move |_| stream(&events)).await;
        let others = vec![raw.url.clone()];
        let mut bench = Bench::start(Plan { simulators: 0, others, ..Plan::default() }).await;
        let reply = bench.client.stream("hi").await;
        assert_eq!(account(reply.text())["estimated"], estimated, "{case}");
        let attempt = &bench.event().await.attempts[0];
        assert_eq!((attempt.usage.output(), attempt.estimated), (output, estimated), "{case}");
        assert!(attempt.usage.input() >= 9, "{case}: {attempt:?}");
        bench.finish().await;
    }
}
