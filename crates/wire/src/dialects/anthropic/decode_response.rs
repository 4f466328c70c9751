//! Reading a provider's plain answer.

use super::{error, usage::Reported};
use crate::{
    canonical::{Choice, Family, Finish, Part, PartKind, Reply, Signature, Text, ToolCall},
    error::DecodeError,
    json::{Fields, Json},
};

/// Reads an answer.
pub(super) fn decode(body: Json<'_>) -> Result<Reply<'_>, DecodeError> {
    let fields =
        body.object()?.ok_or_else(|| DecodeError::Malformed("the answer is no object".to_owned()))?;
    if let Some((class, error)) = fields.peek("error").and_then(|_| error::in_success(body)) {
        return Err(DecodeError::Error(class, error));
    }
    let content = fields.peek("content").map(Json::array).transpose()?.flatten();
    let content = content.ok_or_else(|| DecodeError::Malformed("the answer has no `content`".to_owned()))?;
    let citations = content.iter().find_map(|block| citations(*block));
    let parts = content.into_iter().map(block).collect::<Result<Vec<_>, _>>()?;
    let mut usage = Reported::default();
    if let Some(said) = fields.peek("usage") {
        usage.read(said);
    }
    let usage = usage.usage();
    let calls = parts.iter().any(|part| matches!(part.kind, PartKind::ToolCall(_)));
    let stop = Stop::read(&fields);
    let choice = Choice {
        parts,
        finish: stop.finish.with_calls(calls && stop.finish == Finish::End),
        stop_sequence: stop.sequence,
        explanation: stop.explanation,
        logprobs: Vec::new(),
        citations,
    };
    Ok(Reply {
        id: text(&fields, "id"),
        model: text(&fields, "model"),
        created: None,
        choices: vec![choice],
        service_tier: usage.map(|usage| usage.service_tier.as_str().into()),
        usage,
    })
}

/// The sources of a block, where it cites some.
fn citations(block: Json<'_>) -> Option<Json<'_>> {
    let citations = block.object().ok().flatten()?.peek("citations")?;
    Some(citations).filter(|citations| !matches!(citations.raw(), "null" | "[]"))
}

/// Why an answer ended, in a message or in a `message_delta`.
pub(super) struct Stop<'a> {
    pub(super) finish: Finish,
    pub(super) sequence: Option<Text<'a>>,
    pub(super) explanation: Option<Text<'a>>,
}

impl<'a> Stop<'a> {
    pub(super) fn read(fields: &Fields<'a>) -> Self {
        let details = fields.peek("stop_details").and_then(|details| details.object().ok().flatten());
        Self {
            finish: finish(text(fields, "stop_reason").as_deref()),
            sequence: text(fields, "stop_sequence"),
            explanation: details.and_then(|details| text(&details, "explanation")),
        }
    }
}

/// See docs/spec/responses.md#finish-reasons; an unknown reason reads as the end.
fn finish(reason: Option<&str>) -> Finish {
    match reason {
        Some("stop_sequence") => Finish::StopSequence,
        Some("max_tokens") => Finish::Length,
        Some("model_context_window_exceeded") => Finish::ContextFull,
        Some("tool_use") => Finish::ToolCalls,
        Some("refusal") => Finish::ContentFilter,
        Some("pause_turn") => Finish::Pause,
        Some("error") => Finish::Error,
        _ => Finish::End,
    }
}

fn block(json: Json<'_>) -> Result<Part<'_>, DecodeError> {
    let wrong = |what: &str| DecodeError::Malformed(format!("a content block {what}"));
    let fields = json.object()?.ok_or_else(|| wrong("is no object"))?;
    let kind = text(&fields, "type").ok_or_else(|| wrong("has no type"))?;
    let need = |key: &str| text(&fields, key).ok_or_else(|| wrong(&format!("has no `{key}`")));
    Ok(Part::new(match &*kind {
        "text" => PartKind::Text(need("text")?),
        "thinking" => PartKind::Reasoning {
            text: need("thinking")?,
            signature: text(&fields, "signature").filter(|text| !text.is_empty()).map(seal),
        },
        "redacted_thinking" => PartKind::RedactedReasoning(seal(need("data")?)),
        "tool_use" => PartKind::ToolCall(ToolCall {
            id: need("id")?,
            name: need("name")?,
            arguments: fields.peek("input").unwrap_or(Json::EMPTY_OBJECT).raw().into(),
            signature: None,
            custom: false,
        }),
        _ => PartKind::Foreign { kind, raw: json },
    }))
}

/// A seal of Anthropic's.
pub(super) const fn seal(text: Text<'_>) -> Signature<'_> {
    Signature { family: Family::Anthropic, text, item: None }
}

/// A string member; anything else is as good as none.
pub(super) fn text<'a>(fields: &Fields<'a>, key: &str) -> Option<Text<'a>> {
    fields.peek(key).and_then(Json::text)
}
