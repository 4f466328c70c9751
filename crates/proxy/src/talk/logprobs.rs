//! Log-probabilities that a cascade's condition reads and the client did not ask for: asked for, and not shown.

use policy::PlannedTarget;
use wire::{
    Dialect,
    canonical::{Event, Events},
    codec::{Framing, StreamDecoder},
    error::InvalidEvent,
};

use crate::pipeline::LlmRequest;

/// Whether a target should tell them for the sake of the condition that will judge its answer.
pub(super) fn wanted(ask: &LlmRequest, planned: &PlannedTarget, to: Dialect) -> bool {
    let reads = planned.accept.as_ref().is_some_and(|condition| condition.reads("reply.mean_logprob"));
    let target = &planned.target;
    // Models that refuse to be sampled at will refuse this as well.
    let refuses =
        target.endpoint.row.quirks.no_logprobs || target.spec.capabilities.sampling_fields == Some(false);
    reads && ask.api.generates() && wire::has_logprobs(to) && !refuses
}

/// Reads a stream without them.
pub(super) struct Hiding(pub(super) Box<dyn StreamDecoder>);

impl StreamDecoder for Hiding {
    fn framing(&self) -> Framing {
        self.0.framing()
    }

    fn event(&mut self, event: &[u8], sink: &mut Events<'_>) -> Result<(), InvalidEvent> {
        self.0.event(event, &mut |event| {
            if !matches!(event, Event::Logprobs { .. }) {
                sink(event);
            }
        })
    }

    fn is_complete(&self) -> bool {
        self.0.is_complete()
    }
}
