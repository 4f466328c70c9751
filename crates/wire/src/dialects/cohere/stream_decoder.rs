//! Reading a provider's stream.

use super::{decode_response, error, finish, logprobs, usage};
use crate::{
    canonical::{Event, Events, Finish, Malformed, ToolCall},
    codec::{Framing, StreamDecoder},
    error::{InvalidEvent, stray_error},
    json::Json,
    read::{Members, Place},
    sse::{self, BOM, Data},
};

/// Most calls of one answer: each fragment looks for its own among them.
const MOST_CALLS: usize = 1_024;

/// Reads one stream.
#[derive(Debug, Default)]
pub(super) struct Decoder {
    /// The provider's index of each call, in order of appearance.
    calls: Vec<u64>,
    ended: bool,
}

impl StreamDecoder for Decoder {
    fn framing(&self) -> Framing {
        Framing::Sse
    }

    fn event(&mut self, event: &[u8], sink: &mut Events<'_>) -> Result<(), InvalidEvent> {
        let Some(data) = Data::of(event.strip_prefix(BOM).unwrap_or(event)) else { return Ok(()) };
        let payload = data.payload();
        if matches!(payload.trim_ascii(), b"" | b"[DONE]") {
            return Ok(());
        }
        let body = Json::parse(&payload)?;
        if sse::name(event).is_none_or(|name| name == b"error")
            && let Some(error) = stray_error(event, &payload)
        {
            sink(Event::Error(error));
            return Ok(());
        }
        self.read(body, sink).map_err(|malformed| InvalidEvent(malformed.to_string()))
    }
}

impl Decoder {
    fn read(&mut self, body: Json<'_>, sink: &mut Events<'_>) -> Result<(), Malformed> {
        let mut event = Members::open(body, &Place::ROOT)?;
        let Some(kind) = event.text("type")? else {
            // An error that was not dressed as an event.
            if let Some(message) = event.peek("message").and_then(Json::text) {
                sink(Event::Error(error::inside(Some(&message))));
            }
            return Ok(());
        };
        let index = event.u64("index")?.unwrap_or(0);
        let place = Place::ROOT.key("delta");
        let delta = event.object("delta")?.unwrap_or(Json::EMPTY_OBJECT);
        let mut delta = Members::open(delta, &place)?;
        match &*kind {
            "message-start" => sink(Event::Start { id: event.text("id")?, model: None }),
            "message-end" => self.end(&mut delta, sink)?,
            "content-start" | "content-delta" => {
                content(&mut delta, sink)?;
                if let Some(json) = event.raw("logprobs") {
                    let mut tokens = Vec::new();
                    logprobs::read(json, &Place::ROOT.key("logprobs"), &mut tokens)?;
                    sink(Event::Logprobs { choice: 0, logprobs: tokens });
                }
            }
            "tool-plan-delta" => {
                let text = Members::open(message(&mut delta)?, &place)?.text("tool_plan")?;
                if let Some(text) = text.filter(|text| !text.is_empty()) {
                    sink(Event::Text { choice: 0, text });
                }
            }
            "citation-start" => sink(Event::Citations { choice: 0 }),
            "tool-call-start" => self.call(index, &mut delta, sink)?,
            "tool-call-delta" => self.arguments(index, &mut delta, sink)?,
            "tool-call-end" => {
                if let Some(call) = self.number(index) {
                    sink(Event::CallEnd { choice: 0, call });
                }
            }
            _ => {}
        }
        Ok(())
    }

    fn call(
        &mut self,
        index: u64,
        delta: &mut Members<'_, '_>,
        sink: &mut Events<'_>,
    ) -> Result<(), Malformed> {
        let place = delta.place.key("message");
        let Some(json) = one(message(delta)?, "tool_calls", &place)? else { return Ok(()) };
        if self.calls.len() >= MOST_CALLS {
            return Err(place.key("tool_calls").malformed("are too many"));
        }
        let ToolCall { id, name, arguments, .. } = decode_response::call(json, &place)?;
        self.calls.push(index);
        let (choice, Some(call)) = (0, self.number(index)) else { return Ok(()) };
        sink(Event::CallStart { choice, call, id, name, signature: None, custom: false });
        if !arguments.is_empty() {
            sink(Event::CallArguments { choice, call, fragment: arguments });
        }
        Ok(())
    }

    fn arguments(
        &mut self,
        index: u64,
        delta: &mut Members<'_, '_>,
        sink: &mut Events<'_>,
    ) -> Result<(), Malformed> {
        let place = delta.place.key("message");
        let Some(json) = one(message(delta)?, "tool_calls", &place)? else { return Ok(()) };
        let Some(function) = Members::open(json, &place)?.object("function")? else { return Ok(()) };
        let fragment = Members::open(function, &place)?.text("arguments")?;
        if let (Some(fragment), Some(call)) = (fragment, self.number(index)) {
            sink(Event::CallArguments { choice: 0, call, fragment });
        }
        Ok(())
    }

    /// Our number of the call that the provider began last under an index.
    fn number(&self, index: u64) -> Option<u32> {
        self.calls.iter().rposition(|known| *known == index).and_then(|at| u32::try_from(at).ok())
    }

    fn end(&mut self, delta: &mut Members<'_, '_>, sink: &mut Events<'_>) -> Result<(), Malformed> {
        if std::mem::replace(&mut self.ended, true) {
            return Ok(());
        }
        if let Some(usage) = delta.raw("usage").and_then(usage::read) {
            sink(Event::Usage(usage));
        }
        let said = delta.text("error")?;
        let reason = delta.text("finish_reason")?.map_or(Finish::End, |reason| finish::read(&reason));
        if said.is_some() || reason == Finish::Error {
            sink(Event::Error(error::inside(said.as_deref())));
            return Ok(());
        }
        let reason = reason.with_calls(!self.calls.is_empty());
        sink(Event::Finish { choice: 0, reason, stop_sequence: None, explanation: None });
        sink(Event::End);
        Ok(())
    }
}

/// The message that a delta is about.
fn message<'a>(delta: &mut Members<'a, '_>) -> Result<Json<'a>, Malformed> {
    Ok(delta.object("message")?.unwrap_or(Json::EMPTY_OBJECT))
}

/// A member that is an object in streams and a list in answers: the former, or the only one of the latter.
fn one<'a>(json: Json<'a>, key: &str, place: &Place<'_>) -> Result<Option<Json<'a>>, Malformed> {
    let Some(value) = Members::open(json, place)?.raw(key) else { return Ok(None) };
    let list = value.array().map_err(|error| place.key(key).malformed(error.to_string()))?;
    Ok(match list {
        Some(list) => list.first().copied(),
        None => Some(value),
    })
}

/// Text or thoughts, of the start of a block or of its growth.
fn content(delta: &mut Members<'_, '_>, sink: &mut Events<'_>) -> Result<(), Malformed> {
    let place = delta.place.key("message");
    let Some(json) = one(message(delta)?, "content", &place)? else { return Ok(()) };
    let mut content = Members::open(json, &place)?;
    let (thoughts, text) = (content.text("thinking")?, content.text("text")?);
    if let Some(text) = thoughts.filter(|text| !text.is_empty()) {
        sink(Event::Reasoning { choice: 0, text });
    }
    if let Some(text) = text.filter(|text| !text.is_empty()) {
        sink(Event::Text { choice: 0, text });
    }
    Ok(())
}
