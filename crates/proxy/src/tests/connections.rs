//! Connections: HTTP/2, reuse on both sides, and the drain.

use std::time::Duration;

use domain::{AttemptOutcome, RequestOutcome};
use http_body_util::BodyExt as _;
use tokio::net::TcpStream;

use super::harness::{Bench, Client, Plain, Plan, Raw, account, soon, text_of};

const ANSWER: &str =
    r#"{"choices":[{"message":{"content":"hi"}}],"usage":{"prompt_tokens":1,"completion_tokens":1}}"#;

#[tokio::test]
async fn http2_clients_are_served_alike() {
    let mut bench = Bench::one().await;
    bench.client = Client { plain: Plain::http2(), ..bench.client };
    let plain = bench.client.say("hi").await;
    assert_eq!(plain.json()["choices"][0]["message"]["content"], "echo: hi");
    assert_eq!(plain.header("x-portcullis-provider"), "a");
    assert_eq!(bench.event().await.outcome, RequestOutcome::Ok);
    let streamed = bench.client.stream("hi").await;
    assert_eq!(text_of(streamed.text()), "echo: hi");
    assert_eq!(account(streamed.text())["tokens_out"], 2);
    assert_eq!(bench.event().await.outcome, RequestOutcome::Ok);
    // A reset of one stream hangs up that request and nothing else.
    bench.sim().script(r#"[{"hang":{"after_chunks":1},"chunks":3},{}]"#).await;
    let mut hung = bench.client.open_stream("hi").await;
    soon(hung.body_mut().frame()).await.unwrap().unwrap();
    drop(hung);
    assert_eq!(bench.event().await.outcome, RequestOutcome::Cancelled);
    bench.sim().wait("cancelled=1").await;
    assert_eq!(bench.client.say("hi").await.status, 200);
    bench.event().await;
    bench.finish().await;
}

#[tokio::test]
async fn one_connection_to_the_provider_serves_many_requests() {
    let raw = Raw::start(|_| Raw::json(ANSWER)).await;
    let others = vec![raw.url.clone()];
    let mut bench = Bench::start(Plan { simulators: 0, others, ..Plan::default() }).await;
    for _ in 0..5 {
        assert_eq!(bench.client.say("hi").await.status, 200);
        bench.event().await;
    }
    assert_eq!((raw.requests(), raw.connections()), (5, 1));
    bench.finish().await;
}

#[tokio::test]
async fn a_pooled_connection_that_the_provider_closed_is_no_error() {
    let raw = Raw::start(|n| if n == 2 { None } else { Raw::json(ANSWER) }).await;
    let others = vec![raw.url.clone()];
    let mut bench = Bench::start(Plan { simulators: 0, others, ..Plan::default() }).await;
    for _ in 0..2 {
        assert_eq!(bench.client.say("hi").await.status, 200);
    }
    assert_eq!((raw.requests(), raw.connections()), (3, 2));
    bench.event().await;
    let outcomes: Vec<_> = bench.event().await.attempts.iter().map(|attempt| attempt.outcome).collect();
    assert_eq!(outcomes, [AttemptOutcome::Cut, AttemptOutcome::Ok]);
    bench.finish().await;
}

#[tokio::test]
async fn a_provider_that_always_closes_is_asked_no_more_than_twice() {
    let raw = Raw::start(|_| None).await;
    let others = vec![raw.url.clone()];
    let mut bench = Bench::start(Plan { simulators: 0, others, ..Plan::default() }).await;
    assert_eq!(bench.client.say("hi").await.code(), "all_targets_failed");
    assert_eq!((raw.requests(), bench.event().await.attempts.len()), (2, 2));
    bench.finish().await;
}

#[tokio::test]
async fn a_drain_lets_streams_finish_and_takes_no_new_connection() {
    let mut bench = Bench::one().await;
    bench.sim().script(r#"{"chunks":30,"chunk_delay_ms":20}"#).await;
    let mut response = bench.client.open_stream("hi").await;
    let first = soon(response.body_mut().frame()).await.unwrap().unwrap().into_data().unwrap();
    bench.stop.cancel();
    let rest = soon(response.into_body().collect()).await.unwrap().to_bytes();
    let whole = String::from_utf8([first, rest].concat()).unwrap();
    assert_eq!(account(&whole)["estimated"], false);
    assert_eq!(bench.event().await.outcome, RequestOutcome::Ok);
    let address = bench.address;
    bench.finish().await;
    assert!(TcpStream::connect(address).await.is_err(), "a connection after the drain");
}

#[tokio::test]
async fn a_lame_duck_takes_new_connections_until_its_time_is_over() {
    let hour = Duration::from_secs(3_600);
    let mut plan = Plan::default();
    plan.edge.lame_duck_seconds = hour.as_secs();
    let mut bench = Bench::start(plan).await;
    assert!(!bench.client.say("hi").await.headers.contains_key("connection"));
    bench.event().await;
    bench.stop.cancel();
    // One that has a connection is told to leave it, so that none of its requests meets the end of it.
    assert_eq!(bench.client.say("hi").await.header("connection"), "close");
    bench.event().await;
    // A client that has no connection yet.
    bench.client = Client { plain: Plain::http2(), ..bench.client };
    assert_eq!(bench.client.say("hi").await.status, 200);
    bench.event().await;
    tokio::time::pause();
    tokio::time::advance(hour).await;
    tokio::time::resume();
    bench.finish().await;
}

#[tokio::test]
async fn what_outlives_the_drain_time_is_cut_and_booked() {
    let mut plan = Plan::default();
    plan.edge.drain_seconds = 0;
    let mut bench = Bench::start(plan).await;
    bench.sim().script(r#"{"chunks":3,"hang":{"after_chunks":1}}"#).await;
    let mut response = bench.client.open_stream("hi").await;
    soon(response.body_mut().frame()).await.unwrap().unwrap();
    bench.stop.cancel();
    assert!(soon(response.into_body().collect()).await.is_err(), "a cut stream looks whole");
    let event = bench.event().await;
    // The client did not hang up.
    assert_eq!((event.outcome, event.status), (RequestOutcome::Cut, 200));
    assert!(event.attempts[0].estimated && event.attempts[0].cost.nanos() > 0, "{event:?}");
    bench.finish().await;
}
