//! Dry runs: the rule, the pool, the order with its reasons, who is passed over, and every mistake by its field.

use serde_json::{Value, json};

use crate::fixture::{Api, start};

const ROUTES: &str = "apiVersion: portcullis/v1\n\
    providers:\n\
    \x20 a: { kind: openai, region: us, credentials: [ { name: m, secret: { value: sk-canary-1 } } ] }\n\
    \x20 b: { kind: anthropic, region: eu, credentials: [ { name: m, secret: { value: sk-canary-2 } } ] }\n\
    \x20 off: { kind: openai, disabled: true, credentials: [ { name: m, secret: { value: sk-canary-3 } } ] }\n\
    models: { a/tiny: { context: 10 } }\n\
    routes:\n\
    \x20 chat: { targets: [ a/x, b/y ] }\n\
    \x20 dead: { targets: [ off/x ] }\n\
    \x20 small: { require: { context: fits }, targets: [ a/tiny ] }\n\
    \x20 near: { strategy: nearest, distances: { here: { eu: 1, us: 9 } }, targets: [ a/x, b/y ] }\n\
    \x20 assistant:\n\
    \x20   rules:\n\
    \x20     - { name: pictures, when: 'request.images > 0', pool: eyes }\n\
    \x20     - { name: lang, when: \"request.tags.lang == 'de'\", pool: german }\n\
    \x20     - { preset: code, pool: coder }\n\
    \x20     - { name: who, when: \"request.user == 'ada' && key.name == 'backend' && tenant.tier == 'pro'\", pool: other }\n\
    \x20   default: main\n\
    \x20   pools:\n\
    \x20     main:\n\
    \x20       tiers:\n\
    \x20         - { strategy: weighted, targets: [ { model: a/x, weight: 70 }, { model: b/y, weight: 30 } ] }\n\
    \x20         - { require: { context: fits }, targets: [ a/tiny, off/z, a/last ] }\n\
    \x20     eyes: { cascade: [ { model: a/see, accept: { when: '!reply.refusal' } }, { model: b/look } ] }\n\
    \x20     german: { targets: [ b/y ] }\n\
    \x20     coder: { strategy: sticky, targets: [ a/code ] }\n\
    \x20     other: { route: chat }\n\
    tenants:\n\
    \x20 acme:\n\
    \x20   tier: pro\n\
    \x20   keys: [ { name: backend }, { name: narrow, routes: [ chat ] }, { name: off, disabled: true }, { name: eve, user: ada } ]\n\
    \x20   routes: { own: { targets: [ a/own ] } }\n\
    \x20 idle: { disabled: true }\n\
    \x20 below-idle: { parent: idle }\n\
    \x20 below-acme: { parent: acme }\n\
    \x20 other: {}\n";

fn api() -> Api {
    let api = start();
    let applied = api.apply("", ROUTES);
    assert_eq!(applied.status, 200, "{}", applied.text());
    api
}

fn ask(api: &Api, more: &Value) -> Value {
    api.send(200, "POST", "/explain", Some(asked(more)))
}

/// A question with these fields in place of the usual ones; `null`: without the field.
fn asked(more: &Value) -> Value {
    let mut asked = json!({ "tenant": "acme", "model": "assistant" });
    admin_api::merge(&mut asked, more.clone());
    asked
}

fn targets(list: &Value) -> Vec<&str> {
    list.as_array().unwrap().iter().map(|entry| entry["target"].as_str().unwrap()).collect()
}

#[test]
fn without_a_match_the_default_pool_serves_and_tiers_follow_each_other() {
    let told = ask(&api(), &json!({ "prompt": "word ".repeat(20) }));
    assert_eq!(
        (&told["rule"], &told["pool"], &told["route"]),
        (&Value::Null, &json!("main"), &json!("assistant"))
    );
    let rules = json!([
        { "route": "assistant", "rule": "pictures", "matched": false },
        { "route": "assistant", "rule": "lang", "error": told["rules"][1]["error"] },
        { "route": "assistant", "rule": "code", "matched": false },
        { "route": "assistant", "rule": "who", "matched": false },
    ]);
    assert_eq!(told["rules"], rules);
    assert!(told["rules"][1]["error"].as_str().unwrap().contains("lang"), "{told}");
    let order = targets(&told["attempts"]);
    let mut drawn = order[..2].to_vec();
    drawn.sort_unstable();
    assert_eq!((drawn, &order[2..]), (vec!["a/x", "b/y"], &["a/last"][..]));
    let attempts = &told["attempts"];
    let weight = if order[0] == "a/x" { 70 } else { 30 };
    let first = json!({ "target": order[0], "tier": 1, "strategy": "weighted", "reason": format!("drawn by weight, {weight} of 100") });
    assert_eq!(attempts[0], first);
    assert_eq!((&attempts[2]["tier"], &attempts[2]["strategy"]), (&json!(2), &json!("priority")));
    assert_eq!(targets(&told["passed_over"]), ["a/tiny", "off/z"]);
    let tokens = told["input_tokens"].as_u64().unwrap();
    assert!((35..60).contains(&tokens), "{told}");
    let why = |at: usize| told["passed_over"][at]["why"].as_str().unwrap();
    assert_eq!(why(0), format!("needs {tokens} tokens, its context has 10"));
    assert!(why(1).contains("off is disabled"), "{told}");
    assert_eq!(told["health"]["proxies"], 0);
    assert!(told["health"]["basis"].as_str().unwrap().starts_with("no proxy has reported"), "{told}");
    assert_eq!((&told["refusal"], &told["api"], &told["key"]), (&Value::Null, &json!("chat"), &Value::Null));
}

#[test]
fn rules_see_the_body_the_tags_the_user_and_the_key() {
    let api = api();
    let image = json!({ "type": "image_url", "image_url": { "url": "data:image/png;base64,AAAA" } });
    let seen = ask(&api, &json!({ "body": { "messages": [{ "role": "user", "content": [image] }] } }));
    assert_eq!((&seen["rule"], &seen["pool"]), (&json!("pictures"), &json!("eyes")));
    let steps = json!([
        { "target": "a/see", "reason": "step of the cascade", "tier": 1 },
        { "target": "b/look", "reason": "step of the cascade", "tier": 2 },
    ]);
    assert_eq!(seen["attempts"], steps);
    assert_eq!(ask(&api, &json!({ "tags": { "lang": "de" } }))["pool"], "german");
    let code = "def area(r):\n    return 3.14 * r * r\n";
    let coded = ask(&api, &json!({ "prompt": code }));
    assert_eq!(
        (&coded["rule"], &coded["pool"], &coded["attempts"][0]["strategy"]),
        (&json!("code"), &json!("coder"), &json!("sticky"))
    );
    for api_name in ["messages", "responses", "gemini", "cohere", "converse"] {
        let told = ask(&api, &json!({ "prompt": code, "api": api_name }));
        assert_eq!((&told["pool"], &told["api"]), (&json!("coder"), &json!(api_name)), "{told}");
    }
    // A pool that is a route: its own pool serves, and it is named.
    let other = ask(&api, &json!({ "key": "backend", "user": "ada" }));
    assert_eq!(
        (&other["rule"], &other["pool"], &other["pool_of"]),
        (&json!("who"), &json!("targets"), &json!("chat"))
    );
    assert_eq!(targets(&other["attempts"]), ["a/x", "b/y"]);
    assert_eq!(
        ask(&api, &json!({ "key": "backend", "body": { "messages": [], "user": "ada" } }))["rule"],
        "who"
    );
    assert_eq!(ask(&api, &json!({ "user": "ada" }))["rule"], Value::Null, "no key is not the key `backend`");
    let pinned = ask(&api, &json!({ "key": "eve", "user": "bob", "model": "chat" }));
    assert_eq!(pinned["key"], "eve");
}

#[test]
fn routes_of_the_tenant_implicit_ones_and_regions() {
    let api = api();
    assert_eq!(targets(&ask(&api, &json!({ "model": "own" }))["attempts"]), ["a/own"]);
    let inherited = ask(&api, &json!({ "tenant": "below-acme", "model": "own" }));
    assert_eq!(targets(&inherited["attempts"]), ["a/own"]);
    let foreign = api.send(400, "POST", "/explain", Some(json!({ "tenant": "other", "model": "own" })));
    assert_eq!(foreign["field"], "model");
    let implicit = ask(&api, &json!({ "model": "b/anything" }));
    assert_eq!(targets(&implicit["attempts"]), ["b/anything"]);
    let near = ask(&api, &json!({ "model": "near", "region": "here" }));
    assert_eq!((targets(&near["attempts"]), &near["region"]), (vec!["b/y", "a/x"], &json!("here")));
    assert_eq!(near["attempts"][0]["reason"], "nearest, distance 1");
    for name in ["embeddings", "completions", "images", "speech", "moderations", "rerank", "count_tokens"] {
        let told = ask(&api, &json!({ "model": "chat", "api": name, "prompt": "hello" }));
        assert_eq!(targets(&told["attempts"]), ["a/x", "b/y"], "{name}");
    }
    let upload = ask(&api, &json!({ "model": "chat", "api": "transcriptions" }));
    assert_eq!((targets(&upload["attempts"]), &upload["input_tokens"]), (vec!["a/x", "b/y"], &json!(0)));
    // The newest configuration decides, also after an earlier dry run.
    api.send(200, "PATCH", "/routes/chat", Some(json!({ "targets": ["b/new"] })));
    let told = ask(&api, &json!({ "model": null, "body": { "model": "chat", "messages": [] } }));
    assert_eq!(targets(&told["attempts"]), ["b/new"]);
    assert_eq!(
        told["version"]["revision"].as_u64(),
        upload["version"]["revision"].as_u64().map(|before| before + 1)
    );
}

#[test]
fn budgets_that_count_the_request_are_told() {
    let api = api();
    let add =
        |tenant: &str, body: Value| api.send(201, "POST", &format!("/budgets?tenant={tenant}"), Some(body));
    add("acme", json!({ "name": "all", "cap": "$500", "window": "total" }));
    add("acme", json!({ "name": "user", "cap": "$5", "per": "user", "window": "day", "observe": true }));
    add("acme", json!({ "name": "bot", "cap": "$7", "for": { "feature": "bot" } }));
    add("acme", json!({ "name": "model", "cap": "$8", "per": "model", "for": { "provider": "b" } }));
    add("below-acme", json!({ "name": "key", "cap": "$9", "per": "key" }));
    api.send(201, "POST", "/keys?tenant=below-acme", Some(json!({ "name": "app" })));
    let told = |more: &Value| {
        let reply = ask(&api, more);
        let budgets = reply["budgets"].as_array().unwrap().iter();
        let told = budgets.map(|told| format!("{} {} {}", told["tenant"], told["budget"], told["value"]));
        (told.map(|told| told.replace('"', "")).collect::<Vec<_>>(), reply)
    };
    let (budgets, reply) = told(&json!({ "model": "chat", "user": "ann" }));
    assert_eq!(budgets, ["acme all null", "acme user ann"]);
    assert_eq!(
        (&reply["budgets"][0]["cap"], &reply["budgets"][0]["window"]),
        (&json!("500"), &json!("total"))
    );
    assert!(reply["budgets"][0].get("ends").is_none(), "{reply}");
    assert!(reply["budgets"][1]["ends"].as_str().unwrap().ends_with("T00:00:00Z"), "{reply}");
    assert_eq!(reply["budgets"][1]["observe"], true);
    let asked = json!({ "tenant": "below-acme", "key": "app", "model": "b/some", "feature": "bot" });
    let (budgets, _) = told(&asked);
    let expected =
        ["below-acme key app", "acme all null", "acme user ", "acme bot null", "acme model b/some"];
    assert_eq!(budgets, expected);
}

#[test]
fn a_refusal_is_an_answer() {
    let api = api();
    let refused = |more: Value| {
        let told = ask(&api, &more);
        assert_eq!(told["attempts"], json!([]), "{told}");
        (told["refusal"]["code"].as_str().unwrap().to_owned(), told)
    };
    assert_eq!(refused(json!({ "key": "narrow" })).0, "forbidden");
    assert_eq!(refused(json!({ "key": "off" })).0, "invalid_key");
    assert_eq!(refused(json!({ "tenant": "idle" })).0, "forbidden");
    assert_eq!(refused(json!({ "tenant": "below-idle" })).0, "forbidden");
    let (code, dead) = refused(json!({ "model": "dead" }));
    assert_eq!(code, "all_targets_failed");
    assert!(dead["refusal"]["message"].as_str().unwrap().contains("off is disabled"), "{dead}");
    let (code, small) = refused(json!({ "model": "small", "prompt": "x".repeat(200) }));
    assert_eq!((code.as_str(), &small["pool"]), ("unsupported_by_target", &json!("targets")));
    assert_eq!(targets(&small["passed_over"]), ["a/tiny"]);
}

#[test]
fn every_mistake_names_its_field() {
    let api = api();
    let before = api.send(200, "GET", "/audit", None);
    let long = "x".repeat(600);
    let many: Value =
        (0..17).map(|n| (format!("t{n}"), json!("v"))).collect::<serde_json::Map<_, _>>().into();
    let mistakes = [
        (json!({ "tenant": "nobody" }), "tenant"),
        (json!({ "tenant": null }), "tenant"),
        (json!({ "key": "nothing" }), "key"),
        (json!({ "model": "nothing" }), "model"),
        (json!({ "model": "no/provider" }), "model"),
        (json!({ "model": null }), "model"),
        (json!({ "model": "" }), "model"),
        (json!({ "model": long }), "model"),
        (json!({ "model": 7 }), "model"),
        (json!({ "api": "telepathy" }), "api"),
        (json!({ "body": [] }), "body"),
        (json!({ "body": { "model": "chat" } }), "body.model"),
        (json!({ "body": { "model": 5 } }), "body.model"),
        (json!({ "body": { "messages": "no list" } }), "body.messages"),
        (json!({ "body": { "stream": "yes", "messages": [] } }), "body.stream"),
        (json!({ "api": "messages", "body": { "messages": 1 } }), "body.messages"),
        (json!({ "body": { "messages": [] }, "prompt": "x" }), "prompt"),
        (json!({ "api": "transcriptions", "prompt": "x" }), "prompt"),
        (json!({ "api": "transcriptions", "body": {} }), "body"),
        (json!({ "user": long }), "user"),
        (json!({ "session": long }), "session"),
        (json!({ "feature": long }), "feature"),
        (json!({ "tags": many }), "tags"),
        (json!({ "tags": { "a=b": "c" } }), "tags.a=b"),
        (json!({ "tags": { "a": "c,d" } }), "tags.a"),
        (json!({ "colour": "red" }), "colour"),
    ];
    for (mistake, field) in mistakes {
        let problem = api.send(400, "POST", "/explain", Some(asked(&mistake)));
        assert_eq!(problem["field"], field, "{mistake}: {problem}");
    }
    let known = api.send(400, "POST", "/explain", Some(asked(&json!({ "api": "telepathy" }))));
    let said = known["detail"].as_str().unwrap();
    assert!(said.contains("chat, responses") && said.ends_with("count_tokens"), "{known}");
    api.send(400, "POST", "/explain?tenant=acme", Some(asked(&json!({}))));
    api.send(400, "POST", "/explain", None);
    api.send(405, "GET", "/explain", None);
    assert_eq!(api.send(200, "GET", "/audit", None), before, "nothing was written");
}

#[test]
fn nobody_asks_without_a_token() {
    let api = api();
    let body = asked(&json!({})).to_string();
    let stranger = testkit::Http::new(&api.url, None);
    assert_eq!(stranger.request("POST", "/api/v1/explain", &[], Some(body.as_bytes())).unwrap().status, 401);
}
