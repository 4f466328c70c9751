//! Who may ask: keys that are refused, rotated, limited.

use domain::{Kind, Timestamp};
use policy::{AuthError, UnreadableRow, identify};
use secrets::{ApiKeyDigests, ApiKeySecret};

use crate::world::two_providers as world;

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
