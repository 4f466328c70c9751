//! What a route says of blocked prompts, and cascades.

use super::*;

const CASCADE: &str = r#""retry":{"attempts":1},"pools":{"main":{"cascade":[{"model":"a/m","accept":{"when":"true"}},{"model":"b/m"}]}}"#;

#[tokio::test]
async fn a_route_may_keep_to_the_first_answer() {
    let route = r#""retry":{"on":{"content_filter":"stop"}}"#;
    let mut bench = Bench::start(Plan { simulators: 2, route, ..Plan::default() }).await;
    bench.sim().script(BLOCKED).await;
    for stream in [false, true] {
        let reply = ask(&bench, stream).await;
        assert_eq!(headers(&reply), (200, "a", "none", "1"));
        assert!(reply.text().contains("content_filter"), "{}", reply.text());
        assert_eq!(outcomes(&bench.event().await), [("a", O::Ok)]);
    }
    assert!(bench.sims[1].requests().await.is_empty());
    bench.finish().await;
}

#[tokio::test]
async fn or_ask_the_last_target_again() {
    let route = r#""retry":{"attempts":3,"on":{"content_filter":"retry"}}"#;
    let mut bench = Bench::start(Plan { route, ..Plan::default() }).await;
    bench.sim().script(r#"[{"blocked":true},{}]"#).await;
    assert_eq!(headers(&bench.client.say("hi").await), (200, "a", "content_filter", "2"));
    assert_eq!(outcomes(&bench.event().await), [("a", O::ContentFilter), ("a", O::Ok)]);
    // The answer outlives a failure that follows it at the same target.
    for stream in [false, true] {
        bench.sim().script(r#"[{"blocked":true},{"status":400}]"#).await;
        let reply = ask(&bench, stream).await;
        assert_eq!(headers(&reply), (200, "a", "content_filter", "2"));
        assert!(reply.text().contains("content_filter"), "{}", reply.text());
        let event = bench.event().await;
        assert_eq!(outcomes(&event), [("a", O::ContentFilter), ("a", O::ClientFault)]);
        assert_eq!(event.answering().map(|attempt| attempt.number), Some(1));
    }
    bench.finish().await;
}

#[tokio::test]
async fn or_try_the_targets_other_keys() {
    let route = r#""retry":{"attempts":1,"on":{"content_filter":"next_key"}}"#;
    let mut bench = Bench::start(Plan { simulators: 2, credentials: 2, route, ..Plan::default() }).await;
    bench.sim().script(BLOCKED).await;
    for stream in [false, true] {
        assert_eq!(headers(&ask(&bench, stream).await), (200, "b", "content_filter", "3"));
        let twice = [("a", O::ContentFilter), ("a", O::ContentFilter), ("b", O::Ok)];
        assert_eq!(outcomes(&bench.event().await), twice);
    }
    bench.finish().await;
}

#[tokio::test]
async fn a_cascade_goes_on_whatever_its_condition_says() {
    for kinds in [&["custom", "custom"], &["gemini", "custom"]] {
        let plan = Plan { simulators: 2, kinds, route: CASCADE, ..Plan::default() };
        let mut bench = Bench::start(plan).await;
        bench.sim().script(BLOCKED).await;
        for stream in [false, true] {
            bench.sims[1].script("{}").await;
            assert_eq!(headers(&ask(&bench, stream).await), (200, "b", "content_filter", "2"));
            assert_eq!(outcomes(&bench.event().await), [("a", O::ContentFilter), ("b", O::Ok)]);
            bench.sims[1].script(r#"{"status":500}"#).await;
            let reply = ask(&bench, stream).await;
            assert_eq!(headers(&reply), (200, "a", "content_filter", "2"));
            assert!(reply.text().contains("content_filter"), "{}", reply.text());
            bench.event().await;
        }
        bench.finish().await;
    }
}

#[tokio::test]
async fn an_answer_that_was_not_accepted_is_better_than_a_blocked_one() {
    let route = r#""retry":{"attempts":1},"pools":{"main":{"cascade":[{"model":"a/m","accept":{"when":"reply.length > 100"}},
        {"model":"b/m","accept":{"when":"true"}},{"model":"c/m"}]}}"#;
    let mut bench = Bench::start(Plan { simulators: 3, route, ..Plan::default() }).await;
    bench.sims[1].script(BLOCKED).await;
    bench.sims[2].script(r#"{"status":500}"#).await;
    for stream in [false, true] {
        let reply = ask(&bench, stream).await;
        assert_eq!(headers(&reply), (200, "a", "rejected", "3"));
        assert!(reply.text().contains("echo:"), "{}", reply.text());
        let event = bench.event().await;
        assert_eq!(outcomes(&event), [("a", O::Rejected), ("b", O::ContentFilter), ("c", O::ServerError)]);
        assert_eq!(event.answering().map(|attempt| attempt.provider.as_str()), Some("a"));
    }
    bench.finish().await;
}
