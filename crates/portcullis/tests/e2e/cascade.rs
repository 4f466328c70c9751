//! A document with rules that lead to a cascade: cheap answers are kept or replaced, and both are in the ledger.

use domain::Money;
use serde_json::{Value, json};
use testkit::eventually;

use crate::world::{SOON, World, admin, apply, chat, client, ledger_requests};

/// The costs of a request's attempts.
fn costs(request: &Value) -> Vec<Money> {
    let attempts = request["attempts"].as_array().unwrap().iter();
    attempts.map(|attempt| serde_json::from_value(attempt["cost_usd"].clone()).unwrap()).collect()
}

fn headers(reply: &testkit::Reply) -> (u16, Vec<String>) {
    let header = |name| reply.header(name).unwrap_or_default().to_owned();
    let names = ["x-portcullis-model", "x-portcullis-fallback", "x-portcullis-attempts"];
    (reply.status, names.map(header).to_vec())
}

#[test]
fn a_free_tenant_pays_for_the_dear_model_only_where_the_cheap_one_falls_short() {
    let world = World::new();
    let control = world.control_plane(None);
    let mut document = world.document();
    document["prices"] = json!([
        { "model": "sim/cheap", "effective_from": "2026-01-01", "input": "$1", "output": "$2" },
        { "model": "sim/dear", "effective_from": "2026-01-01", "input": "$10", "output": "$20" },
    ]);
    document["routes"]["chat"] = json!({
        "rules": [{ "name": "cheap", "when": "tenant.tier == 'free'", "pool": "small" }],
        "default": "main",
        "pools": {
            "main": { "targets": ["sim/dear"] },
            "small": { "cascade": [
                { "model": "sim/cheap", "accept": { "when": "!reply.refusal && reply.length > 20" } },
                { "model": "sim/dear" },
            ] },
        },
    });
    document["tenants"]["acme"]["tier"] = "free".into();
    let admin = admin(&control);
    let key = apply(&admin, &document).unwrap();
    let proxy = world.proxy(control.ready().grpc.as_ref().unwrap(), "proxy-1");
    let http = client(&proxy, &key);
    let ask = |content: &str, stream: bool| {
        let mut body = chat(content);
        body["stream"] = stream.into();
        http.post("/v1/chat/completions", &body).unwrap()
    };
    let words = |words: [&str; 3]| (200, words.map(str::to_owned).to_vec());
    for stream in [false, true] {
        let kept = ask("tell me something about castles", stream);
        assert_eq!(headers(&kept), words(["cheap", "none", "1"]), "{}", kept.text());
        let replaced = ask("hi", stream);
        assert_eq!(headers(&replaced), words(["dear", "rejected", "2"]), "{}", replaced.text());
    }
    assert!(eventually(SOON, || ledger_requests(&admin).len() == 4));
    let requests = ledger_requests(&admin);
    for (request, attempts) in requests.iter().zip([2, 1, 2, 1]) {
        let costs = costs(request);
        assert_eq!(costs.len(), attempts, "{request}");
        assert!(costs.iter().all(|cost| cost.nanos() > 0), "{request}");
        let sum: i64 = costs.iter().map(|cost| cost.nanos()).sum();
        assert_eq!(request["cost_usd"], json!(Money::from_nanos(sum)), "{request}");
        let (model, fallback) = if attempts == 2 { ("dear", "rejected") } else { ("cheap", "none") };
        assert_eq!((&request["model"], &request["fallback"]), (&json!(model), &json!(fallback)));
    }
}
