//! Reading a provider's stream.

use super::{
    decode_response::{failure, part, read_usage, said, thoughts},
    finish,
};
use crate::{
    canonical::{Event, Events, PartKind},
    codec::{Framing, StreamDecoder},
    error::{InvalidEvent, ProviderError, error_member, unexplained},
    json::{Fields, Json},
    openai::decode::{text, token_list},
    sse::{BOM, Data},
};

/// Most items of one stream; each delta looks for its own among them.
const MOST_ITEMS: usize = 4_096;

/// Reads one stream.
#[derive(Debug, Default)]
pub(super) struct Decoder {
    begun: bool,
    started: bool,
    items: Vec<Open>,
    calls: u32,
    refused: bool,
}

/// An item of which something was heard.
#[derive(Clone, Copy, Debug)]
struct Open {
    index: u64,
    /// Its number among the calls, where it is one.
    call: Option<u32>,
    /// Whether it came in fragments.
    heard: bool,
    /// Whether it was told whole.
    done: bool,
}

impl StreamDecoder for Decoder {
    fn framing(&self) -> Framing {
        Framing::Sse
    }

    fn event(&mut self, event: &[u8], sink: &mut Events<'_>) -> Result<(), InvalidEvent> {
        let first = !std::mem::replace(&mut self.begun, true);
        let event = if first { event.strip_prefix(BOM).unwrap_or(event) } else { event };
        let Some(data) = Data::of(event) else { return Ok(()) };
        let payload = data.payload();
        let payload = payload.trim_ascii();
        // Some copies end as chat does.
        if payload.is_empty() || payload == b"[DONE]" {
            return Ok(());
        }
        match Json::parse(payload)?.object()? {
            Some(mut event) => self.read(&mut event, sink),
            None => Err(InvalidEvent("an event is no object".to_owned())),
        }
    }
}

impl Decoder {
    fn read(&mut self, event: &mut Fields<'_>, sink: &mut Events<'_>) -> Result<(), InvalidEvent> {
        let kind = text(event, "type").unwrap_or_default();
        match kind.strip_prefix("response.").unwrap_or(&kind) {
            "" if event.peek("error").is_none() => Ok(()),
            "error" | "" => {
                sink(Event::Error(error(event)));
                Ok(())
            }
            "created" | "in_progress" | "queued" => self.start(event, sink),
            "completed" | "incomplete" | "failed" => self.end(event, sink),
            "output_item.added" => self.added(event, sink),
            "output_item.done" => self.done(event, sink),
            "output_text.delta" => {
                let logprobs = token_list(event.take("logprobs"))?;
                self.delta(event, sink, |text| Event::Text { choice: 0, text })?;
                if !logprobs.is_empty() {
                    sink(Event::Logprobs { choice: 0, logprobs });
                }
                Ok(())
            }
            "refusal.delta" => {
                self.refused = true;
                self.delta(event, sink, |text| Event::Refusal { choice: 0, text })
            }
            "reasoning_summary_part.added" => {
                // Several summaries are one text, as in the plain answer.
                if event.take("summary_index").and_then(Json::u64).is_some_and(|index| index > 0) {
                    sink(Event::Reasoning { choice: 0, text: "\n\n".into() });
                }
                Ok(())
            }
            "reasoning_summary_text.delta" | "reasoning_text.delta" => {
                self.delta(event, sink, |text| Event::Reasoning { choice: 0, text })
            }
            "output_text.annotation.added" => {
                sink(Event::Citations { choice: 0 });
                Ok(())
            }
            "function_call_arguments.delta" | "custom_tool_call_input.delta" => self.arguments(event, sink),
            _ => Ok(()),
        }
    }

    fn start(&mut self, event: &mut Fields<'_>, sink: &mut Events<'_>) -> Result<(), InvalidEvent> {
        let response = event.take("response").map(Json::object).transpose()?.flatten();
        if let (Some(mut response), false) = (response, self.started) {
            self.started = true;
            sink(Event::Start { id: text(&mut response, "id"), model: text(&mut response, "model") });
        }
        Ok(())
    }

    fn end(&mut self, event: &mut Fields<'_>, sink: &mut Events<'_>) -> Result<(), InvalidEvent> {
        let Some(mut response) = event.take("response").map(Json::object).transpose()?.flatten() else {
            return Err(InvalidEvent("the last event holds no response".to_owned()));
        };
        self.untold(&mut response, sink)?;
        let finish = finish::read(&response, self.calls > 0, self.refused);
        if let Some(used) = read_usage(&mut response) {
            sink(Event::Usage(used));
        }
        match (failure(&mut response), finish) {
            (Some(error), _) => sink(Event::Error(error)),
            (None, None) => sink(Event::Error(unexplained())),
            (None, Some(reason)) => {
                let (stop_sequence, explanation) = (None, None);
                sink(Event::Finish { choice: 0, reason, stop_sequence, explanation });
                sink(Event::End);
            }
        }
        Ok(())
    }

    /// Tells of items that stand only in the last event, as some copies of the dialect send it.
    fn untold(&mut self, response: &mut Fields<'_>, sink: &mut Events<'_>) -> Result<(), InvalidEvent> {
        let output = response.take("output").map(Json::array).transpose()?.flatten();
        for (index, item) in (0..).zip(output.unwrap_or_default()) {
            let told = self.items.iter().any(|open| open.index == index && (open.heard || open.done));
            if !told {
                self.whole(index, item, sink)?;
            }
        }
        Ok(())
    }

    fn open(&mut self, event: &mut Fields<'_>) -> Result<&mut Open, InvalidEvent> {
        self.open_at(event.take("output_index").and_then(Json::u64).unwrap_or(0))
    }

    fn open_at(&mut self, index: u64) -> Result<&mut Open, InvalidEvent> {
        let at = match self.items.iter().rposition(|item| item.index == index) {
            Some(at) => at,
            None if self.items.len() == MOST_ITEMS => {
                return Err(InvalidEvent("there are too many items".to_owned()));
            }
            None => {
                self.items.push(Open { index, call: None, heard: false, done: false });
                self.items.len() - 1
            }
        };
        Ok(&mut self.items[at])
    }

    fn delta<'a>(
        &mut self,
        event: &mut Fields<'a>,
        sink: &mut Events<'_>,
        make: impl FnOnce(crate::canonical::Text<'a>) -> Event<'a>,
    ) -> Result<(), InvalidEvent> {
        if let Some(delta) = text(event, "delta").filter(|delta| !delta.is_empty()) {
            self.open(event)?.heard = true;
            sink(make(delta));
        }
        Ok(())
    }

    fn arguments(&mut self, event: &mut Fields<'_>, sink: &mut Events<'_>) -> Result<(), InvalidEvent> {
        let Some(fragment) = text(event, "delta").filter(|delta| !delta.is_empty()) else { return Ok(()) };
        let open = self.open(event)?;
        open.heard = true;
        match open.call {
            Some(call) => sink(Event::CallArguments { choice: 0, call, fragment }),
            None => return Err(InvalidEvent("arguments come before their call".to_owned())),
        }
        Ok(())
    }

    fn added(&mut self, event: &mut Fields<'_>, sink: &mut Events<'_>) -> Result<(), InvalidEvent> {
        let Some(item) = event.take("item") else { return Ok(()) };
        let index = event.take("output_index").and_then(Json::u64).unwrap_or(0);
        self.begin(index, item, sink)
    }

    /// Begins the call that an item is, once.
    fn begin(&mut self, index: u64, item: Json<'_>, sink: &mut Events<'_>) -> Result<(), InvalidEvent> {
        let next = self.calls;
        let Some(crate::canonical::Part { kind: PartKind::ToolCall(call), .. }) = part(item)? else {
            return Ok(());
        };
        let open = self.open_at(index)?;
        if open.call.is_none() {
            open.call = Some(next);
            self.calls += 1;
            let crate::canonical::ToolCall { id, name, custom, .. } = call;
            sink(Event::CallStart { choice: 0, call: next, id, name, signature: None, custom });
        }
        Ok(())
    }

    /// An item is whole: what did not come in fragments is told now.
    fn done(&mut self, event: &mut Fields<'_>, sink: &mut Events<'_>) -> Result<(), InvalidEvent> {
        let Some(json) = event.take("item") else { return Ok(()) };
        let index = event.take("output_index").and_then(Json::u64).unwrap_or(0);
        self.whole(index, json, sink)
    }

    fn whole(&mut self, index: u64, json: Json<'_>, sink: &mut Events<'_>) -> Result<(), InvalidEvent> {
        let Some(mut item) = json.object()? else { return Ok(()) };
        let choice = 0;
        let kind = text(&mut item, "type").unwrap_or_default();
        if matches!(&*kind, "function_call" | "custom_tool_call") {
            self.begin(index, json, sink)?;
        }
        let known = self.open_at(index)?;
        if std::mem::replace(&mut known.done, true) {
            return Ok(());
        }
        let open = *known;
        match &*kind {
            "message" if !open.heard => self.whole_message(&mut item, sink)?,
            "message" => {}
            "reasoning" => {
                let (text, signature) = thoughts(&mut item)?;
                if !open.heard && !text.is_empty() {
                    sink(Event::Reasoning { choice, text });
                }
                if let Some(signature) = signature {
                    sink(Event::Signature { choice, signature });
                }
            }
            _ => match (part(json)?, open.call) {
                (Some(crate::canonical::Part { kind: PartKind::ToolCall(whole), .. }), Some(call)) => {
                    if !open.heard && !whole.arguments.is_empty() {
                        sink(Event::CallArguments { choice, call, fragment: whole.arguments });
                    }
                    sink(Event::CallEnd { choice, call });
                }
                (Some(part), _) => sink(Event::Part { choice, part }),
                (None, _) => {}
            },
        }
        Ok(())
    }

    fn whole_message(&mut self, item: &mut Fields<'_>, sink: &mut Events<'_>) -> Result<(), InvalidEvent> {
        for json in item.take("content").map(Json::array).transpose()?.flatten().unwrap_or_default() {
            let Some(mut part) = json.object()? else { continue };
            let kind = text(&mut part, "type");
            if part.peek("annotations").is_some_and(|notes| !matches!(notes.raw(), "[]" | "null")) {
                sink(Event::Citations { choice: 0 });
            }
            match said(kind.as_deref(), &mut part) {
                Some(PartKind::Refusal(text)) => {
                    self.refused = true;
                    sink(Event::Refusal { choice: 0, text });
                }
                Some(PartKind::Text(text)) => sink(Event::Text { choice: 0, text }),
                _ => {}
            }
        }
        Ok(())
    }
}

/// An error event: flat, or nested as some copies have it.
fn error(event: &mut Fields<'_>) -> ProviderError {
    let nested = event.take("error").map(|error| serde_json::from_str(error.raw()).unwrap_or_default());
    let nested = nested.as_ref().and_then(error_member);
    nested.unwrap_or_else(|| {
        let mut field = |key| text(event, key).map(|text| text.into_owned());
        let mut message = field("message").unwrap_or_else(|| "the provider sent an error".to_owned());
        message.truncate(message.floor_char_boundary(crate::error::MAX_MESSAGE));
        ProviderError { message, kind: None, code: field("code"), param: field("param") }
    })
}
