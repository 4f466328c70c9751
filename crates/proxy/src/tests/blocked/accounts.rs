//! What a blocked prompt costs, what is recorded of it, and what it says of target and key.

use serde_json::Value;

use super::{
    super::harness::{Price, account},
    *,
};

#[tokio::test]
async fn both_attempts_are_paid() {
    let mut bench = Bench::two().await;
    bench.sim().script(r#"{"blocked":true,"prompt_tokens":40,"completion_tokens":0}"#).await;
    bench.sims[1].script(r#"{"prompt_tokens":50,"completion_tokens":7}"#).await;
    for stream in [false, true] {
        let reply = ask(&bench, stream).await;
        let event = bench.event().await;
        let [first, second] = event.attempts.as_slice() else { panic!("{event:?}") };
        // 40 × 2,000, and 50 × 4,000 + 7 × 20,000.
        assert_eq!((first.cost.nanos(), first.status, first.estimated), (80_000, 200, false));
        assert_eq!((second.cost.nanos(), second.estimated), (340_000, false));
        assert_eq!(first.cost.nanos(), Price::of(0).cost(&first.usage));
        let told = match stream {
            true => account(reply.text())["cost_usd"].clone(),
            false => reply.header("x-portcullis-cost-usd").into(),
        };
        assert_eq!(told, "0.00042");
    }
    bench.finish().await;
}

#[tokio::test]
async fn what_it_does_not_say_costs_nothing() {
    let mut bench = Bench::two().await;
    bench.sim().script(r#"{"blocked":true,"usage":"none"}"#).await;
    for stream in [false, true] {
        assert_eq!(headers(&ask(&bench, stream).await), (200, "b", "content_filter", "2"));
        let first = &bench.event().await.attempts[0];
        assert_eq!((first.cost.nanos(), first.estimated, first.usage.is_nothing()), (0, false, true));
    }
    bench.finish().await;
}

#[tokio::test]
async fn who_asks_is_told() {
    let mut bench = Bench::two().await;
    bench.sim().script(BLOCKED).await;
    for body in [plain_body("hi"), stream_body("hi")] {
        let reply =
            bench.client.plain.send(bench.client.asking(&body, &[("x-portcullis-explain", "1")])).await;
        let explained = match body.contains("stream") {
            true => account(reply.text()),
            false => serde_json::from_str::<Value>(reply.header("x-portcullis-explain")).unwrap(),
        };
        let outcomes = [0, 1].map(|n| explained["attempts"][n]["outcome"].as_str().unwrap().to_owned());
        assert_eq!(outcomes, ["content_filter", "ok"], "{explained}");
        bench.event().await;
    }
    bench.finish().await;
}

#[tokio::test]
async fn it_is_held_against_nobody() {
    let health = r#"{"consecutive":1,"min_requests":1,"eject":"60s","max_eject":"60s"}"#;
    let mut bench = Bench::start(Plan { simulators: 2, health, ..Plan::default() }).await;
    bench.sim().script(r#"[{"blocked":true},{"blocked":true},{}]"#).await;
    for stream in [false, true] {
        assert_eq!(headers(&ask(&bench, stream).await), (200, "b", "content_filter", "2"));
        bench.event().await;
    }
    assert_eq!(headers(&bench.client.say("hi").await), (200, "a", "none", "1"));
    bench.event().await;
    bench.finish().await;
}
