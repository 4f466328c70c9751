//! Bounds against clients that are slow, silent, greedy or many.

use domain::RequestOutcome;
use http_body_util::BodyExt as _;
use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    net::TcpStream,
};

use super::harness::{Bench, Plan, Raw, soon, stream_body};

fn impatient() -> Plan {
    let mut plan = Plan::default();
    plan.edge.header_timeout_seconds = 1;
    plan.edge.body_timeout_seconds = 1;
    plan.edge.write_timeout_seconds = 1;
    plan
}

/// Everything until the proxy closes the connection, which it may do before it read all.
async fn until_closed(bench: &Bench, sent: &str) -> String {
    let mut stream = TcpStream::connect(bench.address).await.unwrap();
    let _ = stream.write_all(sent.as_bytes()).await;
    let mut read = Vec::new();
    let _ = soon(stream.read_to_end(&mut read)).await;
    String::from_utf8_lossy(&read).into_owned()
}

#[tokio::test]
async fn a_head_that_does_not_come_closes_the_connection() {
    let bench = Bench::start(impatient()).await;
    let preface = "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n";
    for sent in
        ["", "P", "POST /v1/chat/completions HTTP/1.1\r\nhost: x\r\nx-slow: ", &preface[..10], preface]
    {
        let answer = until_closed(&bench, sent).await;
        assert!(!answer.starts_with("HTTP/1.1 200"), "{sent:?}: {answer}");
    }
    bench.finish().await;
}

#[tokio::test]
async fn a_head_beyond_all_bounds_is_refused_by_the_parser() {
    let bench = Bench::one().await;
    let huge = "x".repeat(300_000);
    let many = "x-a: b\r\n".repeat(200);
    for headers in [format!("x-huge: {huge}\r\n"), many] {
        let sent = format!("POST /v1/chat/completions HTTP/1.1\r\nhost: x\r\n{headers}\r\n");
        let answer = until_closed(&bench, &sent).await;
        assert!(answer.starts_with("HTTP/1.1 431"), "{answer}");
    }
    for sent in ["nonsense\r\n\r\n", "GET / HTTP/3.7\r\n\r\n", "\u{16}\u{3}\u{1}\u{2}"] {
        let answer = until_closed(&bench, &format!("{sent}\r\n\r\n")).await;
        assert!(answer.starts_with("HTTP/1.1 400") || answer.is_empty(), "{sent:?}: {answer}");
    }
    bench.finish().await;
}

#[tokio::test]
async fn a_body_that_stalls_is_answered_408() {
    let bench = Bench::start(impatient()).await;
    let key = &bench.client.keys.good;
    let sent = format!(
        "POST /v1/chat/completions HTTP/1.1\r\nhost: x\r\nauthorization: Bearer {key}\r\ncontent-length: 90\r\n\r\n{{\"mod"
    );
    let answer = until_closed(&bench, &sent).await;
    assert!(answer.starts_with("HTTP/1.1 408") && answer.contains("invalid_request"), "{answer}");
    bench.finish().await;
}

#[tokio::test]
async fn a_body_that_breaks_off_is_no_usage() {
    let bench = Bench::one().await;
    let key = &bench.client.keys.good;
    let sent = format!(
        "POST /v1/chat/completions HTTP/1.1\r\nhost: x\r\nauthorization: Bearer {key}\r\ncontent-length: 90\r\n\r\n{{\"mod"
    );
    let mut stream = TcpStream::connect(bench.address).await.unwrap();
    stream.write_all(sent.as_bytes()).await.unwrap();
    stream.shutdown().await.unwrap();
    let mut read = Vec::new();
    let _ = soon(stream.read_to_end(&mut read)).await;
    bench.finish().await;
}

#[tokio::test]
async fn requests_beyond_the_limit_are_refused_and_places_come_back() {
    let mut plan = Plan::default();
    plan.edge.max_in_flight = 1;
    let mut bench = Bench::start(plan).await;
    bench.sim().script(r#"[{"chunks":2,"hang":{"after_chunks":1}},{}]"#).await;
    let mut first = bench.client.open_stream("hi").await;
    soon(first.body_mut().frame()).await.unwrap().unwrap();
    let refused = bench.client.say("hi").await;
    assert_eq!((refused.status, refused.code().as_str()), (503, "overloaded"));
    assert_eq!(refused.header("retry-after"), "1");
    drop(first);
    bench.sim().wait("cancelled=1").await;
    assert_eq!(bench.event().await.outcome, RequestOutcome::Cancelled);
    // The event came from the body's drop, which gives the place back right after it.
    assert_eq!(bench.client.say("hi").await.status, 200);
    assert_eq!(bench.event().await.outcome, RequestOutcome::Ok);
    bench.finish().await;
}

#[tokio::test]
async fn a_client_that_stops_reading_loses_its_request() {
    let text = "x".repeat(8 << 10);
    let event = format!("data: {{\"choices\":[{{\"index\":0,\"delta\":{{\"content\":\"{text}\"}}}}]}}\n\n");
    // More than the sockets' buffers hold.
    let body = event.repeat(4_000);
    let answer = format!("HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\n\r\n{body}");
    let raw = Raw::start(move |_| Some(answer.clone().into_bytes())).await;
    let mut bench = Bench::start(Plan { simulators: 0, others: vec![raw.url.clone()], ..impatient() }).await;
    let (key, body) = (&bench.client.keys.good, stream_body("hi"));
    let length = body.len();
    let sent = format!(
        "POST /v1/chat/completions HTTP/1.1\r\nhost: x\r\nauthorization: Bearer {key}\r\ncontent-length: {length}\r\n\r\n{body}"
    );
    let mut stream = TcpStream::connect(bench.address).await.unwrap();
    stream.write_all(sent.as_bytes()).await.unwrap();
    let event = bench.event().await;
    assert_eq!(event.outcome, RequestOutcome::Cancelled);
    assert!(event.attempts[0].cost.nanos() > 0 && event.attempts[0].estimated);
    bench.finish().await;
}
