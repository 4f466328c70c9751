//! Reporting usage to the ledger over the proxy's session.

use proto::v1;
use tonic::Code;

use crate::{
    config::Session,
    spool::{Sink, SinkError},
};

/// The ledger, as the spool's reporter sees it.
pub(crate) struct ToLedger {
    session: Session,
}

impl ToLedger {
    pub(crate) const fn new(session: Session) -> Self {
        Self { session }
    }
}

impl Sink for ToLedger {
    async fn report(&self, events: Vec<v1::UsageEvent>) -> Result<(), SinkError> {
        let request = v1::ReportRequest { proxy: self.session.proxy().to_owned(), events };
        match self.session.report(request).await {
            Ok(_) => Ok(()),
            Err(status) if status.code() == Code::InvalidArgument => {
                Err(SinkError::Malformed(status.message().to_owned()))
            }
            Err(status) => Err(SinkError::Unavailable(format!("{:?}: {}", status.code(), status.message()))),
        }
    }
}
