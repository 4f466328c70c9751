//! What of an answer a client's dialect has no place for: it is named, because nothing may be lost in silence.

use super::{Event, Part, PartKind, Reply};
use crate::dialect::Dialect;

/// Most names that are kept of one answer.
const MOST_NAMES: usize = 16;
/// Longest name, in bytes: kinds of foreign parts are the provider's own words.
const MAX_NAME: usize = 64;

/// The names of what was lost, each once.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct LostParts(Vec<String>);

impl LostParts {
    /// What a whole answer loses on its way to a client.
    #[must_use]
    pub fn of_reply(reply: &Reply<'_>, client: Dialect) -> Self {
        let mut lost = Self::default();
        for choice in &reply.choices {
            choice.parts.iter().filter(|part| !carries(client, part, true)).for_each(|part| lost.part(part));
            // An empty list says nothing.
            if choice.citations.is_some_and(|citations| !matches!(citations.raw(), "[]" | "{}" | "null")) {
                lost.name("citations");
            }
        }
        lost
    }

    /// Adds what an event of a stream loses.
    pub fn add_event(&mut self, event: &Event<'_>, client: Dialect) {
        match event {
            Event::Part { part, .. } if !carries(client, part, false) => self.part(part),
            Event::Citations { .. } => self.name("citations"),
            _ => {}
        }
    }

    /// The names.
    #[must_use]
    pub fn names(&self) -> &[String] {
        &self.0
    }

    fn part(&mut self, part: &Part<'_>) {
        match &part.kind {
            PartKind::Image(_) => self.name("image"),
            PartKind::Audio(_) => self.name("audio"),
            PartKind::Video(_) => self.name("video"),
            PartKind::Document(_) => self.name("document"),
            PartKind::Foreign { kind, .. } => self.name(kind),
            PartKind::ToolResult(_) => self.name("tool result"),
            PartKind::Text(_)
            | PartKind::Refusal(_)
            | PartKind::Reasoning { .. }
            | PartKind::RedactedReasoning(_)
            | PartKind::ToolCall(_) => {}
        }
    }

    fn name(&mut self, name: &str) {
        let name = &name[..name.floor_char_boundary(MAX_NAME)];
        if self.0.len() < MOST_NAMES && !self.0.iter().any(|known| known == name) {
            self.0.push(name.to_owned());
        }
    }
}

/// Whether the answers of a dialect have a place for a part, whole ones or streams.
const fn carries(client: Dialect, part: &Part<'_>, whole: bool) -> bool {
    match &part.kind {
        PartKind::Image(image) => match client {
            Dialect::Gemini => true,
            // As OpenRouter has it.
            Dialect::OpenAiChat => image.media.is_readable(),
            Dialect::Bedrock => whole && image.media.is_inline(),
            Dialect::OpenAiResponses => whole && image.media.is_inline(),
            Dialect::Anthropic | Dialect::Cohere => false,
        },
        PartKind::Audio(_) | PartKind::Video(_) | PartKind::Document(_) => matches!(client, Dialect::Gemini),
        PartKind::Foreign { .. } | PartKind::ToolResult(_) => false,
        PartKind::Text(_)
        | PartKind::Refusal(_)
        | PartKind::Reasoning { .. }
        | PartKind::RedactedReasoning(_)
        | PartKind::ToolCall(_) => true,
    }
}
