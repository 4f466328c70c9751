//! The states are found again, bounded in number, and dropped when they are no longer wanted.

use std::{collections::BTreeSet, sync::Arc};

use domain::ResourceId;
use uuid::Uuid;

use super::*;

fn id(number: u128) -> ResourceId {
    ResourceId(Uuid::from_u128(number))
}

#[test]
fn the_same_is_found_again_and_another_revision_is_another_key() {
    let live = HealthRegistry::new(7);
    assert!(Arc::ptr_eq(&live.target(id(1), "a"), &live.target(id(1), "a")));
    assert!(!Arc::ptr_eq(&live.target(id(1), "a"), &live.target(id(1), "b")));
    let key = live.credential(id(1), 1);
    key.refuse(0, MIDDLE);
    assert!(live.credential(id(1), 1).usable(0, 0).is_err());
    assert!(live.credential(id(1), 2).usable(0, 0).is_ok());
    assert_eq!((live.targets().len(), live.credentials().len()), (2, 2));
}

#[test]
fn beyond_the_bound_each_asker_gets_a_state_of_its_own() {
    let live = HealthRegistry::new(7);
    let kept: Vec<_> = (0..8_192).map(|number| live.target(id(number), "m")).collect();
    assert!(!Arc::ptr_eq(&live.target(id(9_000), "m"), &live.target(id(9_000), "m")));
    assert!(Arc::ptr_eq(&kept[5], &live.target(id(5), "m")));
    assert_eq!(live.targets().len(), 8_192);
}

/// Or it could be ejected, and as trials are given to those that are kept alone, it would never come back.
#[test]
fn what_is_configured_is_kept_whatever_names_requests_made_up() {
    let live = HealthRegistry::new(7);
    (0..9_000).for_each(|number| drop(live.target(id(number), "made-up")));
    let target = live.configured_target(id(9_500), "m");
    let key = live.configured_credential(id(9_501), 1);
    assert!(Arc::ptr_eq(&target, &live.target(id(9_500), "m")));
    assert!(Arc::ptr_eq(&key, &live.credential(id(9_501), 1)));
    assert!(live.targets().iter().any(|(_, known)| Arc::ptr_eq(known, &target)));
    assert!(!Arc::ptr_eq(&live.target(id(9_600), "made-up"), &live.target(id(9_600), "made-up")));
}

#[test]
fn what_nobody_holds_and_nobody_asks_for_is_dropped() {
    let live = HealthRegistry::new(7);
    let held = live.target(id(1), "held");
    live.target(id(2), "asked");
    live.target(id(3), "gone");
    live.prune();
    assert_eq!(live.targets().len(), 3, "all were asked for since the last time");
    live.target(id(2), "asked");
    live.prune();
    let names: BTreeSet<_> = live.targets().into_iter().map(|(key, _)| key.upstream).collect();
    assert_eq!(names, BTreeSet::from(["asked".to_owned(), "held".to_owned()]));
    drop(held);
    live.prune();
    assert!(live.targets().is_empty());
}

#[test]
fn draws_follow_from_the_seed_and_are_spread_evenly() {
    let (one, same, other) = (HealthRegistry::new(7), HealthRegistry::new(7), HealthRegistry::new(8));
    let draws = |live: &HealthRegistry| (0..10_000).map(|_| live.draw()).collect::<Vec<_>>();
    let first = draws(&one);
    assert_eq!(first, draws(&same));
    assert_ne!(first, draws(&other));
    let hits = first.iter().filter(|draw| Share::percent(30).hit(**draw)).count();
    assert!((2_850..3_150).contains(&hits), "{hits}");
}
