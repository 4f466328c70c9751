//! Attempts of a cascade, which end before the client has a byte: accepted, rejected, or used for want of a better one.

use domain::AttemptOutcome;

use super::{Meter, attempt_ref::AttemptRef, running::ActiveAttempt};

impl Meter {
    /// Ends an attempt with a whole response: accepted, or rejected for a reason.
    pub(crate) fn record_verdict(&mut self, rejected: Option<String>) {
        match rejected {
            None => {
                self.ttft = Some(self.context.started.elapsed());
                self.end(AttemptOutcome::Ok);
            }
            why => {
                self.end(AttemptOutcome::Rejected);
                if let Some(tried) = self.tried.last_mut() {
                    tried.rejected = why;
                }
            }
        }
    }

    /// The response of an earlier attempt goes to the client, for want of a better one.
    pub(crate) fn answer_with(&mut self, earlier: AttemptRef) {
        let AttemptRef { attempt, dropped } = earlier;
        self.ttft = Some(self.context.started.elapsed());
        self.fallen_back = Some(attempt);
        self.dropped = dropped;
    }

    /// Tokens of the running attempt's output so far, reported or estimated.
    pub(crate) fn output_tokens(&self) -> u64 {
        let charged = |running: &ActiveAttempt| {
            running.charged_usage(AttemptOutcome::Ok, self.subject.input_estimate).0.output()
        };
        self.running.as_ref().map_or(0, charged)
    }

    /// The attempt that ended last, for [`Self::answer_with`].
    pub(crate) fn last_attempt(&self) -> AttemptRef {
        AttemptRef { attempt: self.attempts.len().saturating_sub(1), dropped: self.dropped.clone() }
    }
}
