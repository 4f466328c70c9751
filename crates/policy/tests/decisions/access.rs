//! Who may ask: keys that are refused, rotated, limited.

use domain::{Kind, ResourceId, Spec, Strictness, Timestamp};
use policy::{AuthError, BudgetFacts, RoutingError, UnreadableRow, identify};
use secrets::{ApiKeyDigests, ApiKeySecret};

use crate::{
    question::Question,
    world::{World, two_providers as world},
};

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
    assert_eq!(refused(ApiKeySecret::mint().reveal()), AuthError::Unknown);
    assert_eq!(refused("sk-proj-1"), AuthError::Malformed);
    assert_eq!(identify(&snapshot, &world.keyring, None, Timestamp::now()).unwrap_err(), AuthError::Missing);
}

#[test]
fn a_rotated_key_is_accepted_until_its_grace_ends() {
    let (mut world, tenant) = world();
    let old = world.key(tenant, "{}");
    let new = ApiKeySecret::mint();
    let seal = ApiKeyDigests {
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
fn a_limit_that_cannot_be_read_is_not_overlooked() {
    let (mut world, tenant) = world();
    let key = world.key(tenant, "{}");
    world.add(Some(tenant), Kind::Limit, "tenant", r#"{"requests":"600/min","concurrent":5}"#);
    let snapshot = world.compile();
    assert_eq!(world.caller(&snapshot, &key).unwrap().key.tenant.limits.len(), 1);
    let reason = "unknown field `tokens`".to_owned();
    world.rows.unknown =
        vec![UnreadableRow { kind: "limit".into(), name: "new".into(), tenant: Some(tenant), reason }];
    let snapshot = world.compile();
    assert_eq!(world.caller(&snapshot, &key).unwrap_err(), AuthError::OutOfService);
}

#[test]
fn a_tenants_requests_are_under_its_budgets() {
    let (mut world, tenant) = world();
    let key = world.key(tenant, "{}");
    let month = world.add(Some(tenant), Kind::Budget, "month", r#"{"cap":"$500"}"#);
    let json = r#"{"cap":"$5","for":{"key":"key"},"window":"day","time_zone":"Europe/Berlin"}"#;
    world.add(Some(tenant), Kind::Budget, "of-key", json);
    let other = world.add(None, Kind::Tenant, "other", "{}");
    world.add(Some(other), Kind::Budget, "month", r#"{"cap":"$7"}"#);
    let snapshot = world.compile();
    let caller = world.caller(&snapshot, &key).unwrap();
    let [first, second] = caller.key.tenant.budgets() else { panic!("two budgets") };
    assert_eq!((first.id, first.tenant, first.tenant_name.as_str()), (month, tenant, "acme"));
    assert_eq!((first.cap, first.revision), ("$500".parse().unwrap(), 1));
    let facts = |key| BudgetFacts {
        key,
        user: None,
        feature: None,
        session: None,
        tags: &[],
        model: None,
        provider: None,
        route: None,
    };
    assert!(second.account_value(&facts(caller.key.id)).is_some());
    assert!(second.account_value(&facts(month)).is_none(), "another key");
    let noon: Timestamp = "2026-07-01T12:00:00Z".parse().unwrap();
    let midnight: Timestamp = "2026-06-30T22:00:00Z".parse().unwrap();
    assert_eq!(second.window_at(noon).start, midnight.micros() / 1_000_000);
}

/// `top` above `middle` above the tenant of `world`, which gets a key.
fn below_two(world: &mut World, tenant: ResourceId) -> (ResourceId, ResourceId, String) {
    let top = world.add(None, Kind::Tenant, "top", "{}");
    let middle = world.add(None, Kind::Tenant, "middle", r#"{"parent":"top"}"#);
    let row = world.rows.known.iter_mut().find(|row| row.id == tenant).unwrap();
    row.spec = Spec::from_json(Kind::Tenant, br#"{"parent":"middle"}"#).unwrap();
    let key = world.key(tenant, "{}");
    (top, middle, key)
}

#[test]
fn limits_and_budgets_of_the_tenants_above_apply_too() {
    let (mut world, tenant) = world();
    let (top, middle, key) = below_two(&mut world, tenant);
    for (owner, limit, budget) in [(top, "3/s", "$3"), (middle, "2/s", "$2"), (tenant, "1/s", "$1")] {
        world.add(Some(owner), Kind::Limit, "tenant", &format!(r#"{{"requests":"{limit}"}}"#));
        world.add(Some(owner), Kind::Budget, "month", &format!(r#"{{"cap":"{budget}"}}"#));
    }
    let beside = world.add(None, Kind::Tenant, "beside", r#"{"parent":"top"}"#);
    world.add(Some(beside), Kind::Budget, "month", r#"{"cap":"$9"}"#);
    let snapshot = world.compile();
    let caller = world.caller(&snapshot, &key).unwrap();
    let found = &caller.key.tenant;
    assert_eq!(found.root(), top);
    let limits = found.limits.iter().map(|limit| limit.tenant_name.as_str());
    assert_eq!(limits.collect::<Vec<_>>(), ["acme", "middle", "top"]);
    let budgets = found.budgets().iter().map(|budget| (budget.tenant, budget.cap.to_string()));
    let expected = [(tenant, "1"), (middle, "2"), (top, "3")];
    assert_eq!(budgets.collect::<Vec<_>>(), expected.map(|(owner, cap)| (owner, cap.to_owned())));
}

#[test]
fn a_tenant_above_that_is_disabled_or_unknown_takes_those_below_out_of_service() {
    let (mut world, tenant) = world();
    let (_, middle, key) = below_two(&mut world, tenant);
    let refused = |world: &World| world.caller(&world.compile(), &key).unwrap_err();
    let spec = |json: &str| Spec::from_json(Kind::Tenant, json.as_bytes()).unwrap();
    let set = |world: &mut World, json: &str| {
        let row = world.rows.known.iter_mut().find(|row| row.name == "top").unwrap();
        row.spec = spec(json);
    };
    assert!(world.caller(&world.compile(), &key).is_ok());
    set(&mut world, r#"{"disabled":true}"#);
    assert_eq!(refused(&world), AuthError::TenantDisabled);
    set(&mut world, r#"{"parent":"not-there"}"#);
    assert_eq!(refused(&world), AuthError::OutOfService);
    set(&mut world, r#"{"parent":"acme"}"#);
    assert_eq!(refused(&world), AuthError::OutOfService, "a circle");
    set(&mut world, "{}");
    let reason = "unknown field `tokens`".to_owned();
    world.rows.unknown =
        vec![UnreadableRow { kind: "limit".into(), name: "new".into(), tenant: Some(middle), reason }];
    assert_eq!(refused(&world), AuthError::OutOfService);
    world.rows.unknown.clear();
    for (name, parent) in [("over", "{}"), ("higher", r#"{"parent":"over"}"#)] {
        world.add(None, Kind::Tenant, name, parent);
    }
    set(&mut world, r#"{"parent":"over"}"#);
    assert!(world.caller(&world.compile(), &key).is_ok(), "four deep");
    set(&mut world, r#"{"parent":"higher"}"#);
    assert_eq!(refused(&world), AuthError::OutOfService, "five deep");
}

#[test]
fn names_are_looked_up_in_the_tenants_above_before_the_operators() {
    let (mut world, tenant) = world();
    let (top, middle, key) = below_two(&mut world, tenant);
    // What the operator calls `chat`, `top` calls so too; its `inner` leads to its own `chat`, not to that of a child.
    world.add(Some(top), Kind::Route, "chat", r#"{"targets":["a/top"]}"#);
    world.add(Some(top), Kind::Route, "inner", r#"{"pools":{"main":{"route":"chat"}}}"#);
    world.add(Some(middle), Kind::Route, "code", r#"{"targets":["a/middle"]}"#);
    world.add(Some(middle), Kind::Model, "b/middle", r#"{"upstream":"renamed"}"#);
    let first = |world: &World, route: &str| {
        let snapshot = world.compile();
        let caller = world.caller(&snapshot, &key).unwrap();
        let plan = Question::of(route).plan(&snapshot, &world.live, &caller).unwrap();
        plan.attempts[0].target.upstream.clone()
    };
    assert_eq!(first(&world, "chat"), "top");
    assert_eq!(first(&world, "code"), "middle");
    assert_eq!(first(&world, "b/middle"), "renamed");
    world.add(Some(tenant), Kind::Route, "chat", r#"{"targets":["a/own"]}"#);
    assert_eq!(first(&world, "chat"), "own");
    assert_eq!(first(&world, "inner"), "top");
    let snapshot = world.compile();
    let caller = world.caller(&snapshot, &key).unwrap();
    let visible = policy::visible_models(&snapshot, &caller);
    assert_eq!(visible.into_iter().collect::<Vec<_>>(), ["b/middle", "chat", "code", "inner"]);
}

#[test]
fn a_budget_that_cannot_be_read_is_not_overlooked() {
    let (mut world, tenant) = world();
    let key = world.key(tenant, "{}");
    let reason = "unknown field `velocity`".to_owned();
    world.rows.unknown =
        vec![UnreadableRow { kind: "budget".into(), name: "new".into(), tenant: Some(tenant), reason }];
    let snapshot = world.compile();
    assert_eq!(world.caller(&snapshot, &key).unwrap_err(), AuthError::OutOfService);
}

#[test]
fn the_header_goes_before_the_key_and_the_key_before_the_route() {
    use Strictness::{Default as D, Lenient as L, Strict as S};
    let tighten = |mode: &str| format!(r#"{{{mode}"translation_header":"tighten"}}"#);
    for (route, key, header, expected) in [
        ("", "{}", None, Ok(D)),
        ("", "{}", Some(L), Ok(L)),
        (r#","translation":"strict""#, "{}", None, Ok(S)),
        (r#","translation":"strict""#, "{}", Some(L), Ok(L)),
        (r#","translation":"strict""#, r#"{"translation":"lenient"}"#, None, Ok(L)),
        (r#","translation":"strict""#, r#"{"translation":"lenient"}"#, Some(D), Ok(D)),
        ("", &tighten(""), Some(L), Err((L, D))),
        ("", &tighten(""), Some(D), Ok(D)),
        ("", &tighten(""), Some(S), Ok(S)),
        (r#","translation":"lenient""#, &tighten(""), Some(L), Ok(L)),
        (r#","translation":"lenient""#, &tighten(r#""translation":"strict","#), Some(D), Err((D, S))),
    ] {
        let (mut world, tenant) = world();
        world.route("one", &format!(r#"{{"targets":["a/m"]{route}}}"#));
        let key = world.key(tenant, key);
        let snapshot = world.compile();
        let caller = world.caller(&snapshot, &key).unwrap();
        let asked = Question { translation: header, ..Question::of("one") };
        let found = match asked.plan(&snapshot, &world.live, &caller) {
            Ok(plan) => Ok(plan.strictness),
            Err(RoutingError::TranslationForbidden { asked, set }) => Err((asked, set)),
            Err(other) => panic!("{other}"),
        };
        assert_eq!(found, expected, "{route} {header:?}");
    }
}
