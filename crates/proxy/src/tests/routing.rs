//! What a request does about failures, and what the next request learns of it: keys, repeats, ejection, context.

use domain::AttemptOutcome as O;

use super::harness::{Bench, Plan, Reply, soon};

/// How the attempts of the last request ended, by provider.
async fn attempts(bench: &mut Bench) -> Vec<(String, O)> {
    let event = bench.event().await;
    event.attempts.into_iter().map(|attempt| (attempt.provider, attempt.outcome)).collect()
}

fn at(provider: &str, outcome: O) -> (String, O) {
    (provider.to_owned(), outcome)
}

fn headers(reply: &Reply) -> (u16, &str, &str) {
    (reply.status, reply.header("x-portcullis-provider"), reply.header("x-portcullis-fallback"))
}

const SHORT: &str = r#"{"connect":"1s","first_token":"1s","between_tokens":"1s","total":"6s"}"#;

#[tokio::test]
async fn a_target_that_keeps_failing_is_left_alone_and_comes_back_by_one_trial() {
    let health = r#"{"consecutive":3,"eject":"100ms","max_eject":"100ms","warm_up":"0ms"}"#;
    let mut bench = Bench::start(Plan { simulators: 2, health, timeouts: SHORT, ..Plan::default() }).await;
    bench.sim().script(r#"{"status":500}"#).await;
    for _ in 0..3 {
        assert_eq!(headers(&bench.client.say("hi").await), (200, "b", "server_error"));
        assert_eq!(attempts(&mut bench).await, [at("a", O::ServerError), at("b", O::Ok)]);
    }
    assert_eq!(headers(&bench.client.say("hi").await), (200, "b", "none"), "it was out by now");
    assert_eq!(attempts(&mut bench).await, [at("b", O::Ok)]);
    bench.sim().script("{}").await;
    let target = bench.proxy.live.targets().into_iter().find(|(_, state)| state.view(0).times > 0).unwrap().1;
    // Time passes; the background gives one trial.
    soon(async {
        while !target.permit_trial(std::time::Duration::from_secs(5), bench.proxy.now()) {
            tokio::task::yield_now().await;
        }
    })
    .await;
    assert_eq!(headers(&bench.client.say("hi").await), (200, "a", "none"));
    assert_eq!(attempts(&mut bench).await, [at("a", O::Ok)]);
    assert_eq!(headers(&bench.client.say("hi").await), (200, "a", "none"), "it is back");
    bench.event().await;
    bench.finish().await;
}

#[tokio::test]
async fn a_route_without_a_healthy_target_says_so_at_once() {
    let health = r#"{"consecutive":1,"eject":"60s","max_eject":"60s"}"#;
    let mut bench = Bench::start(Plan { health, ..Plan::default() }).await;
    bench.sim().script(r#"{"status":500}"#).await;
    let first = bench.client.say("hi").await;
    assert_eq!((first.status, first.code().as_str()), (502, "all_targets_failed"));
    assert!(first.text().contains("a/m: server_error 500"), "{}", first.text());
    bench.event().await;
    let second = bench.client.say("hi").await;
    assert_eq!((second.status, second.code().as_str()), (503, "overloaded"), "{}", second.text());
    assert!(second.text().contains("a/m: unhealthy, ejected for"), "{}", second.text());
    let after: u64 = second.header("retry-after").parse().unwrap();
    assert!((30..=90).contains(&after), "{after}");
    assert_eq!(bench.sim().requests().await.len(), 1, "nobody asked it again");
    bench.finish().await;
}

#[tokio::test]
async fn an_error_names_the_target_that_was_out_of_use_beside_the_one_that_failed() {
    let health = r#"{"consecutive":1,"eject":"60s","max_eject":"60s"}"#;
    let route = r#""retry":{"attempts":1,"on":{"server_error":"next_target"}}"#;
    let mut bench = Bench::start(Plan { simulators: 2, health, route, ..Plan::default() }).await;
    bench.sims[0].script(r#"{"status":500}"#).await;
    assert_eq!(headers(&bench.client.say("hi").await), (200, "b", "server_error"));
    bench.event().await;
    bench.sims[1].script(r#"{"status":500}"#).await;
    let failed = bench.client.say("hi").await;
    assert_eq!((failed.status, failed.code().as_str()), (502, "all_targets_failed"), "{}", failed.text());
    let text = "every attempt failed: b/m: server_error 500 (scripted error). Not tried: a/m: unhealthy, ejected for";
    assert!(failed.text().contains(text), "{}", failed.text());
    bench.event().await;
    bench.finish().await;
}

#[tokio::test]
async fn the_last_target_is_asked_again_within_the_retry_budget() {
    let route = r#""retry":{"attempts":3,"budget":"0%"}"#;
    let mut bench = Bench::start(Plan { route, timeouts: SHORT, ..Plan::default() }).await;
    bench.sim().script(r#"[{"status":500},{"status":503},{}]"#).await;
    assert_eq!(bench.client.say("hi").await.status, 200);
    let outcomes = [at("a", O::ServerError), at("a", O::ServerError), at("a", O::Ok)];
    assert_eq!(attempts(&mut bench).await, outcomes);
    // Three repeats in ten seconds are free; one is left.
    bench.sim().script(r#"{"status":500}"#).await;
    assert_eq!(bench.client.say("hi").await.status, 502);
    assert_eq!(attempts(&mut bench).await.len(), 2);
    assert_eq!(bench.client.say("hi").await.status, 502);
    assert_eq!(attempts(&mut bench).await.len(), 1, "the budget is spent");
    bench.finish().await;
}

#[tokio::test]
async fn no_repeat_where_another_target_is_left() {
    let route = r#""retry":{"attempts":3}"#;
    let mut bench = Bench::start(Plan { simulators: 2, route, timeouts: SHORT, ..Plan::default() }).await;
    bench.sim().script(r#"{"status":500}"#).await;
    assert_eq!(bench.client.say("hi").await.status, 200);
    assert_eq!(attempts(&mut bench).await, [at("a", O::ServerError), at("b", O::Ok)]);
    bench.finish().await;
}

#[tokio::test]
async fn a_refused_key_is_not_used_again_and_the_others_carry_on() {
    let mut bench = Bench::start(Plan { credentials: 3, ..Plan::default() }).await;
    let bad = super::harness::credential("a", 1);
    bench.sim().script_key(&bad, r#"{"status":401}"#).await;
    for _ in 0..30 {
        assert_eq!(bench.client.say("hi").await.status, 200);
        bench.event().await;
    }
    assert_eq!(bench.sim().asked_with(&bad).await, 1, "one refusal is enough");
    bench.finish().await;
}

#[tokio::test]
async fn a_throttled_key_rests_as_long_as_its_provider_said() {
    let mut bench = Bench::start(Plan { credentials: 2, ..Plan::default() }).await;
    for number in 0..2 {
        let key = super::harness::credential("a", number);
        bench.sim().script_key(&key, r#"[{"status":429,"retry_after":40},{}]"#).await;
    }
    let reply = bench.client.say("hi").await;
    assert_eq!((reply.status, reply.code().as_str()), (429, "rate_limited"));
    assert_eq!(attempts(&mut bench).await, [at("a", O::RateLimited), at("a", O::RateLimited)]);
    let reply = bench.client.say("hi").await;
    assert_eq!((reply.status, reply.code().as_str()), (429, "rate_limited"), "{}", reply.text());
    assert!((30..=40).contains(&reply.header("retry-after").parse().unwrap()), "{:?}", reply.headers);
    assert_eq!(bench.sim().requests().await.len(), 2, "nobody asked again");
    bench.finish().await;
}

#[tokio::test]
async fn a_key_that_is_throttled_for_no_said_time_is_spared_while_there_is_another() {
    let mut bench = Bench::start(Plan { credentials: 2, ..Plan::default() }).await;
    let throttled = super::harness::credential("a", 0);
    bench.sim().script_key(&throttled, r#"{"status":429}"#).await;
    while bench.sim().asked_with(&throttled).await == 0 {
        assert_eq!(bench.client.say("hi").await.status, 200);
        bench.event().await;
    }
    let within_a_second = bench.proxy.now() + 1_000_000;
    while bench.proxy.now() < within_a_second && bench.sim().requests().await.len() < 30 {
        assert_eq!(bench.client.say("hi").await.status, 200);
        bench.event().await;
    }
    assert_eq!(bench.sim().asked_with(&throttled).await, 1);
    bench.finish().await;
}

#[tokio::test]
async fn the_only_key_is_asked_again_when_its_provider_did_not_say_until_when_it_is_throttled() {
    let mut bench = Bench::start(Plan::default()).await;
    bench.sim().script(r#"[{"status":429},{}]"#).await;
    let first = bench.client.say("hi").await;
    assert_eq!((first.status, first.code().as_str()), (429, "rate_limited"));
    assert_eq!(attempts(&mut bench).await, [at("a", O::RateLimited)]);
    assert_eq!(headers(&bench.client.say("hi").await), (200, "a", "none"));
    bench.event().await;
    bench.finish().await;
}

#[tokio::test]
async fn a_rest_is_read_in_milliseconds_and_as_a_date() {
    let in_two_minutes = domain::Timestamp::from_micros(domain::Timestamp::now().micros() + 120_000_000);
    let date = in_two_minutes.http_date();
    for (said, least, most) in [
        (r#"{"status":429,"headers":{"retry-after-ms":"7500"}}"#.to_owned(), 7_000, 7_500),
        (format!(r#"{{"status":429,"headers":{{"retry-after":"{date}"}}}}"#), 110_000, 120_000),
    ] {
        let mut bench = Bench::start(Plan::default()).await;
        bench.sim().script(&said).await;
        assert_eq!(bench.client.say("hi").await.status, 429);
        bench.event().await;
        let left = bench
            .proxy
            .live
            .credentials()
            .into_iter()
            .filter_map(|(_, key)| key.view(bench.proxy.now()).benched);
        let left: Vec<u128> = left.map(|benched| benched.left.as_millis()).collect();
        assert!(left.len() == 1 && (least..=most).contains(&left[0]), "{said}: {left:?}");
        bench.finish().await;
    }
}

#[tokio::test]
async fn a_key_is_left_before_its_limit_is_hit() {
    let mut bench = Bench::start(Plan { credentials: 2, ..Plan::default() }).await;
    let spent = super::harness::credential("a", 0);
    let script = r#"{"headers":{"x-ratelimit-limit-requests":"100","x-ratelimit-remaining-requests":"0","x-ratelimit-reset-requests":"1m0s"}}"#;
    bench.sim().script_key(&spent, script).await;
    for _ in 0..20 {
        assert_eq!(bench.client.say("hi").await.status, 200);
        bench.event().await;
    }
    assert_eq!(bench.sim().asked_with(&spent).await, 1);
    bench.finish().await;
}

#[tokio::test]
async fn what_is_too_long_goes_to_a_larger_context_only() {
    let models = &[r#""context":1000"#, r#""context":800"#, r#""context":5000"#];
    let mut bench = Bench::start(Plan { simulators: 3, models, ..Plan::default() }).await;
    let long = r#"{"status":400,"error_code":"context_length_exceeded","error_message":"too long"}"#;
    bench.sim().script(long).await;
    assert_eq!(headers(&bench.client.say("hi").await), (200, "c", "context_too_long"));
    assert_eq!(attempts(&mut bench).await, [at("a", O::ContextTooLong), at("c", O::Ok)]);
    bench.sims[2].script(long).await;
    let reply = bench.client.say("hi").await;
    assert_eq!((reply.status, reply.code().as_str()), (400, "context_length_exceeded"), "{}", reply.text());
    assert_eq!(attempts(&mut bench).await, [at("a", O::ContextTooLong), at("c", O::ContextTooLong)]);
    bench.finish().await;
}

#[tokio::test]
async fn a_route_says_what_follows_a_content_filter() {
    let filtered = r#"{"status":400,"error_code":"content_filter","error_message":"no"}"#;
    for (route, expected) in [
        (r#""retry":{"attempts":1}"#, &[at("a", O::ContentFilter), at("b", O::Ok)][..]),
        (r#""retry":{"on":{"content_filter":"stop"}}"#, &[at("a", O::ContentFilter)]),
    ] {
        let mut bench = Bench::start(Plan { simulators: 2, route, ..Plan::default() }).await;
        bench.sim().script(filtered).await;
        let reply = bench.client.say("hi").await;
        assert_eq!(reply.status == 200, expected.len() == 2, "{}", reply.text());
        assert_eq!(attempts(&mut bench).await, expected);
        bench.finish().await;
    }
}

#[tokio::test]
async fn a_clients_haste_is_not_the_providers_fault() {
    let health = r#"{"consecutive":1,"eject":"60s","max_eject":"60s"}"#;
    let mut bench = Bench::start(Plan { health, ..Plan::default() }).await;
    bench.sim().script(r#"[{"hang":"before_headers"},{}]"#).await;
    let hasty = [("x-portcullis-timeout-ms", "200")];
    let request = bench.client.asking(&super::harness::plain_body("hi"), &hasty);
    assert_eq!(bench.client.plain.send(request).await.status, 504);
    bench.event().await;
    assert_eq!(bench.client.say("hi").await.status, 200);
    bench.event().await;
    bench.finish().await;
}

#[tokio::test]
async fn a_model_that_retires_is_warned_of_and_then_replaced() {
    let models = &[r#""deprecation":"2099-12-31","successor":"heir""#];
    let mut bench = Bench::start(Plan { models, ..Plan::default() }).await;
    let reply = bench.client.say("hi").await;
    assert_eq!(reply.header("sunset"), "Thu, 31 Dec 2099 00:00:00 GMT");
    let warning = "model a/m is taken out of service on 2099-12-31; its provider names heir in its place";
    assert_eq!((reply.status, reply.header("x-portcullis-warning")), (200, warning));
    bench.event().await;
    assert!(
        bench.metrics().contains("portcullis_deprecated_model_attempts_total{provider=\"a\",model=\"m\"} 1")
    );
    bench.finish().await;
    let models = &[r#""deprecation":"2020-12-31","successor":"heir""#];
    let mut bench = Bench::start(Plan { models, ..Plan::default() }).await;
    let reply = bench.client.say("hi").await;
    assert_eq!((reply.status, reply.header("x-portcullis-model")), (200, "heir"));
    assert!(!reply.headers.contains_key("sunset"));
    bench.event().await;
    bench.finish().await;
}

#[tokio::test]
async fn each_key_of_a_target_is_asked_once_where_a_route_wants_the_next_one() {
    let route = r#""retry":{"attempts":1,"on":{"server_error":"next_key"}}"#;
    let plan = Plan { simulators: 2, credentials: 2, route, timeouts: SHORT, ..Plan::default() };
    let mut bench = Bench::start(plan).await;
    bench.sim().script(r#"{"status":500}"#).await;
    assert_eq!(headers(&bench.client.say("hi").await), (200, "b", "server_error"));
    let twice = [at("a", O::ServerError), at("a", O::ServerError), at("b", O::Ok)];
    assert_eq!(attempts(&mut bench).await, twice);
    let asked = bench.sim().requests().await;
    assert_ne!(asked[0]["key_sha256"], asked[1]["key_sha256"], "the same key again");
    bench.finish().await;
}
