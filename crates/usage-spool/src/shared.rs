//! The state that the writing and the reading end of a spool share.

use bytes::Bytes;
use proto::v1;

use crate::{backlog::Backlog, error::SpoolError, frame::Kind, log::Log};

/// What the writing and the reading end share.
pub(crate) struct Shared {
    pub(crate) log: Log,
    pub(crate) backlog: Backlog,
}

impl Shared {
    pub(crate) fn event(&self, event: &v1::UsageEvent) -> Result<(), SpoolError> {
        self.backlog.writing(event.at_us);
        self.log.append_message(Kind::Event, event).inspect_err(|_| self.backlog.failed())?;
        self.log.appended.notify_one();
        Ok(())
    }

    pub(crate) fn void(&self, request: Bytes, attempt: u32) -> Result<(), SpoolError> {
        let void = v1::Intent { request, attempt, ..v1::Intent::default() };
        self.log.append_message(Kind::Void, &void)?;
        Ok(())
    }
}
