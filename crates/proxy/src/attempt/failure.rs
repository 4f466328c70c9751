//! A failed attempt, and what the client is told when it was the last one.

use std::time::Duration;

use domain::{Attempt, AttemptOutcome, ErrorKind};
use policy::{SkipReason, SkippedTarget};
use wire::{ProviderError, canonical::Unsupported};

use super::UpstreamResponse;
use crate::{error::GatewayError, meter::AttemptRef};

/// Why an attempt failed.
pub(crate) struct AttemptError {
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
    /// What the provider answered where its filter refused the prompt: better for the client than an error.
    pub(crate) answer: Option<Box<(UpstreamResponse, AttemptRef)>>,
}

impl AttemptError {
    pub(crate) fn new(outcome: AttemptOutcome, detail: impl Into<String>) -> Self {
        let detail = detail.into();
        let (status, said, retry_after, nobody, unsupported) = (None, None, None, None, None);
        let (before_head, answer) = (false, None);
        Self { outcome, detail, status, said, retry_after, before_head, nobody, unsupported, answer }
    }

    /// A target that cannot express the request: nothing was sent.
    pub(crate) fn unsupported(field: Unsupported) -> Self {
        let unsupported = Some(Box::new(field));
        Self { unsupported, ..Self::new(AttemptOutcome::NotSent, "the target cannot express the request") }
    }

    /// The failure that followed another one: whoever wants to be asked again first says when that is, and an answer
    /// stays one until a later one.
    pub(crate) fn after(mut self, before: Option<Self>) -> Self {
        let Some(before) = before else { return self };
        self.retry_after = self.retry_after.into_iter().chain(before.retry_after).min();
        self.answer = self.answer.or(before.answer);
        self
    }

    /// Nothing was sent to anybody.
    pub(crate) fn passed_over(passed: &[SkippedTarget]) -> Self {
        let retry_after = passed.iter().filter_map(|passed| passed.why.wait()).min();
        let spent =
            |passed: &SkippedTarget| matches!(passed.why, SkipReason::NoUsableCredential { spent: true, .. });
        let spent = !passed.is_empty() && passed.iter().all(spent);
        let nobody = Some(if spent { ErrorKind::RateLimited } else { ErrorKind::Overloaded });
        Self { retry_after, nobody, ..Self::new(AttemptOutcome::NotSent, "no target could be used") }
    }

    /// What the client is told; `passed` are the targets that nothing was sent to.
    pub(crate) fn trouble<'a>(
        self,
        attempts: &[Attempt],
        passed: impl Iterator<Item = &'a SkippedTarget>,
    ) -> GatewayError {
        use AttemptOutcome as O;
        if matches!(self.outcome, O::ClientFault | O::ContextTooLong | O::ContentFilter) {
            return self.client_fault();
        }
        if let (Some(unsupported), true) = (&self.unsupported, attempts.is_empty()) {
            let trouble = GatewayError::new(ErrorKind::UnsupportedByTarget, unsupported.to_string());
            return trouble.param(Some(&unsupported.field));
        }
        let passed = passed.map(SkippedTarget::to_string).collect::<Vec<_>>().join("; ");
        let after = seconds(self.retry_after);
        if attempts.is_empty() {
            let why = if passed.is_empty() { &self.detail } else { &passed };
            let text = format!("no target can be used now: {why}");
            return match self.nobody {
                Some(kind) => GatewayError::new(kind, text).retry_after(after),
                None => GatewayError::new(ErrorKind::AllTargetsFailed, text).attempts(attempts),
            };
        }
        let (kind, text) = told(attempts, &passed);
        let trouble = GatewayError::new(kind, text).attempts(attempts);
        if kind == ErrorKind::RateLimited { trouble.retry_after(after) } else { trouble }
    }

    fn client_fault(self) -> GatewayError {
        let status = self.status.unwrap_or(ErrorKind::InvalidRequest.status());
        let kind = if status == 413 { ErrorKind::RequestTooLarge } else { ErrorKind::InvalidRequest };
        match self.said {
            Some(said) => {
                let ProviderError { message, param, code, .. } = *said;
                GatewayError::new(kind, message).param(param.as_deref()).with_provider_error(status, code)
            }
            None => {
                GatewayError::new(kind, "the provider refused the request").with_provider_error(status, None)
            }
        }
    }
}

/// What is said of attempts that all failed, and of the targets that none was sent to.
fn told(attempts: &[Attempt], passed: &str) -> (ErrorKind, String) {
    let all = |outcome| attempts.iter().all(|attempt| attempt.outcome == outcome);
    let (kind, text) = if all(AttemptOutcome::RateLimited) {
        (ErrorKind::RateLimited, "every attempt met a provider's rate limit")
    } else if all(AttemptOutcome::Timeout) {
        (ErrorKind::UpstreamTimeout, "no target answered in time")
    } else {
        (ErrorKind::AllTargetsFailed, "every attempt failed")
    };
    let tried = attempts.iter().map(describe).collect::<Vec<_>>().join("; ");
    let others = if passed.is_empty() { String::new() } else { format!(". Not tried: {passed}") };
    (kind, format!("{text}: {tried}{others}"))
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
    use domain::{AttemptOutcome as O, Money, Timestamp, Usage};

    use super::*;

    #[test]
    fn what_was_never_sent_is_no_rate_limit() {
        let failure = AttemptError::new(AttemptOutcome::NotSent, "no token for the service account yet");
        let trouble = failure.trouble(&[], [].iter());
        assert_eq!(trouble.kind(), ErrorKind::AllTargetsFailed);
        assert_eq!(trouble.http_status().as_u16(), 502);
    }

    #[test]
    fn whoever_was_not_asked_is_not_said_to_have_failed() {
        for (outcome, status, kind, text) in [
            (O::ServerError, 503, ErrorKind::AllTargetsFailed, "every attempt failed: b/m: server_error 503"),
            (O::Timeout, 0, ErrorKind::UpstreamTimeout, "no target answered in time: b/m: timeout"),
            (
                O::RateLimited,
                429,
                ErrorKind::RateLimited,
                "every attempt met a provider's rate limit: b/m: rate_limited 429",
            ),
        ] {
            let attempts = [attempt(outcome, status)];
            assert_eq!(told(&attempts, ""), (kind, text.to_owned()));
            assert_eq!(told(&attempts, "a/m: busy"), (kind, format!("{text}. Not tried: a/m: busy")));
        }
    }

    fn attempt(outcome: AttemptOutcome, status: u32) -> Attempt {
        Attempt {
            number: 1,
            provider: "b".to_owned(),
            model: "m".to_owned(),
            outcome,
            status,
            at: Timestamp::default(),
            duration_us: 0,
            usage: Usage::default(),
            cost: Money::ZERO,
            price: None,
            estimated: false,
            reason: None,
        }
    }
}
