//! Cascades: a cheap answer is judged before the client has a byte of it, kept or replaced, and paid for either way.

mod dialects;
mod facts;
mod failing;
mod logprobs;

use domain::{AttemptOutcome as O, RequestOutcome, UsageEvent};
use serde_json::Value;

use super::harness::{Bench, Plan, Price, Reply, account, plain_body, stream_body, text_of};

/// A route that asks `a` first and keeps its answer if this holds.
macro_rules! frugal {
    ($when:literal) => {
        concat!(
            r#""retry":{"attempts":1},"pools":{"main":{"cascade":[{"model":"a/m","accept":{"when":""#,
            $when,
            r#""}},{"model":"b/m"}]}}"#
        )
    };
}
use frugal;

/// Whatever the cheap model says is too short.
const NEVER: &str = frugal!("reply.length > 100000");
const LONGER: &str = frugal!("reply.length > 20");
const CHEAP: &str = "CHEAP";

async fn bench(route: &'static str) -> Bench {
    Bench::start(Plan { simulators: 2, route, ..Plan::default() }).await
}

pub(super) fn outcomes(event: &UsageEvent) -> Vec<(&str, O)> {
    event.attempts.iter().map(|attempt| (attempt.provider.as_str(), attempt.outcome)).collect()
}

/// Who answered, why not the first, and after how many attempts.
pub(super) fn headers(reply: &Reply) -> (u16, &str, &str, &str) {
    let header = |name| reply.header(name);
    let [provider, fallback, attempts] =
        ["x-portcullis-provider", "x-portcullis-fallback", "x-portcullis-attempts"].map(header);
    (reply.status, provider, fallback, attempts)
}

/// The sum of what all attempts cost, each by its own provider's price, in dollars as they are written.
fn total(event: &UsageEvent) -> String {
    let mut sum = 0;
    for attempt in &event.attempts {
        let number = usize::from(attempt.provider.as_bytes()[0] - b'a');
        assert_eq!(attempt.cost.nanos(), Price::of(number).cost(&attempt.usage), "{attempt:?}");
        sum += attempt.cost.nanos();
    }
    assert_eq!(event.cost().map(|cost| cost.nanos()), Some(sum));
    domain::Money::from_nanos(sum).to_string()
}

#[tokio::test]
async fn an_answer_that_passes_is_the_answer() {
    let mut bench = bench(LONGER).await;
    let plain = bench.client.say("tell me more about castles").await;
    assert_eq!(headers(&plain), (200, "a", "none", "1"));
    assert_eq!(plain.json()["choices"][0]["message"]["content"], "echo: tell me more about castles");
    let event = bench.event().await;
    assert_eq!(
        (outcomes(&event), plain.header("x-portcullis-cost-usd")),
        (vec![("a", O::Ok)], &*total(&event))
    );
    let stream = bench.client.stream("tell me more about castles").await;
    assert_eq!(headers(&stream), (200, "a", "none", "1"));
    assert_eq!(text_of(stream.text()), "echo: tell me more about castles");
    let event = bench.event().await;
    assert_eq!(outcomes(&event), [("a", O::Ok)]);
    assert_eq!(account(stream.text())["cost_usd"].as_str().unwrap(), total(&event));
    assert!(event.ttft_us.is_some_and(|ttft| ttft <= event.duration_us), "{event:?}");
    assert!(bench.sims[1].requests().await.is_empty());
    bench.finish().await;
}

#[tokio::test]
async fn a_held_stream_is_relayed_as_it_came() {
    let mut bench = bench(LONGER).await;
    // Usage only behind the end, and no end at all: as providers are.
    for script in ["{}", r#"{"usage":"last_choice"}"#, r#"{"no_terminal":true}"#, r#"{"split_bytes":7}"#] {
        bench.sim().script(script).await;
        let held = bench.client.stream("tell me more about castles").await;
        let body = stream_body("tell me more about castles").replace("\"chat\"", "\"a/m\"");
        let direct = bench.client.chat(&body).await;
        let plain = |reply: &Reply| {
            let text = reply.text().lines().filter(|line| !line.starts_with(": portcullis"));
            text.map(str::to_owned).collect::<Vec<_>>()
        };
        assert_eq!(plain(&held), plain(&direct), "{script}");
        assert_eq!(account(held.text())["tokens_out"], account(direct.text())["tokens_out"]);
        bench.event().await;
        bench.event().await;
    }
    bench.finish().await;
}

#[tokio::test]
async fn one_that_does_not_pass_is_replaced_and_both_are_paid() {
    let mut bench = bench(LONGER).await;
    bench.sim().script(r#"{"text":"CHEAP","prompt_tokens":100,"completion_tokens":3}"#).await;
    bench.sims[1].script(r#"{"prompt_tokens":110,"completion_tokens":7}"#).await;
    let plain = bench.client.say("tell me more about castles").await;
    assert_eq!(headers(&plain), (200, "b", "rejected", "2"));
    assert_eq!(plain.json()["choices"][0]["message"]["content"], "echo: tell me more about castles");
    assert!(!plain.text().contains(CHEAP));
    // 100 × 2,000 + 3 × 10,000, and 110 × 4,000 + 7 × 20,000.
    assert_eq!(plain.header("x-portcullis-cost-usd"), "0.00081");
    assert_eq!(plain.header("x-portcullis-tokens-out"), "7");
    let event = bench.event().await;
    assert_eq!(outcomes(&event), [("a", O::Rejected), ("b", O::Ok)]);
    assert_eq!((total(&event).as_str(), event.outcome, event.status), ("0.00081", RequestOutcome::Ok, 200));
    assert!(event.attempts.iter().all(|attempt| !attempt.estimated));

    let stream = bench.client.stream("tell me more about castles").await;
    assert_eq!(headers(&stream), (200, "b", "rejected", "2"));
    assert_eq!(text_of(stream.text()), "echo: tell me more about castles");
    assert!(!stream.text().contains(CHEAP), "{}", stream.text());
    let account = account(stream.text());
    assert_eq!((&account["cost_usd"], &account["tokens_out"]), (&Value::from("0.00081"), &Value::from(7)));
    let event = bench.event().await;
    assert_eq!(
        (outcomes(&event), total(&event)),
        (vec![("a", O::Rejected), ("b", O::Ok)], "0.00081".to_owned())
    );
    bench.finish().await;
}

#[tokio::test]
async fn who_asks_is_told_why() {
    let mut bench = bench(frugal!("reply.mean_logprob > -1.0")).await;
    // What says no log-probabilities passes no condition on them.
    bench.sim().script(r#"{"raw_body":"{\"choices\":[{\"index\":0,\"message\":{\"role\":\"assistant\",\"content\":\"CHEAP\"},\"finish_reason\":\"stop\"}],\"usage\":{\"prompt_tokens\":1,\"completion_tokens\":1,\"total_tokens\":2}}"}"#).await;
    assert_eq!(headers(&bench.client.say("hi").await), (200, "b", "rejected", "2"));
    bench.event().await;
    bench.finish().await;

    let mut bench = self::bench(NEVER).await;
    let explained = [("x-portcullis-explain", "1")];
    let reply = bench.client.plain.send(bench.client.asking(&stream_body("hi"), &explained)).await;
    let account = account(reply.text());
    let first = &account["attempts"][0];
    assert_eq!((&first["outcome"], &first["provider"]), (&Value::from("rejected"), &Value::from("a")));
    assert_eq!(first["why"], r#"not accepted by "reply.length > 100000""#);
    assert_eq!(account["attempts"][1]["why"], Value::Null);
    bench.event().await;
    bench.finish().await;
}

#[tokio::test]
async fn what_no_model_says_is_not_judged() {
    let mut bench = bench(NEVER).await;
    let embed =
        bench.client.request(http::Method::POST, "/v1/embeddings", r#"{"model":"chat","input":"hi"}"#);
    let reply = bench.client.plain.send(embed).await;
    assert_eq!(headers(&reply), (200, "a", "none", "1"), "{reply:?}");
    bench.event().await;
    bench.finish().await;
}

#[tokio::test]
async fn rules_lead_to_a_cascade() {
    let mut bench = bench(
        r#""retry":{"attempts":1},"default":"main","rules":[{"name":"small","when":"request.input_tokens < 40","pool":"small"}],
        "pools":{"main":{"targets":["b/m"]},
        "small":{"cascade":[{"model":"a/m","accept":{"when":"!reply.refusal"}},{"model":"b/m"}]}}"#,
    )
    .await;
    assert_eq!(headers(&bench.client.say("hi").await), (200, "a", "none", "1"));
    assert_eq!(outcomes(&bench.event().await), [("a", O::Ok)]);
    assert_eq!(headers(&bench.client.say("refuse:never").await), (200, "b", "rejected", "2"));
    assert_eq!(outcomes(&bench.event().await), [("a", O::Rejected), ("b", O::Ok)]);
    assert_eq!(headers(&bench.client.say(&"word ".repeat(60)).await), (200, "b", "none", "1"));
    bench.event().await;
    assert_eq!(bench.sim().requests().await.len(), 2);
    bench.finish().await;
}
