//! What a client is told that wants to know why its request went where it went.

use http::Method;
use serde_json::{Value, json};

use super::harness::{Bench, Plan, Reply, plain_body, stream_body};

const WANTED: (&str, &str) = ("x-portcullis-explain", "1");

/// A route with rules and two tiers.
const RULED: &str = r#""retry":{"attempts":1},"default":"b","pools":{"a":{"tiers":[{"targets":["a/m"]},{"targets":["b/m"]}]},
    "b":{"targets":["b/m"]}},"rules":[{"name":"short","when":"request.input_tokens < 3","pool":"b"},
    {"name":"tagged","when":"request.tags.team == 'x'","pool":"b"},{"name":"all","when":"true","pool":"a"}]"#;

async fn ruled() -> Bench {
    Bench::start(Plan { simulators: 2, route: RULED, ..Plan::default() }).await
}

async fn post(bench: &Bench, path: &str, body: &str) -> Reply {
    let mut request = bench.client.request(Method::POST, path, body);
    request.headers_mut().insert(WANTED.0, WANTED.1.parse().unwrap());
    bench.client.plain.send(request).await
}

async fn ask(bench: &Bench, body: &str) -> Reply {
    bench.client.plain.send(bench.client.asking(body, &[WANTED])).await
}

/// The account before the event that ends a stream.
fn account(stream: &str) -> Value {
    let (_, comment) = stream.split_once("\n: portcullis ").unwrap_or_else(|| panic!("no account: {stream}"));
    let (json, _) = comment.split_once('\n').unwrap();
    serde_json::from_str(json).unwrap()
}

fn explained(reply: &Reply) -> Value {
    let header = reply.header(WANTED.0);
    serde_json::from_str(header).unwrap_or_else(|error| panic!("{error}: {header}"))
}

#[tokio::test]
async fn a_plain_answer_tells_rule_pool_reasons_and_costs() {
    let mut bench = ruled().await;
    bench.sim().script(r#"{"status":500}"#).await;
    let reply = ask(&bench, &plain_body("hello there")).await;
    let record = explained(&reply);
    assert_eq!(
        (&record["route"], &record["rule"], &record["pool"]),
        (&json!("chat"), &json!("all"), &json!("a"))
    );
    let rules = record["rules"].as_array().unwrap();
    assert_eq!(rules.len(), 3, "{record}");
    assert_eq!(rules[0], json!({ "route": "chat", "rule": "short", "matched": false }));
    assert!(rules[1]["error"].as_str().unwrap().contains("team"), "{record}");
    assert_eq!(rules[2]["matched"], true);
    let [first, second] = record["attempts"].as_array().unwrap().as_slice() else { panic!("{record}") };
    let event = bench.event().await;
    for (line, attempt) in [first, second].into_iter().zip(&event.attempts) {
        assert_eq!(line["provider"], attempt.provider);
        assert_eq!(line["model"], attempt.model);
        assert_eq!(line["outcome"], attempt.outcome.as_str());
        assert_eq!(line["status"], attempt.status);
        assert_eq!(line["duration_us"], attempt.duration_us);
        assert_eq!(line["cost_usd"], attempt.cost.to_string());
        assert_eq!(line["tokens_out"], attempt.usage.output());
        assert_eq!(line["reason"], "first of the list");
    }
    assert_eq!(second["cost_usd"], reply.header("x-portcullis-cost-usd"));
    assert_eq!(record["passed_over"], json!([]));
    let quiet = bench.client.say("hello").await;
    assert!(!quiet.headers.contains_key(WANTED.0), "only for those who ask");
    bench.event().await;
    bench.finish().await;
}

#[tokio::test]
async fn a_stream_tells_it_in_its_last_comment() {
    let mut bench = ruled().await;
    let reply = ask(&bench, &stream_body("hello there")).await;
    assert!(!reply.headers.contains_key(WANTED.0), "{reply:?}");
    let record = account(reply.text());
    assert_eq!(
        (&record["route"], &record["rule"], &record["pool"]),
        (&json!("chat"), &json!("all"), &json!("a"))
    );
    assert_eq!(record["attempts"][0]["reason"], "first of the list");
    assert_eq!(record["attempts"][0]["cost_usd"], record["cost_usd"]);
    bench.event().await;
    bench.sim().script(r#"{"chunks":9,"cut_after":2}"#).await;
    let cut = ask(&bench, &stream_body("hello there")).await;
    assert_eq!(account(cut.text())["attempts"][0]["outcome"], "cut", "{}", cut.text());
    bench.event().await;
    bench.finish().await;
}

#[tokio::test]
async fn every_dialect_tells_it_where_its_clients_can_read_it() {
    let mut bench = ruled().await;
    let messages = r#""messages":[{"role":"user","content":"one two"}]"#;
    let parts = r#"{"contents":[{"role":"user","parts":[{"text":"one two"}]}]}"#;
    let converse = r#"{"messages":[{"role":"user","content":[{"text":"one two"}]}]}"#;
    for (path, body, commented) in [
        ("/v1/responses", r#"{"model":"chat","stream":true,"input":"one two"}"#.to_owned(), true),
        ("/v1/messages", format!(r#"{{"model":"chat","stream":true,"max_tokens":9,{messages}}}"#), true),
        ("/v2/chat", format!(r#"{{"model":"chat","stream":true,{messages}}}"#), true),
        ("/v1beta/models/chat:streamGenerateContent?alt=sse", parts.to_owned(), false),
        ("/model/chat/converse-stream", converse.to_owned(), false),
    ] {
        let reply = post(&bench, path, &body).await;
        assert_eq!(reply.status, 200, "{path}: {reply:?}");
        let record = match commented {
            true => account(reply.text()),
            false => explained(&reply),
        };
        assert_eq!(
            (&record["rule"], &record["attempts"][0]["provider"]),
            (&json!("all"), &json!("a")),
            "{path}"
        );
        // What the head says, it says before the end.
        let outcome = if commented { json!("ok") } else { Value::Null };
        assert_eq!(record["attempts"][0]["outcome"], outcome, "{path}");
        bench.event().await;
    }
    bench.finish().await;
}

#[tokio::test]
async fn errors_tell_who_was_passed_over_and_why() {
    let health = r#"{"consecutive":1,"eject":"60s","max_eject":"60s"}"#;
    let mut bench = Bench::start(Plan { health, ..Plan::default() }).await;
    bench.sim().script(r#"{"status":500}"#).await;
    let failed = ask(&bench, &plain_body("hi")).await;
    assert_eq!((failed.status, &explained(&failed)["attempts"][0]["outcome"]), (502, &json!("server_error")));
    bench.event().await;
    for body in [plain_body("hi"), stream_body("hi")] {
        let reply = ask(&bench, &body).await;
        let record = explained(&reply);
        assert_eq!(
            (reply.status, &record["attempts"], &record["pool"]),
            (503, &json!([]), &json!("targets"))
        );
        let passed = &record["passed_over"][0];
        assert_eq!(passed["model"], "a/m", "{record}");
        assert!(passed["why"].as_str().unwrap().starts_with("unhealthy, ejected for"), "{record}");
    }
    bench.finish().await;
}

#[tokio::test]
async fn refusals_tell_it_too_and_name_no_key_of_the_operators() {
    let limits: &[&str] = &[r#"{"requests":"3/min"}"#];
    let mut bench = Bench::start(Plan { limits, ..Plan::default() }).await;
    // What is refused after its admission was charged.
    let unknown = ask(&bench, r#"{"model":"grüße","messages":[]}"#).await;
    assert_eq!((unknown.status, &explained(&unknown)["route"]), (404, &json!("grüße")));
    bench.sim().script(r#"{"status":401}"#).await;
    ask(&bench, &plain_body("hi")).await;
    bench.event().await;
    let unserved = ask(&bench, &plain_body("hi")).await;
    let record = explained(&unserved);
    // The plan has no target left: the only credential was refused.
    assert_eq!((unserved.status, &record["attempts"]), (503, &json!([])), "{record}");
    let why = record["passed_over"][0]["why"].as_str().unwrap();
    assert!(why.starts_with("no usable credential for"), "{record}");
    let key = &bench.proxy.snapshot().unwrap().credentials().next().unwrap().name.clone();
    assert!(!unserved.header(WANTED.0).contains(key.as_str()), "{key}: {record}");
    // Over its limit a request is refused before anything is decided.
    let limited = ask(&bench, &plain_body("hi")).await;
    assert_eq!((limited.status, limited.headers.contains_key(WANTED.0)), (429, false));
    bench.finish().await;
}
