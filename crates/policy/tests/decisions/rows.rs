//! What rows become: names, owners, and what cannot be read.

use domain::{ErrorKind, Kind};
use policy::{AuthError, RoutingError, Sign, UnreadableRow, compile, visible_models};
use secrets::{Keyring, MasterKey};

use crate::{
    question::ask,
    world::{World, two_providers as world},
};

#[test]
fn a_chain_is_tried_in_its_order_with_opened_credentials() {
    let (mut world, tenant) = world();
    let key = world.key(tenant, "{}");
    let snapshot = world.compile();
    let caller = world.caller(&snapshot, &key).unwrap();
    let plan = ask(&world, &snapshot, &caller, "chat").unwrap();
    let order: Vec<String> = plan.attempts.iter().map(|planned| planned.target.model.to_string()).collect();
    assert_eq!(order, ["a/m", "b/m"]);
    let Sign::Header(name, value) = &plan.attempts[0].target.endpoint.credentials[0].sign else {
        panic!("no header")
    };
    assert_eq!((name.as_str(), value.to_str().unwrap()), ("authorization", "Bearer secret-a/0"));
    assert_eq!(plan.attempts[0].target.endpoint.prefix, "/v1");
    assert!(!format!("{snapshot:?}").contains("secret-a"), "a debug print shows a secret");
}

#[test]
fn a_tenants_own_resource_shadows_the_operators() {
    let (mut world, tenant) = world();
    world.add(Some(tenant), Kind::Provider, "a", r#"{"kind":"custom","base_url":"http://own.example"}"#);
    world.add(Some(tenant), Kind::Credential, "a/own", r#"{"provider":"a"}"#);
    world.add(Some(tenant), Kind::Route, "chat", r#"{"targets":["a/own-model"]}"#);
    let own = world.key(tenant, "{}");
    let other = world.add(None, Kind::Tenant, "other", "{}");
    let others = world.key(other, "{}");
    let snapshot = world.compile();
    let host = |key: &str| {
        let caller = world.caller(&snapshot, key).unwrap();
        let plan = ask(&world, &snapshot, &caller, "chat").unwrap();
        plan.attempts[0].target.endpoint.authority.to_string()
    };
    assert_eq!(host(&own), "own.example");
    assert_eq!(host(&others), "x.example");
}

#[test]
fn names_that_lead_nowhere() {
    let (mut world, tenant) = world();
    let free = world.key(tenant, "{}");
    let bound_to_chat = world.key(tenant, r#"{"routes":["chat"]}"#);
    world.add(None, Kind::Provider, "keyless", r#"{"kind":"openai"}"#);
    world.add(None, Kind::Route, "dead", r#"{"targets":["keyless/m","gone/m"]}"#);
    let snapshot = world.compile();
    let planned = |key: &str, model: &str| {
        let caller = world.caller(&snapshot, key).unwrap();
        ask(&world, &snapshot, &caller, model).map(|plan| plan.route)
    };
    assert_eq!(planned(&free, "a/anything").unwrap(), "a/anything");
    assert_eq!(planned(&free, "nope").unwrap_err().kind(), ErrorKind::RouteNotFound);
    assert_eq!(planned(&free, "nope/m").unwrap_err().kind(), ErrorKind::RouteNotFound);
    assert_eq!(planned(&bound_to_chat, "a/m").unwrap_err().kind(), ErrorKind::Forbidden);
    let Err(RoutingError::OutOfService { reason, .. }) = planned(&free, "dead") else {
        panic!("dead route planned")
    };
    assert!(reason.contains("no usable credential") && reason.contains("no provider named gone"), "{reason}");
    let caller = world.caller(&snapshot, &bound_to_chat).unwrap();
    assert_eq!(visible_models(&snapshot, &caller).into_iter().collect::<Vec<_>>(), ["chat"]);
}

#[test]
fn what_this_build_cannot_read_disables_only_what_leans_on_it() {
    let (mut world, tenant) = world();
    let key = world.key(tenant, "{}");
    let unknown = |kind: &str, name: &str| UnreadableRow {
        kind: kind.into(),
        name: name.into(),
        tenant: None,
        reason: "unknown field `warp`".into(),
    };
    world.rows.unknown = vec![unknown("route", "new"), unknown("provider", "p"), unknown("hologram", "h")];
    world.add(None, Kind::Route, "mixed", r#"{"targets":["p/m","b/m"]}"#);
    let snapshot = world.compile();
    let caller = world.caller(&snapshot, &key).unwrap();
    let Err(refusal) = ask(&world, &snapshot, &caller, "new") else {
        panic!("an unreadable route was planned")
    };
    assert!(refusal.to_string().contains("warp"), "{refusal}");
    let mixed = ask(&world, &snapshot, &caller, "mixed").unwrap();
    assert_eq!(mixed.attempts.len(), 1);
    assert!(mixed.passed_over[0].why.to_string().contains("warp"));
    assert!(ask(&world, &snapshot, &caller, "chat").is_ok());
}

#[test]
fn what_cannot_be_read_of_a_tenant_is_not_replaced_by_the_operators() {
    let (mut world, tenant) = world();
    let key = world.key(tenant, "{}");
    let unknown = |kind: &str, name: &str| {
        let (kind, name, reason) = (kind.to_owned(), name.to_owned(), "unknown field `warp`".to_owned());
        UnreadableRow { kind, name, tenant: Some(tenant), reason }
    };
    let refused = |world: &World, model: &str| {
        let snapshot = world.compile();
        let caller = world.caller(&snapshot, &key).unwrap();
        ask(world, &snapshot, &caller, model).map(|plan| plan.route).unwrap_err().to_string()
    };
    for (kind, name) in [("provider", "a"), ("model", "a/m"), ("price", "a/m@2026-01-01T00:00:00Z")] {
        world.rows.unknown = vec![unknown(kind, name)];
        let reason = refused(&world, "a/m");
        assert!(reason.contains("warp"), "{kind}: {reason}");
    }
    world.rows.unknown = vec![unknown("budget", "month")];
    assert_eq!(world.caller(&world.compile(), &key).unwrap_err(), AuthError::OutOfService);
    world.rows.unknown = Vec::new();
    world.rows.known.retain(|row| row.kind() != Kind::Tenant);
    assert_eq!(world.caller(&world.compile(), &key).unwrap_err(), AuthError::OutOfService);
}

#[test]
fn a_provider_kind_of_the_future_disables_its_targets_alone() {
    let (mut world, tenant) = world();
    world.add(None, Kind::Provider, "new", r#"{"kind":"telepathy","base_url":"https://x.example"}"#);
    world.add(None, Kind::Route, "mixed", r#"{"targets":["new/m","b/m"]}"#);
    let key = world.key(tenant, "{}");
    let snapshot = world.compile();
    let caller = world.caller(&snapshot, &key).unwrap();
    let mixed = ask(&world, &snapshot, &caller, "mixed").unwrap();
    assert_eq!((mixed.attempts.len(), mixed.passed_over.len()), (1, 1));
    assert!(mixed.passed_over[0].why.to_string().contains("telepathy"));
}

#[test]
fn a_snapshot_that_cannot_work_is_refused_whole() {
    let (world, _) = world();
    let other = Keyring::new(&MasterKey::generate(), &[]);
    let error = compile(&world.rows, &other, &world.live).unwrap_err().to_string();
    assert!(error.contains("master key"), "{error}");
}
