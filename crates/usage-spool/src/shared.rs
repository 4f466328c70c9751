//! The state that the writing and the reading end of a spool share.

use std::sync::OnceLock;

use bytes::Bytes;
use domain::{Draw, Money};
use proto::v1;

use crate::{
    authority::{Authority, Cost},
    backlog::Backlog,
    error::SpoolError,
    frame::Kind,
    log::Log,
};

/// What the writing and the reading end share.
pub(crate) struct Shared {
    pub(crate) log: Log,
    pub(crate) backlog: Backlog,
    pub(crate) authority: Authority,
    /// Told of costs that the ledger has, or never will have.
    pub(crate) listener: OnceLock<Box<dyn Listener>>,
}

/// Hears of costs under budgets that the ledger has acknowledged.
pub trait Listener: Send + Sync {
    /// A cost that was drawn from these accounts is committed.
    fn acknowledged(&self, draw: &Draw, cost: Money);
}

impl Shared {
    pub(crate) fn event(&self, event: &v1::UsageEvent) -> Result<(), SpoolError> {
        self.backlog.writing(event.at_us);
        self.log.append_message(Kind::Event, event).inspect_err(|_| self.backlog.failed())?;
        self.log.appended.notify_one();
        Ok(())
    }

    pub(crate) fn acknowledged(&self, costs: &[Cost]) {
        if let Some(listener) = self.listener.get() {
            let acknowledged = costs.iter().filter(|cost| cost.acknowledged);
            acknowledged.for_each(|Cost { draw, cost, .. }| listener.acknowledged(draw, *cost));
        }
    }

    pub(crate) fn void(&self, request: Bytes, attempt: u32) -> Result<(), SpoolError> {
        let void = v1::Intent { request, attempt, ..v1::Intent::default() };
        self.log.append_message(Kind::Void, &void)?;
        Ok(())
    }
}
