//! Targets from outside: when they are ejected, how they come back, and that only what is fresh counts.

mod broken;
mod concurrency;
mod credentials;
mod registry;
mod relapse;
mod sharing;
mod speed;
mod threads;

use std::time::Duration;

use domain::{HealthSpec, Share};
use proptest::prelude::*;

use super::*;
use crate::time::micros;

const SECOND: Micros = 1_000_000;
/// A draw in the middle: ejections are as long as they are without jitter.
const MIDDLE: u64 = 200_000;
const LEASE: Duration = Duration::from_secs(10);

fn rules() -> OutlierDetection {
    OutlierDetection::from(&HealthSpec::default())
}

fn told(target: &TargetState, ok: bool, now: Micros) -> Option<Transition> {
    target.record(Observation { ok, began: now, trial: false }, &rules(), now, MIDDLE)
}

fn trial(target: &TargetState, ok: bool, now: Micros) -> Option<Transition> {
    assert!(target.permit_trial(LEASE, now) && target.take_trial(LEASE, now));
    target.record(Observation { ok, began: now, trial: true }, &rules(), now, MIDDLE)
}

fn probe(target: &TargetState, ok: bool, now: Micros) -> Option<Transition> {
    target.probed(ProbeObservation { ok, ttft: None, began: now }, &rules(), now, MIDDLE)
}

fn ejected(seconds: u64, times: u32, dead: bool) -> Option<Transition> {
    Some(Transition::Ejected { lasts: Duration::from_secs(seconds), times, dead })
}

/// A target that five failures took out at `now`.
fn failing(now: Micros) -> TargetState {
    let target = TargetState::default();
    assert!((0..4).all(|_| told(&target, false, now).is_none()));
    assert_eq!(told(&target, false, now), ejected(5, 1, true));
    target
}

fn left(target: &TargetState, now: Micros) -> Duration {
    match target.admission(now) {
        BreakerState::Ejected { left, .. } => left,
        _ => Duration::ZERO,
    }
}

#[test]
fn failures_in_a_row_eject_and_a_success_between_them_does_not() {
    let target = TargetState::default();
    (0..20).for_each(|_| assert_eq!(told(&target, true, 0), None));
    for _ in 0..3 {
        assert!((0..4).all(|_| told(&target, false, 0).is_none()));
        assert_eq!(told(&target, true, 0), None);
    }
    assert_eq!(target.admission(0), BreakerState::Healthy);
    assert!((0..4).all(|_| told(&target, false, 0).is_none()), "16 of 39, and the last row is one short");
    assert_eq!(told(&target, false, 0), ejected(5, 1, false));
}

#[test]
fn a_share_of_failures_ejects_once_there_are_enough_requests() {
    let (target, row) = (TargetState::default(), OutlierDetection { consecutive: 0, ..rules() });
    let tell = |ok, now| target.record(Observation { ok, began: now, trial: false }, &row, now, MIDDLE);
    for step in 0..4 {
        assert_eq!((tell(true, step * SECOND), tell(false, step * SECOND)), (None, None));
    }
    assert_eq!((tell(true, 5 * SECOND), tell(false, 5 * SECOND)), (None, ejected(5, 1, false)));
    assert_eq!(
        target.admission(6 * SECOND),
        BreakerState::Ejected { left: Duration::from_secs(4), dead: false }
    );
    let view = target.view(6 * SECOND);
    assert_eq!((view.requests, view.failures, view.times), (10, 5, 1));
    assert_eq!(target.view(60 * SECOND).requests, 0, "they are older than the window");
}

#[test]
fn what_succeeded_before_the_window_does_not_keep_a_target_from_being_dead() {
    let target = TargetState::default();
    told(&target, true, 0);
    let change = (0..5).filter_map(|_| told(&target, false, 31 * SECOND)).next();
    assert_eq!(change, ejected(5, 1, true));
}

#[test]
fn while_it_is_out_nothing_but_its_trial_counts() {
    let target = failing(0);
    let before = target.admission(SECOND);
    assert!((0..20).all(|_| told(&target, false, SECOND).is_none() && told(&target, true, SECOND).is_none()));
    assert_eq!(target.admission(SECOND), before);
    let late = Observation { ok: true, began: 0, trial: true };
    assert_eq!(target.record(late, &rules(), SECOND, MIDDLE), None, "no trial is out yet");
    assert!(!target.wants_trial(4_999_999) && !target.permit_trial(LEASE, 4_999_999));
    assert!(target.wants_trial(5 * SECOND) && target.admission(5 * SECOND) == BreakerState::HalfOpen);
    assert!(!target.take_trial(LEASE, 5 * SECOND), "nobody permitted it");
    assert_eq!((told(&target, true, 5 * SECOND), told(&target, false, 5 * SECOND)), (None, None));
    assert!(target.wants_trial(6 * SECOND));
}

#[test]
fn a_trial_that_fails_doubles_and_one_that_succeeds_closes() {
    let target = failing(0);
    assert_eq!(trial(&target, false, 5 * SECOND), ejected(10, 2, true));
    assert_eq!(trial(&target, false, 15 * SECOND), ejected(20, 3, true));
    assert_eq!(trial(&target, true, 35 * SECOND), Some(Transition::Recovered));
    assert_eq!(target.admission(35 * SECOND), BreakerState::Warming { share: Share::percent(10) });
    assert_eq!(target.admission(50 * SECOND), BreakerState::Healthy);
    assert!((0..4).all(|_| told(&target, false, 50 * SECOND).is_none()), "the failures before are forgotten");
    assert_eq!(told(&target, false, 50 * SECOND), ejected(40, 4, false));
}

#[test]
fn what_began_before_a_recovery_says_nothing_after_it() {
    let target = failing(0);
    assert_eq!(trial(&target, true, 5 * SECOND), Some(Transition::Recovered));
    let stale = Observation { ok: false, began: 4 * SECOND, trial: false };
    assert!((0..50).all(|_| target.record(stale, &rules(), 6 * SECOND, MIDDLE).is_none()));
    assert_eq!(target.view(6 * SECOND).requests, 0);
    assert!(matches!(target.admission(6 * SECOND), BreakerState::Warming { .. }));
}

#[test]
fn a_trial_and_a_permit_lapse() {
    let target = failing(0);
    assert!(target.permit_trial(LEASE, 5 * SECOND) && !target.wants_trial(14 * SECOND));
    assert!(target.wants_trial(15 * SECOND) && !target.take_trial(LEASE, 15 * SECOND), "the lease is over");
    assert!(target.permit_trial(LEASE, 15 * SECOND) && target.take_trial(LEASE, 20 * SECOND));
    assert!(!target.permit_trial(LEASE, 29 * SECOND), "one is under way");
    assert!(target.permit_trial(Duration::MAX, 30 * SECOND) && target.take_trial(Duration::MAX, 30 * SECOND));
    let late = Observation { ok: true, began: 20 * SECOND, trial: true };
    assert_eq!(target.record(late, &rules(), 31 * SECOND, MIDDLE), Some(Transition::Recovered));
    let second = Observation { ok: false, began: 30 * SECOND, trial: true };
    assert_eq!(target.record(second, &rules(), 32 * SECOND, MIDDLE), None);
}

#[test]
fn two_failed_probes_eject_before_a_user_fails_and_one_that_succeeds_brings_it_back() {
    let target = TargetState::default();
    (0..100).for_each(|_| assert_eq!(told(&target, true, 0), None));
    assert_eq!(probe(&target, false, SECOND), None);
    assert_eq!(probe(&target, true, 2 * SECOND), None, "a success between them");
    assert_eq!(probe(&target, false, 3 * SECOND), None);
    assert_eq!(probe(&target, false, 4 * SECOND), ejected(5, 1, false));
    assert_eq!(probe(&target, false, 5 * SECOND), None, "that prolongs nothing");
    assert_eq!(probe(&target, false, 9 * SECOND), ejected(10, 2, false), "its trial failed");
    let stale = ProbeObservation { ok: true, ttft: None, began: 8 * SECOND };
    assert_eq!(target.probed(stale, &rules(), 10 * SECOND, MIDDLE), None);
    assert_eq!(probe(&target, true, 10 * SECOND), Some(Transition::Recovered));
    assert_eq!(probe(&target, true, 11 * SECOND), None);
}

#[test]
fn time_in_service_is_forgiven_by_ejections() {
    let target = failing(0);
    assert_eq!(trial(&target, false, 5 * SECOND), ejected(10, 2, true));
    assert_eq!(trial(&target, true, 15 * SECOND), Some(Transition::Recovered));
    let later = (15 + 2 * 300) * SECOND;
    assert_eq!((0..5).filter_map(|_| told(&target, false, later)).next(), ejected(5, 1, true));
}

#[test]
fn a_request_is_in_flight_until_its_guard_is_dropped() {
    let target = TargetState::default();
    let first = target.begin();
    assert!(target.try_begin(1).is_none());
    let second = target.try_begin(2).unwrap();
    assert_eq!(target.in_flight(), 2);
    assert!((target.load(0) - 3.0).abs() < 1e-6, "a second for what was never measured");
    drop((first, second));
    assert_eq!(target.in_flight(), 0);
}

proptest! {
    #[test]
    fn an_ejection_is_as_long_as_its_number_says_give_or_take_a_fifth(draw: u64, times in 1..12_u32) {
        let target = TargetState::default();
        let mut now = 0;
        for count in 1..=times {
            let outcome = if count == 1 {
                (0..5).filter_map(|_| target.record(Observation { ok: false, began: now, trial: false }, &rules(), now, draw)).next()
            } else {
                prop_assert!(target.permit_trial(LEASE, now) && target.take_trial(LEASE, now));
                target.record(Observation { ok: false, began: now, trial: true }, &rules(), now, draw)
            };
            let Some(Transition::Ejected { lasts, times, .. }) = outcome else { panic!("{outcome:?}") };
            prop_assert_eq!(times, count);
            let plain = Duration::from_secs((5 << (count - 1)).min(250));
            prop_assert!(lasts >= plain.mul_f64(0.799) && lasts <= plain.mul_f64(1.201) && lasts.as_secs() <= 300);
            prop_assert!(left(&target, now) >= lasts);
            now += micros(lasts) + SECOND;
        }
    }

    #[test]
    fn a_warm_up_only_rises_from_a_tenth_to_all(mut times in prop::collection::vec(0..16 * SECOND, 2..50)) {
        let target = failing(0);
        prop_assert_eq!(trial(&target, true, 5 * SECOND), Some(Transition::Recovered));
        times.sort_unstable();
        let share = |now: Micros| match target.admission(now) {
            BreakerState::Warming { share } => share,
            BreakerState::Healthy => Share::WHOLE,
            other => panic!("{other:?}"),
        };
        let shares: Vec<_> = times.iter().map(|after| share(5 * SECOND + after)).collect();
        prop_assert!(shares.is_sorted() && shares[0] >= Share::percent(10));
        let half = share(12_500_000).parts();
        prop_assert!((549_900..=550_100).contains(&half), "{half}");
    }

    /// Whatever happens while it is out, short of a success that closes it, it does not come back any sooner.
    #[test]
    fn an_ejection_is_never_shortened(events in prop::collection::vec((0..5_u8, 0..8 * SECOND, any::<u64>()), 1..60)) {
        let target = failing(0);
        let mut now = 0;
        for (event, step, draw) in events {
            now += step / 4;
            let before = left(&target, now);
            match event {
                0 => { target.record(Observation { ok: draw % 2 == 0, began: now, trial: false }, &rules(), now, draw); }
                1 => { target.probed(ProbeObservation { ok: false, ttft: None, began: now }, &rules(), now, draw); }
                2 => {
                    target.permit_trial(LEASE, now);
                    if target.take_trial(LEASE, now) {
                        target.record(Observation { ok: false, began: now, trial: true }, &rules(), now, draw);
                    }
                }
                3 => {
                    let kind = HealthRecordKind::Ejected;
                    let (epoch, left, times) = ((draw % 9) as u16, draw % (9 * SECOND), (draw % 3) as u8);
                    let dead = draw % 2 == 0;
                    target.adopt(&HealthRecord { kind, epoch, left, warm_up: 0, times, dead, rest: 0 }, now);
                }
                _ => { target.record(Observation { ok: false, began: 0, trial: true }, &rules(), now, draw); }
            }
            prop_assert!(left(&target, now) >= before);
            let back = matches!(target.admission(now), BreakerState::Healthy | BreakerState::Warming { .. });
            prop_assert!(!back);
        }
    }
}
