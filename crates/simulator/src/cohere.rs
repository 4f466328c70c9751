//! The Cohere dialect: chat, plain and streamed, and what search needs.

mod fields;
mod read;
pub(crate) mod search;
mod write;

use crate::answer::reply;
use crate::field_schema::{Fault, FieldSchema, check as fits};
use crate::problem::Problem;
use crate::reply::Payload;
use crate::request::SimRequest;

/// Answers `POST /v2/chat`.
pub(crate) fn answer(request: &SimRequest<'_>) -> Result<Payload, Problem> {
    let intent = read::read(request)?;
    let (answer, usage) =
        reply(&intent, request.behaviour, &request.app.cache, "call_", request.digest)?.single();
    let logprobs = request.json["logprobs"] == true;
    let writer = write::Writer { behaviour: request.behaviour, id: uuid(request.digest), logprobs, usage };
    Ok(if intent.stream { writer.events(&answer) } else { Payload::json(&writer.document(&answer)) })
}

/// An id that follows from the request, in the form of a UUID.
fn uuid(digest: &[u8; 32]) -> String {
    let hex = crate::digest::hex(digest);
    let part = |from: usize, to: usize| hex.get(from..to).unwrap_or_default();
    [part(0, 8), part(8, 12), part(12, 16), part(16, 20), part(20, 32)].join("-")
}

/// Checks the body against a shape.
fn check(request: &SimRequest<'_>, shape: &FieldSchema) -> Result<(), Problem> {
    fits(shape, request.json, request.behaviour.allow_unknown).map_err(|(path, fault)| {
        let place = path.bracketed();
        match fault {
            Fault::Unknown => {
                Problem::bad(format!("unknown field: parameter '{place}' is not a valid field"))
            }
            Fault::Missing => Problem::bad(format!("invalid request: {place} is required")),
            Fault::Type(kind) => Problem::new(
                http::StatusCode::UNPROCESSABLE_ENTITY,
                format!("invalid type: parameter {place} should be of type {kind}"),
            ),
            Fault::Value(why) => Problem::bad(format!("invalid request: {place}: {why}")),
        }
    })
}
