//! Targets that fail whenever they are used, and seem well to probes.

use super::*;

/// Fails in use until it is out.
fn fail(target: &TargetState, now: Micros) -> Option<Transition> {
    (0..5).filter_map(|_| told(target, false, now)).next()
}

/// Were each probe that succeeds to end an ejection, requests would fail at the pace of probes, with no back-off.
#[test]
fn what_a_probe_brought_back_in_vain_waits_for_its_time() {
    let target = failing(0);
    assert_eq!(probe(&target, true, SECOND), Some(Transition::Recovered));
    assert_eq!(fail(&target, 2 * SECOND), ejected(10, 2, false));
    assert_eq!(probe(&target, true, 3 * SECOND), None, "it said so before");
    assert_eq!(left(&target, 3 * SECOND), Duration::from_secs(9));
    assert_eq!(probe(&target, true, 12 * SECOND), Some(Transition::Recovered), "its time is over");
    assert_eq!(fail(&target, 13 * SECOND), ejected(20, 3, false));
    assert_eq!(trial(&target, false, 33 * SECOND), ejected(40, 4, true));
    assert_eq!(
        probe(&target, true, 34 * SECOND),
        Some(Transition::Recovered),
        "it failed on trial, not in use"
    );
}

#[test]
fn a_target_that_was_well_for_long_comes_back_with_the_first_probe() {
    let target = failing(0);
    assert_eq!(probe(&target, true, SECOND), Some(Transition::Recovered));
    let later = 400 * SECOND;
    assert_eq!(fail(&target, later), ejected(5, 1, true));
    assert_eq!(probe(&target, true, later + SECOND), Some(Transition::Recovered));
}

#[test]
fn a_replica_that_hears_of_a_relapse_does_not_end_it_either() {
    let (a, b) = (failing(0), TargetState::default());
    let tell = |now| a.shared(now).map(|shared| b.adopt(&shared, now));
    tell(0);
    assert_eq!(probe(&a, true, SECOND), Some(Transition::Recovered));
    tell(SECOND);
    assert_eq!(fail(&a, 2 * SECOND), ejected(10, 2, false));
    tell(2 * SECOND);
    assert_eq!(probe(&b, true, 3 * SECOND), None);
    assert_eq!(probe(&b, true, 13 * SECOND), Some(Transition::Recovered));
}
