//! Reading a provider's plain answer.

use domain::Usage;

use super::{finish, items_in::joined};
use crate::{
    canonical::{Choice, Family, Logprob, Part, PartKind, Reply, Signature, Text, ToolCall, join_name},
    error::{DecodeError, ProviderError, error_member, unexplained},
    json::{Fields, Json, JsonError, Reader},
    openai::{
        decode::{text, tier, token_list},
        error, usage,
    },
};

/// Reads an answer.
pub(super) fn decode(body: Json<'_>) -> Result<Reply<'_>, DecodeError> {
    let mut response = body.object()?.ok_or_else(|| malformed("the answer is no object"))?;
    if let Some(error) = failure(&mut response) {
        return Err(DecodeError::Error(error::classify(0, &error), error));
    }
    let output = response.take("output").map(Json::array).transpose()?.flatten();
    let mut parts = Vec::new();
    let (mut logprobs, mut citations) = (Vec::new(), None);
    for item in output.ok_or_else(|| malformed("the answer has no output"))? {
        let mut item = item_fields(item)?;
        if let Some("message") = text(&mut item.0, "type").as_deref() {
            message(&mut item.0, &mut parts, &mut logprobs, &mut citations)?;
        } else {
            parts.extend(part(item.1)?);
        }
    }
    let calls = parts.iter().any(|part| matches!(part.kind, PartKind::ToolCall(_)));
    let refusal = parts.iter().any(|part| matches!(part.kind, PartKind::Refusal(_)));
    let Some(finish) = finish::read(&response, calls, refusal) else {
        let error = unexplained();
        return Err(DecodeError::Error(error::classify(0, &error), error));
    };
    let (stop_sequence, explanation) = (None, None);
    let choice = Choice { parts, finish, stop_sequence, explanation, logprobs, citations };
    Ok(Reply {
        id: text(&mut response, "id"),
        model: text(&mut response, "model"),
        created: response.take("created_at").and_then(Json::u64),
        choices: vec![choice],
        usage: read_usage(&mut response),
        service_tier: text(&mut response, "service_tier"),
    })
}

fn item_fields(item: Json<'_>) -> Result<(Fields<'_>, Json<'_>), DecodeError> {
    let fields = item.object()?.ok_or_else(|| malformed("an item is no object"))?;
    Ok((fields, item))
}

/// Why there is no answer in a response.
pub(super) fn failure(response: &mut Fields<'_>) -> Option<ProviderError> {
    let error = response.take("error").map(|error| serde_json::from_str(error.raw()).unwrap_or_default());
    let error = error.as_ref().and_then(error_member);
    let status = text(response, "status");
    let failed = matches!(status.as_deref(), Some("failed" | "cancelled"));
    error.or_else(|| failed.then(unexplained))
}

/// Reads `usage`, and what tools of the provider's own did.
pub(super) fn read_usage(response: &mut Fields<'_>) -> Option<Usage> {
    let used = response.take("usage")?;
    let mut used = usage::read(&mut Reader::new(used.raw().as_bytes())).ok().flatten()?;
    used.service_tier = tier(response.peek("service_tier").and_then(Json::text).as_deref());
    used.web_searches = searches(response).unwrap_or(0);
    Some(used)
}

fn searches(response: &Fields<'_>) -> Option<u64> {
    let tools = response.peek("tool_usage")?.object().ok().flatten()?;
    let search = tools.peek("web_search")?.object().ok().flatten()?;
    search.peek("num_requests")?.u64()
}

fn message<'a>(
    item: &mut Fields<'a>,
    parts: &mut Vec<Part<'a>>,
    logprobs: &mut Vec<Logprob<'a>>,
    citations: &mut Option<Json<'a>>,
) -> Result<(), JsonError> {
    for json in item.take("content").map(Json::array).transpose()?.flatten().unwrap_or_default() {
        let Some(mut part) = json.object()? else { continue };
        let kind = text(&mut part, "type");
        parts.extend(said(kind.as_deref(), &mut part).map(Part::new));
        logprobs.extend(token_list(part.take("logprobs"))?);
        let notes = part.take("annotations").filter(|notes| notes.raw() != "[]");
        *citations = citations.or(notes);
    }
    Ok(())
}

/// What a part of a message says.
pub(super) fn said<'a>(kind: Option<&str>, part: &mut Fields<'a>) -> Option<PartKind<'a>> {
    match kind {
        Some("refusal") => text(part, "refusal").map(PartKind::Refusal),
        _ => text(part, "text").filter(|text| !text.is_empty()).map(PartKind::Text),
    }
}

/// Reads an item that is no message.
pub(super) fn part(json: Json<'_>) -> Result<Option<Part<'_>>, JsonError> {
    let Some(mut item) = json.object()? else { return Ok(None) };
    let Some(kind) = text(&mut item, "type") else { return Ok(None) };
    let kind = match &*kind {
        "function_call" | "custom_tool_call" => {
            let custom = kind == "custom_tool_call";
            PartKind::ToolCall(ToolCall {
                id: text(&mut item, "call_id").unwrap_or_default(),
                name: join_name(text(&mut item, "namespace"), text(&mut item, "name").unwrap_or_default()),
                arguments: text(&mut item, if custom { "input" } else { "arguments" }).unwrap_or_default(),
                signature: None,
                custom,
            })
        }
        "reasoning" => {
            let (text, signature) = thoughts(&mut item)?;
            PartKind::Reasoning { text, signature }
        }
        _ => PartKind::Foreign { kind, raw: json },
    };
    Ok(Some(Part::new(kind)))
}

/// The text and the seal of a reasoning item.
pub(super) fn thoughts<'a>(item: &mut Fields<'a>) -> Result<(Text<'a>, Option<Signature<'a>>), JsonError> {
    let mut texts = Vec::new();
    for key in ["summary", "content"] {
        for json in item.take(key).map(Json::array).transpose()?.flatten().unwrap_or_default() {
            texts.extend(json.object()?.and_then(|mut part| text(&mut part, "text")));
        }
    }
    let id = text(item, "id");
    let sealed = text(item, "encrypted_content").filter(|sealed| !sealed.is_empty());
    let signature = sealed.map(|text| Signature { family: Family::OpenAi, text, item: id });
    Ok((joined(texts), signature))
}

fn malformed(what: &str) -> DecodeError {
    DecodeError::Malformed(what.to_owned())
}
