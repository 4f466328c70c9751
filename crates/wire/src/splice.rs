//! The three splices a request may get; every other byte goes upstream as the client sent it.

use std::ops::Range;

use bytes::Bytes;

use crate::facts::{LimitPlace, RequestFacts, StreamOptions};

/// What the attempt needs the body to say.
#[derive(Clone, Copy, Debug)]
pub struct Edits<'a> {
    /// The model's name at the provider.
    pub model: &'a str,
    /// Whether a stream must report its usage; without effect on plain requests, where providers refuse the field.
    pub want_usage: bool,
    /// The output limit to set where the client set none, in tokens.
    pub output_limit: Option<u64>,
    /// Whether the limit is called `max_tokens`, of the two names that OpenAI Chat has for it.
    pub old_limit_name: bool,
}

/// Where a dialect has its output limit.
#[derive(Clone, Copy, Debug)]
pub(crate) struct LimitField {
    /// The object that holds it, where that is not the body itself.
    pub(crate) object: Option<&'static str>,
    /// Its name.
    pub(crate) name: &'static str,
}

impl LimitField {
    /// A member of the body.
    pub(crate) const fn top(name: &'static str) -> Self {
        Self { object: None, name }
    }
}

/// Applies the edits that are needed to a body of OpenAI Chat or its kin; gives the same bytes back, without a copy, when
/// none is.
///
/// `facts` must come from a scan of this very `body`. Fields that were not there are appended behind the
/// last one, so that the prefix which providers cache stays as it was.
#[must_use]
pub fn splice(body: &Bytes, facts: &RequestFacts, edits: &Edits<'_>) -> Bytes {
    let name = if edits.old_limit_name { "max_tokens" } else { "max_completion_tokens" };
    splice_with(body, facts, edits, LimitField::top(name))
}

/// [`splice`] for a dialect that has its output limit elsewhere.
pub(crate) fn splice_with(
    body: &Bytes,
    facts: &RequestFacts,
    edits: &Edits<'_>,
    limit_field: LimitField,
) -> Bytes {
    let mut patches = Vec::new();
    if facts.model != edits.model {
        patches.push((facts.model_span.clone(), serde_json::Value::from(edits.model).to_string()));
    }
    let mut appended = String::new();
    if edits.want_usage && facts.stream && !facts.include_usage {
        match usage_patch(&facts.stream_options) {
            Some(patch) => patches.push(patch),
            None => appended.push_str(r#","stream_options":{"include_usage":true}"#),
        }
    }
    if let (Some(limit), None) = (edits.output_limit, facts.max_output) {
        let LimitField { object, name } = limit_field;
        match limit_place(facts, edits.old_limit_name) {
            LimitPlace::Value(span) => patches.push((span, limit.to_string())),
            LimitPlace::NullObject(span) => patches.push((span, format!(r#"{{"{name}":{limit}}}"#))),
            LimitPlace::Close(close) => {
                let comma = comma_before(body, close);
                patches.push((close..close, format!(r#"{comma}"{name}":{limit}"#)));
            }
            LimitPlace::Absent => {
                let comma = if appended.is_empty() { comma_before(body, facts.close) } else { "," };
                appended.push_str(&match object {
                    Some(object) => format!(r#"{comma}"{object}":{{"{name}":{limit}}}"#),
                    None => format!(r#"{comma}"{name}":{limit}"#),
                });
            }
        }
    }
    if !appended.is_empty() {
        patches.push((facts.close..facts.close, appended));
    }
    apply(body, patches)
}

/// Where the limit goes; a null under the other of chat's two names stays as it is.
fn limit_place(facts: &RequestFacts, old_name: bool) -> LimitPlace {
    match old_name {
        true => facts.null_max_tokens.clone().map_or(LimitPlace::Absent, LimitPlace::Value),
        false => facts.limit_place.clone(),
    }
}

/// What separates a new member from those of the object that is closed at `close`.
fn comma_before(body: &[u8], close: usize) -> &'static str {
    let before = body.get(..close).unwrap_or_default().trim_ascii_end();
    if before.ends_with(b"{") { "" } else { "," }
}

/// The patch of a `stream_options` that is there; without one the field has to be appended.
fn usage_patch(options: &StreamOptions) -> Option<(Range<usize>, String)> {
    let (span, text) = match options {
        StreamOptions::Absent => return None,
        StreamOptions::Null(span) => (span.clone(), r#"{"include_usage":true}"#),
        StreamOptions::Object { include_usage: Some(span), .. } => (span.clone(), "true"),
        StreamOptions::Object { close, empty: true, .. } => (*close..*close, r#""include_usage":true"#),
        StreamOptions::Object { close, .. } => (*close..*close, r#","include_usage":true"#),
    };
    Some((span, text.to_owned()))
}

fn apply(body: &Bytes, mut patches: Vec<(Range<usize>, String)>) -> Bytes {
    if patches.is_empty() {
        return body.clone();
    }
    patches.sort_by_key(|(span, _)| span.start);
    let added: usize = patches.iter().map(|(_, text)| text.len()).sum();
    let mut out = Vec::with_capacity(body.len() + added);
    let mut from = 0;
    for (span, text) in patches {
        out.extend_from_slice(body.get(from..span.start).unwrap_or_default());
        out.extend_from_slice(text.as_bytes());
        from = span.end;
    }
    out.extend_from_slice(body.get(from..).unwrap_or_default());
    out.into()
}

#[cfg(test)]
mod tests;
