//! Reporting usage to the ledger over the proxy's session.

use bytes::Bytes;
use config_client::Session;
use proto::EncodedReport;
use tonic::Code;
use usage_spool::{Sink, SinkError};

/// The ledger, as the spool's reporter sees it.
pub(crate) struct LedgerSink {
    session: Session,
}

impl LedgerSink {
    pub(crate) const fn new(session: Session) -> Self {
        Self { session }
    }
}

impl Sink for LedgerSink {
    async fn report(&self, events: Vec<Bytes>) -> Result<(), SinkError> {
        let report = EncodedReport { proxy: self.session.proxy().to_owned(), events };
        match self.session.report(&report).await {
            Ok(_) => Ok(()),
            Err(status) if status.code() == Code::InvalidArgument => {
                Err(SinkError::Malformed(status.message().to_owned()))
            }
            Err(status) => Err(SinkError::Unavailable(format!("{:?}: {}", status.code(), status.message()))),
        }
    }
}
