//! Who may ask: keys that are refused, rotated, limited.

use domain::{Kind, Strictness, Timestamp};
use policy::{AuthError, BudgetFacts, RoutingError, UnreadableRow, identify};
use secrets::{ApiKeyDigests, ApiKeySecret};

use crate::{question::Question, world::two_providers as world};

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
