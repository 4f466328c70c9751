//! Embeddings: one content, several, or Vertex's older `:predict`.

use serde_json::{Value, json};

use super::{camel, check, fields};
use crate::echo;
use crate::problem::Problem;
use crate::reply::Payload;
use crate::request::SimRequest;

/// Most contents of one request.
const MAX_CONTENTS: usize = 2_048;

fn text(content: &Value) -> String {
    let parts = content["parts"].as_array().into_iter().flatten();
    parts.filter_map(|part| part["text"].as_str()).collect()
}

fn values(text: &str, dimensions: &Value) -> Vec<f32> {
    let length =
        dimensions.as_u64().and_then(|n| usize::try_from(n).ok()).unwrap_or(echo::DEFAULT_DIMENSIONS);
    echo::embedding(text.as_bytes(), length)
}

/// The vector of one request, and its tokens.
fn embed(request: &Value) -> (Value, u64) {
    let text = text(&request["content"]);
    let nested = &request["embedContentConfig"]["outputDimensionality"];
    let dimensions = if nested.is_null() { &request["outputDimensionality"] } else { nested };
    (json!({"values": values(&text, dimensions)}), echo::tokens(text.len()))
}

/// Answers `:embedContent`.
pub(crate) fn one(request: &SimRequest<'_>) -> Result<Payload, Problem> {
    let json = camel::case(request.json).map_err(Problem::bad)?;
    let request = &SimRequest { json: &json, ..*request };
    check(request, &fields::EMBED, request.json)?;
    let (embedding, tokens) = embed(request.json);
    Ok(Payload::json(&json!({"embedding": embedding, "usageMetadata": {"promptTokenCount": tokens,
        "totalTokenCount": tokens}})))
}

/// Answers `:batchEmbedContents`.
pub(crate) fn batch(request: &SimRequest<'_>) -> Result<Payload, Problem> {
    let json = camel::case(request.json).map_err(Problem::bad)?;
    let request = &SimRequest { json: &json, ..*request };
    check(request, &fields::BATCH, request.json)?;
    let requests = bounded(&request.json["requests"])?;
    let (embeddings, tokens): (Vec<Value>, Vec<u64>) = requests.iter().map(embed).unzip();
    let tokens: u64 = tokens.iter().sum();
    Ok(Payload::json(&json!({"embeddings": embeddings, "usageMetadata": {"promptTokenCount": tokens,
        "totalTokenCount": tokens}})))
}

/// Answers Vertex's `:predict`.
pub(crate) fn predict(request: &SimRequest<'_>) -> Result<Payload, Problem> {
    check(request, &fields::PREDICT, request.json)?;
    let instances = bounded(&request.json["instances"])?;
    let dimensions = &request.json["parameters"]["outputDimensionality"];
    let mut characters = 0;
    let mut predictions = Vec::new();
    for instance in instances {
        let text = instance["content"].as_str().unwrap_or_default();
        characters += text.chars().count();
        predictions.push(json!({"embeddings": {"values": values(text, dimensions),
            "statistics": {"token_count": echo::tokens(text.len()), "truncated": false}}}));
    }
    let metadata = json!({ "billableCharacterCount": characters });
    Ok(Payload::json(&json!({"predictions": predictions, "metadata": metadata})))
}

fn bounded(list: &Value) -> Result<&[Value], Problem> {
    let list = list.as_array().map(Vec::as_slice).unwrap_or_default();
    match (1..=MAX_CONTENTS).contains(&list.len()) {
        true => Ok(list),
        false => Err(Problem::bad(format!("between 1 and {MAX_CONTENTS} contents are embedded at once"))),
    }
}
