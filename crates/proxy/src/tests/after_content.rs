//! Failures after content: nothing is repeated, and the client is told in the stream.

use domain::RequestOutcome;

use super::harness::{Bench, Plan, Price, chunks, text_of};

#[tokio::test]
async fn a_stream_that_fails_ends_in_an_error_and_in_no_terminal_event() {
    let timeouts = r#"{"connect":"1s","first_token":"10s","between_tokens":"500ms","total":"15s"}"#;
    for (script, attempt, code) in [
        (r#"{"chunks":5,"error_event_after":2,"error_message":"boom"}"#, "stream_error", None),
        (r#"{"chunks":5,"cut_after":2}"#, "cut", Some("all_targets_failed")),
        (r#"{"chunks":5,"hang":{"after_chunks":2}}"#, "timeout", Some("upstream_timeout")),
        // Comments keep a connection alive, not an answer.
        (
            r#"{"chunks":5,"hang":{"after_chunks":2},"keepalive_comments":20}"#,
            "timeout",
            Some("upstream_timeout"),
        ),
    ] {
        let mut bench = Bench::start(Plan { simulators: 2, timeouts, ..Plan::default() }).await;
        bench.sims[0].script(script).await;
        let reply = bench.client.stream("hi").await;
        assert_eq!((reply.status, text_of(reply.text()).as_str()), (200, "echo: hi "), "{script}");
        assert!(!reply.text().contains("[DONE]"), "{script}");
        let error = chunks(reply.text()).pop().unwrap()["error"].clone();
        match code {
            Some(code) => assert_eq!(error["code"], code, "{script}"),
            None => assert_eq!(error["message"], "boom", "{script}"),
        }
        let event = bench.event().await;
        assert_eq!((event.outcome, event.status), (RequestOutcome::Cut, 200), "{script}");
        assert!(event.duration_us < 10_000_000, "{script}: silence was not noticed");
        let [only] = event.attempts.as_slice() else { panic!("{script}: {event:?}") };
        assert_eq!((only.outcome.as_str(), only.estimated), (attempt, true), "{script}");
        assert!(only.usage.input() > 0 && only.usage.output() >= 2, "{script}: {only:?}");
        assert_eq!(only.cost.nanos(), Price::of(0).cost(&only.usage), "{script}");
        assert_eq!(bench.sims[0].requests().await.len(), 1, "{script}");
        assert_eq!(bench.sims[1].requests().await.len(), 0, "{script}");
        bench.finish().await;
    }
}

#[tokio::test]
async fn an_error_that_quotes_the_credential_is_blotted() {
    let mut bench = Bench::one().await;
    let secret = super::harness::credential("a", 0);
    bench.sim().script(&format!(r#"{{"error_event_after":1,"error_message":"key {secret} died"}}"#)).await;
    let reply = bench.client.stream("hi").await;
    assert_eq!(chunks(reply.text()).pop().unwrap()["error"]["message"], "key [redacted] died");
    assert_eq!(bench.event().await.outcome, RequestOutcome::Cut);
    bench.finish().await;
}
