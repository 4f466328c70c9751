//! Asks for log-probabilities on a client's behalf: one member more in a call that goes out in its own dialect.

use bytes::Bytes;

use crate::{
    dialect::Dialect,
    json::{
        Fields, Json,
        out::{self, ObjectOut},
    },
};

/// What Responses calls them in `include`.
const INCLUDED: &str = "message.output_text.logprobs";

/// Whether a dialect's answers can tell log-probabilities.
#[must_use]
pub const fn has_logprobs(dialect: Dialect) -> bool {
    match dialect {
        Dialect::OpenAiChat | Dialect::OpenAiResponses | Dialect::Gemini | Dialect::Cohere => true,
        Dialect::Anthropic | Dialect::Bedrock => false,
    }
}

/// The call with the wish for log-probabilities; every other member as it was written, in its place.
///
/// Gives nothing if the dialect has none, or the body is no object in which they could be asked for.
#[must_use]
pub fn ask_logprobs(dialect: Dialect, body: &[u8]) -> Option<Bytes> {
    let call = Json::parse(body).ok()?.object().ok()??;
    let mut written = Vec::with_capacity(body.len() + 64);
    out::object(&mut written, |o| match dialect {
        Dialect::OpenAiChat | Dialect::Cohere => {
            with(&call, &["logprobs"], o, |name, _, o| o.bool(name, true));
            Some(())
        }
        Dialect::OpenAiResponses => included(&call, o),
        Dialect::Gemini => configured(&call, o),
        Dialect::Anthropic | Dialect::Bedrock => None,
    })?;
    Some(Bytes::from(written))
}

/// Writes all members, that of one of these names by `write`; behind the others where there is none.
fn with<R>(
    members: &Fields<'_>,
    names: &[&'static str],
    o: &mut ObjectOut<'_>,
    mut write: impl FnMut(&str, Option<Json<'_>>, &mut ObjectOut<'_>) -> R,
) -> Option<R> {
    let mut wrote = None;
    for (name, value) in members.all() {
        if names.contains(&name) {
            wrote = Some(write(name, (!value.is_null()).then_some(value), o));
        } else {
            o.raw(name, value);
        }
    }
    match wrote {
        None => names.first().map(|name| write(name, None, o)),
        wrote => wrote,
    }
}

fn included(call: &Fields<'_>, o: &mut ObjectOut<'_>) -> Option<()> {
    with(call, &["include"], o, |name, there, o| {
        let there = there.map_or(Some(Vec::new()), |list| list.array().ok()?)?;
        let asked = there.iter().any(|entry| entry.text().is_some_and(|text| text == INCLUDED));
        o.array(name, |a| {
            there.iter().for_each(|entry| a.raw(*entry));
            if !asked {
                a.text(INCLUDED);
            }
        });
        Some(())
    })?
}

fn configured(call: &Fields<'_>, o: &mut ObjectOut<'_>) -> Option<()> {
    with(call, &["generationConfig", "generation_config"], o, |name, there, o| {
        let config = there.unwrap_or(Json::EMPTY_OBJECT).object().ok()??;
        o.object(name, |o| {
            with(&config, &["responseLogprobs", "response_logprobs"], o, |name, _, o| o.bool(name, true));
        });
        Some(())
    })?
}

#[cfg(test)]
mod tests {
    use super::*;

    fn asked(dialect: Dialect, body: &str) -> Option<String> {
        ask_logprobs(dialect, body.as_bytes()).map(|bytes| String::from_utf8(bytes.to_vec()).unwrap())
    }

    #[test]
    fn every_dialect_that_has_them_is_asked_in_its_own_words() {
        use Dialect as D;
        let cases = [
            (D::OpenAiChat, r#"{"n":1.50}"#, r#"{"n":1.50,"logprobs":true}"#),
            (D::OpenAiChat, r#"{"logprobs":false,"x":"é"}"#, r#"{"logprobs":true,"x":"é"}"#),
            (D::Cohere, r"{}", r#"{"logprobs":true}"#),
            (
                D::Gemini,
                r#"{"contents":[]}"#,
                r#"{"contents":[],"generationConfig":{"responseLogprobs":true}}"#,
            ),
            (
                D::Gemini,
                r#"{"generation_config":{"topK":4,"response_logprobs":null}}"#,
                r#"{"generation_config":{"topK":4,"response_logprobs":true}}"#,
            ),
            (
                D::OpenAiResponses,
                r#"{"input":"x"}"#,
                r#"{"input":"x","include":["message.output_text.logprobs"]}"#,
            ),
            (
                D::OpenAiResponses,
                r#"{"include":["reasoning.encrypted_content"]}"#,
                r#"{"include":["reasoning.encrypted_content","message.output_text.logprobs"]}"#,
            ),
        ];
        for (dialect, body, expected) in cases {
            assert_eq!(asked(dialect, body).as_deref(), Some(expected));
            assert_eq!(asked(dialect, expected).as_deref(), Some(expected), "asking twice is asking once");
        }
    }

    #[test]
    fn who_cannot_tell_them_is_not_asked() {
        for dialect in Dialect::ALL {
            assert_eq!(asked(dialect, "{}").is_some(), has_logprobs(dialect));
            assert_eq!(asked(dialect, "[]"), None);
            assert_eq!(asked(dialect, "{"), None);
        }
        assert_eq!(asked(Dialect::OpenAiResponses, r#"{"include":"x"}"#), None);
        assert_eq!(asked(Dialect::Gemini, r#"{"generationConfig":[]}"#), None);
    }
}
