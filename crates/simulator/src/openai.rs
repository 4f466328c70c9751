//! The OpenAI dialect: chat completions and the endpoints around them.

pub(crate) mod chat;
pub(crate) mod completions;
pub(crate) mod embeddings;
mod fields;
pub(crate) mod media;
mod read;

use serde_json::{Value, json};

use crate::answer::Usage;
use crate::echo;
use crate::field_schema::{FieldSchema, check};
use crate::problem::{Problem, openai_fault};
use crate::request::SimRequest;
use crate::script::Behaviour;

/// Checks the body against a shape; the model may come from the path instead.
pub(crate) fn fits(request: &SimRequest<'_>, shape: &FieldSchema) -> Result<(), Problem> {
    if request.model.is_empty() {
        return Err(Problem::bad("you must provide a model parameter").with_param("model"));
    }
    check(shape, request.json, request.behaviour.allow_unknown)
        .map_err(|(path, fault)| openai_fault(&path, &fault))
}

/// An id that follows from the request.
pub(crate) fn id(prefix: &str, digest: &[u8; 32]) -> String {
    format!("{prefix}{}", crate::digest::hex(digest).split_at(24).0)
}

/// Log probabilities of the pieces of a text, each a token; they follow from the token's length.
pub(crate) fn logprobs(pieces: &[String], top: u64) -> Value {
    let logprob = |token: &str, rank: u64| {
        let length = u32::try_from(token.len() % 10).unwrap_or(0);
        -0.125 * f64::from(length + 1) - f64::from(u32::try_from(rank).unwrap_or(0))
    };
    let entry = |token: &str, rank: u64| {
        let told = if rank == 0 { token.to_owned() } else { format!("{token}{rank}") };
        json!({"token": told, "logprob": logprob(token, rank), "bytes": told.as_bytes()})
    };
    let one = |piece: &String| {
        let mut entry_of = entry(piece, 0);
        entry_of["top_logprobs"] = (0..top).map(|rank| entry(piece, rank)).collect();
        entry_of
    };
    pieces.iter().map(one).collect()
}

/// Usage as chat completions tell it; details only where there is something to tell.
pub(crate) fn usage(usage: &Usage, behaviour: &Behaviour) -> Value {
    let mut told = json!({
        "prompt_tokens": usage.input,
        "completion_tokens": usage.output,
        "total_tokens": usage.input.saturating_add(usage.output),
    });
    let written = usage.written();
    if usage.cache_read > 0 || behaviour.cached_tokens.is_some() || written > 0 {
        told["prompt_tokens_details"] = json!({ "cached_tokens": usage.cache_read });
    }
    if written > 0 {
        told["prompt_tokens_details"]["cache_write_tokens"] = json!(written);
    }
    if usage.reasoning > 0 || behaviour.reasoning_tokens.is_some() {
        told["completion_tokens_details"] = json!({ "reasoning_tokens": usage.reasoning });
    }
    told
}

/// Tokens of everything that is text in a value.
pub(crate) fn text_tokens(value: &Value) -> u64 {
    fn bytes(value: &Value) -> usize {
        match value {
            Value::String(text) => text.len(),
            Value::Array(all) => all.iter().map(bytes).sum(),
            Value::Object(all) => all.values().map(bytes).sum(),
            _ => 0,
        }
    }
    echo::tokens(bytes(value)).max(1)
}
