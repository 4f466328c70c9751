//! The attempt that runs, and what it is charged for when it ends.

use std::sync::{Arc, atomic::Ordering};

use domain::{AttemptOutcome, PriceSpec, ResourceId, Timestamp, Usage};
use tokio::time::Instant;
use upstream::SentFlag;

use crate::{budgets::BudgetHold, health::OutcomeReporter};

/// The attempt that runs now.
pub(super) struct ActiveAttempt {
    pub(super) number: u32,
    pub(super) provider: String,
    pub(super) model: String,
    pub(super) price: Option<(ResourceId, Arc<PriceSpec>)>,
    pub(super) at: Timestamp,
    pub(super) started: Instant,
    /// Output tokens seen so far, for an estimate.
    pub(super) output_seen: u64,
    /// Pieces of a stream so far, each of at least one token.
    pub(super) deltas: u64,
    /// How many of them the reported usage can know of.
    pub(super) deltas_in_usage: u64,
    /// Usage reported so far.
    pub(super) reported: Option<Usage>,
    pub(super) status: u32,
    /// Set once the request's body was handed to a connection.
    pub(super) sent: SentFlag,
    /// What it was reserved under budgets.
    pub(super) hold: Option<BudgetHold>,
    pub(super) reporter: OutcomeReporter,
}

impl ActiveAttempt {
    /// The usage that an attempt is charged for, and whether it is an estimate: what was reported; else, if the provider
    /// may have worked, an estimate.
    ///
    /// Never sent or refused costs nothing; cancelled or cut costs its input and the output observed.
    pub(super) fn charged_usage(&self, outcome: AttemptOutcome, input_estimate: u64) -> (Usage, bool) {
        use AttemptOutcome as O;
        let refused = self.status != 0 && !(200..300).contains(&self.status);
        match outcome {
            O::Connect | O::Tls | O::NotSent => (Usage::default(), false),
            _ if refused || !self.sent.load(Ordering::Relaxed) => (Usage::default(), false),
            // Inside a response of status 200. After content it is a response that broke off, whatever the error says.
            O::RateLimited | O::ServerError | O::BadCredential | O::ClientFault | O::ContextTooLong
                if self.output_seen == 0 =>
            {
                (Usage::default(), false)
            }
            O::StreamError | O::ContentFilter if self.output_seen == 0 && self.reported.is_none() => {
                (Usage::default(), false)
            }
            O::Ok
            | O::Rejected
            | O::ContentFilter
            | O::Timeout
            | O::RateLimited
            | O::ServerError
            | O::BadCredential
            | O::ClientFault
            | O::ContextTooLong
            | O::StreamError
            | O::Cut
            | O::Protocol
            | O::Cancelled
            | O::Orphaned => {
                let (usage, raised) = self.at_least_seen(outcome, input_estimate);
                // A response that was cut off may have reported its usage up to then, and more may have followed. Nothing
                // follows a refusal.
                (usage, raised || !matches!(outcome, O::Ok | O::Rejected | O::ContentFilter))
            }
        }
    }

    /// The reported usage, raised to what was seen where it reports less; and whether it was raised.
    ///
    /// Some providers report usage before the answer, or zeros throughout. A report that follows the last piece is
    /// believed: text is a poor measure of tokens.
    fn at_least_seen(&self, outcome: AttemptOutcome, input_estimate: u64) -> (Usage, bool) {
        let Some(mut usage) = self.reported else {
            let usage = Usage {
                input_uncached: input_estimate,
                output_visible: self.output_seen,
                ..Usage::default()
            };
            return (usage, true);
        };
        let seen = match outcome {
            _ if self.deltas == self.deltas_in_usage && usage.output() > 0 => 0,
            AttemptOutcome::Ok | AttemptOutcome::Rejected => self.deltas,
            _ => self.output_seen,
        };
        let missing = seen.saturating_sub(usage.output());
        usage.output_visible = usage.output_visible.saturating_add(missing);
        let no_input = usage.input() == 0 && input_estimate > 0;
        if no_input {
            usage.input_uncached = input_estimate;
        }
        (usage, missing > 0 || no_input)
    }
}
