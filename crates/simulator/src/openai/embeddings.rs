//! Embeddings: inputs as text or token ids, vectors as numbers or as base64 of little-endian floats.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use bytes::Bytes;
use serde::{Deserialize, Serialize};

use super::fits;
use crate::echo;
use crate::field_schema::FieldSchema::{self, Any, Either, Enum, Int, List, Object, Str};
use crate::problem::Problem;
use crate::reply::Payload;
use crate::request::SimRequest;
use crate::script::UsagePlace;

/// Most inputs of one request, OpenAI's own limit.
const MAX_INPUTS: usize = 2048;
/// Longest vector that can be asked for.
const MAX_DIMENSIONS: usize = 4096;

#[derive(Deserialize)]
struct Request {
    input: Input,
    #[serde(default)]
    encoding_format: Option<Encoding>,
    #[serde(default)]
    dimensions: Option<usize>,
}

#[derive(Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
enum Encoding {
    Float,
    Base64,
}

#[derive(Deserialize)]
#[serde(untagged)]
enum Input {
    Text(String),
    Texts(Vec<String>),
    Tokens(Vec<u32>),
    TokenLists(Vec<Vec<u32>>),
}

/// An input as the bytes that are hashed, with its number of tokens; token ids count one each.
fn from_text(text: &str) -> (Vec<u8>, u64) {
    (text.as_bytes().to_vec(), echo::tokens(text.len()))
}

fn from_ids(ids: &[u32]) -> (Vec<u8>, u64) {
    (ids.iter().flat_map(|id| id.to_be_bytes()).collect(), ids.len() as u64)
}

impl Input {
    fn all(&self) -> Vec<(Vec<u8>, u64)> {
        match self {
            Self::Text(text) => vec![from_text(text)],
            Self::Texts(texts) => texts.iter().map(|text| from_text(text)).collect(),
            Self::Tokens(ids) => vec![from_ids(ids)],
            Self::TokenLists(lists) => lists.iter().map(|ids| from_ids(ids)).collect(),
        }
    }
}

static EMBEDDING: FieldSchema = Object(&[
    ("input!", Either(&[&Str, &List(&Any)])),
    ("model", Str),
    ("dimensions", Int),
    ("encoding_format", Enum(&["float", "base64"])),
    ("user", Str),
]);

/// Answers `POST /v1/embeddings`.
pub(crate) fn answer(ask: &SimRequest<'_>) -> Result<Payload, Problem> {
    fits(ask, &EMBEDDING)?;
    let request: Request = serde_json::from_slice(ask.body)
        .map_err(|e| Problem::bad(format!("could not read the request: {e}")))?;
    let bytes = request.answer(ask.model, ask.behaviour.prompt_tokens, ask.behaviour.usage)?;
    Ok(Payload::Document(Bytes::from(bytes)))
}

impl Request {
    fn answer(&self, model: &str, scripted: Option<u64>, place: UsagePlace) -> Result<Vec<u8>, Problem> {
        let inputs = self.input.all();
        if inputs.is_empty() || inputs.len() > MAX_INPUTS {
            return Err(Problem::bad(format!("input: between 1 and {MAX_INPUTS} entries")));
        }
        let dimensions = self.dimensions.unwrap_or(echo::DEFAULT_DIMENSIONS);
        if !(1..=MAX_DIMENSIONS).contains(&dimensions) {
            return Err(Problem::bad(format!("dimensions: between 1 and {MAX_DIMENSIONS}")));
        }
        let base64 = self.encoding_format == Some(Encoding::Base64);
        let datum = |(index, (bytes, _)): (usize, &(Vec<u8>, u64))| Datum {
            object: "embedding",
            index,
            embedding: Vector::new(echo::embedding(bytes, dimensions), base64),
        };
        let counted: u64 = inputs.iter().map(|(_, tokens)| tokens).sum();
        let tokens = scripted.unwrap_or(counted);
        let document = Document {
            object: "list",
            data: inputs.iter().enumerate().map(datum).collect(),
            model,
            usage: (place != UsagePlace::None)
                .then_some(Usage { prompt_tokens: tokens, total_tokens: tokens }),
        };
        serde_json::to_vec(&document).map_err(|e| Problem::bad(e.to_string()))
    }
}

#[derive(Serialize)]
struct Document<'a> {
    object: &'static str,
    data: Vec<Datum>,
    model: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    usage: Option<Usage>,
}

#[derive(Serialize)]
struct Datum {
    object: &'static str,
    index: usize,
    embedding: Vector,
}

#[derive(Serialize)]
#[serde(untagged)]
enum Vector {
    Float(Vec<f32>),
    Base64(String),
}

#[derive(Serialize)]
struct Usage {
    prompt_tokens: u64,
    total_tokens: u64,
}

impl Vector {
    fn new(vector: Vec<f32>, base64: bool) -> Self {
        if !base64 {
            return Self::Float(vector);
        }
        let bytes: Vec<u8> = vector.iter().flat_map(|x| x.to_le_bytes()).collect();
        Self::Base64(STANDARD.encode(bytes))
    }
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;

    fn answer(body: &Value) -> Result<Value, String> {
        let request: Request = serde_json::from_value(body.clone()).map_err(|e| e.to_string())?;
        let bytes = request.answer("m", None, UsagePlace::OwnChunk).map_err(|problem| problem.message)?;
        Ok(serde_json::from_slice(&bytes).unwrap())
    }

    #[test]
    fn base64_carries_the_same_vector_as_numbers() {
        let body = |format| json!({"model": "m", "input": ["a", "bcdef"], "encoding_format": format});
        let numbers = answer(&body("float")).unwrap();
        let encoded = answer(&body("base64")).unwrap();
        assert_eq!(numbers["usage"]["prompt_tokens"], 3);
        let bytes = STANDARD.decode(encoded["data"][1]["embedding"].as_str().unwrap()).unwrap();
        let vector: Vec<f32> =
            bytes.chunks_exact(4).map(|b| f32::from_le_bytes(b.try_into().unwrap())).collect();
        let plain: Vec<f32> = serde_json::from_value(numbers["data"][1]["embedding"].clone()).unwrap();
        assert_eq!(vector, plain);
        assert_eq!(vector.len(), echo::DEFAULT_DIMENSIONS);
    }

    #[test]
    fn token_ids_count_one_each() {
        let one = answer(&json!({"model": "m", "input": [1, 2, 3]})).unwrap();
        assert_eq!((one["data"].as_array().unwrap().len(), &one["usage"]["total_tokens"]), (1, &json!(3)));
        let two = answer(&json!({"model": "m", "input": [[1, 2], [3]]})).unwrap();
        assert_eq!(two["data"].as_array().unwrap().len(), 2);
    }

    #[test]
    fn bad_requests_are_refused_by_field() {
        assert!(answer(&json!({"model": "m", "input": []})).unwrap_err().contains("input"));
        let long = json!({"model": "m", "input": "a", "dimensions": 5000});
        assert!(answer(&long).unwrap_err().contains("dimensions"));
    }
}
