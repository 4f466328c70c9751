//! A provider's own words about a failure, in any of the shapes that OpenAI-compatible servers use.

use serde_json::{Map, Value};

/// Longest message that is kept, in bytes.
pub(crate) const MAX_MESSAGE: usize = 2048;

/// What a provider said went wrong. It may quote the request; who shows it to a client decides what to hide.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ProviderError {
    /// The message, at most 2 KiB.
    pub message: String,
    /// `type`.
    pub kind: Option<String>,
    /// `code`; numbers are written out.
    pub code: Option<String>,
    /// The field the provider blames.
    pub param: Option<String>,
}

/// Reads an error body: `{error: {…}}`, `{error: "…"}`, `{message}` or `{detail}`, also as the only element of an array.
#[must_use]
pub fn provider_error(body: &[u8]) -> Option<ProviderError> {
    let value: Value = serde_json::from_slice(body).ok()?;
    let fields = value.get(0).unwrap_or(&value).as_object()?;
    fields
        .get("error")
        .and_then(error_member)
        .or_else(|| described(fields, "message"))
        .or_else(|| described(fields, "detail"))
        // Cloudflare's own errors.
        .or_else(|| described(fields.get("errors")?.get(0)?.as_object()?, "message"))
}

/// Reads the value of an `error` member; `None` when it is empty, which clients read as "no error".
pub(crate) fn error_member(value: &Value) -> Option<ProviderError> {
    match value {
        Value::Object(fields) if fields.is_empty() => None,
        Value::Object(fields) => {
            described(fields, "message").or_else(|| Some(with(fields, value.to_string())))
        }
        Value::String(message) if message.is_empty() => None,
        Value::Array(list) if list.is_empty() => None,
        Value::String(_) | Value::Array(_) => text(value).map(|message| with(&Map::new(), message)),
        _ => None,
    }
}

fn described(fields: &Map<String, Value>, message: &str) -> Option<ProviderError> {
    let message = text(fields.get(message)?).filter(|message| !message.is_empty())?;
    Some(with(fields, message))
}

fn with(fields: &Map<String, Value>, message: String) -> ProviderError {
    let field = |name: &str| fields.get(name).and_then(text).map(capped);
    // Azure's more exact word, where it leaves out the other one.
    let inner = || fields.get("innererror")?.get("code").and_then(text).map(capped);
    ProviderError {
        message: capped(message),
        kind: field("type"),
        code: field("code").or_else(inner),
        param: field("param"),
    }
}

pub(super) fn capped(mut text: String) -> String {
    text.truncate(text.floor_char_boundary(MAX_MESSAGE));
    text
}

/// A string as it is, null as nothing, anything else as JSON.
fn text(value: &Value) -> Option<String> {
    match value {
        Value::Null => None,
        Value::String(text) => Some(text.clone()),
        other => Some(other.to_string()),
    }
}

#[cfg(test)]
mod tests;
