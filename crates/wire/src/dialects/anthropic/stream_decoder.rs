//! Reading a provider's stream.

use std::collections::BTreeMap;

use super::{
    decode_response::{Stop, seal, text},
    error,
    usage::Reported,
};
use crate::{
    canonical::{Event, Events, Finish, Part, PartKind},
    codec::{Framing, StreamDecoder},
    error::{InvalidEvent, stray_error},
    json::{Fields, Json},
    sse::{BOM, Data},
};

/// Reads one stream.
#[derive(Debug, Default)]
pub(super) struct Decoder {
    usage: Reported,
    /// The open blocks that are calls: their number among the calls, and whether arguments came.
    calls: BTreeMap<u64, (u32, bool)>,
    /// Calls so far.
    count: u32,
    /// Whether it was said why the answer ended.
    finished: bool,
}

/// Most calls that may be open at once; the dialect allows one.
const MOST_OPEN: usize = 1_024;

impl StreamDecoder for Decoder {
    fn framing(&self) -> Framing {
        Framing::Sse
    }

    fn event(&mut self, event: &[u8], sink: &mut Events<'_>) -> Result<(), InvalidEvent> {
        let event = event.strip_prefix(BOM).unwrap_or(event);
        let Some(data) = Data::of(event) else { return Ok(()) };
        let payload = data.payload();
        // Compatible vendors end with OpenAI's mark, or send blank data to keep the line open.
        if matches!(payload.trim_ascii(), b"" | b"[DONE]") {
            return Ok(());
        }
        let json = Json::parse(&payload)?;
        let fields = json.object()?.ok_or_else(|| InvalidEvent("it is no object".to_owned()))?;
        let object = |key: &str| -> Result<Option<Fields<'_>>, InvalidEvent> {
            Ok(fields.peek(key).map(Json::object).transpose()?.flatten())
        };
        match text(&fields, "type").as_deref() {
            Some("message_start") => {
                if let Some(message) = object("message")? {
                    sink(Event::Start { id: text(&message, "id"), model: text(&message, "model") });
                    self.report(&message, sink);
                }
            }
            Some("content_block_start") => {
                if let Some(block) = object("content_block")? {
                    let raw = fields.peek("content_block").unwrap_or(Json::NULL);
                    self.open(index(&fields), &block, raw, sink)?;
                }
            }
            Some("content_block_delta") => {
                if let Some(delta) = object("delta")? {
                    self.delta(index(&fields), &delta, sink);
                }
            }
            Some("content_block_stop") => self.close(index(&fields), sink),
            Some("message_delta") => {
                self.report(&fields, sink);
                if let Some(delta) = object("delta")?.filter(|delta| delta.peek("stop_reason").is_some()) {
                    let Stop { finish, sequence, explanation } = Stop::read(&delta);
                    self.finished = true;
                    let (choice, reason, stop_sequence) = (0, finish, sequence);
                    sink(Event::Finish { choice, reason, stop_sequence, explanation });
                }
            }
            Some("message_stop") => {
                if !std::mem::replace(&mut self.finished, true) {
                    let reason = Finish::End.with_calls(self.count > 0);
                    let (choice, stop_sequence, explanation) = (0, None, None);
                    sink(Event::Finish { choice, reason, stop_sequence, explanation });
                }
                sink(Event::End);
            }
            Some("error") => {
                let (_, error) =
                    error::in_success(json).ok_or_else(|| InvalidEvent("an empty error".into()))?;
                sink(Event::Error(error));
            }
            // Pings, and whatever comes to be later.
            Some(_) => {}
            None => {
                if let Some(error) = stray_error(event, &payload) {
                    sink(Event::Error(error));
                }
            }
        }
        Ok(())
    }
}

fn index(fields: &Fields<'_>) -> u64 {
    fields.peek("index").and_then(Json::u64).unwrap_or(0)
}

impl Decoder {
    fn report(&mut self, fields: &Fields<'_>, sink: &mut Events<'_>) {
        let Some(usage) = fields.peek("usage") else { return };
        self.usage.read(usage);
        if let Some(usage) = self.usage.usage() {
            sink(Event::Usage(usage));
        }
    }

    fn open(
        &mut self,
        index: u64,
        block: &Fields<'_>,
        raw: Json<'_>,
        sink: &mut Events<'_>,
    ) -> Result<(), InvalidEvent> {
        let choice = 0;
        let begun = |key: &str| text(block, key).filter(|text| !text.is_empty());
        match text(block, "type").as_deref() {
            Some("text") => {
                if let Some(text) = begun("text") {
                    sink(Event::Text { choice, text });
                }
            }
            Some("thinking") => {
                if let Some(text) = begun("thinking") {
                    sink(Event::Reasoning { choice, text });
                }
                if let Some(signature) = begun("signature") {
                    sink(Event::Signature { choice, signature: seal(signature) });
                }
            }
            Some("redacted_thinking") => {
                if let Some(data) = begun("data") {
                    sink(Event::Redacted { choice, signature: seal(data) });
                }
            }
            Some("tool_use") => {
                let name = begun("name").ok_or_else(|| InvalidEvent("a call without a name".to_owned()))?;
                if self.calls.len() >= MOST_OPEN {
                    return Err(InvalidEvent("too many open blocks".to_owned()));
                }
                let call = self.count;
                self.count += 1;
                let id = begun("id").unwrap_or_default();
                sink(Event::CallStart { choice, call, id, name, signature: None, custom: false });
                let input = block.peek("input").filter(|input| !is_empty(*input));
                self.calls.insert(index, (call, input.is_some()));
                if let Some(input) = input {
                    sink(Event::CallArguments { choice, call, fragment: input.raw().into() });
                }
            }
            Some(kind) => {
                let kind = PartKind::Foreign { kind: kind.into(), raw };
                sink(Event::Part { choice, part: Part::new(kind) });
            }
            None => {}
        }
        Ok(())
    }

    fn delta(&mut self, index: u64, delta: &Fields<'_>, sink: &mut Events<'_>) {
        let choice = 0;
        let said = |key: &str| text(delta, key).filter(|text| !text.is_empty());
        match text(delta, "type").as_deref() {
            Some("text_delta") => {
                if let Some(text) = said("text") {
                    sink(Event::Text { choice, text });
                }
            }
            Some("thinking_delta") => {
                if let Some(text) = said("thinking") {
                    sink(Event::Reasoning { choice, text });
                }
            }
            Some("signature_delta") => {
                if let Some(signature) = said("signature") {
                    sink(Event::Signature { choice, signature: seal(signature) });
                }
            }
            Some("input_json_delta") => {
                // Fragments of a provider's own tool belong to no call that the client answers.
                if let (Some((call, began)), Some(fragment)) =
                    (self.calls.get_mut(&index), said("partial_json"))
                {
                    *began = true;
                    sink(Event::CallArguments { choice, call: *call, fragment });
                }
            }
            Some("citations_delta") => sink(Event::Citations { choice }),
            _ => {}
        }
    }

    fn close(&mut self, index: u64, sink: &mut Events<'_>) {
        let choice = 0;
        let Some((call, began)) = self.calls.remove(&index) else { return };
        if !began {
            sink(Event::CallArguments { choice, call, fragment: "{}".into() });
        }
        sink(Event::CallEnd { choice, call });
    }
}

/// Whether an object has no members: what `tool_use` blocks begin with.
fn is_empty(input: Json<'_>) -> bool {
    input.object().ok().flatten().is_none_or(|fields| fields.all().next().is_none())
}
