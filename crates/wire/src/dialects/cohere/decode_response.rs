//! Reading a provider's plain answer.

use super::{error, finish, logprobs, usage};
use crate::{
    canonical::{Choice, Finish, Malformed, Part, PartKind, Reply, ToolCall},
    error::{DecodeError, ErrorClass},
    json::Json,
    read::{Members, Place},
};

/// Reads an answer.
pub(super) fn decode(body: Json<'_>) -> Result<Reply<'_>, DecodeError> {
    let malformed = |malformed: Malformed| DecodeError::Malformed(malformed.to_string());
    let mut top = Members::open(body, &Place::ROOT).map_err(malformed)?;
    // An error has its text where an answer has its message.
    if let Some(message) = top.peek("message").and_then(Json::text) {
        return Err(DecodeError::Error(ErrorClass::ServerError, error::inside(Some(&message))));
    }
    let choice = choice(&mut top).map_err(malformed)?;
    Ok(Reply {
        id: top.text("id").map_err(malformed)?,
        choices: vec![choice],
        usage: top.raw("usage").and_then(usage::read),
        ..Reply::default()
    })
}

fn choice<'a>(top: &mut Members<'a, '_>) -> Result<Choice<'a>, Malformed> {
    let place = Place::ROOT.key("message");
    let message = top.object("message")?.ok_or_else(|| top.missing("message"))?;
    let mut message = Members::open(message, &place)?;
    let mut parts = Vec::new();
    let list = place.key("content");
    for (at, json) in message.array("content")?.into_iter().enumerate() {
        parts.push(content(json, &list.index(at))?);
    }
    if let Some(plan) = message.text("tool_plan")?.filter(|plan| !plan.is_empty()) {
        parts.push(Part::text(plan));
    }
    let list = place.key("tool_calls");
    let calls = message.array("tool_calls")?;
    let called = !calls.is_empty();
    for (at, json) in calls.into_iter().enumerate() {
        parts.push(Part::new(PartKind::ToolCall(call(json, &list.index(at))?)));
    }
    let mut tokens = Vec::new();
    let list = Place::ROOT.key("logprobs");
    for (at, json) in top.array("logprobs")?.into_iter().enumerate() {
        logprobs::read(json, &list.index(at), &mut tokens)?;
    }
    let reason = top.text("finish_reason")?;
    Ok(Choice {
        parts,
        finish: reason.map_or(Finish::End, |reason| finish::read(&reason)).with_calls(called),
        stop_sequence: None,
        explanation: None,
        logprobs: tokens,
        citations: message.raw("citations"),
    })
}

fn content<'a>(json: Json<'a>, place: &Place<'_>) -> Result<Part<'a>, Malformed> {
    let mut part = Members::open(json, place)?;
    let kind = part.need_text("type")?;
    Ok(Part::new(match &*kind {
        "text" => PartKind::Text(part.need_text("text")?),
        "thinking" => PartKind::Reasoning { text: part.need_text("thinking")?, signature: None },
        _ => PartKind::Foreign { kind, raw: json },
    }))
}

/// Reads a call, of an answer or of the start of one in a stream.
pub(super) fn call<'a>(json: Json<'a>, place: &Place<'_>) -> Result<ToolCall<'a>, Malformed> {
    let mut call = Members::open(json, place)?;
    let id = call.text("id")?.unwrap_or_default();
    let function = call.object("function")?.ok_or_else(|| call.missing("function"))?;
    let mut function = Members::open(function, place)?;
    let (name, arguments) = (function.need_text("name")?, function.text("arguments")?.unwrap_or_default());
    Ok(ToolCall { id, name, arguments, signature: None, custom: false })
}
