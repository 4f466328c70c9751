//! Which of several targets is the fastest, decided once per interval and not changed for trifles.

use std::{
    sync::atomic::{
        AtomicUsize,
        Ordering::{AcqRel, Acquire},
    },
    time::Duration,
};

/// The fastest target, by its place in the list.
#[derive(Debug, Default)]
pub struct Leader(AtomicUsize);

/// The lead went from one target to another.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Move {
    /// Who led.
    pub from: usize,
    /// Who leads.
    pub to: usize,
}

impl Leader {
    /// Who leads; the first of the list until something else was found.
    #[must_use]
    pub fn current(&self) -> usize {
        self.0.load(Acquire)
    }

    /// Decides anew from each one's 95th percentile of the time to the first token, and who is `faster` than whom
    /// ([`TargetState::is_faster`](super::TargetState::is_faster)). Returns nothing if the lead does not change.
    ///
    /// A leader that is eligible keeps the lead unless another is faster, and as long as nothing is known of it. Of
    /// those nothing is known of, the first in the list comes first.
    pub fn judge(
        &self,
        p95s: &[Option<Duration>],
        eligible: &[bool],
        faster: impl Fn(usize, usize) -> bool,
    ) -> Option<Move> {
        let from = self.current();
        let to = successor(from, p95s, eligible, faster)?;
        self.0.compare_exchange(from, to, AcqRel, Acquire).ok().map(|from| Move { from, to })
    }
}

fn successor(
    from: usize,
    p95s: &[Option<Duration>],
    eligible: &[bool],
    faster: impl Fn(usize, usize) -> bool,
) -> Option<usize> {
    let able = |place: &usize| eligible.get(*place).copied().unwrap_or_default();
    let known = |place: usize| p95s.get(place).copied().flatten().map(|p95| (p95, place));
    let all = || (0..eligible.len()).filter(able);
    if !able(&from) {
        return all().filter_map(known).min().map(|(_, place)| place).or_else(|| all().next());
    }
    let better = all().filter(|place| *place != from && faster(*place, from));
    better.filter_map(known).min().map(|(_, place)| place)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::health::latency::is_less;

    fn ms(times: &[u64]) -> Vec<Option<Duration>> {
        times.iter().map(|time| (*time != 0).then(|| Duration::from_millis(*time))).collect()
    }

    fn judge(leader: &Leader, times: &[Option<Duration>], able: &[bool]) -> Option<Move> {
        let faster = |one: usize, other: usize| match (times.get(one), times.get(other)) {
            (Some(Some(one)), Some(Some(other))) => is_less(*one, *other),
            _ => false,
        };
        leader.judge(times, able, faster)
    }

    #[test]
    fn another_one_has_to_be_better_by_a_fifth_and_by_20_ms() {
        let leader = Leader::default();
        let all = [true, true];
        assert_eq!(judge(&leader, &ms(&[1_000, 801]), &all), None);
        assert_eq!(judge(&leader, &ms(&[90, 71]), &all), None);
        assert_eq!(judge(&leader, &ms(&[1_000, 800]), &all), Some(Move { from: 0, to: 1 }));
        assert_eq!(judge(&leader, &ms(&[1_000, 800]), &all), None);
        assert_eq!(judge(&leader, &ms(&[100, 120]), &all), None);
        assert_eq!(judge(&leader, &ms(&[100, 126]), &all), Some(Move { from: 1, to: 0 }));
        assert_eq!(leader.current(), 0);
    }

    #[test]
    fn a_leader_of_which_nothing_is_known_stays_while_it_is_eligible() {
        let leader = Leader::default();
        assert_eq!(judge(&leader, &ms(&[0, 5]), &[true, true]), None);
        assert_eq!(judge(&leader, &ms(&[0, 0, 0]), &[false, false, true]), Some(Move { from: 0, to: 2 }));
        assert_eq!(judge(&leader, &ms(&[0, 9, 0]), &[true, true, false]), Some(Move { from: 2, to: 1 }));
        assert_eq!(judge(&leader, &ms(&[0, 9, 0]), &[false, false, false]), None);
        assert_eq!(judge(&leader, &[], &[]), None);
        assert_eq!(
            judge(&leader, &ms(&[0]), &[true]),
            Some(Move { from: 1, to: 0 }),
            "the list grew shorter"
        );
    }

    proptest! {
        /// Noise of ±8 % around the same time: none is better by a fifth, so the lead never changes.
        #[test]
        fn it_does_not_flap_between_those_that_are_alike(
            base in 1..5_000_u64, noise in prop::collection::vec((920..1_080_u64, 920..1_080_u64, 920..1_080_u64), 100),
        ) {
            let leader = Leader::default();
            for (a, b, c) in noise {
                let times: Vec<_> = [a, b, c].map(|part| Some(Duration::from_micros(base * part))).into();
                prop_assert_eq!(judge(&leader, &times, &[true; 3]), None);
            }
        }

        /// Whatever is measured: with the same numbers a second look changes nothing.
        #[test]
        fn it_comes_to_rest(
            times in prop::collection::vec(0..3_000_u64, 1..6), able in prop::collection::vec(any::<bool>(), 6),
            from in 0..6_usize,
        ) {
            let leader = Leader(AtomicUsize::new(from));
            let able = &able[..times.len()];
            judge(&leader, &ms(&times), able);
            prop_assert_eq!(judge(&leader, &ms(&times), able), None);
            prop_assert!(able[leader.current().min(times.len() - 1)] || able.iter().all(|able| !able));
        }
    }
}
