//! `invoke`: the bodies of each vendor's models, as their path says: embeddings of Titan and Cohere, Claude's messages.

use serde_json::{Value, json};

use super::{check, fields};
use crate::echo;
use crate::problem::Problem;
use crate::reply::Payload;
use crate::request::SimRequest;
use crate::{anthropic, cohere};

/// Answers `POST /model/{id}/invoke`.
pub(crate) fn answer(request: &SimRequest<'_>) -> Result<Payload, Problem> {
    if request.model.contains("titan") {
        titan(request)
    } else if request.model.contains("cohere") {
        embed(request)
    } else if request.model.contains("anthropic") {
        anthropic::raw_predict(request, false)
    } else {
        Err(Problem::bad("The provided model identifier is invalid."))
    }
}

fn dimensions(value: &Value) -> usize {
    value.as_u64().and_then(|n| usize::try_from(n).ok()).unwrap_or(echo::DEFAULT_DIMENSIONS)
}

fn titan(request: &SimRequest<'_>) -> Result<Payload, Problem> {
    check(request, &fields::TITAN)?;
    let text = request.json["inputText"].as_str().unwrap_or_default();
    let vector = echo::embedding(text.as_bytes(), dimensions(&request.json["dimensions"]));
    let binary: Vec<u8> = vector.iter().map(|x| u8::from(*x >= 0.0)).collect();
    let types = request.json["embeddingTypes"].as_array();
    let wanted = |name: &str| types.is_none_or(|types| types.iter().any(|kind| kind == name));
    let mut by_type = json!({});
    if wanted("float") {
        by_type["float"] = json!(vector);
    }
    if types.is_some() && wanted("binary") {
        by_type["binary"] = json!(binary);
    }
    let tokens = request.behaviour.prompt_tokens.unwrap_or_else(|| echo::tokens(text.len()));
    let mut document = json!({"embeddingsByType": by_type, "inputTextTokenCount": tokens});
    if wanted("float") {
        document["embedding"] = json!(vector);
    }
    Ok(Payload::json(&document))
}

/// Cohere's tokens are told in a header only.
fn embed(request: &SimRequest<'_>) -> Result<Payload, Problem> {
    check(request, &fields::COHERE)?;
    let (mut document, tokens) = cohere::search::embeddings(request.json, request.digest)?;
    if request.json["embedding_types"].is_null() {
        document["embeddings"] = document["embeddings"]["float"].take();
        document["response_type"] = "embeddings_floats".into();
    }
    let tokens = request.behaviour.prompt_tokens.unwrap_or(tokens);
    Ok(Payload::Counted("x-amzn-bedrock-input-token-count", tokens, document.to_string().into()))
}
