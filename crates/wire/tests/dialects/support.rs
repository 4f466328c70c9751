//! What tests of every dialect need: a seal, an envelope, and one form for plain and streamed answers.

pub mod calls;

use std::sync::Arc;

use bytes::Bytes;
use domain::Usage;
use wire::{
    Dialect, OutputChunk, Quirks, StreamPipe, StreamSummary,
    canonical::{Event, Finish, PartKind, Reply, Signature, SignatureMac, Support, TargetFacts},
    codec,
    codec::Envelope,
    json::Json,
    scan::PathParamsRef,
    tap::Translation,
};

pub struct Sum;

impl SignatureMac for Sum {
    fn tag(&self, bytes: &[u8]) -> [u8; 16] {
        let sum = bytes.iter().fold(7_u128, |sum, byte| sum.wrapping_mul(257).wrapping_add((*byte).into()));
        sum.to_be_bytes()
    }
}

pub fn envelope() -> Envelope {
    Envelope {
        request: "0192aa".to_owned(),
        model: "route".to_owned(),
        created: 1_770_000_000,
        stream_usage: true,
        input_estimate: 17,
        echo: Bytes::new(),
        seal: Arc::new(Sum),
    }
}

pub fn target(model: &str) -> TargetFacts<'_> {
    TargetFacts {
        model,
        max_output: None,
        sampling: Support::Unknown,
        reasoning: Support::Unknown,
        quirks: &Quirks::NONE,
    }
}

pub fn fixture(dialect: &str, name: &str) -> Bytes {
    let path: std::path::PathBuf = [env!("CARGO_MANIFEST_DIR"), "fixtures", dialect, name].iter().collect();
    std::fs::read(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display())).into()
}

/// A client's body in a target's words, as JSON, with what was dropped.
pub fn translated(
    (client, path, body): (Dialect, PathParamsRef<'_>, &str),
    server: Dialect,
    target: &TargetFacts<'_>,
    leniency: impl calls::Leniency,
) -> Result<(serde_json::Value, Vec<String>), String> {
    let body = codec(client).prepare(&Bytes::copy_from_slice(body.as_bytes()));
    let json = Json::parse(&body).unwrap();
    let call = codec(client).decode_request(path, json, &Sum).map_err(|error| error.to_string())?;
    calls::written(&call, client, (server, target), leniency)
}

/// An answer, plain or streamed.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Answer {
    pub id: Option<String>,
    pub model: Option<String>,
    pub parts: Vec<String>,
    pub finish: Option<Finish>,
    pub stop_sequence: Option<String>,
    pub explanation: Option<String>,
    pub usage: Option<Usage>,
    pub errors: Vec<String>,
    pub ended: bool,
}

fn seal(signature: &Signature<'_>) -> String {
    format!("{:?} {}", signature.family, signature.text)
}

impl Answer {
    pub fn of(reply: &Reply<'_>) -> Self {
        let choice = &reply.choices[0];
        let mut answer = Self {
            id: reply.id.as_deref().map(str::to_owned),
            model: reply.model.as_deref().map(str::to_owned),
            finish: Some(choice.finish),
            stop_sequence: choice.stop_sequence.as_deref().map(str::to_owned),
            explanation: choice.explanation.as_deref().map(str::to_owned),
            usage: reply.usage,
            ended: true,
            ..Self::default()
        };
        for part in &choice.parts {
            match &part.kind {
                PartKind::Text(text) => answer.grow("text ", text),
                PartKind::Refusal(text) => answer.grow("refusal ", text),
                PartKind::Reasoning { text, signature } => {
                    answer.grow("thought ", text);
                    if let Some(signature) = signature {
                        answer.parts.push(format!("seal {}", seal(signature)));
                    }
                }
                PartKind::RedactedReasoning(signature) => {
                    answer.parts.push(format!("redacted {}", seal(signature)));
                }
                PartKind::ToolCall(call) => {
                    answer.parts.push(format!("call {} {} ", call.id, call.name));
                    answer.argue(&call.arguments);
                }
                PartKind::Foreign { kind, .. } => answer.parts.push(format!("foreign {kind}")),
                other => panic!("{other:?}"),
            }
        }
        answer
    }

    pub fn take(&mut self, event: &Event<'_>) {
        match event {
            Event::Start { id, model } => {
                self.id = id.as_deref().map(str::to_owned);
                self.model = model.as_deref().map(str::to_owned);
            }
            Event::Text { text, .. } => self.grow("text ", text),
            Event::Refusal { text, .. } => self.grow("refusal ", text),
            Event::Reasoning { text, .. } => self.grow("thought ", text),
            Event::Signature { signature, .. } => self.parts.push(format!("seal {}", seal(signature))),
            Event::Redacted { signature, .. } => self.parts.push(format!("redacted {}", seal(signature))),
            Event::CallStart { id, name, .. } => self.parts.push(format!("call {id} {name} ")),
            Event::CallArguments { fragment, .. } => self.argue(fragment),
            Event::Part { part, .. } => match &part.kind {
                PartKind::Foreign { kind, .. } => self.parts.push(format!("foreign {kind}")),
                other => panic!("{other:?}"),
            },
            Event::Usage(usage) => self.usage = Some(*usage),
            Event::Finish { reason, stop_sequence, explanation, .. } => {
                self.finish = Some(*reason);
                self.stop_sequence = stop_sequence.as_deref().map(str::to_owned);
                self.explanation = explanation.as_deref().map(str::to_owned);
            }
            Event::Error(error) => self.errors.push(error.message.clone()),
            Event::End => self.ended = true,
            Event::CallEnd { .. } | Event::Logprobs { .. } | Event::Citations { .. } => {}
        }
    }

    fn grow(&mut self, kind: &str, text: &str) {
        match self.parts.last_mut() {
            Some(last) if last.starts_with(kind) => last.push_str(text),
            _ if text.is_empty() => {}
            _ => self.parts.push(format!("{kind}{text}")),
        }
    }

    fn argue(&mut self, fragment: &str) {
        self.parts.last_mut().unwrap().push_str(fragment);
    }
}

/// Reads a stream of whole frames.
pub fn read<'a>(name: Dialect, frames: impl IntoIterator<Item = &'a [u8]>) -> Answer {
    let (mut decoder, mut answer) = (codec(name).stream_decoder(), Answer::default());
    for frame in frames {
        decoder.event(frame, &mut |event| answer.take(&event)).unwrap();
    }
    answer.ended |= decoder.is_complete();
    answer
}

/// The events of an SSE stream with LF line ends.
pub fn events(stream: &[u8]) -> Vec<&[u8]> {
    let mut events = Vec::new();
    let mut rest = stream;
    while let Some(at) = rest.windows(2).position(|pair| pair == b"\n\n") {
        events.push(&rest[..at + 2]);
        rest = &rest[at + 2..];
    }
    assert!(rest.is_empty());
    events
}

/// The frames of a binary stream.
pub fn frames(mut stream: &[u8]) -> Vec<&[u8]> {
    let mut frames = Vec::new();
    while let Some(len) = stream.first_chunk::<4>() {
        let (frame, rest) = stream.split_at(u32::from_be_bytes(*len) as usize);
        frames.push(frame);
        stream = rest;
    }
    frames
}

/// What a client gets of a provider's stream that arrives in these pieces.
pub fn retell<'a>(
    server: Dialect,
    client: Dialect,
    chunks: impl IntoIterator<Item = &'a [u8]>,
) -> (Vec<u8>, StreamSummary) {
    let (decoder, encoder) = (codec(server).stream_decoder(), codec(client).stream_encoder(envelope()));
    let (mut tap, mut pieces) = (StreamPipe::Translation(Translation::new(decoder, encoder)), Vec::new());
    for chunk in chunks {
        tap.feed(Bytes::copy_from_slice(chunk), &mut pieces).unwrap();
    }
    tap.finish(&mut pieces);
    let mut out = Vec::new();
    for piece in &pieces {
        match piece {
            OutputChunk::Relay(bytes) | OutputChunk::Done(bytes) => out.extend_from_slice(bytes),
        }
    }
    (out, tap.seen().clone())
}
