//! Limits in Redis: one script call per request, and a breaker before it.

mod background;
mod corrections;
mod health;
mod lease;
mod link;
mod script;
mod slot_leases;

use std::borrow::Cow;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use arc_swap::ArcSwapOption;
use domain::{RequestId, ResourceId};
use redis::{Client, Cmd};
use tokio::sync::{Notify, mpsc};

use corrections::Corrections;
use link::{Failure, Link, Unopened};
use script::{By, Scripts};
use slot_leases::{SlotLease, SlotRegistry};

pub(crate) use slot_leases::SlotLeases;

use crate::charge::{Charge, Charged, Correction};
use crate::counter_key::{Algorithm, KeyedClaim, exceeds_limit};
use crate::outage::OutageStats;
use crate::{CoordinationError, Denied, Settings, Status};

/// Limits in Redis.
pub(crate) struct RedisBackend {
    settings: Settings,
    client: Client,
    scripts: Scripts,
    /// This process's own random name, by which it knows its leases and records.
    replica: String,
    /// Empty while the store is lost: then only the background task waits for it.
    link: ArcSwapOption<Link>,
    /// Wakes the background task when the store is lost.
    lost: Notify,
    outage_stats: OutageStats,
    registry: Arc<SlotRegistry>,
    /// Taken by the one background task.
    returns: Mutex<Option<mpsc::Receiver<SlotLease>>>,
    corrections: Corrections,
    /// The time that tests give the store, in microseconds.
    #[cfg(test)]
    pub(crate) time: Option<Arc<std::sync::atomic::AtomicI64>>,
}

/// What the store says to a request.
pub(crate) enum Answer {
    /// Everything was charged.
    Admitted(Charged),
    /// Nothing was charged.
    Denied(Denied),
    /// Unknown, or the store was not asked.
    Lost,
}

impl RedisBackend {
    pub(crate) async fn open(settings: Settings) -> Result<Self, CoordinationError> {
        let (registry, returns) = SlotRegistry::new();
        let central = Self {
            client: link::client(&settings)?,
            scripts: Scripts::new(),
            replica: ResourceId::new().to_string(),
            link: ArcSwapOption::empty(),
            lost: Notify::new(),
            outage_stats: OutageStats::default(),
            registry: Arc::new(registry),
            returns: Mutex::new(Some(returns)),
            corrections: Corrections::new(),
            settings,
            #[cfg(test)]
            time: None,
        };
        match Link::open(&central.client, &central.scripts, &central.settings).await {
            Ok(link) => central.link.store(Some(Arc::new(link))),
            Err(Unopened::Unfit(error)) => return Err(error),
            Err(Unopened::Away(why)) => {
                tracing::warn!(
                    why,
                    "the shared store (--redis-url) is not reachable: limits follow their policies"
                );
                central.outage_stats.begin();
            }
        }
        Ok(central)
    }

    /// The slots that the request will hold if it is admitted.
    pub(crate) fn leases(&self, request: RequestId, claims: &[KeyedClaim<'_>]) -> SlotLeases {
        let slot = |keyed: &KeyedClaim<'_>| match keyed.algorithm {
            Algorithm::Concurrency { ttl, .. } => {
                Some((keyed.key.to_string().into(), Duration::from_micros(ttl)))
            }
            _ => None,
        };
        SlotLeases::new(self.registry.clone(), request, claims.iter().filter_map(slot).collect())
    }

    /// Charges every claim or none.
    pub(crate) async fn acquire(&self, leases: &mut SlotLeases, claims: &[KeyedClaim<'_>]) -> Answer {
        if let Some(denied) = exceeds_limit(claims) {
            return Answer::Denied(denied);
        }
        let Some(link) = self.link.load_full() else { return Answer::Lost };
        leases.claim();
        match link.run::<Vec<u64>>(|by| self.command(by, leases.request(), claims)).await {
            Ok(reply) => answer(claims, &reply),
            Err(failure) => {
                self.lose(&link, &failure);
                Answer::Lost
            }
        }
    }

    fn command(&self, by: By, request: RequestId, claims: &[KeyedClaim<'_>]) -> Cmd {
        let mut command = self.scripts.acquire.call(by, claims.len());
        for keyed in claims {
            command.arg(keyed.key.to_string());
        }
        command.arg(&*self.now()).arg(request.0.as_bytes().as_slice());
        for keyed in claims {
            let (kind, first, second) = match keyed.algorithm {
                Algorithm::SlidingWindow { n, width } => ("ring", n, width),
                Algorithm::DebtWindow { n, width } => ("debt", n, width),
                Algorithm::Gcra { rate, burst } => ("gcra", rate, burst),
                Algorithm::Concurrency { n, ttl } => ("slots", n, ttl),
            };
            command.arg(kind).arg(first).arg(second).arg(keyed.cost);
        }
        command
    }

    /// Has a charge put right in the background.
    pub(crate) fn correct(&self, correction: Correction) {
        self.corrections.push(correction);
    }

    /// Opens the breaker, once per connection.
    fn lose(&self, link: &Arc<Link>, why: &Failure) {
        let before = self.link.compare_and_swap(&Some(link.clone()), None);
        if before.as_ref().is_some_and(|before| Arc::ptr_eq(before, link)) {
            self.outage_stats.begin();
            link.give_up();
            self.lost.notify_one();
            tracing::warn!(%why, "the shared store is lost: limits follow their policies");
        }
    }

    pub(crate) fn outage_stats(&self) -> &OutageStats {
        &self.outage_stats
    }

    pub(crate) fn status(&self) -> Status {
        Status {
            slots_held: self.registry.held(),
            returns_dropped: self.registry.returns_dropped(),
            corrections_dropped: self.corrections.dropped(),
            ..self.outage_stats.status(self.link.load().is_none())
        }
    }

    fn take_returns(&self) -> Option<mpsc::Receiver<SlotLease>> {
        self.returns.lock().unwrap_or_else(PoisonError::into_inner).take()
    }

    /// Empty, so that the store takes its own clock: that of a replica may be wrong.
    #[cfg(not(test))]
    #[allow(clippy::unused_self, reason = "tests choose the time")]
    fn now(&self) -> Cow<'static, str> {
        Cow::Borrowed("")
    }

    #[cfg(test)]
    fn now(&self) -> Cow<'static, str> {
        let read = |time: &Arc<std::sync::atomic::AtomicI64>| time.load(std::sync::atomic::Ordering::SeqCst);
        self.time.as_ref().map_or(Cow::Borrowed(""), |time| Cow::Owned(read(time).to_string()))
    }
}

/// What the script's reply says: nothing denied, the time, and how full each limit is; or the claim that is denied, counted
/// from 1, and for how long.
fn answer(claims: &[KeyedClaim<'_>], reply: &[u64]) -> Answer {
    match reply {
        [0, now, used @ ..] if used.len() == claims.len() => Answer::Admitted(Charged {
            levels: claims.iter().zip(used).map(|(keyed, used)| keyed.level(*used)).collect(),
            charges: claims.iter().filter_map(|keyed| Charge::of(keyed, *now)).collect(),
        }),
        [denied, wait] => match usize::try_from(*denied).ok().and_then(|at| claims.get(at.checked_sub(1)?)) {
            Some(keyed) => Answer::Denied(keyed.denied(*wait)),
            None => Answer::Lost,
        },
        _ => Answer::Lost,
    }
}
