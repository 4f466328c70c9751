//! Reading a provider's plain answer.

use std::borrow::Cow;

use super::details;
use crate::{
    canonical::{
        Choice, Family, Finish, Image, Logprob, Part, PartKind, Reply, Signature, Text, ToolCall,
        data_uri::media,
    },
    error::{DecodeError, ErrorClass, ProviderError, error_member, unexplained},
    json::{Fields, Json, JsonError, JsonKind, Reader},
    openai::{
        decode::{text, tier, token_list},
        error, finish, usage,
    },
};

/// Reads an answer.
pub(super) fn decode(body: Json<'_>) -> Result<Reply<'_>, DecodeError> {
    let mut fields = body.object()?.ok_or_else(|| malformed("the answer is no object"))?;
    if let Some(error) = inner_error(&mut fields) {
        return Err(DecodeError::Error(error::classify(0, &error), error));
    }
    let list = fields.take("choices").map(Json::array).transpose()?.flatten();
    let list = list.filter(|list| !list.is_empty()).ok_or_else(|| malformed("the answer has no choices"))?;
    let mut used = read_usage(fields.take("usage"));
    used = used.or_else(|| groq_usage(&fields));
    let (mut choices, mut failure) = (Vec::with_capacity(list.len()), None);
    for json in list {
        let mut choice = json.object()?.ok_or_else(|| malformed("a choice is no object"))?;
        if let Some(error) = own_error(&mut choice) {
            failure.get_or_insert(error);
            continue;
        }
        used = used.or(read_usage(choice.take("usage")));
        choices.push(read_choice(&mut choice)?);
    }
    if choices.iter().all(|choice| choice.finish == Finish::Error) {
        let class = failure.as_ref().map_or(ErrorClass::ServerError, |error| error::classify(0, error));
        return Err(DecodeError::Error(class, failure.unwrap_or_else(unexplained)));
    }
    let service_tier = text(&mut fields, "service_tier");
    if let Some(used) = &mut used {
        used.service_tier = tier(service_tier.as_deref());
    }
    Ok(Reply {
        id: text(&mut fields, "id"),
        model: text(&mut fields, "model").filter(|model| !model.is_empty()),
        created: fields.take("created").and_then(Json::u64),
        choices,
        usage: used,
        service_tier,
    })
}

/// An error in the clothes of an answer: `error`, or MiniMax's `base_resp`.
pub(super) fn inner_error(fields: &mut Fields<'_>) -> Option<ProviderError> {
    if let Some(error) = own_error(fields) {
        return Some(error);
    }
    let mut base = fields.peek("base_resp")?.object().ok().flatten()?;
    let code = base.take("status_code").and_then(Json::u64).filter(|code| *code != 0)?;
    let message = base.take("status_msg").and_then(Json::text).unwrap_or_default().into_owned();
    Some(ProviderError { message, kind: None, code: Some(code.to_string()), param: None })
}

/// The member `error` of an answer, a chunk or a choice.
pub(super) fn own_error(fields: &mut Fields<'_>) -> Option<ProviderError> {
    let value = serde_json::from_str(fields.take("error")?.raw()).unwrap_or_default();
    error_member(&value)
}

/// Reads a usage object.
pub(super) fn read_usage(json: Option<Json<'_>>) -> Option<domain::Usage> {
    usage::read(&mut Reader::new(json?.raw().as_bytes())).ok().flatten()
}

/// Groq's second place for it.
pub(super) fn groq_usage(fields: &Fields<'_>) -> Option<domain::Usage> {
    read_usage(fields.peek("x_groq")?.object().ok().flatten()?.take("usage"))
}

fn read_choice<'a>(choice: &mut Fields<'a>) -> Result<Choice<'a>, DecodeError> {
    let message = choice.take("message").map(Json::object).transpose()?.flatten();
    let mut message = message.ok_or_else(|| malformed("a choice has no message"))?;
    let mut parts = Vec::new();
    thoughts(&mut message, &mut parts);
    if let Some(content) = message.take("content") {
        content_parts(content, &mut |part| parts.push(part))?;
    }
    let refusal = text(&mut message, "refusal").filter(|refusal| !refusal.is_empty());
    let refused = refusal.is_some();
    parts.extend(refusal.map(|refusal| Part::new(PartKind::Refusal(refusal))));
    for image in message.take("images").map(Json::array).transpose()?.flatten().unwrap_or_default() {
        parts.extend(picture(image));
    }
    if let Some(audio) = message.take("audio").filter(|audio| !audio.is_null()) {
        spoken(audio, &mut |part| parts.push(part))?;
    }
    let calls = calls(&mut message)?;
    let called = !calls.is_empty();
    parts.extend(calls.into_iter().map(|call| Part::new(PartKind::ToolCall(call))));
    let reason = text(choice, "finish_reason");
    let reason = reason.as_deref().map_or(Finish::End, finish::read);
    Ok(Choice {
        parts,
        finish: finish::settled(reason, called, refused),
        stop_sequence: None,
        explanation: None,
        logprobs: choice.take("logprobs").map(logprobs).transpose()?.unwrap_or_default(),
        citations: message.take("annotations"),
    })
}

fn thoughts<'a>(message: &mut Fields<'a>, parts: &mut Vec<Part<'a>>) {
    let details = message.take("reasoning_details").and_then(details::read);
    let plain = text(message, "reasoning_content").or(text(message, "reasoning"));
    let plain = plain.filter(|text| !text.is_empty());
    match (details, plain) {
        (Some((text, signature)), plain) => {
            let text = plain.unwrap_or(text);
            parts.push(Part::new(PartKind::Reasoning { text, signature: Some(signature) }));
        }
        (None, Some(text)) => parts.push(Part::new(PartKind::Reasoning { text, signature: None })),
        (None, None) => {}
    }
}

/// Reads content: a string, or parts as some vendors write them.
pub(super) fn content_parts<'a>(content: Json<'a>, sink: &mut dyn FnMut(Part<'a>)) -> Result<(), JsonError> {
    if let Some(text) = content.text() {
        if !text.is_empty() {
            sink(Part::text(text));
        }
        return Ok(());
    }
    for json in content.array()?.unwrap_or_default() {
        let Some(mut part) = json.object()? else { continue };
        match text(&mut part, "type").as_deref() {
            Some("text" | "output_text") => {
                part.take("text").and_then(Json::text).into_iter().for_each(|text| sink(Part::text(text)))
            }
            Some("refusal") => {
                let refusal = text(&mut part, "refusal");
                refusal.into_iter().for_each(|text| sink(Part::new(PartKind::Refusal(text))));
            }
            Some("thinking") => nested(&mut part, "thinking", sink)?,
            Some("reasoning") => nested(&mut part, "summary", sink)?,
            Some("image_url") => picture(json).into_iter().for_each(&mut *sink),
            Some(kind) => {
                sink(Part::new(PartKind::Foreign { kind: kind.to_owned().into(), raw: json }));
            }
            None => {}
        }
    }
    Ok(())
}

/// Thoughts as a list of texts inside a part (Mistral, Databricks).
fn nested<'a>(part: &mut Fields<'a>, key: &str, sink: &mut dyn FnMut(Part<'a>)) -> Result<(), JsonError> {
    let Some(inner) = part.take(key) else { return Ok(()) };
    let thought = |text| Part::new(PartKind::Reasoning { text, signature: None });
    if let Some(text) = inner.text() {
        sink(thought(text));
        return Ok(());
    }
    for entry in inner.array()?.unwrap_or_default() {
        let Some(mut entry) = entry.object()? else { continue };
        text(&mut entry, "text").into_iter().for_each(|text| sink(thought(text)));
    }
    Ok(())
}

/// Speech in an answer, or a piece of it: what was said is its text, and the sound has a format that only the request names.
pub(super) fn spoken<'a>(audio: Json<'a>, sink: &mut dyn FnMut(Part<'a>)) -> Result<(), JsonError> {
    let Some(mut fields) = audio.object()? else { return Ok(()) };
    if let Some(said) = text(&mut fields, "transcript").filter(|said| !said.is_empty()) {
        sink(Part::text(said));
    }
    if fields.peek("data").and_then(Json::text).is_some_and(|data| !data.is_empty()) {
        sink(Part::new(PartKind::Foreign { kind: "audio".into(), raw: audio }));
    }
    Ok(())
}

/// An image in an answer (OpenRouter).
pub(super) fn picture(image: Json<'_>) -> Option<Part<'_>> {
    let url = image.object().ok().flatten()?.take("image_url")?;
    let url = url.text().or_else(|| url.object().ok().flatten()?.take("url")?.text())?;
    Some(Part::new(PartKind::Image(Image { media: media(url), detail: None })))
}

fn calls<'a>(message: &mut Fields<'a>) -> Result<Vec<ToolCall<'a>>, DecodeError> {
    let mut calls = Vec::new();
    for json in message.take("tool_calls").map(Json::array).transpose()?.flatten().unwrap_or_default() {
        let mut call = json.object()?.ok_or_else(|| malformed("a call is no object"))?;
        let id = text(&mut call, "id").unwrap_or_default();
        let signature = google_signature(&call);
        let custom = call.peek("custom").is_some();
        let inner = call.take(if custom { "custom" } else { "function" });
        let mut inner = inner
            .map(Json::object)
            .transpose()?
            .flatten()
            .ok_or_else(|| malformed("a call has no function"))?;
        let arguments = arguments(inner.take(if custom { "input" } else { "arguments" }));
        let name = text(&mut inner, "name").unwrap_or_default();
        calls.push(ToolCall { id, name, arguments, signature, custom });
    }
    if let Some(mut call) = message.take("function_call").map(Json::object).transpose()?.flatten() {
        let arguments = arguments(call.take("arguments"));
        let name = text(&mut call, "name").unwrap_or_default();
        calls.push(ToolCall { id: "".into(), name, arguments, signature: None, custom: false });
    }
    Ok(calls)
}

/// The seal that Google's copy of the dialect puts beside a call.
pub(super) fn google_signature<'a>(call: &Fields<'a>) -> Option<Signature<'a>> {
    let google = call.peek("extra_content")?.object().ok().flatten()?.take("google")?;
    let text = google.object().ok().flatten()?.take("thought_signature")?.text()?;
    Some(Signature { family: Family::Gemini, text, item: None })
}

/// Arguments as JSON text; some vendors send the object itself.
pub(super) fn arguments(json: Option<Json<'_>>) -> Text<'_> {
    match json {
        None => Cow::Borrowed(""),
        Some(json) if json.kind() == JsonKind::String => json.text().unwrap_or_default(),
        Some(json) => Cow::Borrowed(json.raw()),
    }
}

/// Reads log-probabilities: of the content, else of the refusal.
pub(super) fn logprobs(json: Json<'_>) -> Result<Vec<Logprob<'_>>, JsonError> {
    let Some(mut fields) = json.object()? else { return Ok(Vec::new()) };
    let list = fields.take("content").or(fields.take("refusal"));
    token_list(list)
}

fn malformed(what: &str) -> DecodeError {
    DecodeError::Malformed(what.to_owned())
}
