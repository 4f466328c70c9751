//! The three splices a request may get; every other byte goes upstream as the client sent it.

use std::ops::Range;

use bytes::Bytes;

use crate::facts::{RequestFacts, StreamOptions};

/// What the attempt needs the body to say.
#[derive(Clone, Copy, Debug)]
pub struct Edits<'a> {
    /// The model's name at the provider.
    pub model: &'a str,
    /// Whether a stream must report its usage; without effect on plain requests, where providers refuse the field.
    pub want_usage: bool,
    /// The output limit to set where the client set none (chat only; embeddings have no output).
    pub output_limit: Option<u64>,
}

/// Applies the edits that are needed; gives the same bytes back, without a copy, when none is.
///
/// `facts` must come from a scan of this very `body`. Fields that were not there are appended behind the
/// last one, so that the prefix which providers cache stays as it was.
#[must_use]
pub fn splice(body: &Bytes, facts: &RequestFacts, edits: &Edits<'_>) -> Bytes {
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
        match &facts.null_limit {
            Some(span) => patches.push((span.clone(), limit.to_string())),
            None => appended.push_str(&format!(r#","max_completion_tokens":{limit}"#)),
        }
    }
    if !appended.is_empty() {
        patches.push((facts.close..facts.close, appended));
    }
    apply(body, patches)
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
