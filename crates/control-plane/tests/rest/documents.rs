//! Applying documents: idempotent, atomic, shown before it is done.

use serde_json::json;

use crate::fixture::{DOCUMENT, expect_problem, start};

#[test]
fn applying_twice_changes_nothing() {
    let api = start();
    let dry = api.apply("?dry_run=true", DOCUMENT).json().unwrap();
    assert_eq!((dry["version"]["revision"].clone(), dry.get("secrets")), (json!(0), None));
    assert!(dry["changes"].as_array().unwrap().iter().all(|entry| entry["change"] == "create"));
    let first = api.apply("", DOCUMENT);
    let first = first.json().unwrap();
    assert_eq!(first["version"]["revision"], 1);
    assert!(first["secrets"][0]["secret"].as_str().unwrap().starts_with("sk-pc-"));
    let again = api.apply("?prune=true", DOCUMENT).json().unwrap();
    assert_eq!(again["version"], first["version"]);
    assert!(again["changes"].as_array().unwrap().iter().all(|entry| entry["change"] == "unchanged"));
    assert!(again.get("secrets").is_none());
    let export = api.send(200, "GET", "/export", None);
    let exported = api.apply("?prune=true", &export.to_string()).json().unwrap();
    assert_eq!(exported["version"], first["version"], "an export changes nothing when it is applied");
    assert_eq!(api.send(200, "GET", "/audit", None)["items"].as_array().unwrap().len(), 7);
}

#[test]
fn the_secret_is_sealed_and_the_key_is_kept_as_digest() {
    let api = start();
    let reply = api.apply("", DOCUMENT).json().unwrap();
    let (_, rows) = api.runtime.block_on(api.store.load()).unwrap();
    let row = |name: &str| rows.iter().find(|row| row.name == name).unwrap();
    let credential = row("a/m");
    let binding = secrets::Binding { owner: uuid::Uuid::nil(), row: credential.id.0 };
    let opened = api.keyring.open(credential.sealed.as_ref().unwrap(), binding).unwrap();
    assert_eq!(opened.as_slice(), b"sk-canary-1");
    let shown = reply["secrets"][0]["secret"].as_str().unwrap();
    let seal = secrets::ApiKeyDigests::decode(row("backend").sealed.as_ref().unwrap()).unwrap();
    assert_eq!(seal.current, api.keyring.digest(shown));
}

#[test]
fn one_mistake_and_nothing_is_written() {
    let api = start();
    for (from, to, field) in [
        ("targets: [ a/x, a/y ]", "targets: [ a/x, b/y ]", "routes.chat.targets[1]"),
        ("kind: openai", "kind: opnai", "providers.a.kind"),
        ("kind: openai", "kind: openai, base_url: 'http://127.0.0.1/v1'", "providers.a.base_url"),
        ("kind: openai", "kind: custom", "providers.a.base_url"),
        ("routes: [ chat ]", "routes: [ chat, nope ]", "tenants.acme.keys[0].routes[1]"),
        ("{ value: sk-canary-1 }", "{ env: HOME }", "providers.a.credentials[0].secret"),
        ("{ value: sk-canary-1 }", "sk-canary-1", "providers.a.credentials[0].secret"),
        (", secret: { value: sk-canary-1 }", "", "providers.a.credentials[0].secret"),
        ("name: backend,", "name: backend, expires: soon,", "tenants.acme.keys[0].expires"),
        ("tenants: { acme: {", "tenants: { acme: { sign_in: {},", "tenants.acme.sign_in"),
        ("input: $1", "input: 1e3", "prices[0].input"),
    ] {
        assert!(DOCUMENT.contains(from), "{from}");
        let reply = api.apply("", &DOCUMENT.replace(from, to));
        assert_eq!(reply.status, 400, "{to}: {}", reply.text());
        expect_problem(&reply);
        let problem = reply.json().unwrap();
        assert_eq!(problem["field"], field, "{problem}");
        assert_eq!(problem["errors"][0]["field"], field);
    }
    let malformed = api.apply("", "apiVersion: portcullis/v1\nroutes: [\n");
    assert_eq!(malformed.status, 400);
    assert!(malformed.text().contains("line 2"), "{}", malformed.text());
    assert_eq!(api.send(200, "GET", "/audit", None)["items"], json!([]));
}

#[test]
fn pruning_deletes_what_is_not_mentioned() {
    let api = start();
    api.apply("", DOCUMENT);
    let smaller =
        "apiVersion: portcullis/v1\nproviders: { a: { kind: openai, credentials: [ { name: m } ] } }";
    let kept = api.apply("", smaller).json().unwrap();
    assert_eq!(kept["version"]["revision"], 1);
    let pruned = api.apply("?prune=true", smaller).json().unwrap();
    let deleted: Vec<_> = pruned["changes"]
        .as_array()
        .unwrap()
        .iter()
        .filter(|entry| entry["change"] == "delete")
        .map(|entry| format!("{} {}", entry["kind"].as_str().unwrap(), entry["name"].as_str().unwrap()))
        .collect();
    assert_eq!(deleted.len(), 5, "{deleted:?}");
    assert_eq!(pruned["version"]["revision"], 2);
    assert_eq!(api.send(200, "GET", "/credentials", None)["items"].as_array().unwrap().len(), 1);
    let empty = "apiVersion: portcullis/v1\nroutes: { chat: { targets: [ a/x ] } }";
    let refused = api.apply("?prune=true", empty);
    assert_eq!(
        (refused.status, refused.json().unwrap()["field"].clone()),
        (400, json!("routes.chat.targets[0]"))
    );
}
