//! What replicas share: limits, leases and what they know about providers' health, in Redis or, for one process, in
//! memory.
//!
//! Every claim of a request is put to the shared store in one step, all or nothing, and a denied request
//! changes nothing. A store that does not answer costs its time-out once; from then on each limit's own
//! policy decides at once, and one background probe finds out when the store is back.
//!
//! Replicas of two versions work on the same keys during a rolling update: each calls its own scripts by digest,
//! and what a key of a given name holds never changes.

mod charge;
mod claim;
mod clock;
#[cfg(test)]
mod conformance;
mod counter_key;
mod error;
mod health;
mod local_backend;
mod outage;
mod permit;
mod redis_backend;
mod settings;

use std::{sync::Arc, time::Duration};

use domain::RequestId;
use tokio_util::sync::CancellationToken;

use counter_key::deduplicate;
use local_backend::LocalBackend;
use permit::Place;
use redis_backend::{Answer, RedisBackend};

pub use claim::{Claim, Denied, Level, OnOutage, Refusal, Rule, Unit};
pub use clock::Clock;
pub use error::CoordinationError;
pub use health::{Cursor, MAX_KEY, MAX_VALUE, Record};
pub use outage::Status;
pub use permit::Permit;
pub use settings::Settings;

/// What is shared, as one process sees it; cheap to clone.
#[derive(Clone)]
pub struct Coordinator {
    /// All there is without a store; with one, what each replica admits by itself while it is lost.
    local: Arc<LocalBackend>,
    central: Option<Arc<RedisBackend>>,
}

impl Coordinator {
    /// Limits held in this process alone: for a standalone gateway.
    #[must_use]
    pub fn memory(clock: Clock) -> Self {
        Self { local: Arc::new(LocalBackend::new(clock)), central: None }
    }

    /// Limits shared through Redis (5 or newer).
    ///
    /// A store that cannot be reached yet is no error: limits follow their policies until [`Self::run`]
    /// reaches it, so that a replica can start during an outage.
    ///
    /// # Errors
    /// When the store cannot serve as it is: not a Redis URL, wrong password, a command missing or forbidden.
    pub async fn redis(settings: Settings) -> Result<Self, CoordinationError> {
        let central = RedisBackend::open(settings).await?;
        Ok(Self { local: Arc::new(LocalBackend::new(Clock::monotonic())), central: Some(Arc::new(central)) })
    }

    /// Charges every claim or none; the grant gives concurrency slots back when it is dropped.
    ///
    /// Two claims on the same limit, subject, rule and unit are one, of the larger cost. Numbers above 1,000,000,000 count as that.
    ///
    /// # Errors
    /// A claim that costs more than its whole limit; the one that takes longest to come free; or the limit that stays closed while the store is lost.
    pub async fn acquire(&self, request: RequestId, claims: &[Claim]) -> Result<Permit, Refusal> {
        if claims.is_empty() {
            return Ok(Permit::default());
        }
        let keyed_claims = deduplicate(claims);
        let Some(central) = &self.central else {
            let (leases, charged) = self.local.acquire(&keyed_claims)?;
            return Ok(Permit::local(leases, charged));
        };
        let mut leases = central.leases(request, &keyed_claims);
        match central.acquire(&mut leases, &keyed_claims).await {
            Answer::Admitted(charged) => {
                leases.hold();
                Ok(Permit::central(leases, charged))
            }
            Answer::Denied(denied) => {
                leases.forget();
                Err(denied.into())
            }
            Answer::Lost => {
                // Refused here, the seats are released after all: the command may have arrived.
                let (grant, charged) = outage::decide(&self.local, central.outage_stats(), &keyed_claims)?;
                leases.hold();
                Ok(Permit::both(grant, leases, charged))
            }
        }
    }

    /// Puts right what the permit's claims on [`Rule::DebtWindow`] were charged: `actual` tells what each unit came to.
    /// Only the first call for a permit counts.
    ///
    /// Without waiting: the shared store hears of it in the background, once; what it does not get is counted in
    /// [`Status::corrections_dropped`], and the estimate stays.
    pub fn correct(&self, permit: &mut Permit, actual: impl Fn(Unit) -> u64) {
        let (charges, place) = permit.take_charges();
        let corrections = charges.iter().filter_map(|charge| charge.correction(actual(charge.unit())));
        match (&self.central, place) {
            (Some(central), Place::Central) => corrections.for_each(|correction| central.correct(correction)),
            _ => corrections.for_each(|correction| self.local.correct(&correction)),
        }
    }

    /// Takes the lease `name` for `ttl` (a millisecond to a day, from when the store hears of it), or renews it if
    /// this replica holds it already; whether it is this replica's now.
    ///
    /// A memory fleet always wins, and so does every replica while the store is lost: the work that the lease guards
    /// is then done by each for itself. Waits at most the command time-out, and not at all while the store is lost.
    pub async fn lease(&self, name: &str, ttl: Duration) -> bool {
        match &self.central {
            Some(central) => central.lease(name, ttl).await,
            None => true,
        }
    }

    /// Gives the lease back before its time, if this replica holds it; otherwise nothing happens.
    pub async fn release(&self, name: &str) {
        if let Some(central) = &self.central {
            central.release(name).await;
        }
    }

    /// Tells all other replicas, each at its next [`Self::poll`], one round trip for each 256 records; whether the
    /// store has them all.
    ///
    /// The store keeps 4,096 records, and those that end latest if there are more. A record that it does not get is
    /// counted in [`Status::records_dropped`]; a caller that still wants it shared publishes it again. In memory
    /// there is no other replica.
    pub async fn publish(&self, records: &[Record]) -> bool {
        match &self.central {
            Some(central) => central.publish(records).await,
            None => true,
        }
    }

    /// What other replicas published since the cursor was here last and still holds, in that order, in one round
    /// trip; never this replica's own records. Nothing while the store is lost.
    ///
    /// After the store was lost everything that holds is told again, because it may have another history.
    pub async fn poll(&self, cursor: &mut Cursor) -> Vec<Record> {
        match &self.central {
            Some(central) => central.poll(cursor).await,
            None => Vec::new(),
        }
    }

    /// Renews and returns slots and brings a lost store back; runs until `shutdown`, once per process.
    pub async fn run(&self, shutdown: CancellationToken) {
        match &self.central {
            Some(central) => central.run(&shutdown).await,
            None => shutdown.cancelled().await,
        }
    }

    /// Whether the store is lost, and what was decided without it.
    #[must_use]
    pub fn status(&self) -> Status {
        self.central.as_ref().map(|central| central.status()).unwrap_or_default()
    }
}
