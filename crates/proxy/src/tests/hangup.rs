//! Clients that hang up: the provider is told at once, and what was used is booked.

use domain::{AttemptOutcome, RequestOutcome};
use http_body_util::BodyExt as _;

use super::harness::{Bench, Price, plain_body, soon};

async fn booked_as_cancelled(mut bench: Bench, output: bool) {
    bench.sim().wait("cancelled=1").await;
    let event = bench.event().await;
    assert_eq!((event.outcome, event.status), (RequestOutcome::Cancelled, 499));
    let [only] = event.attempts.as_slice() else { panic!("{event:?}") };
    assert_eq!((only.outcome, only.estimated), (AttemptOutcome::Cancelled, true));
    assert_eq!((only.usage.input() > 0, only.usage.output() > 0), (true, output));
    assert_eq!(only.cost.nanos(), Price::of(0).cost(&only.usage));
    bench.finish().await;
}

#[tokio::test]
async fn in_the_middle_of_a_stream() {
    let bench = Bench::one().await;
    bench.sim().script(r#"{"chunks":5,"hang":{"after_chunks":2}}"#).await;
    let mut response = bench.client.open_stream("hi").await;
    soon(response.body_mut().frame()).await.unwrap().unwrap();
    drop(response);
    booked_as_cancelled(bench, true).await;
}

#[tokio::test]
async fn before_the_head() {
    let bench = Bench::one().await;
    bench.sim().script(r#"{"hang":"before_headers"}"#).await;
    let (plain, request) = (bench.client.plain.clone(), bench.client.asking(&plain_body("hi"), &[]));
    let asking = tokio::spawn(async move { plain.send(request).await });
    bench.sim().wait("received=1").await;
    asking.abort();
    booked_as_cancelled(bench, false).await;
}

#[tokio::test]
async fn while_a_plain_answer_is_held() {
    let bench = Bench::one().await;
    bench.sim().script(r#"{"hang":"after_headers"}"#).await;
    let (plain, request) = (bench.client.plain.clone(), bench.client.asking(&plain_body("hi"), &[]));
    let asking = tokio::spawn(async move { plain.send(request).await });
    bench.sim().wait("received=1").await;
    asking.abort();
    booked_as_cancelled(bench, false).await;
}
