//! What replicas tell each other: in whatever order it arrives, they come to agree, and nothing gets shorter.

use super::*;

/// Each hears what the other has to say, `delay` after it was said.
fn exchange(a: &TargetState, b: &TargetState, delay: Micros, now: Micros) {
    let (from_a, from_b) = (a.shared(now), b.shared(now));
    from_b.map(|shared| a.adopt(&shared, now + delay));
    from_a.map(|shared| b.adopt(&shared, now + delay));
}

fn ends(target: &TargetState, now: Micros) -> Micros {
    now + micros(left(target, now))
}

#[test]
fn an_ejection_is_taken_over_and_told_on_by_nobody() {
    let (a, b) = (failing(0), TargetState::default());
    let told = a.shared(SECOND).unwrap();
    assert_eq!(b.shared(SECOND), None);
    assert_eq!(b.adopt(&told, SECOND), ejected(4, 1, true));
    assert_eq!((b.adopt(&told, SECOND), b.admission(SECOND)), (None, a.admission(SECOND)));
    assert_eq!(b.shared(SECOND), None, "its end would move with each telling");
    for now in (SECOND..5 * SECOND).step_by(100_000) {
        exchange(&a, &b, 50_000, now);
    }
    assert_eq!((left(&a, 5 * SECOND), left(&b, 5_050_000)), (Duration::ZERO, Duration::ZERO));
}

#[test]
fn one_replicas_trial_is_enough_for_all() {
    let (a, b) = (failing(0), TargetState::default());
    exchange(&a, &b, 0, SECOND);
    assert_eq!(trial(&b, false, 5 * SECOND), ejected(10, 2, true));
    exchange(&a, &b, 0, 6 * SECOND);
    assert_eq!((a.admission(6 * SECOND), a.view(0).times), (b.admission(6 * SECOND), 2));
    assert_eq!(a.shared(6 * SECOND), None, "its own one is over");
    assert_eq!(trial(&b, true, 15 * SECOND), Some(Transition::Recovered));
    let news = b.shared(18 * SECOND).unwrap();
    assert_eq!(a.adopt(&news, 18 * SECOND), Some(Transition::Recovered));
    assert_eq!(a.admission(18 * SECOND), b.admission(18 * SECOND), "the warm-up goes on where it is");
    assert_eq!(a.adopt(&news, 20 * SECOND), None);
    assert_eq!(a.admission(20 * SECOND), b.admission(20 * SECOND));
}

#[test]
fn old_news_of_an_ejection_does_not_end_a_recovery_nor_a_trial() {
    let (a, b) = (failing(0), TargetState::default());
    let old = a.shared(SECOND).unwrap();
    exchange(&a, &b, 0, SECOND);
    assert!(b.permit_trial(LEASE, 5 * SECOND) && b.take_trial(LEASE, 5 * SECOND));
    assert_eq!(b.adopt(&old, 5 * SECOND), None);
    let won = Observation { ok: true, began: 5 * SECOND, trial: true };
    assert_eq!(b.record(won, &rules(), 6 * SECOND, MIDDLE), Some(Transition::Recovered));
    assert_eq!(b.adopt(&old, 6 * SECOND), None);
    assert!(matches!(b.admission(6 * SECOND), BreakerState::Warming { .. }));
}

#[test]
fn a_replica_that_just_started_learns_of_what_was_before() {
    let (a, fresh) = (failing(0), TargetState::default());
    assert_eq!(trial(&a, true, 5 * SECOND), Some(Transition::Recovered));
    let now = 100 * SECOND;
    exchange(&a, &fresh, 0, now);
    assert_eq!(fresh.admission(now), BreakerState::Healthy);
    let change = (0..5).filter_map(|_| told(&fresh, false, now)).next();
    assert!(matches!(change, Some(Transition::Ejected { times: 2, .. })), "{change:?}");
    assert!(matches!(a.adopt(&fresh.shared(now).unwrap(), now), Some(Transition::Ejected { times: 2, .. })));
}

#[test]
fn nonsense_from_the_shared_store_is_bounded() {
    let target = TargetState::default();
    let wild = HealthRecord {
        kind: HealthRecordKind::Ejected,
        epoch: 1,
        left: u64::MAX,
        warm_up: u64::MAX,
        times: u8::MAX,
        dead: true,
        rest: u64::MAX,
    };
    target.adopt(&wild, SECOND);
    assert!(left(&target, SECOND) <= Duration::from_secs(86_401));
    target.adopt(&HealthRecord { kind: HealthRecordKind::Recovered, ..wild }, SECOND);
    assert!(!matches!(target.admission(SECOND), BreakerState::Ejected { .. } | BreakerState::HalfOpen));
}

#[test]
fn dead_is_only_what_answers_nobody() {
    let (a, b) = (failing(0), TargetState::default());
    told(&b, true, 0);
    exchange(&a, &b, 0, SECOND);
    assert_eq!((a.is_dead(), b.is_dead()), (true, false), "it answered here");
    let later = 60 * SECOND;
    assert!(matches!(trial(&a, false, later), Some(Transition::Ejected { dead: true, .. })));
    exchange(&a, &b, 0, later);
    assert!(b.is_dead(), "that is long ago, and still it fails");
}

/// Numbers go round, but none is before the first.
#[test]
fn a_replica_that_just_started_hears_of_any_number_of_ejections() {
    for epoch in [1, 32_767, 32_768, 40_000, u16::MAX] {
        let (kind, left) = (HealthRecordKind::Ejected, 5 * SECOND);
        let told = HealthRecord { kind, epoch, left, warm_up: 0, times: 3, dead: true, rest: 0 };
        assert_eq!(TargetState::default().adopt(&told, 0), ejected(5, 3, true), "{epoch}");
        let nothing = HealthRecord { kind: HealthRecordKind::Recovered, epoch: 0, ..told };
        assert!(told.adds_to(&nothing) && !nothing.adds_to(&told), "{epoch}");
    }
}

#[test]
fn it_goes_through_json() {
    let shared = failing(0).shared(SECOND).unwrap();
    let text = serde_json::to_string(&shared).unwrap();
    assert!(text.len() < 150, "{text}");
    assert_eq!(serde_json::from_str::<HealthRecord>(&text).unwrap(), shared);
}

/// Both go through their own misfortunes; then they talk, in an order of chance, until there is nothing new.
fn live_through(target: &TargetState, events: &[(u8, Micros)], draw: u64) -> Micros {
    let mut now = 0;
    for (event, step) in events {
        now += step;
        let began = now;
        match event {
            0 => (0..5).for_each(|_| {
                target.record(Observation { ok: false, began, trial: false }, &rules(), now, draw);
            }),
            1 => drop(target.probed(ProbeObservation { ok: true, ttft: None, began }, &rules(), now, draw)),
            _ => {
                target.permit_trial(LEASE, now);
                if target.take_trial(LEASE, now) {
                    target.record(
                        Observation { ok: event % 2 == 0, began, trial: true },
                        &rules(),
                        now,
                        draw,
                    );
                }
            }
        }
    }
    now
}

proptest! {
    #[test]
    fn two_replicas_agree_in_whatever_order_they_hear(
        of_a in prop::collection::vec((0..4_u8, 0..8 * SECOND), 0..12),
        of_b in prop::collection::vec((0..4_u8, 0..8 * SECOND), 0..12),
        draw: u64, order in prop::collection::vec(any::<bool>(), 0..6),
    ) {
        let (a, b) = (TargetState::default(), TargetState::default());
        let now = live_through(&a, &of_a, draw).max(live_through(&b, &of_b, draw.rotate_left(9)));
        let before = [left(&a, now), left(&b, now)];
        let recovered = |target: &TargetState| target.shared(now).is_some_and(|s| s.kind == HealthRecordKind::Recovered);
        let news_of_recovery = recovered(&a) || recovered(&b);
        for first in order {
            let (from, to) = if first { (&a, &b) } else { (&b, &a) };
            from.shared(now).map(|shared| to.adopt(&shared, now));
        }
        exchange(&a, &b, 0, now);
        exchange(&a, &b, 0, now);
        let said = (a.admission(now), b.admission(now));
        let out = |admission| matches!(admission, BreakerState::Ejected { .. } | BreakerState::HalfOpen);
        prop_assert_eq!(out(said.0), out(said.1), "{:?}", said);
        prop_assert!(ends(&a, now).abs_diff(ends(&b, now)) <= 2_000, "{:?}", said);
        if !news_of_recovery {
            prop_assert!(left(&a, now) >= before[0] && left(&b, now) >= before[1]);
        }
        exchange(&a, &b, 0, now);
        prop_assert_eq!(said, (a.admission(now), b.admission(now)), "there was something new left");
    }
}
