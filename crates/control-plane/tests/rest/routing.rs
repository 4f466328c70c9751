//! Mistakes in routes: refused at write time with the field's path, however they are written.

use serde_json::{Value, json};

use crate::fixture::{DOCUMENT, expect_problem, start};

const COSTLY: &str = "request.tags.exists(a, request.tags.exists(b, request.tags[a] == request.tags[b]))";

fn pool(targets: &Value) -> Value {
    json!({ "pools": { "x": targets } })
}

fn rule(when: &str) -> Value {
    json!({ "rules": [{ "when": when, "pool": "x" }], "pools": { "x": { "targets": ["a/x"] } } })
}

/// A route as it should not be, the field at fault within it, and the beginning of what is said.
fn mistakes() -> Vec<(Value, &'static str, &'static str)> {
    let accept = |when: &str| {
        pool(&json!({ "cascade": [{ "model": "a/x", "accept": { "when": when } }, { "model": "a/y" }] }))
    };
    let both = json!({ "targets": ["a/x"], "pools": { "x": { "targets": ["a/x"] } } });
    vec![
        (pool(&json!({ "route": "wrong" })), "pools.x.route", "a cycle: wrong → wrong"),
        (pool(&json!({ "route": "gone" })), "pools.x.route", "there is no route \"gone\""),
        (pool(&json!({ "targets": ["b/x"] })), "pools.x.targets[0]", "there is no provider \"b\""),
        (
            pool(&json!({ "tiers": [{ "targets": ["a/x"] }, { "targets": ["b/x"] }] })),
            "pools.x.tiers[1].targets[0]",
            "there is no provider \"b\"",
        ),
        (
            pool(&json!({ "strategy": "weighted", "targets": ["a/x", { "model": "a/y", "weight": 0 }] })),
            "pools.x.targets[1].weight",
            "must be 1 to 1000",
        ),
        (rule("request.images >"), "rules[0].when", "line 1, column"),
        (rule("request.imagse > 0"), "rules[0].when", "unknown name `request.imagse`"),
        (rule("budget.used_ratio > 0.9"), "rules[0].when", "budget facts come with budgets"),
        (rule("request.images"), "rules[0].when", "a condition must be true or false"),
        (rule(COSTLY), "rules[0].when", "the expression may take "),
        (accept("reply.good"), "pools.x.cascade[0].accept.when", "unknown name `reply.good`"),
        (
            pool(&json!({ "cascade": [{ "model": "a/x", "accept": { "when": "true" } }] })),
            "pools.x.cascade",
            "needs at least two steps",
        ),
        (both, "targets", "excludes `pools`"),
        (json!({ "targets": ["a/x"], "strategy": "fastest" }), "strategy", "unknown value `fastest`"),
        (json!({ "targets": ["a/x"], "retry": { "on": { "hail": "stop" } } }), "retry.on", "unknown value"),
    ]
}

fn expect(problem: &Value, field: &str, message: &str) {
    let error = &problem["errors"][0];
    assert_eq!(error["field"], field, "{problem}");
    assert!(error["message"].as_str().unwrap().starts_with(message), "{problem}");
}

#[test]
fn every_mistake_is_refused_with_its_path_by_apply_and_by_a_dry_run() {
    let api = start();
    for (route, field, message) in mistakes() {
        let mut document =
            json!({ "apiVersion": "portcullis/v1", "providers": { "a": { "kind": "ollama" } } });
        document["providers"]["a"]["base_url"] = json!("https://a.example/v1");
        document["routes"]["wrong"] = route;
        for query in ["", "?dry_run=true"] {
            let reply = api.apply(query, &document.to_string());
            assert_eq!(reply.status, 400, "{document}: {}", reply.text());
            expect_problem(&reply);
            expect(&reply.json().unwrap(), &format!("routes.wrong.{field}"), message);
        }
    }
    assert_eq!(api.send(200, "GET", "/audit", None)["items"], json!([]));
}

#[test]
fn every_mistake_is_refused_with_its_path_within_the_resource() {
    let api = start();
    api.apply("", DOCUMENT);
    api.send(201, "POST", "/routes", Some(json!({ "name": "wrong", "targets": ["a/x"] })));
    for (route, field, message) in mistakes() {
        expect(&api.send(400, "PUT", "/routes/wrong", Some(route.clone())), field, message);
        let mut patch = route.clone();
        if patch.get("targets").is_none() {
            patch["targets"] = Value::Null;
        }
        expect(&api.send(400, "PATCH", "/routes/wrong", Some(patch)), field, message);
        let mut other = route;
        other["name"] = json!("other");
        if message.starts_with("a cycle") {
            api.send(201, "POST", "/routes", Some(other));
            api.send(204, "DELETE", "/routes/other", None);
        } else {
            expect(&api.send(400, "POST", "/routes", Some(other)), field, message);
        }
    }
    assert_eq!(api.send(200, "GET", "/routes/wrong", None)["targets"], json!(["a/x"]));
}

#[test]
fn routes_that_others_lead_to_stay_and_cycles_are_found_from_either_end() {
    let api = start();
    api.apply("", DOCUMENT);
    let to = |name: &str, route: &str| json!({ "name": name, "pools": { "x": { "route": route } } });
    api.send(201, "POST", "/routes", Some(to("front", "chat")));
    let kept = api.send(409, "DELETE", "/routes/chat", None);
    let detail = kept["detail"].as_str().unwrap();
    assert!(detail.contains("route \"front\" refers to route \"chat\" (pools.x.route)"), "{detail}");
    let patch = json!({ "targets": null, "pools": { "x": { "route": "front" } } });
    let closed = api.send(400, "PATCH", "/routes/chat", Some(patch));
    expect(&closed, "pools.x.route", "a cycle: chat → front → chat");
    let mut own = to("chat", "front");
    own["tenant"] = json!("acme");
    // The operator's `front` leads to the operator's `chat`, not to this one.
    api.send(201, "POST", "/routes", Some(own));
    let mut shadow = to("front", "chat");
    shadow["tenant"] = json!("acme");
    let closed = api.send(400, "POST", "/routes", Some(shadow));
    expect(&closed, "pools.x.route", "a cycle: front → chat → front");
}

#[test]
fn a_key_is_not_above_its_tenant() {
    let api = start();
    api.apply("", DOCUMENT);
    let refused = api.send(400, "PATCH", "/keys/backend?tenant=acme", Some(json!({ "priority": "high" })));
    expect(&refused, "priority", "is above the tenant's, which is normal");
    api.send(200, "PATCH", "/tenants/acme", Some(json!({ "priority": "high" })));
    api.send(200, "PATCH", "/keys/backend?tenant=acme", Some(json!({ "priority": "high" })));
    let refused = api.send(400, "PATCH", "/tenants/acme", Some(json!({ "priority": null })));
    expect(&refused, "priority", "is below that of key \"backend\", which is high");
}
