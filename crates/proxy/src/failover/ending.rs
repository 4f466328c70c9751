//! The error that tells the client why no target answered.

use std::time::Duration;

use domain::{Attempt, AttemptOutcome, ErrorKind};
use policy::{SkipReason, SkippedTarget};
use wire::{ProviderError, error::ErrorClass};

use crate::{
    attempt::AttemptError,
    error::{FailedAttempt, GatewayError},
};

/// Where a request ended without an answer.
pub(super) struct NoAnswer<'a> {
    /// The attempts that were made.
    pub(super) attempts: &'a [Attempt],
    /// What providers said of them, by the attempt's number.
    pub(super) said: &'a [(u32, String)],
    /// The targets that were not sent the request, already when it was planned.
    pub(super) skipped_by_plan: &'a [SkippedTarget],
    /// The targets that were not sent the request when their turn came.
    pub(super) skipped: &'a [SkippedTarget],
}

impl NoAnswer<'_> {
    /// The error where the last attempt failed; `retry_after` is the shortest time that a provider asked for.
    pub(super) fn after(self, error: AttemptError, retry_after: Option<Duration>) -> GatewayError {
        use AttemptOutcome as O;
        let error = match error {
            AttemptError::Gateway(error) => return error,
            error => error,
        };
        if matches!(error.outcome(), O::ClientFault | O::ContextTooLong | O::ContentFilter) {
            return client_fault(error);
        }
        if let Some(missing) = self.missing_model(&error) {
            return missing;
        }
        if let (AttemptError::Unsupported(field), true) = (&error, self.attempts.is_empty()) {
            let error = GatewayError::new(ErrorKind::UnsupportedByTarget, field.to_string());
            return error.param(Some(&field.field));
        }
        if self.attempts.is_empty() {
            let text = self.no_target(error.detail());
            return GatewayError::new(ErrorKind::AllTargetsFailed, text).attempts(self.failed());
        }
        let failed = self.failed();
        let (kind, text) = told(&failed, &self.list_skipped());
        let error = GatewayError::new(kind, text).attempts(failed);
        if kind == ErrorKind::RateLimited { error.retry_after(seconds(retry_after)) } else { error }
    }

    /// The error where no target was sent anything.
    pub(super) fn nothing_sent(self) -> GatewayError {
        let retry_after = self.skipped.iter().filter_map(|skipped| skipped.why.wait()).min();
        let is_spent = |skipped: &SkippedTarget| {
            matches!(skipped.why, SkipReason::NoUsableCredential { spent: true, .. })
        };
        let spent = !self.skipped.is_empty() && self.skipped.iter().all(is_spent);
        let kind = if spent { ErrorKind::RateLimited } else { ErrorKind::Overloaded };
        let text = self.no_target("no target could be used");
        GatewayError::new(kind, text).retry_after(seconds(retry_after))
    }

    /// Every provider that was asked says that there is no such model: so does the gateway, and no client repeats that.
    fn missing_model(&self, error: &AttemptError) -> Option<GatewayError> {
        let AttemptError::Upstream(upstream) = error else { return None };
        let missing = matches!(upstream.class, ErrorClass::ModelForbidden | ErrorClass::NotFound)
            && !self.attempts.is_empty()
            && self.attempts.iter().all(|attempt| attempt.status == 404);
        let said = upstream.provider_error.as_ref().filter(|_| missing)?;
        let error = GatewayError::new(ErrorKind::RouteNotFound, said.message.clone());
        Some(error.attempts(self.failed()).with_provider_error(404, Some("model_not_found".to_owned())))
    }

    fn failed(&self) -> Vec<FailedAttempt> {
        let said = |attempt: &Attempt| {
            let said = self.said.iter().find(|(number, _)| *number == attempt.number);
            said.map(|(_, message)| message.clone())
        };
        let failed = |attempt: &Attempt| FailedAttempt { attempt: attempt.clone(), message: said(attempt) };
        self.attempts.iter().map(failed).collect()
    }

    fn no_target(&self, detail: &str) -> String {
        let skipped = self.list_skipped();
        let why = if skipped.is_empty() { detail } else { &skipped };
        format!("no target can be used now: {why}")
    }

    fn list_skipped(&self) -> String {
        let skipped = self.skipped_by_plan.iter().chain(self.skipped);
        skipped.map(SkippedTarget::to_string).collect::<Vec<_>>().join("; ")
    }
}

/// The error for a request that would fail everywhere, in the provider's words where it said any.
fn client_fault(error: AttemptError) -> GatewayError {
    let status = error.status().unwrap_or(ErrorKind::InvalidRequest.status());
    let kind = if status == 413 { ErrorKind::RequestTooLarge } else { ErrorKind::InvalidRequest };
    let provider_error = match error {
        AttemptError::Upstream(error) => error.provider_error,
        _ => None,
    };
    match provider_error {
        Some(said) => {
            let ProviderError { message, param, code, .. } = *said;
            GatewayError::new(kind, message).param(param.as_deref()).with_provider_error(status, code)
        }
        None => GatewayError::new(kind, "the provider refused the request").with_provider_error(status, None),
    }
}

/// What is said of attempts that all failed, and of the targets that none was sent to.
fn told(attempts: &[FailedAttempt], passed: &str) -> (ErrorKind, String) {
    let all = |outcome| attempts.iter().all(|failed| failed.attempt.outcome == outcome);
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

fn describe(failed: &FailedAttempt) -> String {
    let FailedAttempt { attempt, message } = failed;
    let status = if attempt.status == 0 { String::new() } else { format!(" {}", attempt.status) };
    let words = message.as_ref().map(|message| format!(" ({message})")).unwrap_or_default();
    format!("{}/{}: {}{status}{words}", attempt.provider, attempt.model, attempt.outcome.as_str())
}

#[cfg(test)]
mod tests {
    use domain::{AttemptOutcome as O, Money, Timestamp, Usage};

    use super::*;

    #[test]
    fn what_was_never_sent_is_no_rate_limit() {
        let error = AttemptError::Unsigned { detail: "no token for the service account yet".to_owned() };
        let nothing = NoAnswer { attempts: &[], said: &[], skipped_by_plan: &[], skipped: &[] };
        let trouble = nothing.after(error, None);
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
            let attempts = [FailedAttempt { attempt: attempt(outcome, status), message: None }];
            assert_eq!(told(&attempts, ""), (kind, text.to_owned()));
            assert_eq!(told(&attempts, "a/m: busy"), (kind, format!("{text}. Not tried: a/m: busy")));
        }
    }

    #[test]
    fn the_providers_words_stand_behind_the_attempt() {
        let message = Some("image input is not supported".to_owned());
        let attempts = [FailedAttempt { attempt: attempt(O::ServerError, 500), message }];
        let (_, text) = told(&attempts, "");
        assert_eq!(text, "every attempt failed: b/m: server_error 500 (image input is not supported)");
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
            draw: None,
        }
    }
}
