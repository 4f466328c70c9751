//! What Chat Completions and Responses have in common where they are read.

use crate::{
    canonical::{Effort, Logprob, Malformed, Schema, Text, ToolMode},
    json::{Fields, Json, JsonError},
    read::{Members, Place},
};

/// Reads an effort.
pub(crate) fn effort(body: &mut Members<'_, '_>, key: &str) -> Result<Option<Effort>, Malformed> {
    let Some(text) = body.text(key)? else { return Ok(None) };
    let wrong = || body.place.key(key).malformed(format!("has the unknown value {text:?}"));
    Effort::from_name(&text).map(Some).ok_or_else(wrong)
}

/// Reads `metadata`.
pub(crate) fn metadata<'a>(body: &mut Members<'a, '_>) -> Result<Vec<(Text<'a>, Text<'a>)>, Malformed> {
    let Some(json) = body.object("metadata")? else { return Ok(Vec::new()) };
    let place = Place::ROOT.key("metadata");
    let pair = |(name, value): (Text<'a>, Json<'a>)| {
        let text = value.text().ok_or_else(|| place.key(&name).malformed("must be a string"))?;
        Ok((name, text))
    };
    Members::open(json, &place)?.rest().map(pair).collect()
}

/// Reads a word for how tools are chosen.
pub(crate) fn tool_mode(word: &str) -> Option<ToolMode<'static>> {
    match word {
        "auto" => Some(ToolMode::Auto),
        "none" => Some(ToolMode::None),
        "required" | "any" => Some(ToolMode::Required),
        _ => None,
    }
}

/// Reads a schema of the answer; one without a schema allows any object.
pub(crate) fn schema<'a>(inner: &mut Members<'a, '_>) -> Result<Schema<'a>, Malformed> {
    Ok(Schema {
        name: Some(inner.need_text("name")?),
        description: inner.text("description")?,
        schema: inner.object("schema")?.unwrap_or(Json::EMPTY_OBJECT),
        strict: inner.bool("strict")?,
    })
}

/// The tier that chooses the rates; OpenAI's `default` is the usual one.
pub(crate) fn tier(said: Option<&str>) -> domain::ServiceTier {
    said.and_then(|tier| tier.parse().ok()).unwrap_or_default()
}

/// Reads a list of tokens with their log-probabilities.
pub(crate) fn token_list(list: Option<Json<'_>>) -> Result<Vec<Logprob<'_>>, JsonError> {
    let mut tokens = Vec::new();
    for entry in list.map(Json::array).transpose()?.flatten().unwrap_or_default() {
        let Some(mut entry) = entry.object()? else { continue };
        let (Some(token), Some(logprob)) = (text(&mut entry, "token"), entry.take("logprob")) else {
            continue;
        };
        let mut top = Vec::new();
        for entry in entry.take("top_logprobs").map(Json::array).transpose()?.flatten().unwrap_or_default() {
            let Some(mut entry) = entry.object()? else { continue };
            top.extend(text(&mut entry, "token").zip(entry.take("logprob")));
        }
        tokens.push(Logprob { token, logprob, bytes: entry.take("bytes"), top });
    }
    Ok(tokens)
}

/// A string member.
pub(crate) fn text<'a>(fields: &mut Fields<'a>, key: &str) -> Option<Text<'a>> {
    fields.take(key).and_then(Json::text)
}
