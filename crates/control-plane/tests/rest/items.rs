//! Single resources: the whole life of each kind, revisions, references, rotation.

use serde_json::{Value, json};

use crate::fixture::{Api, DOCUMENT, start};

fn applied() -> Api {
    let api = start();
    assert_eq!(api.apply("", DOCUMENT).status, 200);
    api
}

#[test]
fn every_kind_lives_and_dies() {
    let api = applied();
    let price = json!({ "model": "a/z", "effective_from": "2026-02-01", "input": "$1", "output": "$2" });
    let cases: [(&str, &str, &str, Value, Value); 7] = [
        ("tenants", "beta", "", json!({ "name": "beta" }), json!({ "tier": "free" })),
        ("providers", "b", "", json!({ "name": "b", "kind": "openai" }), json!({ "region": "eu" })),
        (
            "credentials",
            "a/n",
            "",
            json!({ "name": "a/n", "secret": { "value": "sk-canary" } }),
            json!({ "weight": 2 }),
        ),
        ("models", "a/org/z", "", json!({ "name": "a/org/z" }), json!({ "context": 9 })),
        ("prices", "a/z@2026-02-01T00:00:00Z", "", price, json!({ "cached_input": "0.5" })),
        (
            "routes",
            "fast:1",
            "",
            json!({ "name": "fast:1", "targets": ["a/z"] }),
            json!({ "targets": ["a/x"] }),
        ),
        (
            "keys",
            "app",
            "?tenant=acme",
            json!({ "name": "app" }),
            json!({ "expires": "2031-01-01T00:00:00Z" }),
        ),
    ];
    for (kind, name, query, body, patch) in cases {
        let (all, one) = (format!("/{kind}{query}"), format!("/{kind}/{name}{query}"));
        api.send(404, "GET", &one, None);
        api.send(404, "PUT", &one, Some(body.clone()));
        let made = api.send(201, "POST", &all, Some(body.clone()));
        assert_eq!((&made["name"], made.get("secret").is_some()), (&json!(name), kind == "keys"));
        let again = api.send(409, "POST", &all, Some(body));
        assert_eq!(again["field"], "name");
        let read = api.send(200, "GET", &one, None);
        assert!(read.get("secret").is_none() && read["id"] == made["id"]);
        assert_eq!(api.send(200, "GET", &format!("/{kind}/{}", made["id"].as_str().unwrap()), None), read);
        let patched = api.send(200, "PATCH", &one, Some(patch.clone()));
        for (field, value) in patch.as_object().unwrap() {
            assert_eq!(&patched[field], value, "{kind}");
        }
        assert!(patched["revision"].as_u64() > read["revision"].as_u64());
        let back = api.send(200, "PUT", &one, Some(patched.clone()));
        assert_eq!(back, patched, "what was read can be sent back and changes nothing");
        let listed = api.send(200, "GET", &format!("/{kind}?limit=500"), None);
        assert!(listed["items"].as_array().unwrap().contains(&patched), "{listed}");
        api.send(204, "DELETE", &one, None);
        api.send(404, "DELETE", &one, None);
    }
}

#[test]
fn revisions_guard_against_lost_updates() {
    let api = applied();
    let route = api.send(200, "GET", "/routes/chat", None);
    let tag = format!("\"{}\"", route["revision"]);
    let body = json!({ "targets": ["a/z"] });
    let written = api.send_with(200, "PUT", "/routes/chat", &[("if-match", &tag)], Some(body.clone()));
    assert_ne!(written["revision"], route["revision"]);
    api.send_with(412, "PUT", "/routes/chat", &[("if-match", &tag)], Some(body.clone()));
    api.send_with(412, "PATCH", "/routes/chat", &[("if-match", &tag)], Some(body.clone()));
    api.send_with(412, "DELETE", "/routes/chat", &[("if-match", &tag)], None);
    api.send_with(400, "PUT", "/routes/chat", &[("if-match", "x")], Some(body));
    api.send(412, "PUT", "/routes/chat", Some(route));
    let kept = api.send(200, "GET", "/routes/chat", None);
    assert_eq!(kept, written);
}

#[test]
fn of_two_writers_who_read_the_same_one_wins() {
    let api = applied();
    for round in 0..5 {
        let tag = format!("\"{}\"", api.send(200, "GET", "/routes/chat", None)["revision"]);
        let write = &|model: String| {
            let body = json!({ "targets": [model] }).to_string();
            let headers = [("if-match", tag.as_str())];
            let sent = api.http.request("PUT", "/api/v1/routes/chat", &headers, Some(body.as_bytes()));
            sent.unwrap().status
        };
        let mut statuses = std::thread::scope(|scope| {
            let writers: Vec<_> =
                (0..4).map(|writer| scope.spawn(move || write(format!("a/{round}-{writer}")))).collect();
            writers.into_iter().map(|writer| writer.join().unwrap()).collect::<Vec<_>>()
        });
        statuses.sort_unstable();
        assert_eq!(statuses, [200, 412, 412, 412]);
    }
}

#[test]
fn bodies_are_checked_before_anything_is_written() {
    let api = applied();
    let before = api.send(200, "GET", "/audit", None);
    let cases = [
        ("POST", "/tenants", json!({ "name": "b", "role": "owner" }), "role"),
        ("POST", "/tenants", json!({ "name": "b", "id": "x" }), "id"),
        ("POST", "/tenants", json!({ "tier": "x" }), "name"),
        ("POST", "/tenants?tenant=acme", json!({ "name": "b" }), "tenant"),
        ("POST", "/keys", json!({ "name": "k" }), "tenant"),
        ("POST", "/keys?tenant=nobody", json!({ "name": "k" }), "tenant"),
        ("POST", "/keys?tenant=acme", json!({ "name": "k", "tenant": "other" }), "tenant"),
        ("POST", "/keys?tenant=acme", json!({ "name": "k", "secret": "sk-canary" }), "secret"),
        ("POST", "/keys?tenant=acme", json!({ "name": "k", "routes": ["nope"] }), "routes[0]"),
        ("POST", "/routes", json!({ "name": "r", "targets": ["a/x", "q/x"] }), "targets[1]"),
        ("POST", "/routes", json!({ "name": "r", "targets": [] }), "targets"),
        ("POST", "/credentials", json!({ "name": "a/k" }), "secret"),
        ("POST", "/credentials", json!({ "name": "a/k", "secret": { "file": "/etc/passwd" } }), "secret"),
        (
            "POST",
            "/credentials?tenant=acme",
            json!({ "name": "a/k", "secret": { "value": "s" } }),
            "provider",
        ),
        (
            "POST",
            "/providers",
            json!({ "name": "p", "kind": "custom", "base_url": "http://10.0.0.1" }),
            "base_url",
        ),
        ("PUT", "/routes/chat", json!({ "name": "talk", "targets": ["a/x"] }), "name"),
        ("PUT", "/keys/backend?tenant=acme", json!({ "tenant": "acme", "id": "x" }), "id"),
        ("PATCH", "/routes/chat", json!({ "targets": null }), "targets"),
        ("PATCH", "/routes/chat", json!({ "timeouts": { "total": "5" } }), "timeouts.total"),
        ("POST", "/keys/backend/rotate?tenant=acme&grace=31d", json!(null), "grace"),
        ("GET", "/routes?limit=0", json!(null), "limit"),
        ("GET", "/routes?color=red", json!(null), "color"),
        ("GET", "/routes?limit=1&limit=2", json!(null), "limit"),
        ("POST", "/apply?dry_run=yes", json!({}), "dry_run"),
    ];
    for (method, path, body, field) in cases {
        let body = Some(body).filter(|body| !body.is_null());
        let problem = api.send(400, method, path, body);
        assert_eq!(problem["field"], field, "{method} {path}: {problem}");
    }
    assert_eq!(api.send(200, "GET", "/audit", None), before);
}

#[test]
fn prices_are_found_by_any_way_to_write_their_time() {
    let api = applied();
    let price = json!({ "model": "a/z", "effective_from": "2026-02-01", "input": "$1", "output": "$2" });
    let made = api.send(201, "POST", "/prices", Some(price));
    assert_eq!(api.send(200, "GET", "/prices/a/z@2026-02-01", None), made);
    let patch = json!({ "input": "$3" });
    assert_eq!(api.send(200, "PATCH", "/prices/a/z@2026-02-01", Some(patch))["id"], made["id"]);
}

#[test]
fn only_a_tenant_owns_anything() {
    let api = applied();
    let provider = api.send(200, "GET", "/providers/a", None);
    let route = json!({ "name": "r", "tenant": provider["id"], "targets": ["a/x"] });
    assert_eq!(api.send(400, "POST", "/routes", Some(route))["field"], "tenant");
}

#[test]
fn budgets_belong_to_tenants_and_are_checked_like_documents() {
    let api = applied();
    let month = json!({ "name": "month", "cap": "$500", "window": "month", "time_zone": "Europe/Berlin" });
    assert_eq!(api.send(400, "POST", "/budgets", Some(month.clone()))["field"], "tenant");
    let made = api.send(201, "POST", "/budgets?tenant=acme", Some(month.clone()));
    assert_eq!((&made["cap"], &made["tenant"]), (&json!("500"), &json!("acme")));
    api.send(409, "POST", "/budgets?tenant=acme", Some(month));
    for (body, field) in [
        (json!({ "name": "b", "cap": "$0" }), "cap"),
        (json!({ "name": "b", "cap": "5 EUR" }), "cap"),
        (json!({ "name": "b", "cap": "$5", "per_replica": "$1" }), "per_replica"),
        (json!({ "name": "b", "cap": "$5", "for": {} }), "for"),
        (json!({ "name": "b", "cap": "$5", "for": { "key": "nope" } }), "for.key"),
        (json!({ "name": "b", "cap": "$5", "window": "rolling" }), "window"),
        (json!({ "name": "b", "cap": "$5", "window_": "day" }), "window_"),
    ] {
        assert_eq!(
            api.send(400, "POST", "/budgets?tenant=acme", Some(body.clone()))["field"],
            field,
            "{body}"
        );
    }
    let raised = api.send(200, "PATCH", "/budgets/month?tenant=acme", Some(json!({ "cap": "$750.5" })));
    assert_eq!((&raised["cap"], &raised["time_zone"]), (&json!("750.5"), &json!("Europe/Berlin")));
    assert_eq!(api.send(400, "GET", "/budgets/month", None)["field"], "tenant");
    let of_key = json!({ "name": "of-key", "cap": "$5", "for": { "key": "backend" } });
    api.send(201, "POST", "/budgets?tenant=acme", Some(of_key));
    let why = api.send(409, "DELETE", "/keys/backend?tenant=acme", None)["detail"].clone();
    assert_eq!(why, "budget \"of-key\" refers to key \"backend\" (for.key)");
    api.send(204, "DELETE", "/budgets/of-key?tenant=acme", None);
    let export = api.send(200, "GET", "/export", None);
    let budgets =
        json!([{ "name": "month", "cap": "750.5", "window": "month", "time_zone": "Europe/Berlin" }]);
    assert_eq!(export["tenants"]["acme"]["budgets"], budgets);
    api.send(204, "DELETE", "/tenants/acme?cascade=true", None);
    assert_eq!(api.send(200, "GET", "/budgets", None)["items"], json!([]));
}

#[test]
fn tenants_have_parents_that_stay_as_long_as_they_have_children() {
    let api = applied();
    api.send(201, "POST", "/tenants", Some(json!({ "name": "holding" })));
    let moved = api.send(200, "PATCH", "/tenants/acme", Some(json!({ "parent": "holding" })));
    assert_eq!(moved["parent"], "holding");
    let error = |path: &str, parent: &str| {
        let refused = api.send(400, "PATCH", path, Some(json!({ "parent": parent })));
        (refused["field"].as_str().unwrap().to_owned(), refused["detail"].as_str().unwrap().to_owned())
    };
    let cycle = error("/tenants/holding", "acme");
    assert_eq!((cycle.0.as_str(), cycle.1.as_str()), ("parent", "parent: a cycle: holding → acme → holding"));
    assert_eq!(error("/tenants/holding", "nope").0, "parent");
    let why = api.send(409, "DELETE", "/tenants/holding?cascade=true", None)["detail"].clone();
    assert_eq!(why, "tenant \"acme\" refers to tenant \"holding\" (parent)");
    assert_eq!(api.send(200, "GET", "/export", None)["tenants"]["acme"]["parent"], "holding");
    let alone = api.send(200, "PATCH", "/tenants/acme", Some(json!({ "parent": null })));
    assert!(alone.get("parent").is_none(), "{alone}");
    api.send(204, "DELETE", "/tenants/holding", None);
}

#[test]
fn what_is_needed_stays() {
    let api = applied();
    let why = |path: &str| api.send(409, "DELETE", path, None)["detail"].as_str().unwrap().to_owned();
    assert_eq!(why("/routes/chat"), "key \"backend\" refers to route \"chat\" (routes[0])");
    assert!(
        why("/providers/a?cascade=true").contains("route \"chat\" refers to provider \"a\" (targets[0])")
    );
    assert!(why("/tenants/acme").contains("key \"backend\" belongs to tenant \"acme\""));
    api.send(204, "DELETE", "/tenants/acme?cascade=true", None);
    api.send(204, "DELETE", "/routes/chat", None);
    assert!(why("/providers/a").contains("credential \"a/m\" refers to provider \"a\""));
    api.send(204, "DELETE", "/providers/a?cascade=true", None);
    for kind in domain::Kind::ALL {
        assert_eq!(api.send(200, "GET", &format!("/{}", kind.plural()), None)["items"], json!([]));
    }
}

#[test]
fn rotating_keeps_the_old_secret_for_the_grace_period() {
    let api = applied();
    let seal = || {
        let (_, rows) = api.runtime.block_on(api.store.load()).unwrap();
        let row = rows.into_iter().find(|row| row.name == "backend").unwrap();
        secrets::ApiKeyDigests::decode(&row.sealed.unwrap()).unwrap()
    };
    let old = seal().current;
    let rotated = api.send(200, "POST", "/keys/backend/rotate?tenant=acme&grace=1h", None);
    let shown = rotated["secret"].as_str().unwrap();
    assert_eq!(seal().current, api.keyring.digest(shown));
    let (previous, until) = seal().previous.unwrap();
    let now = domain::Timestamp::now().micros();
    assert!(previous == old && until > now + 3_500_000_000 && until <= now + 3_600_000_000);
    let again = api.send(409, "POST", "/keys/backend/rotate?tenant=acme", None);
    assert_eq!(again["field"], "grace");
    assert_eq!(seal().previous, Some((previous, until)), "the first secret keeps its grace period");
    api.send(200, "POST", "/keys/backend/rotate?tenant=acme&grace=0s", None);
    assert_eq!(seal().previous, None);
    assert!(api.send(200, "GET", "/keys/backend?tenant=acme", None).get("secret").is_none());
}

#[test]
fn lists_page_through_everything_once_and_filter_by_owner() {
    let api = applied();
    for index in 0..7 {
        let tenant = if index % 2 == 0 { "?tenant=acme" } else { "" };
        api.send(
            201,
            "POST",
            &format!("/routes{tenant}"),
            Some(json!({ "name": format!("r{index}"), "targets": ["a/x"] })),
        );
    }
    let names = |query: &str| {
        let (mut names, mut cursor) = (Vec::new(), String::new());
        loop {
            let page = api.send(200, "GET", &format!("/routes?limit=3{query}{cursor}"), None);
            let items = page["items"].as_array().unwrap();
            assert!(items.len() <= 3);
            names.extend(items.iter().map(|item| item["name"].as_str().unwrap().to_owned()));
            match page["next"].as_str() {
                Some(next) => cursor = format!("&cursor={next}"),
                None => return names,
            }
        }
    };
    assert_eq!(names(""), ["chat", "r0", "r1", "r2", "r3", "r4", "r5", "r6"]);
    assert_eq!(names("&tenant=acme"), ["r0", "r2", "r4", "r6"]);
    assert_eq!(names("&tenant="), ["chat", "r1", "r3", "r5"]);
    api.send(400, "GET", "/routes?cursor=nonsense", None);
}
