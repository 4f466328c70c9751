//! The Anthropic dialect: messages, plain and streamed, and the count of their tokens.

mod blocks;
pub(crate) mod fields;
mod read;
mod rules;
mod write;

use serde_json::{Value, json};

use crate::answer::reply;
use crate::echo;
use crate::field_schema::{Fault, FieldSchema, check as fits};
use crate::problem::Problem;
use crate::reply::Payload;
use crate::request::SimRequest;

/// What signatures of this provider are bound to.
const DIALECT: &str = "anthropic";
/// The newest version of the API.
const VERSION: &str = "2026-10-21";
/// What the header may say.
const VERSIONS: [&str; 2] = ["2023-06-01", VERSION];
/// What the body may say behind Google's and AWS's paths.
const CLOUD_VERSIONS: [&str; 4] = ["vertex-2023-10-16", "bedrock-2023-05-31", "2023-06-01", VERSION];

/// Answers `POST /v1/messages`.
pub(crate) fn answer(request: &SimRequest<'_>) -> Result<Payload, Problem> {
    if request.json["model"].is_null() {
        return Err(Problem::bad("model: Field required"));
    }
    let stream = request.json["stream"] == true;
    respond(request, stream)
}

/// Answers the same behind Google's and AWS's paths, where the path names the model and whether the answer is a stream.
pub(crate) fn raw_predict(request: &SimRequest<'_>, stream: bool) -> Result<Payload, Problem> {
    if !request.json["model"].is_null() {
        return Err(Problem::bad("model: Extra inputs are not permitted"));
    }
    respond(request, stream || request.json["stream"] == true)
}

fn respond(request: &SimRequest<'_>, stream: bool) -> Result<Payload, Problem> {
    let intent = read::read(request, false)?;
    let (answer, usage) =
        reply(&intent, request.behaviour, &request.app.cache, "toolu_", request.digest)?.single();
    let omitted = request.json["thinking"]["display"] == "omitted";
    let writer = write::Writer {
        behaviour: request.behaviour,
        model: request.model,
        digest: request.digest,
        omitted,
        usage,
    };
    Ok(if stream { writer.events(&answer) } else { Payload::json(&writer.document(&answer)) })
}

/// Answers `POST /v1/messages/count_tokens`.
pub(crate) fn count(request: &SimRequest<'_>) -> Result<Payload, Problem> {
    let intent = read::read(request, true)?;
    Ok(Payload::json(&json!({"input_tokens": echo::tokens(intent.input_bytes).max(1)})))
}

/// The version that the request is written for: in the header, or in the body behind Google's paths.
fn version<'a>(request: &SimRequest<'a>) -> Result<&'a str, Problem> {
    let in_header = request.headers.get("anthropic-version").and_then(|value| value.to_str().ok());
    if let Some(version) = request.json["anthropic_version"].as_str() {
        return match CLOUD_VERSIONS.contains(&version) {
            true => Ok(version),
            false => Err(Problem::bad(format!("anthropic_version: \"{version}\" is not a valid version"))),
        };
    }
    match in_header {
        Some(version) if VERSIONS.contains(&version) => Ok(version),
        Some(version) => {
            Err(Problem::bad(format!("anthropic-version: \"{version}\" is not a valid version")))
        }
        None => Err(Problem::bad("anthropic-version: header is required")),
    }
}

/// Checks a value against a shape; `place` goes before the path of what does not fit.
fn check(request: &SimRequest<'_>, shape: &FieldSchema, value: &Value, place: &str) -> Result<(), Problem> {
    fits(shape, value, request.behaviour.allow_unknown).map_err(|(path, fault)| {
        let path = path.dotted();
        Problem::bad(match fault {
            Fault::Unknown => format!("{place}{path}: Extra inputs are not permitted"),
            Fault::Missing => format!("{place}{path}: Field required"),
            Fault::Type(kind) => format!("{place}{path}: Input should be a valid {kind}"),
            Fault::Value(why) => format!("{place}{path}: {why}"),
        })
    })
}
