//! Reading a provider's stream.

use std::collections::BTreeMap;

use super::{
    decode_response::{finish, object, seal, stop_sequence, text},
    frame::Frame,
    usage,
};
use crate::{
    canonical::{Event, Events, Part, PartKind},
    codec::{Framing, StreamDecoder},
    error::{InvalidEvent, MAX_MESSAGE, ProviderError},
    json::{Fields, Json},
};

/// Reads one stream.
#[derive(Debug, Default)]
pub(super) struct Decoder {
    /// The open blocks that are calls: their number among the calls, and whether arguments came.
    calls: BTreeMap<u64, (u32, bool)>,
    /// Calls so far.
    count: u32,
}

/// Most calls that may be open at once; the dialect allows one.
const MOST_OPEN: usize = 1_024;

impl StreamDecoder for Decoder {
    fn framing(&self) -> Framing {
        Framing::AwsEventStream
    }

    fn event(&mut self, event: &[u8], sink: &mut Events<'_>) -> Result<(), InvalidEvent> {
        let frame = Frame::parse(event)?;
        match frame.header(":message-type") {
            Some("event") => {
                let kind = frame.header(":event-type").unwrap_or_default();
                let fields = Json::parse(frame.payload)?.object()?;
                self.read(kind, &fields.ok_or_else(|| InvalidEvent("it is no object".to_owned()))?, sink)
            }
            Some("exception") => {
                let message = Json::parse(frame.payload).ok().and_then(|json| json.object().ok().flatten());
                let message = message.and_then(|fields| text(&fields, "message")).unwrap_or_default();
                sink(failure(frame.header(":exception-type"), &message));
                Ok(())
            }
            Some("error") => {
                let message = frame.header(":error-message").unwrap_or_default();
                sink(failure(frame.header(":error-code"), message));
                Ok(())
            }
            _ => Err(InvalidEvent("a frame without `:message-type`".to_owned())),
        }
    }
}

fn failure(kind: Option<&str>, message: &str) -> Event<'static> {
    let kind = kind.unwrap_or("internalServerException");
    let mut message = if message.is_empty() { kind.to_owned() } else { message.to_owned() };
    message.truncate(message.floor_char_boundary(MAX_MESSAGE));
    Event::Error(ProviderError { message, kind: Some(kind.to_owned()), code: None, param: None })
}

impl Decoder {
    fn read(&mut self, kind: &str, fields: &Fields<'_>, sink: &mut Events<'_>) -> Result<(), InvalidEvent> {
        let choice = 0;
        let index = fields.peek("contentBlockIndex").and_then(Json::u64).unwrap_or(0);
        match kind {
            "messageStart" => sink(Event::Start { id: None, model: None }),
            "contentBlockStart" => {
                if let Some(tool) = object(fields, "start").and_then(|start| object(&start, "toolUse")) {
                    self.open(index, &tool, sink)?;
                }
            }
            "contentBlockDelta" => {
                if let Some(delta) = object(fields, "delta") {
                    self.delta(index, &delta, fields, sink);
                }
            }
            "contentBlockStop" => {
                if let Some((call, began)) = self.calls.remove(&index) {
                    if !began {
                        sink(Event::CallArguments { choice, call, fragment: "{}".into() });
                    }
                    sink(Event::CallEnd { choice, call });
                }
            }
            "messageStop" => sink(Event::Finish {
                choice,
                reason: finish(text(fields, "stopReason").as_deref()),
                stop_sequence: stop_sequence(fields),
                explanation: None,
            }),
            "metadata" => {
                if let Some(usage) = usage::read(fields) {
                    sink(Event::Usage(usage));
                }
                sink(Event::End);
            }
            // Whatever comes to be later.
            _ => {}
        }
        Ok(())
    }

    fn open(&mut self, index: u64, tool: &Fields<'_>, sink: &mut Events<'_>) -> Result<(), InvalidEvent> {
        if tool.peek("type").is_some() {
            // Bedrock runs it by itself; its result comes as a block of its own.
            return Ok(());
        }
        let name = text(tool, "name").ok_or_else(|| InvalidEvent("a call without a name".to_owned()))?;
        if self.calls.len() >= MOST_OPEN {
            return Err(InvalidEvent("too many open blocks".to_owned()));
        }
        let call = self.count;
        self.count += 1;
        self.calls.insert(index, (call, false));
        let id = text(tool, "toolUseId").unwrap_or_default();
        sink(Event::CallStart { choice: 0, call, id, name, signature: None, custom: false });
        Ok(())
    }

    fn delta(&mut self, index: u64, delta: &Fields<'_>, fields: &Fields<'_>, sink: &mut Events<'_>) {
        let choice = 0;
        let said = |fields: &Fields<'_>, key: &str| {
            text(fields, key).filter(|text| !text.is_empty()).map(std::borrow::Cow::into_owned)
        };
        if let Some(text) = said(delta, "text") {
            sink(Event::Text { choice, text: text.into() });
        } else if let Some(tool) = object(delta, "toolUse") {
            if let (Some((call, began)), Some(fragment)) = (self.calls.get_mut(&index), said(&tool, "input"))
            {
                *began = true;
                sink(Event::CallArguments { choice, call: *call, fragment: fragment.into() });
            }
        } else if let Some(thought) = object(delta, "reasoningContent") {
            if let Some(text) = said(&thought, "text") {
                sink(Event::Reasoning { choice, text: text.into() });
            }
            if let Some(signature) = said(&thought, "signature") {
                sink(Event::Signature { choice, signature: seal(signature.into()) });
            }
            if let Some(data) = said(&thought, "redactedContent") {
                sink(Event::Redacted { choice, signature: seal(data.into()) });
            }
        } else if delta.peek("citation").is_some() {
            sink(Event::Citations { choice });
        } else if let (Some((kind, _)), Some(raw)) = (delta.all().next(), fields.peek("delta")) {
            let kind = PartKind::Foreign { kind: kind.to_owned().into(), raw };
            sink(Event::Part { choice, part: Part::new(kind) });
        }
    }
}
