//! The compiled snapshot, auth, plans and bounds, on small configurations written as rows.

#![allow(clippy::unwrap_used, clippy::panic, reason = "a test may fail")]

use std::sync::Arc;

use domain::{ErrorKind, Kind, ModelRef, Resource, ResourceId, Spec, StoreId, Timestamp, Version};
use policy::{
    AuthError, Caller, Refusal, Rows, Sign, Snapshot, Unknown, bound, compile, identify, plan, visible_models,
};
use secrets::{Binding, KeySeal, KeyText, Keyring, MasterKey};

struct World {
    keyring: Keyring,
    rows: Rows,
}

impl World {
    fn new() -> Self {
        let version = Version { store: StoreId::new(), revision: 1 };
        let rows = Rows { version, known: Vec::new(), unknown: Vec::new() };
        Self { keyring: Keyring::new(&MasterKey::generate(), &[]), rows }
    }

    fn add(&mut self, tenant: Option<ResourceId>, kind: Kind, name: &str, json: &str) -> ResourceId {
        let id = ResourceId::new();
        let spec = Spec::from_json(kind, json.as_bytes()).unwrap();
        let owner = tenant.map_or(uuid::Uuid::nil(), |tenant| tenant.0);
        let sealed = (kind == Kind::Credential)
            .then(|| self.keyring.seal(format!("secret-{name}").as_bytes(), Binding { owner, row: id.0 }));
        self.rows.known.push(Resource { id, tenant, name: name.into(), spec, revision: 1, sealed });
        id
    }

    fn key(&mut self, tenant: ResourceId, json: &str) -> String {
        let text = KeyText::mint();
        self.add(Some(tenant), Kind::Key, "key", json);
        let seal = KeySeal { current: self.keyring.digest(text.reveal()), previous: None };
        self.rows.known.last_mut().unwrap().sealed = Some(seal.encode());
        text.reveal().to_owned()
    }

    fn compile(&self) -> Snapshot {
        compile(&self.rows, &self.keyring).unwrap()
    }

    fn caller(&self, snapshot: &Snapshot, key: &str) -> Result<Caller, AuthError> {
        identify(snapshot, &self.keyring, Some(key), Timestamp::from_micros(1_000))
    }
}

/// Two providers, one route over both, one tenant.
fn world() -> (World, ResourceId) {
    let mut world = World::new();
    let tenant = world.add(None, Kind::Tenant, "acme", "{}");
    for provider in ["a", "b"] {
        world.add(None, Kind::Provider, provider, r#"{"kind":"custom","base_url":"https://x.example/v1/"}"#);
        world.add(
            None,
            Kind::Credential,
            &format!("{provider}/main"),
            &format!(r#"{{"provider":"{provider}"}}"#),
        );
    }
    world.add(None, Kind::Route, "chat", r#"{"targets":["a/m","b/m"]}"#);
    (world, tenant)
}

#[test]
fn a_chain_is_tried_in_its_order_with_opened_credentials() {
    let (mut world, tenant) = world();
    let key = world.key(tenant, "{}");
    let snapshot = world.compile();
    let caller = world.caller(&snapshot, &key).unwrap();
    let plan = plan(&snapshot, &caller, "chat", 0).unwrap();
    let order: Vec<String> = plan.attempts.iter().map(|planned| planned.target.model.to_string()).collect();
    assert_eq!(order, ["a/m", "b/m"]);
    let Sign::Header(name, value) = &plan.attempts[0].credentials[0].sign else { panic!("no header") };
    assert_eq!((name.as_str(), value.to_str().unwrap()), ("authorization", "Bearer secret-a/main"));
    assert_eq!(plan.attempts[0].target.endpoint.prefix, "/v1");
    assert!(!format!("{snapshot:?}").contains("secret-a"), "a debug print shows a secret");
}

#[test]
fn the_reasons_to_refuse_a_key() {
    let (mut world, tenant) = world();
    let expired = world.key(tenant, r#"{"expires":"1970-01-01"}"#);
    let disabled = world.key(tenant, r#"{"disabled":true}"#);
    let off = world.add(None, Kind::Tenant, "off", r#"{"disabled":true}"#);
    let of_disabled_tenant = world.key(off, "{}");
    let snapshot = world.compile();
    let refused = |key: &str| world.caller(&snapshot, key).unwrap_err();
    assert_eq!(refused(&expired), AuthError::Expired);
    assert_eq!(refused(&disabled), AuthError::Unknown);
    assert_eq!(refused(&of_disabled_tenant), AuthError::TenantDisabled);
    assert_eq!(refused(KeyText::mint().reveal()), AuthError::Unknown);
    assert_eq!(refused("sk-proj-1"), AuthError::Malformed);
    assert_eq!(identify(&snapshot, &world.keyring, None, Timestamp::now()).unwrap_err(), AuthError::Missing);
}

#[test]
fn a_rotated_key_is_accepted_until_its_grace_ends() {
    let (mut world, tenant) = world();
    let old = world.key(tenant, "{}");
    let new = KeyText::mint();
    let seal = KeySeal {
        current: world.keyring.digest(new.reveal()),
        previous: Some((world.keyring.digest(&old), 1_000)),
    };
    world.rows.known.last_mut().unwrap().sealed = Some(seal.encode());
    let snapshot = world.compile();
    let at = |key: &str, now| identify(&snapshot, &world.keyring, Some(key), Timestamp::from_micros(now));
    assert!(at(new.reveal(), 5_000).is_ok() && at(&old, 999).is_ok());
    assert_eq!(at(&old, 1_000).unwrap_err(), AuthError::Expired);
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
        let plan = plan(&snapshot, &caller, "chat", 0).unwrap();
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
        plan(&snapshot, &caller, model, 0).map(|plan| plan.route)
    };
    assert_eq!(planned(&free, "a/anything").unwrap(), "a/anything");
    assert_eq!(planned(&free, "nope").unwrap_err().kind(), ErrorKind::RouteNotFound);
    assert_eq!(planned(&free, "nope/m").unwrap_err().kind(), ErrorKind::RouteNotFound);
    assert_eq!(planned(&bound_to_chat, "a/m").unwrap_err().kind(), ErrorKind::Forbidden);
    let Err(Refusal::OutOfService { reason, .. }) = planned(&free, "dead") else {
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
    let unknown = |kind: &str, name: &str| Unknown {
        kind: kind.into(),
        name: name.into(),
        tenant: None,
        reason: "unknown field `warp`".into(),
    };
    world.rows.unknown = vec![unknown("route", "new"), unknown("provider", "p"), unknown("hologram", "h")];
    world.add(None, Kind::Route, "mixed", r#"{"targets":["p/m","b/m"]}"#);
    let snapshot = world.compile();
    let caller = world.caller(&snapshot, &key).unwrap();
    let Err(refusal) = plan(&snapshot, &caller, "new", 0) else { panic!("an unreadable route was planned") };
    assert!(refusal.to_string().contains("warp"), "{refusal}");
    let mixed = plan(&snapshot, &caller, "mixed", 0).unwrap();
    assert_eq!(mixed.attempts.len(), 1);
    assert!(mixed.passed_over[0].reason.contains("warp"));
    assert!(plan(&snapshot, &caller, "chat", 0).is_ok());
}

#[test]
fn a_limit_that_cannot_be_read_is_not_overlooked() {
    let (mut world, tenant) = world();
    let key = world.key(tenant, "{}");
    world.add(Some(tenant), Kind::Limit, "tenant", r#"{"requests":"600/min","concurrent":5}"#);
    let snapshot = world.compile();
    assert_eq!(world.caller(&snapshot, &key).unwrap().key.tenant.limits.len(), 1);
    let reason = "unknown field `tokens`".to_owned();
    world.rows.unknown =
        vec![Unknown { kind: "limit".into(), name: "new".into(), tenant: Some(tenant), reason }];
    let snapshot = world.compile();
    assert_eq!(world.caller(&snapshot, &key).unwrap_err(), AuthError::OutOfService);
}

#[test]
fn what_cannot_be_read_of_a_tenant_is_not_replaced_by_the_operators() {
    let (mut world, tenant) = world();
    let key = world.key(tenant, "{}");
    let unknown = |kind: &str, name: &str| {
        let (kind, name, reason) = (kind.to_owned(), name.to_owned(), "unknown field `warp`".to_owned());
        Unknown { kind, name, tenant: Some(tenant), reason }
    };
    let refused = |world: &World, model: &str| {
        let snapshot = world.compile();
        let caller = world.caller(&snapshot, &key).unwrap();
        plan(&snapshot, &caller, model, 0).map(|plan| plan.route).unwrap_err().to_string()
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
    let mixed = plan(&snapshot, &caller, "mixed", 0).unwrap();
    assert_eq!((mixed.attempts.len(), mixed.passed_over.len()), (1, 1));
    assert!(mixed.passed_over[0].reason.contains("telepathy"));
}

#[test]
fn a_tenants_price_of_the_future_leaves_the_operators_in_force() {
    let (mut world, tenant) = world();
    for (owner, from, input) in [(None, "1970-01-01", "$1"), (Some(tenant), "2100-01-01", "$9")] {
        let json = format!(r#"{{"model":"a/m","effective_from":"{from}","input":"{input}","output":"$4"}}"#);
        world.add(owner, Kind::Price, &format!("a/m@{from}"), &json);
    }
    let key = world.key(tenant, "{}");
    let snapshot = world.compile();
    let caller = world.caller(&snapshot, &key).unwrap();
    let plan = plan(&snapshot, &caller, "a/m", 0).unwrap();
    let input = |now| plan.attempts[0].target.price_at(now).unwrap().price.input.to_string();
    assert_eq!(input(Timestamp::from_micros(1_000)), "1");
    assert_eq!(input("2100-01-02".parse().unwrap()), "9");
}

#[test]
fn a_snapshot_that_cannot_work_is_refused_whole() {
    let (world, _) = world();
    let other = Keyring::new(&MasterKey::generate(), &[]);
    let error = compile(&world.rows, &other).unwrap_err().to_string();
    assert!(error.contains("master key"), "{error}");
}

#[test]
fn credentials_share_by_weight() {
    let (mut world, tenant) = world();
    world.add(None, Kind::Credential, "a/heavy", r#"{"provider":"a","weight":3}"#);
    let key = world.key(tenant, "{}");
    let snapshot = world.compile();
    let caller = world.caller(&snapshot, &key).unwrap();
    let first =
        |draw| plan(&snapshot, &caller, "chat", draw).unwrap().attempts[0].credentials[0].name.clone();
    let heavy = (0..400).filter(|draw| first(*draw) == "a/heavy").count();
    assert_eq!(heavy, 300);
    assert_eq!(plan(&snapshot, &caller, "chat", 0).unwrap().attempts[0].credentials.len(), 2);
}

#[test]
fn prices_apply_from_their_moment_and_bounds_take_the_dearest_rate() {
    let (mut world, tenant) = world();
    for (from, input) in [("1970-01-01", "$1"), ("2100-01-01", "$9")] {
        let json = format!(
            r#"{{"model":"a/m","effective_from":"{from}","input":"{input}","cache_write":"$2","output":"$4"}}"#
        );
        world.add(None, Kind::Price, &format!("a/m@{from}"), &json);
    }
    let key = world.key(tenant, "{}");
    let snapshot = world.compile();
    let caller = world.caller(&snapshot, &key).unwrap();
    let plan = plan(&snapshot, &caller, "chat", 0).unwrap();
    let (priced, unpriced) = (&plan.attempts[0].target, &plan.attempts[1].target);
    let now = Timestamp::from_micros(1_000);
    assert_eq!(priced.price_at(now).unwrap().price.input.to_string(), "1");
    // 10 × $2 + 2 × 5 × $4 per million.
    assert_eq!(bound(priced, now, 10, Some(5), 2).cost.nanos(), 10 * 2_000 + 10 * 4_000);
    assert!(unpriced.price_at(now).is_none());
    assert_eq!(bound(unpriced, now, 10, Some(5), 1).cost.nanos(), 0);
    assert_eq!(unpriced.model, "b/m".parse::<ModelRef>().unwrap());
}

#[test]
fn the_catalogue_knows_what_nobody_wrote_and_admins_go_before_it() {
    let (mut world, tenant) = world();
    let price = |model: &str, input: &str| {
        format!(r#"{{"model":"{model}","effective_from":"1970-01-01","input":"{input}","output":"$1"}}"#)
    };
    let catalogue = |world: &mut World, model: &str, input: &str| {
        let name = format!("kind:custom/{model}");
        let facts = r#"{"context":1000,"max_output":7,"capabilities":{"sampling_fields":false}}"#;
        world.add(None, Kind::Model, &name, facts);
        world.add(None, Kind::Price, &format!("{name}@1970"), &price(&name, input));
    };
    catalogue(&mut world, "m", "$5");
    catalogue(&mut world, "real", "$6");
    world.add(None, Kind::Model, "b/alias", r#"{"upstream":"real","context":50}"#);
    world.add(None, Kind::Price, "a/m@1970", &price("a/m", "$2"));
    let key = world.key(tenant, "{}");
    let snapshot = world.compile();
    let caller = world.caller(&snapshot, &key).unwrap();
    let now = Timestamp::from_micros(1_000);
    let target = |model: &str| plan(&snapshot, &caller, model, 0).unwrap().attempts.remove(0).target;
    let input = |model: &str| target(model).price_at(now).map(|priced| priced.price.input.to_string());
    assert_eq!(input("a/m").unwrap(), "2", "an admin's price");
    assert_eq!(input("b/m").unwrap(), "5", "the catalogue's");
    assert_eq!(input("b/alias").unwrap(), "6", "by the name that the provider knows");
    assert_eq!(input("b/unheard-of"), None);
    let alias = Arc::clone(&target("b/alias").spec);
    assert_eq!((alias.context, alias.max_output), (Some(50), Some(7)), "field by field");
    assert_eq!(alias.capabilities.sampling_fields, Some(false));
    // The window bounds the input: 50 × $6 + 7 × $1 per million.
    assert_eq!(bound(&target("b/alias"), now, 1_000_000, None, 1).cost.nanos(), 50 * 6_000 + 7 * 1_000);
    assert_eq!(visible_models(&snapshot, &caller).into_iter().collect::<Vec<_>>(), ["b/alias", "chat"]);
    assert!(plan(&snapshot, &caller, "kind:custom/m", 0).is_err());

    // Rows of a newer catalogue that this version cannot read take nothing out of service.
    for kind in ["model", "price"] {
        let (kind, name) =
            (kind.to_owned(), format!("kind:custom/m{}", if kind == "price" { "@1970" } else { "" }));
        world.rows.unknown.push(Unknown { kind, name, tenant: None, reason: "of the future".into() });
    }
    let snapshot = world.compile();
    let plan = plan(&snapshot, &caller, "chat", 0).unwrap();
    assert_eq!((plan.attempts.len(), plan.passed_over.len()), (2, 0));
    assert!(
        plan.attempts[0].target.price_at(now).is_some() && plan.attempts[1].target.price_at(now).is_none()
    );
}
