//! What replicas share: request limits and concurrency slots, in Redis or, for one process, in memory.
//!
//! Every claim of a request is put to the shared store in one step, all or nothing, and a denied request
//! changes nothing. A store that does not answer costs its time-out once; from then on each limit's own
//! policy decides at once, and one background probe finds out when the store is back.
//!
//! Leases (authority drawn ahead, so that the common request needs no round trip), shared health and probe
//! leases belong here too: a lease command is one more script beside `central/acquire.lua`, over the same
//! keys under the tenant's hash tag.

mod central;
mod claim;
mod clock;
#[cfg(test)]
mod conformance;
mod error;
mod grant;
mod loss;
mod memory;
mod place;
mod settings;

use std::sync::Arc;

use domain::RequestId;
use tokio_util::sync::CancellationToken;

use central::{Answer, Central};
use memory::Memory;
use place::distinct;

pub use claim::{Claim, Denied, OnLoss, Refusal, Rule, Unit};
pub use clock::Clock;
pub use error::FleetError;
pub use grant::Grant;
pub use loss::Status;
pub use settings::Settings;

/// The shared limits as one process sees them; cheap to clone.
#[derive(Clone)]
pub struct Fleet {
    /// All there is without a store; with one, what each replica admits by itself while it is lost.
    local: Arc<Memory>,
    central: Option<Arc<Central>>,
}

impl Fleet {
    /// Limits held in this process alone: for a standalone gateway.
    #[must_use]
    pub fn memory(clock: Clock) -> Self {
        Self { local: Arc::new(Memory::new(clock)), central: None }
    }

    /// Limits shared through Redis (5 or newer).
    ///
    /// A store that cannot be reached yet is no error: limits follow their policies until [`Self::run`]
    /// reaches it, so that a replica can start during an outage.
    ///
    /// # Errors
    /// When the store cannot serve as it is: not a Redis URL, wrong password, a command missing or forbidden.
    pub async fn redis(settings: Settings) -> Result<Self, FleetError> {
        let central = Central::open(settings).await?;
        Ok(Self { local: Arc::new(Memory::new(Clock::monotonic())), central: Some(Arc::new(central)) })
    }

    /// Charges every claim or none; the grant gives concurrency slots back when it is dropped.
    ///
    /// Two claims on the same limit, subject, rule and unit are one, of the larger cost. Numbers above 1,000,000,000 count as that.
    ///
    /// # Errors
    /// A claim that costs more than its whole limit; the one that takes longest to come free; or the limit that stays closed while the store is lost.
    pub async fn acquire(&self, request: RequestId, claims: &[Claim]) -> Result<Grant, Refusal> {
        if claims.is_empty() {
            return Ok(Grant::default());
        }
        let places = distinct(claims);
        let Some(central) = &self.central else {
            return Ok(Grant::local(self.local.acquire(&places)?));
        };
        let mut seats = central.seats(request, &places);
        match central.acquire(&mut seats, &places).await {
            Answer::Admitted => seats.hold(),
            Answer::Denied(denied) => {
                seats.forget();
                return Err(denied.into());
            }
            Answer::Lost => {
                // Refused here, the seats are released after all: the command may have arrived.
                let grant = loss::decide(&self.local, central.losses(), &places)?;
                seats.hold();
                return Ok(Grant::both(grant, seats));
            }
        }
        Ok(Grant::central(seats))
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
