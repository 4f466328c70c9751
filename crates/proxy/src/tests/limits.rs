//! Shared limits: refused before anything is sent, held until a stream's end, counted for whom they are written.

use http_body_util::BodyExt as _;

use super::harness::{Bench, Plan, plain_body, soon};

async fn limited(limits: &'static [&'static str]) -> Bench {
    Bench::start(Plan { limits, ..Plan::default() }).await
}

#[tokio::test]
async fn so_many_in_a_minute_and_no_more() {
    let mut bench = limited(&[r#"{"requests":"3/min"}"#]).await;
    for _ in 0..3 {
        assert_eq!(bench.client.say("hi").await.status, 200);
        bench.event().await;
    }
    let denied = bench.client.say("hi").await;
    assert_eq!((denied.status, denied.code().as_str()), (429, "rate_limited"));
    let wait: u64 = denied.header("retry-after").parse().unwrap();
    // A permit is back at most a 64th of the interval late.
    assert!((1..=61).contains(&wait), "{wait}");
    assert!(denied.text().contains("3/min"), "{}", denied.text());
    assert_eq!(bench.sim().requests().await.len(), 3, "a denied request was sent");
    // No event for what was refused: `finish` would find it.
    bench.finish().await;
}

#[tokio::test]
async fn a_stream_holds_its_place_until_it_ends() {
    let mut bench = limited(&[r#"{"concurrent":1}"#]).await;
    bench.sim().script(r#"[{"chunks":3,"hang":{"after_chunks":1}},{}]"#).await;
    let mut stream = bench.client.open_stream("hi").await;
    soon(stream.body_mut().frame()).await.unwrap().unwrap();
    let denied = bench.client.say("hi").await;
    assert_eq!((denied.status, denied.header("retry-after")), (429, "1"));
    drop(stream);
    // The event of the cancelled stream is written by the guard that gives the place back.
    bench.event().await;
    assert_eq!(bench.client.say("hi").await.status, 200);
    bench.event().await;
    bench.finish().await;
}

#[tokio::test]
async fn users_are_counted_apart_and_every_limit_must_agree() {
    let mut bench =
        limited(&[r#"{"per":"user","requests":"1/min"}"#, r#"{"per":"tenant","requests":"2/min"}"#]).await;
    let ask = async |user: &str| {
        let request = bench.client.asking(&plain_body("hi"), &[("x-portcullis-user", user)]);
        bench.client.plain.send(request).await.status
    };
    assert_eq!((ask("ann").await, ask("ann").await), (200, 429));
    // Ann's denied request did not use the tenant's second permit up.
    assert_eq!((ask("bob").await, ask("eve").await), (200, 429));
    bench.event().await;
    bench.event().await;
    bench.finish().await;
}
