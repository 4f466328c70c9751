//! Which credential signs, and what becomes of a target without a usable one.

use std::{collections::BTreeMap, sync::Arc, time::Duration};

use domain::ResourceId;
use policy::{
    Credential, CredentialChoice, CredentialQuery, SkipReason, TargetCredentials,
    health::{CredentialRefusal, CredentialState, Moment, Quota, TargetState},
    select_credential,
};

use crate::question::{Desk, MIDDLE, Question, SECOND, first, order, passed};

const MINUTE: u64 = 60 * SECOND;
const NEEDED: CredentialQuery = CredentialQuery { tokens: 100, allow_exhausted: false };

fn desk(weights: &[u32]) -> (Desk, Vec<Arc<Credential>>) {
    let desk = Desk::new(|world, _| {
        world.provider("a", 0, "");
        world.provider("b", 1, "");
        for (number, weight) in weights.iter().enumerate() {
            let json = format!(r#"{{"provider":"a","weight":{weight}}}"#);
            world.add(None, domain::Kind::Credential, &format!("a/{number}"), &json);
        }
        world.route("chat", r#"{"targets":["a/m","b/m"]}"#);
    });
    let keys = desk.target("a/m").endpoint.credentials.clone();
    (desk, keys)
}

/// The credentials of a target of which nothing is known.
fn of<'a>(credentials: &'a [Arc<Credential>], target: &'a TargetState) -> TargetCredentials<'a> {
    TargetCredentials { credentials, target }
}

fn next(keys: &[Arc<Credential>], tried: &[ResourceId], now: u64, draw: u64) -> Option<String> {
    let target = TargetState::default();
    match select_credential(of(keys, &target), tried, NEEDED, Moment { now, draw }) {
        CredentialChoice::Use(key) => Some(key.name.clone()),
        CredentialChoice::NoneLeft => None,
        CredentialChoice::NotNeeded => panic!("there are keys"),
    }
}

fn spend(state: &CredentialState, now: u64) {
    let (remaining, reset) = (Some(0), Some(Duration::from_secs(30)));
    let quota = Quota {
        remaining_requests: remaining,
        limit_requests: Some(100),
        reset_requests: reset,
        ..Quota::default()
    };
    state.observe(&state.begin(10), &quota, now);
}

#[test]
fn keys_share_by_weight_and_those_tried_are_left_out() {
    let (_desk, keys) = desk(&[3, 1]);
    let heavy = (0..400).filter(|draw| next(&keys, &[], 0, *draw).as_deref() == Some("a/0")).count();
    assert_eq!(heavy, 300);
    assert_eq!(next(&keys, &[keys[0].id], 0, 0).as_deref(), Some("a/1"));
    assert_eq!(next(&keys, &[keys[0].id, keys[1].id], 0, 0), None);
    assert!(matches!(
        select_credential(of(&[], &TargetState::default()), &[], NEEDED, Moment { now: 0, draw: 0 }),
        CredentialChoice::NotNeeded
    ));
}

#[test]
fn a_benched_key_is_left_out_and_its_share_goes_to_the_others() {
    let (_desk, keys) = desk(&[1, 1, 1]);
    keys[0].state.cool_down(Duration::from_secs(20), 0);
    let mut counts = BTreeMap::<String, u32>::new();
    for draw in 0..300 {
        *counts.entry(next(&keys, &[], SECOND, draw).unwrap()).or_default() += 1;
    }
    assert_eq!(counts, BTreeMap::from([("a/1".into(), 150), ("a/2".into(), 150)]));
    assert!((0..3).any(|draw| next(&keys, &[], 20 * SECOND, draw).as_deref() == Some("a/0")));
}

#[test]
fn a_refused_key_is_tried_by_one_request_when_its_time_is_over_and_never_starves() {
    let (_desk, keys) = desk(&[1, 1]);
    keys[0].state.refuse(0, MIDDLE);
    assert!((0..10).all(|draw| next(&keys, &[], MINUTE, draw).as_deref() == Some("a/1")));
    let over = 6 * MINUTE;
    assert_eq!(next(&keys, &[], over, 1).as_deref(), Some("a/0"));
    assert!(
        (0..10).all(|draw| next(&keys, &[], over, draw).as_deref() == Some("a/1")),
        "one trial at a time"
    );
    assert_eq!(next(&keys, &[], over + MINUTE, 1).as_deref(), Some("a/0"), "a trial without an end lapses");
    assert!(keys[0].state.succeeded(over + MINUTE));
    assert!((0..2).any(|draw| next(&keys, &[], over + MINUTE, draw).as_deref() == Some("a/0")));
}

#[test]
fn one_request_meets_one_refused_key_while_others_are_left() {
    let (_desk, keys) = desk(&[1, 1, 1]);
    keys[..2].iter().for_each(|key| assert_eq!(key.state.refuse(0, MIDDLE), CredentialRefusal::First));
    let over = 7 * MINUTE;
    let mut tried = Vec::new();
    let mut names = Vec::new();
    while let CredentialChoice::Use(key) =
        select_credential(of(&keys, &TargetState::default()), &tried, NEEDED, Moment { now: over, draw: 0 })
    {
        tried.push(key.id);
        names.push(key.name.clone());
    }
    assert_eq!(names, ["a/0", "a/2", "a/1"], "the second trial is what is left when all else failed");
}

#[test]
fn a_key_that_only_a_count_speaks_against_is_used_by_the_desperate() {
    let (desk, keys) = desk(&[1]);
    spend(&keys[0].state, 0);
    assert_eq!(next(&keys, &[], SECOND, 0), None);
    assert!(matches!(
        select_credential(
            of(&keys, &TargetState::default()),
            &[],
            CredentialQuery { allow_exhausted: true, ..NEEDED },
            Moment { now: SECOND, draw: 0 }
        ),
        CredentialChoice::Use(_)
    ));
    assert_eq!(order(&desk.at(SECOND, 0).unwrap()), ["b/m"], "others go before");
    desk.eject("b/m", true, SECOND);
    assert_eq!(order(&desk.at(SECOND, 0).unwrap()), ["a/m"], "and then there are none");
    keys[0].state.cool_down(Duration::from_secs(9), SECOND);
    assert!(desk.at(SECOND, 0).is_err(), "the provider itself said no");
}

#[test]
fn a_target_without_a_usable_key_is_passed_over_until_one_is_back() {
    let (desk, keys) = desk(&[1, 1]);
    keys[0].state.cool_down(Duration::from_secs(20), 0);
    assert_eq!(first(&desk.at(0, 0).unwrap()), "a/m", "one is left");
    keys[1].state.refuse(0, MIDDLE);
    let plan = desk.at(0, 0).unwrap();
    let [(target, SkipReason::NoUsableCredential { why, left, spent, .. })] = &passed(&plan)[..] else {
        panic!("{plan:?}")
    };
    assert_eq!((target.as_str(), why.as_str(), spent), ("a/m", "1 resting, 1 refused", &false));
    assert_eq!(*left, Duration::from_secs(20));
    assert_eq!(first(&desk.at(20 * SECOND, 0).unwrap()), "a/m");
    keys[0].state.cool_down(Duration::from_secs(3_600), 20 * SECOND);
    assert_eq!(first(&desk.at(7 * MINUTE, 0).unwrap()), "a/m", "a trial of the refused one is due");
}

#[test]
fn tokens_that_do_not_fit_into_what_is_left_go_elsewhere() {
    let (desk, keys) = desk(&[1]);
    let quota = Quota {
        remaining_tokens: Some(1_000),
        limit_tokens: Some(10_000),
        reset_tokens: Some(Duration::from_secs(9)),
        ..Quota::default()
    };
    let state = &keys[0].state;
    state.observe(&state.begin(0), &quota, 0);
    let target = |input_tokens, max_output| {
        let mut question = Question { input_tokens, ..Question::of("chat") };
        question.facts.max_output = max_output;
        first(&desk.ask(&question).unwrap())
    };
    assert_eq!(
        (target(700, None), target(900, None), target(700, Some(300))),
        ("a/m".into(), "b/m".into(), "b/m".into())
    );
}
