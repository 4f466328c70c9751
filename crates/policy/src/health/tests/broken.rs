//! Answers that break off after their first content.

use super::*;

fn attempt(began: Micros, trial: bool) -> Observation {
    Observation { ok: false, began, trial }
}

/// An answer begins, which is a success, and breaks off.
fn broken(target: &TargetState, began: Micros) -> Option<Transition> {
    assert_eq!(told(target, true, began), None);
    target.broke_off(
        attempt(began, false),
        &OutlierDetection { errors: Share::WHOLE, ..rules() },
        began,
        MIDDLE,
    )
}

#[test]
fn answers_that_break_off_eject_however_well_they_begin() {
    let target = TargetState::default();
    assert!((0..4).all(|_| broken(&target, 0).is_none()));
    target.finished();
    assert!((0..4).all(|_| broken(&target, 0).is_none()), "an answer that ended is the end of the row");
    assert_eq!(broken(&target, 0), ejected(5, 1, false));
}

#[test]
fn a_trial_that_breaks_off_takes_back_what_its_beginning_said() {
    let target = failing(0);
    assert_eq!(trial(&target, true, 6 * SECOND), Some(Transition::Recovered));
    // What began before the ejection and breaks off now says nothing.
    assert_eq!(target.broke_off(attempt(0, false), &rules(), 7 * SECOND, MIDDLE), None);
    let stalled = target.broke_off(attempt(6 * SECOND, true), &rules(), 7 * SECOND, MIDDLE);
    assert!(matches!(stalled, Some(Transition::Ejected { times: 2, .. })), "{stalled:?}");
    // Nor does that trial once somebody else's ended the next ejection.
    assert_eq!(trial(&target, true, 30 * SECOND), Some(Transition::Recovered));
    assert_eq!(target.broke_off(attempt(6 * SECOND, true), &rules(), 31 * SECOND, MIDDLE), None);
}
