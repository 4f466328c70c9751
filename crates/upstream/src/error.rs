//! Why a request brought no response head.

use std::error::Error as _;

use domain::AttemptOutcome;
use hyper_util::client::legacy::Error;

/// A request that brought no response head.
#[derive(Debug)]
pub struct SendError {
    /// Which step of sending failed.
    pub outcome: AttemptOutcome,
    /// The text of the cause.
    pub detail: String,
}

impl SendError {
    pub(crate) fn of(error: &Error) -> Self {
        Self { outcome: classify(error), detail: innermost(error) }
    }
}

/// Which step of sending failed.
fn classify(error: &Error) -> AttemptOutcome {
    let mut source = error.source();
    while let Some(cause) = source {
        if cause.is::<rustls::Error>() {
            return AttemptOutcome::Tls;
        }
        if cause.downcast_ref::<hyper::Error>().is_some_and(hyper::Error::is_parse) {
            return AttemptOutcome::Protocol;
        }
        source = cause.source().or_else(|| {
            // An io::Error hides the error it wraps from `source`.
            cause.downcast_ref::<std::io::Error>().and_then(std::io::Error::get_ref).map(|inner| inner as _)
        });
    }
    if error.is_connect() { AttemptOutcome::Connect } else { AttemptOutcome::Cut }
}

/// The text of the last error of the chain, which is the cause.
#[must_use]
pub fn innermost(error: &(dyn std::error::Error + 'static)) -> String {
    let mut last = error;
    while let Some(source) = last.source() {
        last = source;
    }
    last.to_string()
}
