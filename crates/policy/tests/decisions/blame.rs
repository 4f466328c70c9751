//! The smallest thing that explains a failure is blamed: one model for one credential, not all of a provider.

use std::time::Duration;

use domain::AttemptOutcome;
use policy::{
    SelectionReason, SkipReason,
    failover::{Blame, CredentialChange, CredentialSelector, Failure},
    health::{Micros, Moment, UnavailableReason},
};

use crate::question::{Desk, MIDDLE, SECOND, order, passed, permit, reasons, tell};

/// Two models at one provider with so many keys, and another provider behind one of them.
fn desk(keys: usize) -> Desk {
    Desk::new(|world, _| {
        world.provider("a", keys, "");
        world.provider("b", 1, "");
        world.route("chat", r#"{"targets":["a/m","b/m"]}"#);
        world.route("other", r#"{"targets":["a/other"]}"#);
        world.route("alone", r#"{"targets":["a/m"]}"#);
    })
}

/// A failure at a target, and what it did to the credential that signed.
fn fail(desk: &Desk, model: &str, failure: Failure, now: Micros) -> Option<CredentialChange> {
    let target = desk.target(model);
    let moment = Moment { now, draw: MIDDLE };
    let mut selector = CredentialSelector::new(0);
    selector.select(target.credentials(), true, moment);
    selector.on_failure(&failure, &target.state, moment).map(|(_, change)| change)
}

const REFUSED: Failure = Failure {
    outcome: AttemptOutcome::BadCredential,
    retry_after: None,
    blame: Blame::Model,
    before_head: false,
    has_answer: false,
};

fn why(desk: &Desk, model: &str, now: Micros) -> Option<UnavailableReason> {
    let target = desk.target(model);
    let credential = &target.endpoint.credentials[0];
    target.credentials().usable(credential, 0, now).err().map(|unavailable| unavailable.reason)
}

#[test]
fn a_model_that_is_refused_to_a_credential_shuts_no_other_model() {
    let desk = desk(1);
    assert_eq!(fail(&desk, "a/m", REFUSED, 0), Some(CredentialChange::ModelRefused { first: true }));
    assert_eq!(why(&desk, "a/m", 0), Some(UnavailableReason::ModelRefused));
    assert_eq!(why(&desk, "a/other", 0), None);
    assert_eq!(order(&desk.at(0, 0).unwrap()), ["b/m"]);
    let plan = desk.at(0, 0).unwrap();
    let [(_, SkipReason::NoUsableCredential { why, spent: false, perhaps: true, .. })] = &passed(&plan)[..]
    else {
        panic!("{:?}", passed(&plan))
    };
    assert_eq!(why, "1 refused for this model");
}

#[test]
fn another_credential_of_the_provider_may_have_the_model() {
    let desk = desk(2);
    fail(&desk, "a/m", REFUSED, 0);
    assert_eq!(order(&desk.at(0, 0).unwrap()), ["a/m", "b/m"]);
}

#[test]
fn without_another_target_the_provider_is_asked_and_says_why() {
    let desk = desk(1);
    fail(&desk, "a/m", REFUSED, 0);
    let alone = crate::question::Question::of("alone");
    assert_eq!(order(&desk.ask(&alone).unwrap()), ["a/m"]);
}

#[test]
fn a_throttled_model_rests_alone_as_long_as_the_provider_says() {
    let desk = desk(1);
    let lasts = Some(Duration::from_secs(9));
    let limited = Failure { outcome: AttemptOutcome::RateLimited, retry_after: lasts, ..REFUSED };
    assert_eq!(fail(&desk, "a/m", limited, 0), Some(CredentialChange::CooledDown));
    assert_eq!(why(&desk, "a/m", 0), Some(UnavailableReason::ModelResting));
    assert_eq!(why(&desk, "a/other", 0), None);
    assert_eq!(why(&desk, "a/m", 9 * SECOND), None);
    let alone = crate::question::Question::of("alone");
    assert!(desk.ask(&alone).is_err(), "the provider said until when it wants no request");

    let unnamed = Failure { retry_after: None, ..limited };
    assert_eq!(fail(&desk, "a/other", unnamed, 0), Some(CredentialChange::Throttled));
    assert_eq!(why(&desk, "a/other", 0), Some(UnavailableReason::ModelThrottled));
    assert_eq!(why(&desk, "a/other", SECOND), None);
}

#[test]
fn a_refused_credential_is_refused_for_every_model() {
    let desk = desk(1);
    let refused = Failure { blame: Blame::Credential, ..REFUSED };
    assert_eq!(fail(&desk, "a/m", refused, 0), Some(CredentialChange::Refused { first: true }));
    assert_eq!(why(&desk, "a/other", 0), Some(UnavailableReason::Refused));
}

/// Ejects a target again and again, each time for longer, by trials that come early where `lone`.
fn eject_often(desk: &Desk, lone: bool) -> Micros {
    let target = desk.target("a/m");
    let lasts = Duration::from_secs(10);
    let mut now = 0;
    (0..5).for_each(|_| tell(&target, false, now));
    for _ in 0..5 {
        now += if lone { 5 * SECOND } else { 600 * SECOND };
        let _ = desk.at(now, 0);
        assert!(target.state.permit_trial(lasts, now) && target.state.take_trial(lasts, now), "{now}");
        let seen = policy::health::Observation { ok: false, began: now, trial: true };
        target.state.record(seen, &target.endpoint.outlier, now, MIDDLE);
    }
    now
}

#[test]
fn a_lone_target_is_tried_again_when_a_first_ejection_would_be_over() {
    let desk = Desk::chat("a", r#"{"targets":["a/m"]}"#);
    let now = eject_often(&desk, true);
    let target = desk.target("a/m");
    let wait = |now| match desk.at(now, 0) {
        Err(policy::RoutingError::NoAvailableTarget { retry_after, .. }) => retry_after,
        other => panic!("{other:?}"),
    };
    assert_eq!(wait(now + SECOND), Duration::from_secs(4), "a trial has just failed");
    assert!(!target.state.wants_trial(now + SECOND));
    assert_eq!(wait(now + 5 * SECOND), Duration::from_secs(1));
    assert!(target.state.wants_trial(now + 5 * SECOND));
    permit(&target.state, now + 5 * SECOND);
    let plan = desk.at(now + 5 * SECOND, 0).unwrap();
    assert_eq!(reasons(&plan), [SelectionReason::Trial]);
    assert_eq!(policy::recheck(&plan.attempts[0], now + 5 * SECOND), Ok(true));
    assert!(policy::recheck(&plan.attempts[0], now + 5 * SECOND).is_err(), "one request makes the trial");
}

#[test]
fn a_target_with_others_beside_it_keeps_its_whole_time() {
    let desk = Desk::chat("ab", r#"{"targets":["a/m","b/m"]}"#);
    let now = eject_often(&desk, false) + 20 * SECOND;
    assert_eq!(order(&desk.at(now, 0).unwrap()), ["b/m"]);
    assert!(!desk.target("a/m").state.wants_trial(now));
}
