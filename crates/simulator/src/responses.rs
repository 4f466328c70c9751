//! OpenAI's responses: items in, items out, plain or as numbered events.

mod events;
mod fields;
mod read;
mod rules;
mod write;

use serde_json::json;

use crate::answer::reply;
use crate::echo;
use crate::problem::Problem;
use crate::reply::Payload;
use crate::request::SimRequest;

/// What encrypted reasoning of this provider is bound to.
const DIALECT: &str = "openai";

/// Answers `POST /v1/responses`.
pub(crate) fn answer(request: &SimRequest<'_>) -> Result<Payload, Problem> {
    let intent = read::read(request, false)?;
    let (answer, usage) =
        reply(&intent, request.behaviour, &request.app.cache, "call_", request.digest)?.single();
    let writer = write::Writer::new(request, usage);
    Ok(match intent.stream {
        true => events::events(&writer, &answer),
        false => Payload::json(&writer.document(&answer)),
    })
}

/// Answers `POST /v1/responses/input_tokens`.
pub(crate) fn count(request: &SimRequest<'_>) -> Result<Payload, Problem> {
    let intent = read::read(request, true)?;
    let tokens = echo::tokens(intent.input_bytes).max(1);
    Ok(Payload::json(&json!({"object": "response.input_tokens", "input_tokens": tokens})))
}
