//! Canonical calls, answers and events in few words, and what a dialect writes for them.

use domain::Strictness;
use serde_json::Value;
use wire::{
    Dialect,
    canonical::{
        Call, Choice, Event, Extra, Family, Finish, LossReport, OwnField, Part, PartKind, Reply, Role,
        Signature, TargetFacts, ToolCall, ToolResult, Turn,
    },
    codec,
};

use super::envelope;

/// A call of the tool of this name.
pub fn named_call(id: &'static str, name: &'static str, arguments: &'static str) -> Part<'static> {
    let (id, name, arguments) = (id.into(), name.into(), arguments.into());
    Part::new(PartKind::ToolCall(ToolCall { id, name, arguments, signature: None, custom: false }))
}

/// A call of the tool `f`.
pub fn tool_call(id: &'static str, arguments: &'static str) -> Part<'static> {
    named_call(id, "f", arguments)
}

/// A result of a tool that is not named.
pub fn result(id: &'static str, content: Vec<Part<'static>>) -> Part<'static> {
    result_of("", id, content)
}

/// A result of the tool of this name.
pub fn result_of(name: &'static str, id: &'static str, content: Vec<Part<'static>>) -> Part<'static> {
    let (id, name) = (id.into(), name.into());
    Part::new(PartKind::ToolResult(ToolResult { id, name, content, structured: None, error: false }))
}

pub fn signature(family: Family, text: &'static str) -> Signature<'static> {
    Signature { family, text: text.into(), item: None }
}

pub fn thought(text: &'static str, signature: Option<Signature<'static>>) -> Part<'static> {
    Part::new(PartKind::Reasoning { text: text.into(), signature })
}

pub fn user(text: &'static str) -> Turn<'static> {
    Turn::new(Role::User, vec![Part::text(text)])
}

/// A call of the model `m`.
pub fn call(turns: Vec<Turn<'static>>) -> Call<'static> {
    Call { model: "m".into(), turns, ..Call::default() }
}

/// How strict a translation is: a strictness, or whether it is lenient rather than as strict as by default.
pub trait Leniency {
    fn strictness(self) -> Strictness;
}

impl Leniency for Strictness {
    fn strictness(self) -> Strictness {
        self
    }
}

impl Leniency for bool {
    fn strictness(self) -> Strictness {
        if self { Strictness::Lenient } else { Strictness::Default }
    }
}

/// A call in a target's words, as JSON, with what was dropped.
pub fn written(
    call: &Call<'_>,
    client: Dialect,
    (server, target): (Dialect, &TargetFacts<'_>),
    leniency: impl Leniency,
) -> Result<(Value, Vec<String>), String> {
    let losses = LossReport::new(client, server, leniency.strictness());
    let encoded = codec(server).encode_request(call, target, losses).map_err(|error| error.to_string())?;
    Ok((serde_json::from_slice(&encoded.body).unwrap(), encoded.dropped))
}

/// Fields that have no canonical place by name, and whether each is a documented one of the client's dialect.
pub fn extras<'c>(client: Dialect, extra: &'c [Extra<'_>]) -> Vec<(&'c str, bool)> {
    let documented = |name: &str| OwnField::find(client, name).is_some();
    extra.iter().map(|extra| (&*extra.name, documented(&extra.name))).collect()
}

pub fn reply(parts: Vec<Part<'static>>, finish: Finish) -> Reply<'static> {
    let (logprobs, citations) = (Vec::new(), None);
    let choice = Choice { parts, finish, stop_sequence: None, explanation: None, logprobs, citations };
    Reply { choices: vec![choice], ..Reply::default() }
}

/// An answer as a client gets it.
pub fn answered(client: Dialect, reply: &Reply<'_>) -> Value {
    serde_json::from_slice(&codec(client).encode_response(reply, &envelope())).unwrap()
}

/// A stream as a client gets it, its end included.
pub fn streamed(client: Dialect, said: &[Event<'_>]) -> Vec<u8> {
    let mut encoder = codec(client).stream_encoder(envelope());
    let (mut out, mut terminal) = (Vec::new(), Vec::new());
    said.iter().for_each(|event| encoder.event(event, &mut out));
    encoder.end(&mut out, &mut terminal);
    out.extend(terminal);
    out
}

pub fn finish(reason: Finish) -> Event<'static> {
    Event::Finish { choice: 0, reason, stop_sequence: None, explanation: None }
}
