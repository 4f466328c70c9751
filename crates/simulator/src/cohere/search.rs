//! Embeddings, reranking and tokens.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use serde_json::{Value, json};

use super::{check, fields, uuid};
use crate::echo;
use crate::problem::Problem;
use crate::reply::Payload;
use crate::request::SimRequest;

/// Most inputs of one request, Cohere's own limit.
const MAX_INPUTS: usize = 96;
/// Most documents of one request.
const MAX_DOCUMENTS: usize = 1_000;

/// Answers `POST /v2/embed`.
pub(crate) fn embed(request: &SimRequest<'_>) -> Result<Payload, Problem> {
    check(request, &fields::EMBED)?;
    let (mut document, tokens) = embeddings(request.json, request.digest)?;
    let tokens = request.behaviour.prompt_tokens.unwrap_or(tokens);
    document["meta"] = json!({"api_version": {"version": "2"}, "billed_units": {"input_tokens": tokens}});
    Ok(Payload::json(&document))
}

/// The embeddings that a request asks for, and its tokens.
pub(crate) fn embeddings(json: &Value, digest: &[u8; 32]) -> Result<(Value, u64), Problem> {
    let inputs = ["texts", "images", "inputs"].into_iter().filter(|name| !json[*name].is_null());
    let [field] = inputs.collect::<Vec<_>>()[..] else {
        return Err(Problem::bad("invalid request: exactly one of texts, images and inputs must be given"));
    };
    let inputs = json[field].as_array().map(Vec::as_slice).unwrap_or_default();
    if inputs.is_empty() || inputs.len() > MAX_INPUTS {
        return Err(Problem::bad(format!(
            "invalid request: {field} must have between 1 and {MAX_INPUTS} elements"
        )));
    }
    let texts: Vec<String> = inputs.iter().map(text).collect();
    let length = json["output_dimension"].as_u64().and_then(|n| usize::try_from(n).ok());
    let length = length.unwrap_or(echo::DEFAULT_DIMENSIONS);
    let vectors: Vec<Vec<f32>> = texts.iter().map(|text| echo::embedding(text.as_bytes(), length)).collect();
    let asked = json["embedding_types"].as_array().into_iter().flatten().filter_map(Value::as_str);
    let mut types: Vec<&str> = asked.collect();
    if types.is_empty() {
        types.push("float");
    }
    let mut by_type = json!({});
    for kind in types {
        by_type[kind] = vectors.iter().map(|vector| encode(kind, vector)).collect();
    }
    let tokens = texts.iter().map(|text| echo::tokens(text.len())).sum();
    let document = json!({"id": uuid(digest), "response_type": "embeddings_by_type", "embeddings": by_type,
        "texts": texts});
    Ok((document, tokens))
}

/// The text of an input; what is not text stands for itself.
fn text(input: &Value) -> String {
    let parts = input["content"].as_array().into_iter().flatten();
    let part = |part: &Value| part["text"].as_str().map_or_else(|| part.to_string(), str::to_owned);
    input.as_str().map_or_else(|| parts.map(part).collect(), str::to_owned)
}

/// A vector in one of Cohere's types. Whole numbers are scaled by 127; bits are signs, eight to a byte.
fn encode(kind: &str, vector: &[f32]) -> Value {
    let bytes = || -> Vec<i32> {
        let pack = |eight: &[f32]| eight.iter().fold(0, |byte, x| byte * 2 + i32::from(*x >= 0.0));
        vector.chunks(8).map(pack).collect()
    };
    #[allow(clippy::cast_possible_truncation)] // components are at most 1
    let scaled = |offset: i32| -> Vec<i32> { vector.iter().map(|x| (x * 127.0) as i32 + offset).collect() };
    match kind {
        "int8" => json!(scaled(0)),
        "uint8" => json!(scaled(128)),
        "ubinary" => json!(bytes()),
        "binary" => json!(bytes().into_iter().map(|byte| byte - 128).collect::<Vec<_>>()),
        "base64" => {
            let raw: Vec<u8> = vector.iter().flat_map(|x| x.to_le_bytes()).collect();
            STANDARD.encode(raw).into()
        }
        _ => json!(vector),
    }
}

/// Answers `POST /v2/rerank`: a document's relevance is the share of the query's words that it has.
pub(crate) fn rerank(request: &SimRequest<'_>) -> Result<Payload, Problem> {
    check(request, &fields::RERANK)?;
    let documents = request.json["documents"].as_array().map(Vec::as_slice).unwrap_or_default();
    if documents.is_empty() || documents.len() > MAX_DOCUMENTS {
        return Err(Problem::bad(format!(
            "invalid request: between 1 and {MAX_DOCUMENTS} documents are ranked"
        )));
    }
    let query = request.json["query"].as_str().unwrap_or_default().to_lowercase();
    let words: Vec<&str> = query.split_whitespace().collect();
    let text = |document: &Value| {
        let own = document.as_str().or_else(|| document["text"].as_str());
        own.map_or_else(|| document.to_string(), str::to_owned)
    };
    let score = |document: &Value| {
        let text = text(document).to_lowercase();
        let found = words.iter().filter(|word| text.split_whitespace().any(|own| own == **word)).count();
        let share = |n: usize| f64::from(u32::try_from(n).unwrap_or(u32::MAX));
        share(found) / share(words.len().max(1))
    };
    let mut ranked: Vec<(usize, f64)> = documents.iter().map(score).enumerate().collect();
    ranked.sort_by(|a, b| b.1.total_cmp(&a.1));
    let top = request.json["top_n"].as_u64().and_then(|n| usize::try_from(n).ok()).unwrap_or(usize::MAX);
    let told = request.json["return_documents"] == true;
    let result = |(index, score): &(usize, f64)| {
        let mut result = json!({"index": index, "relevance_score": score});
        if let Some(document) = documents.get(*index).filter(|_| told) {
            result["document"] = json!({"text": text(document)});
        }
        result
    };
    let results: Vec<Value> = ranked.iter().take(top).map(result).collect();
    Ok(Payload::json(&json!({"id": uuid(request.digest), "results": results,
        "meta": {"api_version": {"version": "2"}, "billed_units": {"search_units": 1}}})))
}

/// Answers `POST /v1/tokenize`: a token is four bytes, as far as characters allow.
pub(crate) fn tokenize(request: &SimRequest<'_>) -> Result<Payload, Problem> {
    check(request, &fields::TOKENIZE)?;
    let mut rest = request.json["text"].as_str().unwrap_or_default();
    let mut strings = Vec::new();
    while !rest.is_empty() {
        let at = rest.floor_char_boundary(4).max(rest.chars().next().map_or(1, char::len_utf8));
        let (token, after) = rest.split_at(at);
        strings.push(token);
        rest = after;
    }
    let ids: Vec<usize> = (0..strings.len()).collect();
    Ok(Payload::json(
        &json!({"tokens": ids, "token_strings": strings, "meta": {"api_version": {"version": "1"}}}),
    ))
}
