//! Steps that fail, and clients that do not wait for the verdict.

use domain::{AttemptOutcome as O, RequestOutcome};

use super::{
    super::harness::{Bench, Plan, Raw, Sim, account, soon, text_of},
    CHEAP, NEVER, bench, frugal, headers, outcomes, plain_body, stream_body, total,
};

const IMPATIENT: &str = r#"{"connect":"1s","first_token":"300ms","between_tokens":"300ms","total":"2s"}"#;

#[tokio::test]
async fn an_answer_that_did_not_pass_is_better_than_none() {
    let mut bench = bench(NEVER).await;
    bench.sim().script(r#"{"text":"CHEAP","completion_tokens":5}"#).await;
    for failing in [r#"{"status":500}"#, r#"{"status":400}"#, r#"{"cut_after":1}"#] {
        bench.sims[1].script(failing).await;
        let plain = bench.client.say("hi").await;
        assert_eq!(headers(&plain), (200, "a", "rejected", "2"), "{failing}");
        assert_eq!(plain.json()["choices"][0]["message"]["content"], CHEAP);
        assert_eq!(plain.header("x-portcullis-tokens-out"), "5", "of the answer, not of the failure");
        let event = bench.event().await;
        assert_eq!((event.outcome, event.attempts[0].outcome), (RequestOutcome::Ok, O::Rejected));
        assert_eq!((plain.header("x-portcullis-cost-usd"), event.attempts.len()), (&*total(&event), 2));
        assert_eq!(event.answering().map(|attempt| attempt.provider.as_str()), Some("a"));
    }
    bench.sims[1].script(r#"{"status":500}"#).await;
    let stream = bench.client.stream("hi").await;
    assert_eq!(headers(&stream), (200, "a", "rejected", "2"));
    assert_eq!((text_of(stream.text()).as_str(), &account(stream.text())["tokens_out"]), (CHEAP, &5.into()));
    let event = bench.event().await;
    assert_eq!(outcomes(&event), [("a", O::Rejected), ("b", O::ServerError)]);
    assert_eq!(account(stream.text())["cost_usd"].as_str().unwrap(), total(&event));
    bench.finish().await;
}

#[tokio::test]
async fn it_is_also_better_than_a_target_that_is_not_asked() {
    let route = r#""retry":{"attempts":1},"pools":{"main":{"cascade":[{"model":"a/m","accept":{"when":"false"}},{"model":"none/m"}]}}"#;
    let mut bench = bench(route).await;
    assert_eq!(headers(&bench.client.say("hi").await), (200, "a", "rejected", "1"));
    let event = bench.event().await;
    assert_eq!((outcomes(&event), event.fallback()), (vec![("a", O::Rejected)], Some(O::Rejected)));
    bench.finish().await;
}

#[tokio::test]
async fn a_cheap_stream_that_breaks_was_never_seen() {
    let mut bench =
        Bench::start(Plan { simulators: 2, route: NEVER, timeouts: IMPATIENT, ..Plan::default() }).await;
    for (script, outcome) in [
        (r#"{"text":"CHEAP one two three","cut_after":2}"#, O::Cut),
        (r#"{"text":"CHEAP one two three","end_after":2,"no_terminal":true}"#, O::Cut),
        (r#"{"text":"CHEAP one two three","error_event_after":2}"#, O::StreamError),
        (r#"{"text":"CHEAP one two three","hang":{"after_chunks":2}}"#, O::Timeout),
        (r#"{"text":"CHEAP","hang":"after_headers"}"#, O::Timeout),
        (r#"{"status":500}"#, O::ServerError),
        (
            r#"{"text":"CHEAP one two three","error_event_after":2,"error_code":"rate_limit_exceeded"}"#,
            O::RateLimited,
        ),
    ] {
        bench.sim().script(script).await;
        let stream = bench.client.stream("hi").await;
        assert_eq!(headers(&stream), (200, "b", outcome.as_str(), "2"), "{script}");
        assert!(!stream.text().contains(CHEAP) && !stream.text().contains("error"), "{}", stream.text());
        assert_eq!(text_of(stream.text()), "echo: hi");
        let event = bench.event().await;
        assert_eq!(outcomes(&event), [("a", outcome), ("b", O::Ok)], "{script}");
        assert_eq!(account(stream.text())["cost_usd"].as_str().unwrap(), total(&event));
        let worked = event.attempts[0].usage.output() > 0;
        assert_eq!(worked, script.contains("one"), "{script}: what was seen is paid");
    }
    bench.finish().await;
}

#[tokio::test]
async fn a_cheap_answer_has_its_share_of_the_time() {
    let mut bench =
        Bench::start(Plan { simulators: 2, route: NEVER, timeouts: IMPATIENT, ..Plan::default() }).await;
    bench.sim().script(r#"{"hang":"before_headers"}"#).await;
    assert_eq!(headers(&bench.client.say("hi").await), (200, "b", "timeout", "2"));
    assert_eq!(outcomes(&bench.event().await), [("a", O::Timeout), ("b", O::Ok)]);
    // It speaks all the time and comes to no end.
    bench.sim().script(r#"{"chunks":1000,"chunk_delay_ms":20}"#).await;
    let stream = bench.client.stream("hi").await;
    assert_eq!(headers(&stream), (200, "b", "timeout", "2"));
    let event = bench.event().await;
    let took = event.attempts[0].duration_us;
    assert!((900_000..1_900_000).contains(&took), "half of two seconds, not a stream's first token: {took}");
    bench.finish().await;
}

#[tokio::test]
async fn who_hangs_up_meanwhile_pays_for_what_was_written() {
    let mut bench = bench(NEVER).await;
    bench.sim().script(r#"{"chunks":5,"hang":{"after_chunks":2}}"#).await;
    let (plain, request) = (bench.client.plain.clone(), bench.client.asking(&stream_body("hi"), &[]));
    let asking = tokio::spawn(async move { plain.send(request).await });
    bench.sim().wait("received=1").await;
    // The cheap model's first content has come.
    let states = bench.proxy.live.targets();
    let shows = || states.iter().any(|(_, state)| state.load(bench.proxy.now()) > 0.0);
    soon(async {
        while !shows() {
            tokio::task::yield_now().await;
        }
    })
    .await;
    assert!(!asking.is_finished(), "the client has seen nothing");
    asking.abort();
    bench.sim().wait("cancelled=1").await;
    let event = bench.event().await;
    assert_eq!(
        (event.outcome, event.status, outcomes(&event)),
        (RequestOutcome::Cancelled, 499, vec![("a", O::Cancelled)])
    );
    assert!(event.attempts[0].estimated && event.attempts[0].usage.output() > 0);
    assert_eq!(event.ttft_us, None);
    total(&event);
    assert!(bench.sims[1].requests().await.is_empty());
    bench.finish().await;
}

#[tokio::test]
async fn who_hangs_up_at_the_second_step_pays_for_the_first() {
    let mut bench = bench(NEVER).await;
    bench.sims[1].script(r#"{"hang":"before_headers"}"#).await;
    let (plain, request) = (bench.client.plain.clone(), bench.client.asking(&plain_body("hi"), &[]));
    let asking = tokio::spawn(async move { plain.send(request).await });
    bench.sims[1].wait("received=1").await;
    asking.abort();
    bench.sims[1].wait("cancelled=1").await;
    let event = bench.event().await;
    assert_eq!(outcomes(&event), [("a", O::Rejected), ("b", O::Cancelled)]);
    assert!(!event.attempts[0].estimated && event.attempts[0].cost.nanos() > 0);
    total(&event);
    bench.finish().await;
}

#[tokio::test]
async fn an_answer_without_end_is_not_kept() {
    let long = "CHEAP".repeat(200_000);
    let plain = format!(r#"{{"choices":[{{"index":0,"message":{{"content":"{}"}}}}]}}"#, long.repeat(9));
    let chunk = format!("data: {{\"choices\":[{{\"index\":0,\"delta\":{{\"content\":\"{long}\"}}}}]}}\n\n");
    let head = "HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\nconnection: close\r\n\r\n";
    let stream = format!("{head}{}data: [DONE]\n\n", chunk.repeat(9)).into_bytes();
    let raw = Raw::start(move |n| if n == 1 { Raw::json(&plain) } else { Some(stream.clone()) }).await;
    let good = Sim::start().await;
    let others = vec![raw.url.clone(), good.url()];
    let mut bench =
        Bench::start(Plan { simulators: 0, others, route: frugal!("true"), ..Plan::default() }).await;
    for reply in [bench.client.say("hi").await, bench.client.stream("hi").await] {
        assert_eq!((headers(&reply), reply.text().contains(CHEAP)), ((200, "b", "rejected", "2"), false));
        let event = bench.event().await;
        assert_eq!(outcomes(&event), [("a", O::Rejected), ("b", O::Ok)]);
        let first = &event.attempts[0];
        assert!(
            first.estimated && first.usage.output() > 2_000_000,
            "8 MiB are worth as many tokens: {first:?}"
        );
        total(&event);
    }
    bench.finish().await;
}
