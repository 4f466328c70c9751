//! Reading the conversation.

use super::{documents::document, keep};
use crate::{
    canonical::{
        Call, Extra, Image, Malformed, Part, PartKind, Role, SignatureMac, Text, ToolCall, ToolResult, Turn,
        data_uri::media,
        embedded::{self, SignedCall},
    },
    json::Json,
    read::{Members, Place},
};

/// Reads the messages; neighbouring results become one turn.
pub(super) fn read<'a>(
    messages: Vec<Json<'a>>,
    seal: &dyn SignatureMac,
    call: &mut Call<'a>,
) -> Result<(), Malformed> {
    let list = Place::ROOT.key("messages");
    for (at, message) in messages.into_iter().enumerate() {
        let place = list.index(at);
        let mut message = Members::open(message, &place)?;
        let role = match &*message.need_text("role")? {
            "system" => Role::System,
            "user" => Role::User,
            "assistant" => Role::Assistant,
            "tool" => Role::Tool,
            _ => return Err(place.key("role").malformed("must be system, user, assistant or tool")),
        };
        let mut kept = Kept { seal, extra: &mut call.extra };
        let parts = match role {
            Role::Tool => vec![result(&mut message, &mut kept)?],
            Role::Assistant => assistant(&mut message, &mut kept)?,
            _ => needed(&mut message, &mut kept)?,
        };
        keep(message, kept.extra);
        match call.turns.last_mut() {
            Some(last) if role == Role::Tool && last.role == Role::Tool => last.parts.extend(parts),
            _ => call.turns.push(Turn::new(role, parts)),
        }
    }
    Ok(())
}

/// What reading a message needs beside it.
struct Kept<'k, 'a> {
    seal: &'k dyn SignatureMac,
    /// Members that the canonical call has no place for.
    extra: &'k mut Vec<Extra<'a>>,
}

fn needed<'a>(message: &mut Members<'a, '_>, kept: &mut Kept<'_, 'a>) -> Result<Vec<Part<'a>>, Malformed> {
    if message.peek("content").is_none() {
        return Err(message.missing("content"));
    }
    content(message, kept)
}

/// A string or an array of parts.
fn content<'a>(message: &mut Members<'a, '_>, kept: &mut Kept<'_, 'a>) -> Result<Vec<Part<'a>>, Malformed> {
    let Some(json) = message.raw("content") else { return Ok(Vec::new()) };
    if let Some(text) = json.text() {
        return Ok(vec![Part::text(text)]);
    }
    let place = message.place.key("content");
    let wrong = || place.malformed("must be a string or an array of parts");
    let parts = json.array().map_err(|error| place.malformed(error.to_string()))?.ok_or_else(wrong)?;
    parts.into_iter().enumerate().map(|(at, part)| read_part(part, &place.index(at), kept)).collect()
}

fn read_part<'a>(json: Json<'a>, place: &Place<'_>, kept: &mut Kept<'_, 'a>) -> Result<Part<'a>, Malformed> {
    let mut members = Members::open(json, place)?;
    let kind = members.need_text("type")?;
    let made = match &*kind {
        "text" => PartKind::Text(members.need_text("text")?),
        "thinking" => PartKind::Reasoning { text: members.need_text("thinking")?, signature: None },
        "image_url" => {
            let url = members.object("image_url")?.ok_or_else(|| members.missing("image_url"))?;
            let place = place.key("image_url");
            let mut url = Members::open(url, &place)?;
            let image = Image { media: media(url.need_text("url")?), detail: url.text("detail")? };
            keep(url, kept.extra);
            PartKind::Image(image)
        }
        "document" => {
            let json = members.raw("document").ok_or_else(|| members.missing("document"))?;
            let read = document(json, true, &place.key("document"), kept.extra)?;
            keep(members, kept.extra);
            return Ok(read);
        }
        _ => return Ok(Part::new(PartKind::Foreign { kind, raw: json })),
    };
    keep(members, kept.extra);
    Ok(Part::new(made))
}

/// Thoughts and text, the plan in front of the calls, the calls.
fn assistant<'a>(message: &mut Members<'a, '_>, kept: &mut Kept<'_, 'a>) -> Result<Vec<Part<'a>>, Malformed> {
    let mut parts = content(message, kept)?;
    // Notes on what the model said already; they tell it nothing when they come back.
    message.raw("citations");
    if let Some(plan) = message.text("tool_plan")?.filter(|plan| !plan.is_empty()) {
        parts.push(Part::text(plan));
    }
    let list = message.place.key("tool_calls");
    let mut calls = Vec::new();
    for (at, json) in message.array("tool_calls")?.into_iter().enumerate() {
        calls.push(call(json, &list.index(at), kept)?);
    }
    if parts.is_empty()
        && calls.is_empty()
        && message.peek("content").is_none()
        && message.peek("tool_calls").is_none()
    {
        return Err(message.missing("content"));
    }
    if calls.iter().any(|(_, seals)| !seals.is_empty()) {
        let thoughts = thoughts(&mut parts);
        return Ok(embedded::in_order(parts, thoughts, calls));
    }
    parts.extend(calls.into_iter().map(|(call, _)| Part::new(PartKind::ToolCall(call))));
    Ok(parts)
}

/// Takes the thoughts out: their seals, which came in the calls' ids, say where they belong.
fn thoughts<'a>(parts: &mut Vec<Part<'a>>) -> Option<Text<'a>> {
    let mut thoughts: Vec<Text<'a>> = Vec::new();
    parts.retain(|part| match &part.kind {
        PartKind::Reasoning { text, .. } => {
            thoughts.push(text.clone());
            false
        }
        _ => true,
    });
    match thoughts.len() {
        0 | 1 => thoughts.pop(),
        _ => Some(thoughts.concat().into()),
    }
}

fn call<'a>(json: Json<'a>, place: &Place<'_>, kept: &mut Kept<'_, 'a>) -> Result<SignedCall<'a>, Malformed> {
    let mut call = Members::open(json, place)?;
    // Clients that put a stream together by themselves leave the index in.
    call.raw("index");
    if call.text("type")?.is_some_and(|kind| kind != "function") {
        return Err(place.key("type").malformed("must be function"));
    }
    let (id, seals) = embedded::extract_signatures(call.need_text("id")?, kept.seal);
    let function = call.object("function")?.ok_or_else(|| call.missing("function"))?;
    let place = place.key("function");
    let mut function = Members::open(function, &place)?;
    let (name, arguments) = (function.need_text("name")?, function.text("arguments")?.unwrap_or_default());
    keep(function, kept.extra);
    keep(call, kept.extra);
    Ok((ToolCall { id, name, arguments, signature: None, custom: false }, seals))
}

fn result<'a>(message: &mut Members<'a, '_>, kept: &mut Kept<'_, 'a>) -> Result<Part<'a>, Malformed> {
    let (id, _) = embedded::extract_signatures(message.need_text("tool_call_id")?, kept.seal);
    let content = needed(message, kept)?;
    let result = ToolResult { id, name: "".into(), content, structured: None, error: false };
    Ok(Part::new(PartKind::ToolResult(result)))
}
