//! The client's names of tools in a stream of a target that knows them under others.

use std::sync::Arc;

use wire::{
    canonical::{Events, ToolTable},
    codec::{Framing, StreamDecoder},
    error::InvalidEvent,
};

/// Decodes a stream with the names that the client gave its tools.
pub(super) struct Renaming {
    pub(super) decoder: Box<dyn StreamDecoder>,
    pub(super) tools: Arc<ToolTable>,
}

impl StreamDecoder for Renaming {
    fn framing(&self) -> Framing {
        self.decoder.framing()
    }

    fn event(&mut self, event: &[u8], sink: &mut Events<'_>) -> Result<(), InvalidEvent> {
        let tools = &*self.tools;
        self.decoder.event(event, &mut |event| sink(tools.restore_event(event)))
    }

    fn is_complete(&self) -> bool {
        self.decoder.is_complete()
    }
}
