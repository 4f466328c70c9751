//! What only a full reading of a call tells: read where a route's rules ask for it, the same in every dialect.

mod code;
mod line;
mod prefix;

use bytes::Bytes;

use crate::{
    api::Api,
    canonical::{Call, Effort, OutputFormat, Part, PartKind, SignatureMac},
    json::Json,
    registry::codec,
    scan::PathParamsRef,
};

/// What a call asks for, in no dialect's words.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Shape {
    /// Tools on offer, built-in ones included.
    pub tools: u32,
    /// Whether the answer has to be JSON, with or without a schema.
    pub json: bool,
    /// The JSON Schema of the answer, as it was written.
    pub schema: Option<String>,
    /// How hard the model is to think, by OpenAI's names from `none` to `max`, where the client says so.
    ///
    /// A budget in tokens is the nearest effort that is not above it (docs/spec/reasoning.md#effort-and-budget).
    /// Thinking that is switched on without either is `medium`, which OpenAI documents as what a model does that is
    /// told nothing.
    pub reasoning_effort: Option<&'static str>,
    /// How much of what the user wrote is program code, from 0 to 1.
    ///
    /// Counted are bytes of non-blank lines, without the white space around them. Each user turn counts half as much
    /// as the next one, so that the last counts most, while a short question about a long file above it is still one
    /// about code. Looked at are the last eight user turns, each up to 64 KiB and together up to 128 KiB. What is
    /// code is told line by line, by signs that cost little: see the source of this module's `line`.
    pub code_share: f64,
    /// Whether log-probabilities of the answer's tokens are wanted.
    pub logprobs: bool,
    /// A hash of the system turns, the tools and the first user turn: calls with the same one share a prompt that a
    /// provider may have cached. The same in every process and version of the gateway. 0: the call was not read.
    pub prefix: u64,
    /// Bytes of text in the conversation: what the operator, the user, the model and tools said.
    pub text_bytes: u64,
}

/// Reads the shape of a client's call.
///
/// A call of another API than those a model answers has none, nor has a body that cannot be read: a provider of the
/// same dialect may understand it all the same, and routing must not refuse it.
#[must_use]
pub fn shape(api: Api, path: PathParamsRef<'_>, body: &Bytes) -> Shape {
    if !api.generates() {
        return Shape::default();
    }
    let codec = codec(api.dialect());
    let body = codec.prepare(body);
    let call = Json::parse(&body).ok().and_then(|body| codec.decode_request(path, body, &Unsealed).ok());
    call.map(|call| Shape::of(&call)).unwrap_or_default()
}

impl Shape {
    /// The shape of a call that was read already.
    #[must_use]
    pub fn of(call: &Call<'_>) -> Self {
        let schema = match &call.format {
            OutputFormat::Schema(schema) => Some(schema.schema.raw().to_owned()),
            OutputFormat::Text | OutputFormat::Json => None,
        };
        let asked = call.reasoning.asked_effort();
        let effort = asked.or_else(|| call.reasoning.wanted().then_some(Effort::Medium));
        let texts = call.turns.iter().flat_map(|turn| &turn.parts).map(text_bytes);
        Self {
            tools: u32::try_from(call.tools.len()).unwrap_or(u32::MAX),
            json: call.format != OutputFormat::Text,
            schema,
            reasoning_effort: effort.map(Effort::name),
            code_share: code::share(call),
            logprobs: call.sampling.logprobs,
            prefix: prefix::hash(call),
            text_bytes: texts.fold(0, u64::saturating_add),
        }
    }
}

fn text_bytes(part: &Part<'_>) -> u64 {
    match &part.kind {
        PartKind::Text(text) | PartKind::Refusal(text) => text.len() as u64,
        PartKind::Document(document) => document.text.as_ref().map_or(0, |text| text.len() as u64),
        PartKind::ToolResult(result) => {
            let structured = result.structured.map_or(0, |json| json.raw().len() as u64);
            result.content.iter().map(text_bytes).fold(structured, u64::saturating_add)
        }
        _ => 0,
    }
}

/// Vouches for nothing: a shape holds nothing of what is carried inside ids.
struct Unsealed;

impl SignatureMac for Unsealed {
    fn tag(&self, _: &[u8]) -> [u8; 16] {
        [0; 16]
    }
}

#[cfg(test)]
mod tests;
