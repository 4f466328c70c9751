//! What must hold after every step, and at the end.

use std::collections::BTreeMap;

use domain::{Account, IncarnationId, Money};

use super::{node::Nodes, world::World};
use crate::{MemberState, RebuildStep};

/// Steps in which everything must have settled once the faults have stopped.
const LONGEST_DRAIN: usize = 60_000;

impl<N: Nodes> World<N> {
    pub(super) async fn check(&mut self) {
        let mut drawn: BTreeMap<&Account, i64> = BTreeMap::new();
        for ((_, account), nanos) in &self.truth.drawn {
            *drawn.entry(account).or_default() += nanos;
        }
        for (account, nanos) in &drawn {
            let beyond = self.truth.beyond.get(account).copied().unwrap_or(0);
            let allowed = self.truth.allowed[*account];
            assert!(
                *nanos <= allowed * 1_000 + beyond,
                "step {}: overspent {account:?}: {nanos} of {allowed} and {beyond}",
                self.steps
            );
        }
        for process in &self.proxies {
            for (account, held, drawn) in process.holder.accounts() {
                assert!(drawn <= held, "step {}: {account:?}: {drawn:?} of {held:?}", self.steps);
            }
        }
        if self.steps.is_multiple_of(7) && self.is_open().await {
            for (account, nanos) in &drawn {
                let beyond = self.truth.beyond.get(account).copied().unwrap_or(0);
                if let Some(peek) = self.nodes.peek(self.master, account).await {
                    assert!(
                        *nanos <= peek.sum * 1_000 + beyond,
                        "step {}: the book covers {} of {nanos} in {account:?}",
                        self.steps,
                        peek.sum
                    );
                }
            }
        }
        if self.steps.is_multiple_of(50) {
            self.check_events();
        }
    }

    /// The master has the book of the committed token, and its data is as the scripts left it.
    async fn is_open(&self) -> bool {
        let token = self.nodes.token(self.master).await;
        token.is_some_and(|token| {
            self.ledger.token.as_ref() == Some(&token) && token.history() == self.history_text(self.master)
        })
    }

    /// What was booked is what happened, and the totals are the sums of the events.
    fn check_events(&self) {
        let mut sums: BTreeMap<(IncarnationId, &Account), i64> = BTreeMap::new();
        for (request, (proxy, entry)) in &self.truth.costs {
            if self.booked.contains(request) {
                for account in entry.accounts.iter() {
                    *sums.entry((*proxy, account)).or_default() += entry.amount.nanos();
                }
            }
        }
        for ((proxy, account), nanos) in sums {
            assert_eq!(self.ledger.spent(proxy, account), Money::from_nanos(nanos), "{proxy} in {account:?}");
        }
    }

    /// The faults stop, proxies give back, and an operator writes off what is lost.
    pub(super) async fn drain(&mut self) {
        self.quiet = true;
        let mut why = String::new();
        for step in 0..LONGEST_DRAIN {
            if step.is_multiple_of(200) {
                self.closing = true;
                for process in &mut self.proxies {
                    (process.paused, process.cut, process.skew) = (false, false, 0);
                }
                if step == 800 {
                    for proxy in self.truth.lost.clone() {
                        if self.ledger.state(proxy) == Some(MemberState::Open) {
                            self.write_off(proxy);
                        }
                    }
                    self.rebuild();
                }
                if step > 800 {
                    match self.unsettled().await {
                        None => return,
                        Some(reason) => why = reason,
                    }
                }
            }
            self.step().await;
        }
        panic!("does not settle after the faults stopped: {why}");
    }

    /// What is still open.
    async fn unsettled(&mut self) -> Option<String> {
        for process in &self.proxies {
            if !process.holds.is_empty() || !process.folder.is_empty() || !process.older.is_empty() {
                return Some(format!("{} has holds or events", process.folder.proxy()));
            }
        }
        let loading = self.rebuilds.iter().any(|rebuild| !matches!(rebuild.step(), RebuildStep::Done));
        if loading || !self.is_open().await || !self.nodes.is_complete(self.master).await {
            return Some(format!("epoch {} is not open", self.ledger.epoch));
        }
        for (request, (proxy, _)) in &self.truth.costs {
            if !self.truth.lost.contains(proxy) && !self.booked.contains(request) {
                return Some(format!("the event {request} of {proxy} is lost"));
            }
        }
        let mut accounts: Vec<&Account> = self.truth.drawn.keys().map(|(_, account)| account).collect();
        accounts.dedup();
        for account in accounts {
            if let Some(peek) = self.nodes.peek(self.master, account).await {
                let spent = self.ledger.spent_by_all(account).nanos();
                // Each proxy rounds up to a unit, those that are gone together.
                let rounding = 1_000 * (1 + i64::try_from(self.proxies.len()).unwrap());
                let phantom = peek.sum * 1_000 - spent;
                if !(0..rounding).contains(&phantom) {
                    return Some(format!("phantom spend of {phantom} in {account:?}"));
                }
            }
        }
        None
    }
}
