//! Reading a provider's stream.

use std::borrow::Cow;

use super::{
    decode_response::{
        arguments, content_parts, google_signature, groq_usage, inner_error, logprobs, own_error, picture,
        read_usage, spoken,
    },
    details::Fragments,
};
use crate::{
    canonical::{Event, Events, Finish, PartKind},
    codec::{Framing, StreamDecoder},
    error::{InvalidEvent, stray_error},
    json::{Fields, Json},
    openai::{
        decode::{text, tier},
        finish,
    },
    sse::{BOM, Data},
};

/// Most calls of one stream; each fragment looks for its own among them.
const MOST_CALLS: usize = 1_024;
/// Most answers of one stream (the documented maximum of `n`).
const MOST_CHOICES: usize = 128;

/// Reads one stream.
#[derive(Debug, Default)]
pub(super) struct Decoder {
    begun: bool,
    started: bool,
    tier: domain::ServiceTier,
    calls: Vec<Open>,
    choices: Vec<Answer>,
}

/// A call that has begun.
#[derive(Debug)]
struct Open {
    choice: u32,
    /// The provider's number for it, where it gives one.
    index: Option<u64>,
    id: String,
    /// The canonical number.
    call: u32,
}

/// One answer.
#[derive(Debug, Default)]
struct Answer {
    index: u32,
    calls: u32,
    refused: bool,
    finished: bool,
    details: Fragments,
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
        if payload.is_empty() {
            return Ok(());
        }
        if payload == b"[DONE]" {
            self.seal_all(sink);
            self.finish_all(sink);
            sink(Event::End);
            return Ok(());
        }
        let chunk = Json::parse(payload).and_then(Json::object);
        if !matches!(&chunk, Ok(Some(chunk)) if chunk.peek("choices").is_some())
            && let Some(error) = stray_error(event, payload)
        {
            sink(Event::Error(error));
            return Ok(());
        }
        match chunk? {
            Some(mut chunk) => self.chunk(&mut chunk, sink),
            None => Err(InvalidEvent("a chunk is no object".to_owned())),
        }
    }
}

/// Where an answer is kept, and its number.
#[derive(Clone, Copy)]
struct ChoiceSlot {
    at: usize,
    choice: u32,
}

impl Decoder {
    fn chunk(&mut self, chunk: &mut Fields<'_>, sink: &mut Events<'_>) -> Result<(), InvalidEvent> {
        if let Some(error) = inner_error(chunk) {
            sink(Event::Error(error));
            return Ok(());
        }
        let choices = chunk.take("choices").map(Json::array).transpose()?.flatten().unwrap_or_default();
        let model = text(chunk, "model").filter(|model| !model.is_empty());
        // Azure's first chunk holds verdicts on the prompt and no model yet.
        if !self.started && (model.is_some() || !choices.is_empty()) {
            self.started = true;
            sink(Event::Start { id: text(chunk, "id").filter(|id| !id.is_empty()), model });
        }
        let mut used = read_usage(chunk.take("usage")).or_else(|| groq_usage(chunk));
        for choice in choices {
            let Some(mut choice) = choice.object()? else { continue };
            used = used.or(read_usage(choice.take("usage")));
            self.choice(&mut choice, sink)?;
        }
        if let Some(said) = text(chunk, "service_tier") {
            self.tier = tier(Some(&said));
        }
        if let Some(mut used) = used {
            used.service_tier = self.tier;
            sink(Event::Usage(used));
        }
        Ok(())
    }

    fn choice(&mut self, fields: &mut Fields<'_>, sink: &mut Events<'_>) -> Result<(), InvalidEvent> {
        if let Some(error) = own_error(fields) {
            sink(Event::Error(error));
            return Ok(());
        }
        let index = fields.take("index").and_then(Json::u64).unwrap_or(0);
        let choice = u32::try_from(index).map_err(|_| InvalidEvent("an index is too large".to_owned()))?;
        let slot = ChoiceSlot { at: self.answer(choice)?, choice };
        if let Some(mut delta) = fields.take("delta").map(Json::object).transpose()?.flatten() {
            self.delta(slot, &mut delta, sink)?;
        }
        if let Some(list) = fields.take("logprobs") {
            let logprobs = logprobs(list)?;
            if !logprobs.is_empty() {
                sink(Event::Logprobs { choice, logprobs });
            }
        }
        let Some(reason) = text(fields, "finish_reason").filter(|reason| !reason.is_empty()) else {
            return Ok(());
        };
        let answer = &mut self.choices[slot.at];
        seal(answer, sink);
        // Some relays say it twice, the second time with the usage.
        if !std::mem::replace(&mut answer.finished, true) {
            let reason = finish::settled(finish::read(&reason), answer.calls > 0, answer.refused);
            let native = text(fields, "native_finish_reason");
            let explanation = native.filter(|_| reason == Finish::Error);
            sink(Event::Finish { choice, reason, stop_sequence: None, explanation });
        }
        Ok(())
    }

    /// Where an answer is kept.
    fn answer(&mut self, index: u32) -> Result<usize, InvalidEvent> {
        if let Some(at) = self.choices.iter().position(|answer| answer.index == index) {
            return Ok(at);
        }
        if self.choices.len() == MOST_CHOICES {
            return Err(InvalidEvent("there are too many answers".to_owned()));
        }
        self.choices.push(Answer { index, ..Answer::default() });
        Ok(self.choices.len() - 1)
    }

    fn delta(
        &mut self,
        slot: ChoiceSlot,
        delta: &mut Fields<'_>,
        sink: &mut Events<'_>,
    ) -> Result<(), InvalidEvent> {
        let ChoiceSlot { at, choice } = slot;
        self.thoughts(slot, delta, sink);
        if let Some(content) = delta.take("content") {
            let answer = &mut self.choices[at];
            content_parts(content, &mut |part| match part.kind {
                PartKind::Reasoning { text, .. } => sink(Event::Reasoning { choice, text }),
                kind => {
                    seal(answer, sink);
                    match kind {
                        PartKind::Text(text) => sink(Event::Text { choice, text }),
                        PartKind::Refusal(text) => sink(Event::Refusal { choice, text }),
                        kind => sink(Event::Part { choice, part: crate::canonical::Part::new(kind) }),
                    }
                }
            })?;
        }
        if let Some(words) = text(delta, "refusal").filter(|words| !words.is_empty()) {
            self.choices[at].refused = true;
            sink(Event::Refusal { choice, text: words });
        }
        if let Some(audio) = delta.take("audio").filter(|audio| !audio.is_null()) {
            spoken(audio, &mut |part| match part.kind {
                PartKind::Text(text) => sink(Event::Text { choice, text }),
                _ => sink(Event::Part { choice, part }),
            })?;
        }
        let notes = delta.take("annotations").map(Json::array).transpose()?.flatten();
        if notes.is_some_and(|notes| !notes.is_empty()) {
            sink(Event::Citations { choice });
        }
        for image in delta.take("images").map(Json::array).transpose()?.flatten().unwrap_or_default() {
            picture(image).into_iter().for_each(|part| sink(Event::Part { choice, part }));
        }
        for call in delta.take("tool_calls").map(Json::array).transpose()?.flatten().unwrap_or_default() {
            if let Some(mut call) = call.object()? {
                seal(&mut self.choices[at], sink);
                self.call(slot, &mut call, sink)?;
            }
        }
        // The form before there were several calls; it is its own only fragment list.
        if let Some(function) = delta.take("function_call").map(Json::object).transpose()?.flatten() {
            let open = self.open(slot, Some(0), "")?;
            Fragment { fields: function, signature: None, custom: false }.tell(choice, open, sink);
        }
        Ok(())
    }

    fn thoughts(&mut self, slot: ChoiceSlot, delta: &mut Fields<'_>, sink: &mut Events<'_>) {
        let details =
            delta.take("reasoning_details").and_then(|json| self.choices[slot.at].details.push(json));
        let plain = text(delta, "reasoning_content").or(text(delta, "reasoning"));
        // Vendors that write both write the same into both.
        let thought = plain.filter(|text| !text.is_empty()).or(details.map(Cow::Owned));
        if let Some(text) = thought {
            sink(Event::Reasoning { choice: slot.choice, text });
        }
    }

    fn call(
        &mut self,
        slot: ChoiceSlot,
        call: &mut Fields<'_>,
        sink: &mut Events<'_>,
    ) -> Result<(), InvalidEvent> {
        let index = call.take("index").and_then(Json::u64);
        let id = text(call, "id").unwrap_or_default();
        let signature = google_signature(call);
        let free_form = call.take("custom");
        let custom = free_form.is_some();
        let function = call.take("function").or(free_form);
        let Some(function) = function.map(Json::object).transpose()?.flatten() else { return Ok(()) };
        let open = self.open(slot, index, &id)?;
        let fragment = Fragment { fields: function, signature, custom };
        fragment.tell(slot.choice, open, sink);
        Ok(())
    }

    /// Finds a fragment's call, or begins one: by its number, where another id there means another call (some copies
    /// number every call 0), else by its id, else it is the last one.
    fn open(&mut self, slot: ChoiceSlot, index: Option<u64>, id: &str) -> Result<Opened, InvalidEvent> {
        let ChoiceSlot { at, choice } = slot;
        let same = |open: &&Open| {
            open.choice == choice
                && match index {
                    Some(_) => open.index == index && (id.is_empty() || open.id.is_empty() || open.id == id),
                    None => id.is_empty() || open.id == id,
                }
        };
        if let Some(open) = self.calls.iter().rev().find(same) {
            return Ok(Opened::Before(open.call));
        }
        if self.calls.len() == MOST_CALLS {
            return Err(InvalidEvent("there are too many calls".to_owned()));
        }
        let answer = &mut self.choices[at];
        let call = answer.calls;
        answer.calls += 1;
        self.calls.push(Open { choice, index, id: id.to_owned(), call });
        Ok(Opened::Now(call, id.to_owned()))
    }

    /// Ends the answers of which the provider does not say why they ended.
    fn finish_all(&mut self, sink: &mut Events<'_>) {
        for answer in self.choices.iter_mut().filter(|answer| !answer.finished) {
            answer.finished = true;
            let reason = finish::settled(Finish::End, answer.calls > 0, answer.refused);
            let (stop_sequence, explanation) = (None, None);
            sink(Event::Finish { choice: answer.index, reason, stop_sequence, explanation });
        }
    }

    fn seal_all(&mut self, sink: &mut Events<'_>) {
        self.choices.iter_mut().for_each(|answer| seal(answer, sink));
    }
}

/// Whether a call began with this fragment.
enum Opened {
    Before(u32),
    Now(u32, String),
}

/// A piece of a call.
struct Fragment<'a> {
    fields: Fields<'a>,
    signature: Option<crate::canonical::Signature<'a>>,
    /// Whether the tool is free-form.
    custom: bool,
}

impl Fragment<'_> {
    fn tell(self, choice: u32, open: Opened, sink: &mut Events<'_>) {
        let Self { fields: mut function, signature, custom } = self;
        let call = match open {
            Opened::Before(call) => call,
            Opened::Now(call, id) => {
                let name = text(&mut function, "name").unwrap_or_default();
                sink(Event::CallStart { choice, call, id: id.into(), name, signature, custom });
                call
            }
        };
        let fragment = arguments(function.take("arguments").or(function.take("input")));
        if !fragment.is_empty() {
            sink(Event::CallArguments { choice, call, fragment });
        }
    }
}

/// Hands on what seals the thoughts so far.
fn seal(answer: &mut Answer, sink: &mut Events<'_>) {
    if let Some(signature) = answer.details.seal() {
        sink(Event::Signature { choice: answer.index, signature });
    }
}
