//! Embeddings in OpenAI's words for providers with words of their own: Gemini, Cohere, and both kinds on Bedrock.

use base64::{Engine as _, engine::general_purpose::STANDARD};
use domain::Usage;

use crate::{
    canonical::{Encoded, Extra, Field, LossReport, Malformed, Text, Unsupported},
    dialect::Dialect,
    error::{DecodeError, ErrorClass, provider_error},
    json::{
        Fields, Json, JsonKind,
        out::{ObjectOut, object},
    },
};

/// A call for embeddings.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct EmbedCall<'a> {
    inputs: Vec<Text<'a>>,
    dimensions: Option<Json<'a>>,
    /// Whether the end user is named.
    user: bool,
    /// Fields that are none of OpenAI's.
    extra: Vec<Extra<'a>>,
    /// Whether vectors go back as base64 of little-endian floats, as OpenAI's clients ask by themselves.
    pub base64: bool,
}

impl<'a> EmbedCall<'a> {
    /// Reads a call.
    ///
    /// # Errors
    /// It is none, by field. Token ids are none here: they belong to one provider's vocabulary.
    pub fn decode(body: Json<'a>) -> Result<Self, Malformed> {
        let wrong = |field: &str, what: &str| Malformed::new(field, what);
        let mut fields = open(body).map_err(|error| wrong("", &error))?;
        let input = fields.take("input").ok_or_else(|| wrong("input", "is missing"))?;
        let texts = match input.kind() {
            JsonKind::String => vec![input],
            _ => {
                input.array().ok().flatten().ok_or_else(|| wrong("input", "must be a string or an array"))?
            }
        };
        let text =
            |json: &Json<'a>| json.text().ok_or_else(|| wrong("input", "must hold texts for this target"));
        let inputs = texts.iter().map(text).collect::<Result<Vec<_>, _>>()?;
        if inputs.is_empty() {
            return Err(wrong("input", "is empty"));
        }
        let base64 = match fields.take("encoding_format").and_then(Json::text).as_deref() {
            None | Some("float") => false,
            Some("base64") => true,
            Some(_) => return Err(wrong("encoding_format", "must be float or base64")),
        };
        let dimensions = fields.take("dimensions");
        let user = fields.take("user").is_some();
        // What it is called goes into the path, or is written anew.
        fields.take("model");
        let extra = fields.rest().map(|(name, value)| Extra { name, value }).collect();
        Ok(Self { inputs, dimensions, user, extra, base64 })
    }

    /// Writes it for a provider.
    ///
    /// # Errors
    /// What the provider cannot express.
    pub fn encode(&self, to: Dialect, model: &str, mut losses: LossReport) -> Result<Encoded, Unsupported> {
        let mut body =
            Vec::with_capacity(256 + self.inputs.iter().map(|text| text.len() + 64).sum::<usize>());
        match to {
            Dialect::Gemini => object(&mut body, |o| self.gemini(o, model)),
            Dialect::Cohere => {
                losses.note("input_type: search_document is assumed");
                object(&mut body, |o| {
                    o.text("model", model);
                    self.cohere(o);
                });
            }
            Dialect::Bedrock if is_titan(model) => match &self.inputs[..] {
                [text] => object(&mut body, |o| {
                    o.text("inputText", text);
                    o.raw_if("dimensions", self.dimensions);
                }),
                _ => return Err(cannot("input", "Titan, which embeds one text per call")),
            },
            Dialect::Bedrock => {
                losses.note("input_type: search_document is assumed");
                object(&mut body, |o| self.cohere(o));
            }
            other => return Err(cannot("input", other.title())),
        }
        self.extra.iter().try_for_each(|extra| losses.extra(extra))?;
        if self.user {
            losses.field(Field::User)?;
        }
        losses.encoded(body)
    }

    fn gemini(&self, o: &mut ObjectOut<'_>, model: &str) {
        let model = model.strip_prefix("models/").unwrap_or(model);
        o.array("requests", |a| {
            for text in &self.inputs {
                a.object(|o| {
                    o.pieces("model", &["models/", model]);
                    o.object("content", |o| o.array("parts", |a| a.object(|o| o.text("text", text))));
                    o.raw_if("outputDimensionality", self.dimensions);
                });
            }
        });
    }

    fn cohere(&self, o: &mut ObjectOut<'_>) {
        o.array("texts", |a| self.inputs.iter().for_each(|text| a.text(text)));
        o.text("input_type", "search_document");
        o.array("embedding_types", |a| a.text("float"));
        o.raw_if("output_dimension", self.dimensions);
    }
}

/// What follows the base URL for embeddings of a dialect's own.
#[must_use]
pub fn path(dialect: Dialect, model: &str) -> String {
    match dialect {
        Dialect::Gemini => {
            let model = model.strip_prefix("models/").unwrap_or(model);
            format!("/v1beta/models/{}:batchEmbedContents", crate::percent::encode(model))
        }
        Dialect::Cohere => "/v2/embed".to_owned(),
        Dialect::Bedrock => format!("/model/{}/invoke", crate::percent::encode(model)),
        _ => "/embeddings".to_owned(),
    }
}

/// A provider's answer in OpenAI's words, with its usage.
///
/// # Errors
/// It is no answer, or an error in the clothes of one.
pub fn translate(
    from: Dialect,
    body: Json<'_>,
    model: &str,
    base64: bool,
) -> Result<(Vec<u8>, Option<Usage>), DecodeError> {
    let mut fields = open(body).map_err(DecodeError::Malformed)?;
    let none = || match provider_error(body.raw().as_bytes()) {
        Some(error) => DecodeError::Error(ErrorClass::ServerError, error),
        None => DecodeError::Malformed("the answer holds no embeddings".to_owned()),
    };
    let vectors = match (from, fields.take("embedding"), fields.take("embeddings")) {
        (_, Some(one), _) => vec![one],
        (Dialect::Gemini, _, Some(list)) => {
            let list = list.array()?.ok_or_else(none)?;
            let mut vectors = Vec::with_capacity(list.len());
            for one in list {
                vectors.push(values(one).ok_or_else(none)?);
            }
            vectors
        }
        (_, _, Some(list)) => {
            let list = match list.object()? {
                Some(mut kinds) => kinds.take("float").ok_or_else(none)?,
                None => list,
            };
            list.array()?.ok_or_else(none)?
        }
        _ => return Err(none()),
    };
    let tokens = tokens(&mut fields);
    Ok((
        write(&vectors, model, base64, tokens)?,
        tokens.map(|input_uncached| Usage { input_uncached, ..Usage::default() }),
    ))
}

fn write(
    vectors: &[Json<'_>],
    model: &str,
    base64: bool,
    tokens: Option<u64>,
) -> Result<Vec<u8>, DecodeError> {
    let mut out = Vec::new();
    object(&mut out, |o| {
        o.text("object", "list");
        o.array("data", |a| {
            for (index, vector) in (0u64..).zip(vectors) {
                a.object(|o| {
                    o.text("object", "embedding");
                    o.number("index", index);
                    match base64 {
                        false => o.raw("embedding", *vector),
                        true => o.text("embedding", &packed(*vector)?),
                    }
                    Ok::<(), DecodeError>(())
                })?;
            }
            Ok::<(), DecodeError>(())
        })?;
        o.text("model", model);
        o.object("usage", |o| {
            o.number("prompt_tokens", tokens.unwrap_or_default());
            o.number("total_tokens", tokens.unwrap_or_default());
        });
        Ok::<(), DecodeError>(())
    })?;
    Ok(out)
}

/// A vector as base64 of little-endian 32-bit floats.
fn packed(vector: Json<'_>) -> Result<String, DecodeError> {
    let numbers = vector.array()?.ok_or_else(|| DecodeError::Malformed("a vector is no array".to_owned()))?;
    let mut bytes = Vec::with_capacity(numbers.len() * 4);
    for number in numbers {
        let number: f32 = number
            .raw()
            .parse()
            .map_err(|_| DecodeError::Malformed("a vector holds no number".to_owned()))?;
        bytes.extend_from_slice(&number.to_le_bytes());
    }
    Ok(STANDARD.encode(bytes))
}

/// Input tokens, wherever the provider says them.
fn tokens(fields: &mut Fields<'_>) -> Option<u64> {
    if let Some(count) = fields.take("inputTextTokenCount") {
        return count.u64();
    }
    if let Some(mut usage) = inside(fields, "usageMetadata") {
        return usage.take("promptTokenCount")?.u64();
    }
    let mut meta = inside(fields, "meta")?;
    inside(&mut meta, "billed_units")?.take("input_tokens")?.u64()
}

/// The members of a member that is an object.
fn inside<'a>(fields: &mut Fields<'a>, key: &str) -> Option<Fields<'a>> {
    fields.take(key)?.object().ok()?
}

/// The vector in one of Gemini's embeddings.
fn values(one: Json<'_>) -> Option<Json<'_>> {
    one.object().ok()??.take("values")
}

fn is_titan(model: &str) -> bool {
    model.contains("titan")
}

fn cannot(field: &str, target: &str) -> Unsupported {
    Unsupported { field: field.to_owned(), target: target.to_owned() }
}

fn open(json: Json<'_>) -> Result<Fields<'_>, String> {
    json.object().map_err(|error| error.to_string())?.ok_or_else(|| "must be an object".to_owned())
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;

    fn sent(to: Dialect, model: &str, body: &str) -> Result<Value, Unsupported> {
        let call = EmbedCall::decode(Json::parse(body.as_bytes()).unwrap()).unwrap();
        let losses = LossReport::new(Dialect::OpenAiChat, to, domain::Strictness::Default);
        Ok(serde_json::from_slice(&call.encode(to, model, losses)?.body).unwrap())
    }

    #[test]
    fn each_provider_is_asked_in_its_words() {
        let two = r#"{"model":"m","input":["a","é"],"dimensions":64}"#;
        let gemini = sent(Dialect::Gemini, "models/e", two).unwrap();
        let request = json!({ "model": "models/e", "content": { "parts": [{ "text": "é" }] }, "outputDimensionality": 64 });
        assert_eq!(gemini["requests"][1], request);
        let cohere = sent(Dialect::Cohere, "embed-v4", two).unwrap();
        assert_eq!((&cohere["texts"], &cohere["output_dimension"]), (&json!(["a", "é"]), &json!(64)));
        let one = r#"{"model":"m","input":"a"}"#;
        assert_eq!(
            sent(Dialect::Bedrock, "amazon.titan-embed-text-v2:0", one).unwrap(),
            json!({ "inputText": "a" })
        );
        assert_eq!(sent(Dialect::Bedrock, "amazon.titan-embed-text-v2:0", two).unwrap_err().field, "input");
        assert!(sent(Dialect::Bedrock, "cohere.embed-v4:0", two).unwrap().get("model").is_none());
        assert!(sent(Dialect::Anthropic, "claude", one).is_err());
    }

    #[test]
    fn each_answer_comes_back_in_openais() {
        let back = |from, body: &str, base64| -> (Value, Option<Usage>) {
            let (out, usage) = translate(from, Json::parse(body.as_bytes()).unwrap(), "m", base64).unwrap();
            (serde_json::from_slice(&out).unwrap(), usage)
        };
        let gemini =
            r#"{"embeddings":[{"values":[1.0,-0.5]},{"values":[2]}],"usageMetadata":{"promptTokenCount":7}}"#;
        let (plain, usage) = back(Dialect::Gemini, gemini, false);
        assert_eq!(
            (&plain["data"][0]["embedding"], &plain["data"][1]["index"]),
            (&json!([1.0, -0.5]), &json!(1))
        );
        assert_eq!((usage.unwrap().input(), &plain["usage"]["total_tokens"]), (7, &json!(7)));
        let titan = r#"{"embedding":[1.0,-0.5],"inputTextTokenCount":3}"#;
        let (packed, _) = back(Dialect::Bedrock, titan, true);
        assert_eq!(packed["data"][0]["embedding"], "AACAPwAAAL8=");
        let cohere =
            r#"{"id":"x","embeddings":{"float":[[0.25]]},"meta":{"billed_units":{"input_tokens":2}}}"#;
        assert_eq!(back(Dialect::Cohere, cohere, false).1.unwrap().input(), 2);
        assert_eq!(back(Dialect::Bedrock, r#"{"embeddings":[[0.25]]}"#, false).1, None);
    }

    #[test]
    fn what_is_no_answer_is_told_apart() {
        let read = |body: &str| translate(Dialect::Cohere, Json::parse(body.as_bytes()).unwrap(), "m", true);
        assert!(matches!(read(r#"{"message":"no"}"#), Err(DecodeError::Error(..))));
        for bad in ["{}", "[]", r#"{"embeddings":{"int8":[[1]]}}"#, r#"{"embeddings":[["x"]]}"#] {
            assert!(matches!(read(bad), Err(DecodeError::Malformed(_))), "{bad}");
        }
        assert!(EmbedCall::decode(Json::parse(br#"{"input":[1,2]}"#).unwrap()).is_err());
    }
}
