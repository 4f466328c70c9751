//! A model that only the catalogue knows is charged by it; an admin's price goes before, an import is heard at once.

use serde_json::{Value, json};
use testkit::{Http, eventually};

use crate::world::{SOON, World, admin, apply, client, ledger_requests};

/// Asks a model and gives the cost in the response's header, if it has one.
fn cost(http: &Http, model: &str) -> Option<String> {
    let body = json!({ "model": model, "messages": [{ "role": "user", "content": "what does this cost?" }] });
    let reply = http.post("/v1/chat/completions", &body).unwrap();
    assert_eq!(reply.status, 200, "{}", reply.text());
    reply.header("x-portcullis-cost-usd").map(str::to_owned)
}

/// The newest request of a route in the ledger.
fn newest(admin: &Http, route: &str) -> Option<Value> {
    ledger_requests(admin).into_iter().find(|request| request["route"] == route)
}

/// What a request's tokens cost at rates in nano-dollars a token.
fn by_hand(request: &Value, input: u64, output: u64) -> String {
    let attempt = &request["attempts"][0];
    let count = |name: &str| attempt[name].as_u64().unwrap();
    let nanos = count("input_uncached") * input + count("output_visible") * output;
    assert!(nanos > 0);
    domain::Money::from_nanos(i64::try_from(nanos).unwrap()).to_string()
}

#[test]
fn what_only_the_catalogue_prices_is_charged_by_it() {
    let world = World::new();
    let control = world.control_plane(None);
    let mut document = world.document();
    document["providers"]["east"] = document["providers"]["sim"].clone();
    document["providers"]["east"]["kind"] = json!("openai");
    document["routes"] = json!({
        "known": { "targets": ["east/gpt-4o-mini"] },
        "renamed": { "targets": ["east/ours"] },
        "nobody-knows": { "targets": ["east/gpt-of-nobody"] },
    });
    document["models"] = json!({ "east/ours": { "upstream": "gpt-4o-mini" } });
    let admin = admin(&control);
    let key = apply(&admin, &document).unwrap();
    let proxy = world.proxy(control.ready().grpc.as_ref().unwrap(), "proxy-1");
    let http = client(&proxy, &key);

    // $0.15 and $0.60 a million tokens.
    for route in ["known", "renamed"] {
        let told = cost(&http, route).unwrap();
        assert!(eventually(SOON, || newest(&admin, route).is_some()));
        let request = newest(&admin, route).unwrap();
        assert_eq!(request["cost_usd"], by_hand(&request, 150, 600), "{request}");
        assert_eq!(request["cost_usd"], told);
    }
    assert_eq!(cost(&http, "nobody-knows"), None);
    assert!(eventually(SOON, || newest(&admin, "nobody-knows").is_some()));
    assert_eq!(newest(&admin, "nobody-knows").unwrap()["cost_usd"], Value::Null, "unknown is not zero");
    let sums = admin.get("/api/v1/usage?group_by=model").unwrap().json().unwrap();
    let unpriced = |model: &str| {
        let row = sums["items"].as_array().unwrap().iter().find(|row| row["model"] == model).unwrap();
        (row["unpriced"].as_u64().unwrap(), row["cost_usd"].is_null())
    };
    assert_eq!((unpriced("gpt-of-nobody"), unpriced("gpt-4o-mini")), ((1, true), (0, false)));

    // A file that knows more, and a dearer price: from its import on.
    let price =
        |model: &str| json!({ "model": model, "effective_from": "2026-01-01", "input": "1", "output": "2" });
    let file = json!({ "version": "2026-01-01", "prices": [price("openai/gpt-of-nobody"), price("openai/gpt-4o-mini")] });
    let before = cost(&http, "known").unwrap();
    let reply = admin.post("/api/v1/catalogue", &file).unwrap();
    assert_eq!(reply.status, 200, "{}", reply.text());
    assert!(eventually(SOON, || cost(&http, "nobody-knows").is_some()));
    assert_ne!(cost(&http, "known").unwrap(), before);

    // An admin's own price goes before the catalogue's.
    let own = json!({ "model": "east/gpt-4o-mini", "effective_from": "2026-01-01", "input": "100", "output": "100" });
    assert_eq!(admin.post("/api/v1/prices", &own).unwrap().status, 201);
    assert!(eventually(SOON, || {
        cost(&http, "known");
        let request = newest(&admin, "known").unwrap();
        request["cost_usd"] == by_hand(&request, 100_000, 100_000)
    }));
}
