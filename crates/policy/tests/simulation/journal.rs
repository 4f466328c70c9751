//! What happened in a run, and what must hold of every run.

use std::collections::BTreeMap;

use policy::{
    SelectionReason,
    health::{Micros, Move, Transition},
};

use crate::provider::SECOND;

/// Why an attempt is made at a target.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Kind {
    /// The request's first there.
    First,
    /// With another key.
    NextKey,
    /// Again, after a wait.
    Repeat,
}

/// An attempt.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Sending {
    pub(crate) at: Micros,
    pub(crate) request: usize,
    pub(crate) replica: usize,
    pub(crate) provider: String,
    pub(crate) key: usize,
    pub(crate) kind: Kind,
    /// Whether it is the first attempt of its request.
    pub(crate) leads: bool,
    pub(crate) reason: SelectionReason,
    pub(crate) trial: bool,
    /// Whether the target was out of use.
    pub(crate) out: bool,
}

/// The end of a request.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Ending {
    pub(crate) replica: usize,
    pub(crate) began: Micros,
    pub(crate) at: Micros,
    pub(crate) deadline: Micros,
    /// The provider that answered, or why none did.
    pub(crate) answer: Result<String, String>,
}

/// A run.
#[derive(Debug, Default, PartialEq)]
pub(crate) struct Journal {
    pub(crate) sent: Vec<Sending>,
    pub(crate) ended: Vec<Ending>,
    pub(crate) arrived: usize,
    /// Of targets, by replica: only what it found out itself.
    pub(crate) changes: Vec<(Micros, usize, String, Transition)>,
    /// Of the fastest target, by replica.
    pub(crate) moves: Vec<(Micros, usize, Move)>,
    /// Trials under way, by provider, and the most there ever were.
    pub(crate) trials: BTreeMap<String, (u32, u32)>,
}

impl Journal {
    /// What holds whatever the script is.
    pub(crate) fn check(&self) {
        for sent in &self.sent {
            assert!(
                !sent.out || sent.trial || sent.reason == SelectionReason::Panic,
                "sent to one that is out: {sent:?}"
            );
        }
        for (provider, (_, most)) in &self.trials {
            assert!(*most <= 1, "{most} trials of {provider} at once");
        }
        assert_eq!(self.ended.len(), self.arrived, "every request ends");
        for ended in &self.ended {
            assert!(ended.at <= ended.deadline, "after its deadline: {ended:?}");
        }
        self.check_repeats();
    }

    /// No endpoint gets more than 1.2 × the requests that come to it, and three more per replica and 10 s.
    fn check_repeats(&self) {
        let lasted = self.sent.last().map_or(0, |sent| sent.at / (10 * SECOND) + 1);
        let mut counts: BTreeMap<(&str, usize), (u64, u64)> = BTreeMap::new();
        for sent in &self.sent {
            let (firsts, repeats) = counts.entry((&sent.provider, sent.replica)).or_default();
            match sent.kind {
                Kind::First => *firsts += 1,
                Kind::Repeat => *repeats += 1,
                Kind::NextKey => {}
            }
        }
        for (place, (firsts, repeats)) in counts {
            assert!(repeats * 5 <= firsts + 15 * lasted, "{place:?}: {repeats} repeats of {firsts}");
        }
    }

    pub(crate) fn check_no_errors(&self) {
        let failed: Vec<_> = self.ended.iter().filter(|ended| ended.answer.is_err()).collect();
        assert!(
            failed.is_empty(),
            "{} of {} failed: {:?}",
            failed.len(),
            self.arrived,
            &failed[..failed.len().min(5)]
        );
    }

    /// First attempts of requests within a time: all, and those at one provider.
    pub(crate) fn leads(&self, provider: &str, from: Micros, until: Micros) -> (u64, u64) {
        let within = |sent: &&Sending| sent.leads && (from..until).contains(&sent.at);
        let all = || self.sent.iter().filter(within);
        (all().count() as u64, all().filter(|sent| sent.provider == provider).count() as u64)
    }

    /// Ejections of a provider, each counted at the replica that found it out.
    pub(crate) fn ejections(&self, provider: &str) -> usize {
        let of = |change: &&(Micros, usize, String, Transition)| {
            change.2 == provider && matches!(change.3, Transition::Ejected { .. })
        };
        self.changes.iter().filter(of).count()
    }

    pub(crate) fn recovered(&self, provider: &str) -> Option<Micros> {
        let of = |change: &&(Micros, usize, String, Transition)| {
            change.2 == provider && change.3 == Transition::Recovered
        };
        self.changes.iter().find(of).map(|change| change.0)
    }
}

/// Whether a count is at most what a share would give, to four standard deviations.
pub(crate) fn at_most(count: u64, of: u64, share: f64) -> bool {
    let of = of as f64;
    count as f64 - of * share <= 4.0 * (of * share * (1.0 - share)).sqrt()
}

pub(crate) fn fits(count: u64, of: u64, share: f64) -> bool {
    at_most(count, of, share) && at_most(of - count, of, 1.0 - share)
}
