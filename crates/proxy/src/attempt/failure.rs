//! A failed attempt, and what the client is told when it was the last one.

use std::time::Duration;

use domain::{Attempt, AttemptOutcome, ErrorKind};
use policy::{PassedOver, WhyNot};
use wire::{ProviderError, canon::Unsupported};

use crate::reply::Trouble;

/// Why an attempt failed.
#[derive(Debug)]
pub(crate) struct Failure {
    pub(crate) outcome: AttemptOutcome,
    /// For logs: in the gateway's own words, because a provider's may quote the prompt or the credential.
    pub(crate) detail: String,
    /// The provider's HTTP status.
    pub(crate) status: Option<u16>,
    /// What the provider said of it, free of secrets.
    pub(crate) said: Option<Box<ProviderError>>,
    /// How long the provider wants to be left alone.
    pub(crate) retry_after: Option<Duration>,
    /// Whether the connection ended before a response head.
    pub(crate) before_head: bool,
    /// No target could be used when its turn came: what that is to the client.
    pub(crate) nobody: Option<ErrorKind>,
    /// The field that the target cannot express; then nothing was tried.
    pub(crate) unsupported: Option<Box<Unsupported>>,
}

impl Failure {
    pub(crate) fn new(outcome: AttemptOutcome, detail: impl Into<String>) -> Self {
        let detail = detail.into();
        let (status, said, retry_after, nobody, unsupported) = (None, None, None, None, None);
        Self { outcome, detail, status, said, retry_after, before_head: false, nobody, unsupported }
    }

    /// A target that cannot express the request: nothing was sent.
    pub(crate) fn unsupported(field: Unsupported) -> Self {
        let unsupported = Some(Box::new(field));
        Self { unsupported, ..Self::new(AttemptOutcome::NotSent, "the target cannot express the request") }
    }

    /// The failure that followed another one: whoever wants to be asked again first says when that is.
    pub(crate) fn after(mut self, before: Option<&Self>) -> Self {
        let before = before.and_then(|failure| failure.retry_after);
        self.retry_after = self.retry_after.into_iter().chain(before).min();
        self
    }

    /// Nothing was sent to anybody.
    pub(crate) fn passed_over(passed: &[PassedOver]) -> Self {
        let line = |PassedOver { model, why }: &PassedOver| format!("{model}: {why}");
        let detail = passed.iter().map(line).collect::<Vec<_>>().join(", ");
        let left = passed.iter().filter_map(|passed| match passed.why {
            WhyNot::Ejected { left } | WhyNot::KeysBenched { left, .. } => Some(left),
            WhyNot::OnTrial | WhyNot::Busy => Some(Duration::from_secs(1)),
            _ => None,
        });
        let retry_after = left.min();
        let spent = |passed: &PassedOver| matches!(passed.why, WhyNot::KeysBenched { spent: true, .. });
        let spent = !passed.is_empty() && passed.iter().all(spent);
        let nobody = Some(if spent { ErrorKind::RateLimited } else { ErrorKind::Overloaded });
        Self { retry_after, nobody, ..Self::new(AttemptOutcome::NotSent, detail) }
    }

    /// What the client is told.
    pub(crate) fn trouble(self, attempts: &[Attempt]) -> Trouble {
        use AttemptOutcome as O;
        if matches!(self.outcome, O::ClientFault | O::ContextTooLong | O::ContentFilter) {
            return self.client_fault();
        }
        if let (Some(kind), true) = (self.nobody, attempts.is_empty()) {
            let text = format!("no target can be used now: {}", self.detail);
            return Trouble::new(kind, text).retry_after(seconds(self.retry_after));
        }
        if let (Some(unsupported), true) = (&self.unsupported, attempts.is_empty()) {
            let trouble = Trouble::new(ErrorKind::UnsupportedByTarget, unsupported.to_string());
            return trouble.param(Some(&unsupported.field));
        }
        let all = |outcome| !attempts.is_empty() && attempts.iter().all(|attempt| attempt.outcome == outcome);
        let mut lines: Vec<String> = attempts.iter().map(describe).collect();
        if lines.is_empty() {
            // Nothing was sent; the gateway's own words say why.
            lines.push(self.detail.clone());
        }
        let (kind, text) = if all(AttemptOutcome::RateLimited) {
            (ErrorKind::RateLimited, "every target is rate limited by its provider")
        } else if all(AttemptOutcome::Timeout) {
            (ErrorKind::UpstreamTimeout, "no target answered in time")
        } else {
            (ErrorKind::AllTargetsFailed, "every target failed")
        };
        let trouble = Trouble::new(kind, format!("{text}: {}", lines.join(", "))).attempts(attempts);
        match (kind, self.retry_after) {
            (ErrorKind::RateLimited, after) => trouble.retry_after(seconds(after)),
            _ => trouble,
        }
    }

    fn client_fault(self) -> Trouble {
        let status = self.status.unwrap_or(ErrorKind::InvalidRequest.status());
        let kind = if status == 413 { ErrorKind::RequestTooLarge } else { ErrorKind::InvalidRequest };
        match self.said {
            Some(said) => {
                let ProviderError { message, param, code, .. } = *said;
                Trouble::new(kind, message).param(param.as_deref()).said_by_provider(status, code)
            }
            None => Trouble::new(kind, "the provider refused the request").said_by_provider(status, None),
        }
    }
}

/// What `retry-after` says of a wait: whole seconds, and never none.
fn seconds(wait: Option<Duration>) -> u64 {
    wait.map_or(1, |wait| u64::try_from(wait.as_millis().div_ceil(1_000)).unwrap_or(u64::MAX).max(1))
}

fn describe(attempt: &Attempt) -> String {
    let status = if attempt.status == 0 { String::new() } else { format!(" {}", attempt.status) };
    format!("{}/{}: {}{status}", attempt.provider, attempt.model, attempt.outcome.as_str())
}

/// Whose fault a provider's status is; `None`: nobody's, it is a success.
pub(crate) const fn by_status(status: u16) -> Option<AttemptOutcome> {
    use AttemptOutcome as O;
    match status {
        200..=299 => None,
        401..=403 => Some(O::BadCredential),
        408 => Some(O::Timeout),
        429 => Some(O::RateLimited),
        // The target is configured wrongly, or redirects, which is never followed: another target may do.
        300..=399 | 404 | 405 | 410 => Some(O::Protocol),
        409 | 500..=599 => Some(O::ServerError),
        400..=499 => Some(O::ClientFault),
        _ => Some(O::Protocol),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_never_sent_is_no_rate_limit() {
        let trouble =
            Failure::new(AttemptOutcome::NotSent, "no token for the service account yet").trouble(&[]);
        assert_eq!(trouble.kind(), ErrorKind::AllTargetsFailed);
        assert_eq!(trouble.http_status().as_u16(), 502);
    }
}
