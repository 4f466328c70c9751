//! The Bedrock dialect: converse, plain and as binary frames, the count of its tokens, and invoke for embeddings.

mod fields;
pub(crate) mod invoke;
mod read;
mod rules;
mod write;

use serde_json::json;

use crate::answer::reply;
use crate::canonical_request::CanonicalRequest;
use crate::echo;
use crate::field_schema::{Fault, FieldSchema, check as fits};
use crate::problem::Problem;
use crate::reply::Payload;
use crate::request::SimRequest;

/// What signatures of this provider are bound to.
const DIALECT: &str = "bedrock";

/// Answers `converse` and `converse-stream`.
pub(crate) fn answer(request: &SimRequest<'_>, stream: bool) -> Result<Payload, Problem> {
    let intent = read::read(request)?;
    let (answer, usage) =
        reply(&intent, request.behaviour, &request.app.cache, "tooluse_", request.digest)?.single();
    let paths = request.json["additionalModelResponseFieldPaths"].as_array().into_iter().flatten();
    let tells_stop = paths.into_iter().any(|path| path == "/stop_sequence");
    let writer = write::Writer { behaviour: request.behaviour, model: request.model, tells_stop, usage };
    Ok(if stream { writer.events(&answer) } else { Payload::json(&writer.document(&answer)) })
}

/// Answers `count-tokens`; a body to invoke counts by its length.
pub(crate) fn count(request: &SimRequest<'_>) -> Result<Payload, Problem> {
    check(request, &fields::COUNT)?;
    let input = &request.json["input"];
    let mut intent = CanonicalRequest::default();
    intent.text(input["invokeModel"]["body"].as_str().unwrap_or_default());
    read::conversation(&mut intent, &input["converse"])?;
    Ok(Payload::json(&json!({"inputTokens": echo::tokens(intent.input_bytes).max(1)})))
}

/// Checks the body against a shape.
fn check(request: &SimRequest<'_>, shape: &FieldSchema) -> Result<(), Problem> {
    fits(shape, request.json, request.behaviour.allow_unknown).map_err(|(path, fault)| {
        let place = path.dotted();
        Problem::bad(match fault {
            Fault::Unknown => format!("The request contains an unknown field: extraneous key [{place}] is not permitted"),
            Fault::Missing => format!(
                "1 validation error detected: Value null at '{place}' failed to satisfy constraint: Member must not be null"
            ),
            Fault::Type(kind) => {
                format!("The format of the value at {place} is invalid. Provide a json {kind} for the field and try again.")
            }
            Fault::Value(why) => format!("1 validation error detected: Value at '{place}' failed to satisfy constraint: {why}"),
        })
    })
}
