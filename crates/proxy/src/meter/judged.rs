//! Attempts of a cascade, which end before the client has a byte: kept, rejected, or taken after all.

use domain::AttemptOutcome;

use super::{Meter, running::ActiveAttempt};

/// An attempt whose answer was not accepted and may yet go to the client.
pub(crate) struct AttemptRef {
    /// Its index.
    attempt: usize,
    /// What its target could not express and the client let go.
    dropped: Vec<String>,
}

impl Meter {
    /// Ends an attempt whose answer is here, whole: accepted, or not and why.
    pub(crate) fn judged(&mut self, rejected: Option<String>) {
        match rejected {
            None => {
                self.ttft = Some(self.passage.started.elapsed());
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

    /// The answer of an earlier attempt goes to the client, for want of a better one.
    pub(crate) fn fall_back(&mut self, AttemptRef { attempt, dropped }: AttemptRef) {
        self.ttft = Some(self.passage.started.elapsed());
        self.fallen_back = Some(attempt);
        self.dropped = dropped;
    }

    /// Tokens of the running attempt's output so far, reported or estimated.
    pub(crate) fn output_tokens(&self) -> u64 {
        let charged = |running: &ActiveAttempt| {
            running.charged_usage(AttemptOutcome::Ok, self.opening.input_estimate).0.output()
        };
        self.running.as_ref().map_or(0, charged)
    }

    /// What [`Self::fall_back`] needs to know of the attempt that ended last.
    pub(crate) fn kept(&self) -> AttemptRef {
        AttemptRef { attempt: self.attempts.len().saturating_sub(1), dropped: self.dropped.clone() }
    }
}
