//! Log-probabilities that a cascade's condition reads although the client did not ask for them: requested from the
//! target, and left out of the response.

use policy::PlannedTarget;
use wire::{
    Dialect,
    canonical::{Event, Events},
    codec::{Framing, StreamDecoder},
    error::InvalidEvent,
};

use crate::request::LlmRequest;

/// Whether to request them from a target for the condition that will evaluate its response.
pub(super) fn wanted(request: &LlmRequest, planned: &PlannedTarget, to: Dialect) -> bool {
    let reads = planned.accept.as_ref().is_some_and(|condition| condition.reads("reply.mean_logprob"));
    let target = &planned.target;
    // Models that refuse to be sampled at will refuse this as well.
    let refuses =
        target.endpoint.row.quirks.no_logprobs || target.spec.capabilities.sampling_fields == Some(false);
    reads && request.api.generates() && wire::has_logprobs(to) && !refuses
}

/// Decodes a stream without them.
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
