//! A signature behind the text that it belongs to (Gemini's): a block of its own for clients of other dialects, which take
//! what ends an answer for the answer (docs/spec/cases.md#case-36).

use super::{Event, Events, Part, PartKind, Signature};

/// Holds back a signature that follows on something said, until something else follows on it.
#[derive(Debug, Default)]
pub(crate) struct TrailingSeal {
    held: Option<Signature<'static>>,
    /// Whether thoughts are open, which a signature ends.
    thinking: bool,
    /// Whether anything was said or called.
    begun: bool,
}

impl TrailingSeal {
    pub(crate) const fn new() -> Self {
        Self { held: None, thinking: false, begun: false }
    }

    /// Takes the next event of the first answer; `sink` gets what may be written now.
    pub(crate) fn pass(&mut self, event: Event<'_>, sink: &mut Events<'_>) {
        match &event {
            Event::Signature { signature, .. } if self.begun && !self.thinking => {
                self.release(sink);
                self.held = Some(signature.clone().into_owned());
                return;
            }
            Event::Signature { .. } => self.thinking = false,
            Event::Reasoning { .. } => {
                self.release(sink);
                self.thinking = true;
            }
            Event::Text { .. }
            | Event::Refusal { .. }
            | Event::Redacted { .. }
            | Event::CallStart { .. }
            | Event::Part { .. } => {
                self.release(sink);
                (self.thinking, self.begun) = (false, true);
            }
            _ => {}
        }
        sink(event);
    }

    fn release(&mut self, sink: &mut Events<'_>) {
        if let Some(signature) = self.held.take() {
            sink(Event::Signature { choice: 0, signature });
        }
    }
}

/// The parts of a whole answer without such a signature at their end.
pub(crate) fn without_trailing_seal<'p, 'a>(parts: &'p [Part<'a>]) -> &'p [Part<'a>] {
    let is_seal = |part: &Part<'_>| matches!(&part.kind, PartKind::Reasoning { text, signature: Some(_) } if text.is_empty());
    match parts {
        [rest @ .., before, last] if is_seal(last) && !matches!(before.kind, PartKind::Reasoning { .. }) => {
            &parts[..=rest.len()]
        }
        _ => parts,
    }
}
