//! Many threads at once: each change is told once, each trial has one winner, nothing is counted twice.

use std::{sync::Barrier, thread};

use super::*;

const THREADS: u64 = 8;

/// What each thread's call came to, all called at once.
fn at_once<T: Send>(call: impl Fn(u64) -> T + Sync) -> Vec<T> {
    let barrier = Barrier::new(usize::try_from(THREADS).unwrap());
    let run = |number| {
        barrier.wait();
        call(number)
    };
    thread::scope(|scope| {
        let run = &run;
        let threads: Vec<_> = (0..THREADS).map(|number| scope.spawn(move || run(number))).collect();
        threads.into_iter().map(|thread| thread.join().unwrap()).collect()
    })
}

#[test]
fn an_ejection_is_told_once_a_trial_won_once_and_a_recovery_told_once() {
    let target = TargetState::default();
    let mut now = 0;
    for round in 1..=100 {
        let seen = Observation { ok: false, began: now, trial: false };
        let changes = at_once(|draw| {
            let told = (0..20).filter_map(|_| target.record(seen, &rules(), now, draw));
            told.collect::<Vec<_>>()
        });
        let changes: Vec<_> = changes.into_iter().flatten().collect();
        let [Transition::Ejected { lasts, .. }] = changes[..] else { panic!("round {round}: {changes:?}") };
        now += micros(lasts) + SECOND;
        let permits = at_once(|_| target.permit_trial(LEASE, now));
        assert_eq!(permits.into_iter().filter(|won| *won).count(), 1);
        let trials = at_once(|_| target.take_trial(LEASE, now));
        assert_eq!(trials.into_iter().filter(|won| *won).count(), 1);
        let won = Observation { ok: true, began: now, trial: true };
        let recoveries = at_once(|draw| match draw % 2 {
            0 => target.record(won, &rules(), now, draw),
            _ => target.probed(ProbeObservation { ok: true, ttft: None, began: now }, &rules(), now, draw),
        });
        assert_eq!(recoveries.into_iter().flatten().collect::<Vec<_>>(), [Transition::Recovered]);
        now += 3_600 * SECOND;
    }
}

#[test]
fn a_failed_trial_and_a_failed_probe_eject_once() {
    for _ in 0..100 {
        let target = failing(0);
        assert!(target.permit_trial(LEASE, 5 * SECOND) && target.take_trial(LEASE, 5 * SECOND));
        let changes = at_once(|draw| match draw % 2 {
            0 => target.record(
                Observation { ok: false, began: 5 * SECOND, trial: true },
                &rules(),
                6 * SECOND,
                MIDDLE,
            ),
            _ => probe(&target, false, 6 * SECOND),
        });
        assert_eq!(changes.into_iter().flatten().collect::<Vec<_>>(), [ejected(10, 2, true).unwrap()]);
    }
}

#[test]
fn requests_in_flight_never_exceed_the_limit_and_all_come_back() {
    let target = TargetState::default();
    let most = at_once(|_| {
        let held = |_| target.try_begin(3).map(|_guard| target.in_flight());
        (0..2_000).filter_map(held).max()
    });
    assert!(most.into_iter().flatten().max().unwrap() <= 3);
    assert_eq!(target.in_flight(), 0);
}

/// What those were told that changed something.
fn changed(told: &[CredentialRefusal]) -> Vec<CredentialRefusal> {
    told.iter().copied().filter(|told| *told != CredentialRefusal::Already).collect()
}

#[test]
fn a_key_is_disabled_once_and_tried_once() {
    for _ in 0..100 {
        let key = CredentialState::default();
        let first = at_once(|draw| key.refuse(0, draw));
        assert_eq!(changed(&first), [CredentialRefusal::First]);
        let trials = at_once(|_| key.take_trial(LEASE, 600 * SECOND));
        assert_eq!(trials.into_iter().filter(|won| *won).count(), 1);
        let again = at_once(|draw| key.refuse(601 * SECOND, draw));
        assert_eq!(changed(&again), [CredentialRefusal::TrialFailed]);
    }
}
