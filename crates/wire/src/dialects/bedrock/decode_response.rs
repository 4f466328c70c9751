//! Reading a provider's plain answer.

use super::usage;
use crate::{
    canonical::{Choice, Family, Finish, Part, PartKind, Reply, Signature, Text, ToolCall},
    error::DecodeError,
    json::{Fields, Json},
};

/// Reads an answer.
pub(super) fn decode(body: Json<'_>) -> Result<Reply<'_>, DecodeError> {
    let missing = |what: &str| DecodeError::Malformed(format!("the answer has no `{what}`"));
    let fields =
        body.object()?.ok_or_else(|| DecodeError::Malformed("the answer is no object".to_owned()))?;
    let message = object(&fields, "output").and_then(|output| object(&output, "message"));
    let message = message.ok_or_else(|| missing("output.message"))?;
    let content = message.peek("content").map(Json::array).transpose()?.flatten();
    let content = content.ok_or_else(|| missing("output.message.content"))?;
    let citations = content.iter().find_map(|block| citations(*block));
    let parts = content.into_iter().map(block).collect::<Result<Vec<_>, _>>()?;
    let usage = usage::read(&fields);
    let calls = parts.iter().any(|part| matches!(part.kind, PartKind::ToolCall(_)));
    let reason = finish(text(&fields, "stopReason").as_deref());
    let choice = Choice {
        parts,
        finish: reason.with_calls(calls && reason == Finish::End),
        stop_sequence: stop_sequence(&fields),
        explanation: None,
        logprobs: Vec::new(),
        citations,
    };
    Ok(Reply {
        id: None,
        model: invoked_model(&fields),
        created: None,
        choices: vec![choice],
        service_tier: usage.map(|usage| usage.service_tier.as_str().into()),
        usage,
    })
}

/// The model that a router chose; other answers name none.
pub(super) fn invoked_model<'a>(fields: &Fields<'a>) -> Option<Text<'a>> {
    let router = object(fields, "trace").and_then(|trace| object(&trace, "promptRouter"))?;
    text(&router, "invokedModelId")
}

/// Which stop sequence it was, where Claude was asked.
pub(super) fn stop_sequence<'a>(fields: &Fields<'a>) -> Option<Text<'a>> {
    text(&object(fields, "additionalModelResponseFields")?, "stop_sequence")
}

/// See docs/spec/responses.md#finish-reasons; an unknown reason reads as the end.
pub(super) fn finish(reason: Option<&str>) -> Finish {
    match reason {
        Some("stop_sequence") => Finish::StopSequence,
        Some("max_tokens") => Finish::Length,
        Some("model_context_window_exceeded") => Finish::ContextFull,
        Some("tool_use") => Finish::ToolCalls,
        Some("content_filtered" | "guardrail_intervened") => Finish::ContentFilter,
        Some("malformed_tool_use" | "malformed_model_output") => Finish::Malformed,
        _ => Finish::End,
    }
}

fn block(json: Json<'_>) -> Result<Part<'_>, DecodeError> {
    let wrong = |what: &str| DecodeError::Malformed(format!("a content block {what}"));
    let fields = json.object()?.ok_or_else(|| wrong("is no object"))?;
    let (kind, inner) = fields.rest().next().ok_or_else(|| wrong("is empty"))?;
    let members = inner.object()?;
    let foreign = PartKind::Foreign { kind: kind.clone(), raw: json };
    Ok(Part::new(match (&*kind, members) {
        ("text", _) => PartKind::Text(inner.text().ok_or_else(|| wrong("has a `text` that is none"))?),
        ("toolUse", Some(tool)) if tool.peek("type").is_none() => PartKind::ToolCall(ToolCall {
            id: text(&tool, "toolUseId").unwrap_or_default(),
            name: text(&tool, "name").ok_or_else(|| wrong("calls a tool without a name"))?,
            arguments: tool.peek("input").unwrap_or(Json::EMPTY_OBJECT).raw().into(),
            signature: None,
            custom: false,
        }),
        ("reasoningContent", Some(thought)) => match object(&thought, "reasoningText") {
            Some(inner) => PartKind::Reasoning {
                text: text(&inner, "text").unwrap_or_default(),
                signature: text(&inner, "signature").filter(|text| !text.is_empty()).map(seal),
            },
            None => match text(&thought, "redactedContent") {
                Some(data) => PartKind::RedactedReasoning(seal(data)),
                None => foreign,
            },
        },
        ("citationsContent", Some(cited)) => PartKind::Text(cited_text(&cited)),
        _ => foreign,
    }))
}

/// The sources of a block, where it cites some.
fn citations(block: Json<'_>) -> Option<Json<'_>> {
    let cited = object(&block.object().ok().flatten()?, "citationsContent")?;
    cited.peek("citations").filter(|citations| !matches!(citations.raw(), "null" | "[]"))
}

/// The text that citations stand at.
fn cited_text(cited: &Fields<'_>) -> Text<'static> {
    let pieces = cited.peek("content").and_then(|content| content.array().ok().flatten());
    let text = |piece: Json<'_>| piece.object().ok()??.peek("text")?.text().map(Text::into_owned);
    pieces.unwrap_or_default().into_iter().filter_map(text).collect::<String>().into()
}

/// A seal of Claude's; other models on Bedrock make none.
pub(super) const fn seal(text: Text<'_>) -> Signature<'_> {
    Signature { family: Family::Anthropic, text, item: None }
}

/// An object member; anything else is as good as none.
pub(super) fn object<'a>(fields: &Fields<'a>, key: &str) -> Option<Fields<'a>> {
    fields.peek(key)?.object().ok()?
}

/// A string member; anything else is as good as none.
pub(super) fn text<'a>(fields: &Fields<'a>, key: &str) -> Option<Text<'a>> {
    fields.peek(key).and_then(Json::text)
}
