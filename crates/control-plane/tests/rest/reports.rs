//! Usage, requests, audit and proxies, from rows that the ledger would write.

use domain::{
    Attempt, AttemptOutcome, Attribution, Money, RequestId, ResourceId, Usage, UsageEvent, test_support,
};
use serde_json::json;

use crate::fixture::{Api, DOCUMENT, start};

fn attempt(number: u32, outcome: AttemptOutcome, price: Option<ResourceId>) -> Attempt {
    let usage = if outcome == AttemptOutcome::Ok {
        Usage { input_uncached: 10, cache_read: 5, output_visible: 7, ..Usage::default() }
    } else {
        Usage::default()
    };
    Attempt {
        provider: "a".into(),
        model: "x".into(),
        duration_us: 1_000,
        usage,
        cost: price.map_or(Money::ZERO, |_| Money::from_nanos(125_000)),
        price,
        reason: Some("first of the list".to_owned()),
        ..test_support::attempt(number, outcome)
    }
}

fn booked(api: &Api, attempts: Vec<Attempt>) -> RequestId {
    let id = |kind: &str| {
        let query = if kind == "keys/backend" { "?tenant=acme" } else { "" };
        api.send(200, "GET", &format!("/{kind}{query}"), None)["id"].as_str().unwrap().parse().unwrap()
    };
    let attribution = Attribution {
        tenant: id("tenants/acme"),
        key: id("keys/backend"),
        user: Some("u1".into()),
        feature: None,
        tags: vec![("team".into(), "blue".into())],
    };
    booked_for(api, attribution, attempts)
}

fn booked_for(api: &Api, attribution: Attribution, attempts: Vec<Attempt>) -> RequestId {
    let event = UsageEvent {
        attribution,
        stream: true,
        rule: Some("small".to_owned()),
        pool: Some("cheap".to_owned()),
        duration_us: 2_000,
        overhead_us: 50,
        ttft_us: Some(700),
        ..test_support::usage_event(attempts)
    };
    assert!(api.runtime.block_on(api.store.insert_usage(std::slice::from_ref(&event))).unwrap() > 0);
    event.request
}

#[test]
fn usage_and_requests_tell_names_money_and_the_reason_of_a_fallback() {
    let api = start();
    api.apply("", DOCUMENT);
    let price = api.send(200, "GET", "/prices", None)["items"][0]["id"].as_str().unwrap().parse().ok();
    let first = booked(
        &api,
        vec![attempt(1, AttemptOutcome::ServerError, None), attempt(2, AttemptOutcome::Ok, price)],
    );
    let second = booked(&api, vec![attempt(1, AttemptOutcome::Ok, None)]);

    let usage = api.send(200, "GET", "/usage?group_by=tenant,route,user,feature", None);
    let row = &usage["items"][0];
    assert_eq!(usage["items"].as_array().unwrap().len(), 1);
    assert_eq!((&row["tenant"], &row["route"]), (&json!("acme"), &json!("chat")));
    assert_eq!((&row["user"], &row["feature"]), (&json!("u1"), &json!(null)));
    assert_eq!((&row["requests"], &row["attempts"], &row["unpriced"]), (&json!(2), &json!(3), &json!(1)));
    assert_eq!(
        (&row["tokens_in"], &row["cache_read"], &row["tokens_out"]),
        (&json!(30), &json!(10), &json!(14))
    );
    assert_eq!(row["cost_usd"], "0.000125");
    let by_key = api.send(200, "GET", "/usage?group_by=key,tenant", None);
    let row = &by_key["items"][0];
    assert_eq!((&row["key"], &row["tenant"]), (&json!("acme/backend"), &json!("acme")));
    assert_eq!(api.send(200, "GET", "/usage?to=2020-01-01&group_by=day", None)["items"], json!([]));
    for (query, field) in [
        ("group_by=colour", "group_by"),
        ("from=soon", "from"),
        ("from=2026-01-02&to=2026-01-01", "to"),
        ("tenant=nobody", "tenant"),
    ] {
        assert_eq!(api.send(400, "GET", &format!("/usage?{query}"), None)["field"], field);
    }

    let log = api.send(200, "GET", "/requests?tenant=acme&limit=1", None);
    assert_eq!(log["items"][0]["request_id"], json!(second));
    assert_eq!(log["items"][0]["cost_usd"], json!(null), "no price is no $0");
    let (item, attempt) = (&log["items"][0], &log["items"][0]["attempts"][0]);
    assert_eq!((&item["rule"], &item["pool"]), (&json!("small"), &json!("cheap")));
    assert_eq!(attempt["reason"], "first of the list");
    assert_eq!((&attempt["tokens_in"], &attempt["tokens_out"]), (&json!(15), &json!(7)));
    let older = format!("/requests?limit=1&cursor={}", log["next"].as_str().unwrap());
    let older = api.send(200, "GET", &older, None);
    let item = &older["items"][0];
    assert_eq!((&item["request_id"], &item["fallback"]), (&json!(first), &json!("server_error")));
    assert_eq!((&item["key"], &item["tags"]["team"]), (&json!("backend"), &json!("blue")));
    assert_eq!(item["cost_usd"], "0.000125");
    assert_eq!(item["attempts"].as_array().unwrap().len(), 2);
    let one = api.send(200, "GET", &format!("/requests?request_id={second}"), None);
    assert_eq!(one["items"].as_array().unwrap().len(), 1);
    let none = api.send(400, "GET", "/requests?request_id=abc", None);
    assert_eq!(
        none["detail"],
        "request_id: is not a request id; each response has its own in the header x-portcullis-request-id"
    );
}

#[test]
fn usage_of_a_subtree_is_that_of_all_tenants_in_it() {
    let api = start();
    api.apply("", DOCUMENT);
    for (name, parent) in [("holding", None), ("branch", Some("holding")), ("beside", None)] {
        api.send(201, "POST", "/tenants", Some(json!({ "name": name, "parent": parent })));
    }
    api.send(200, "PATCH", "/tenants/acme", Some(json!({ "parent": "branch" })));
    let book = |tenant: &str| {
        let id = api.send(200, "GET", &format!("/tenants/{tenant}"), None)["id"].as_str().unwrap().parse();
        let attribution = Attribution { tenant: id.unwrap(), ..test_support::attribution() };
        booked_for(&api, attribution, vec![attempt(1, AttemptOutcome::Ok, None)]);
    };
    ["holding", "branch", "acme", "acme", "beside"].into_iter().for_each(book);
    let requests = |query: &str| {
        let usage = api.send(200, "GET", &format!("/usage?{query}"), None);
        usage["items"][0]["requests"].as_u64().unwrap()
    };
    assert_eq!(requests("tenant=holding"), 1);
    assert_eq!(requests("tenant=holding&subtree=true"), 4);
    assert_eq!(requests("tenant=branch&subtree=true"), 3);
    assert_eq!(requests("tenant=acme&subtree=true"), 2);
    let by_tenant = api.send(200, "GET", "/usage?tenant=branch&subtree=true&group_by=tenant", None);
    let names = by_tenant["items"].as_array().unwrap().iter().map(|row| row["tenant"].as_str().unwrap());
    let mut names: Vec<_> = names.collect();
    names.sort_unstable();
    assert_eq!(names, ["acme", "branch"]);
    assert_eq!(api.send(400, "GET", "/usage?subtree=true", None)["field"], "subtree");
    // Past usage follows a tenant that moves.
    api.send(200, "PATCH", "/tenants/branch", Some(json!({ "parent": "beside" })));
    assert_eq!(requests("tenant=holding&subtree=true"), 1);
    assert_eq!(requests("tenant=beside&subtree=true"), 4);
}

#[test]
fn what_the_gateway_asked_itself_is_the_operators() {
    let api = start();
    api.apply("", DOCUMENT);
    booked(&api, vec![attempt(1, AttemptOutcome::Ok, None)]);
    let probe = booked_for(
        &api,
        Attribution {
            tenant: ResourceId::OPERATOR,
            key: ResourceId::OPERATOR,
            user: None,
            feature: Some("probe".into()),
            tags: Vec::new(),
        },
        vec![attempt(1, AttemptOutcome::Ok, None)],
    );
    let usage = api.send(200, "GET", "/usage?group_by=tenant,feature&tenant=operator", None);
    let rows = usage["items"].as_array().unwrap();
    assert_eq!(
        (rows.len(), &rows[0]["tenant"], &rows[0]["feature"]),
        (1, &json!("operator"), &json!("probe"))
    );
    let all = api.send(200, "GET", "/usage?group_by=tenant,key", None);
    assert!(all["items"].as_array().unwrap().iter().any(|row| row["key"] == "operator"), "{all}");
    let log = api.send(200, "GET", "/requests?tenant=operator", None);
    let item = &log["items"][0];
    assert_eq!(
        (&item["request_id"], &item["tenant"], &item["key"]),
        (&json!(probe), &json!("operator"), &json!("operator"))
    );
    let refused = api.send(400, "POST", "/tenants", Some(json!({ "name": "operator" })));
    assert_eq!(refused["field"], "name", "{refused}");
}

#[test]
fn the_audit_log_says_who_did_what() {
    let api = start();
    api.apply("", DOCUMENT);
    api.send(200, "PATCH", "/routes/chat", Some(json!({ "targets": ["a/z"] })));
    let page = api.send(200, "GET", "/audit?limit=1", None);
    let entry = &page["items"][0];
    assert_eq!(
        (&entry["action"], &entry["kind"], &entry["name"]),
        (&json!("update"), &json!("route"), &json!("chat"))
    );
    assert_eq!((&entry["revision"], &entry["detail"]["changed"]), (&json!(2), &json!(["targets"])));
    let actor = entry["actor"].as_str().unwrap().strip_prefix("admin-token:").unwrap();
    assert!(actor.len() == 8 && actor.bytes().all(|byte| byte.is_ascii_hexdigit()), "{actor}");
    let rest = api.send(200, "GET", &format!("/audit?cursor={}", page["next"].as_str().unwrap()), None);
    assert!(rest["items"].as_array().unwrap().iter().all(|entry| entry["action"] == "create"));
    assert_eq!(api.send(200, "GET", "/proxies", None)["items"], json!([]));
}
