//! The Anthropic dialect: messages, plain and streamed, and the count of their tokens.

mod fields;
mod read;
mod rules;
mod write;

use serde_json::{Value, json};

use crate::answer::reply;
use crate::echo;
use crate::problem::Problem;
use crate::reply::Payload;
use crate::serve::SimRequest;
use crate::shape::{Fault, Shape, check as fits};

/// What signatures of this provider are bound to.
const DIALECT: &str = "anthropic";
/// The newest version of the API.
const VERSION: &str = "2026-10-21";
/// What the header may say.
const VERSIONS: [&str; 2] = ["2023-06-01", VERSION];
/// What the body may say behind Google's and AWS's paths.
const CLOUD_VERSIONS: [&str; 4] = ["vertex-2023-10-16", "bedrock-2023-05-31", "2023-06-01", VERSION];

/// Answers `POST /v1/messages`.
pub(crate) fn answer(ask: &SimRequest<'_>) -> Result<Payload, Problem> {
    if ask.json["model"].is_null() {
        return Err(Problem::bad("model: Field required"));
    }
    let stream = ask.json["stream"] == true;
    respond(ask, stream)
}

/// Answers the same behind Google's and AWS's paths, where the path names the model and whether the answer is a stream.
pub(crate) fn raw_predict(ask: &SimRequest<'_>, stream: bool) -> Result<Payload, Problem> {
    if !ask.json["model"].is_null() {
        return Err(Problem::bad("model: Extra inputs are not permitted"));
    }
    respond(ask, stream || ask.json["stream"] == true)
}

fn respond(ask: &SimRequest<'_>, stream: bool) -> Result<Payload, Problem> {
    let intent = read::read(ask, false)?;
    let (answer, usage) = reply(&intent, ask.behaviour, &ask.app.cache, "toolu_", ask.digest)?.single();
    let omitted = ask.json["thinking"]["display"] == "omitted";
    let writer =
        write::Writer { behaviour: ask.behaviour, model: ask.model, digest: ask.digest, omitted, usage };
    Ok(if stream { writer.events(&answer) } else { Payload::json(&writer.document(&answer)) })
}

/// Answers `POST /v1/messages/count_tokens`.
pub(crate) fn count(ask: &SimRequest<'_>) -> Result<Payload, Problem> {
    let intent = read::read(ask, true)?;
    Ok(Payload::json(&json!({"input_tokens": echo::tokens(intent.input_bytes).max(1)})))
}

/// The version that the request is written for: in the header, or in the body behind Google's paths.
fn version<'a>(ask: &SimRequest<'a>) -> Result<&'a str, Problem> {
    let in_header = ask.headers.get("anthropic-version").and_then(|value| value.to_str().ok());
    if let Some(version) = ask.json["anthropic_version"].as_str() {
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
fn check(ask: &SimRequest<'_>, shape: &Shape, value: &Value, place: &str) -> Result<(), Problem> {
    fits(shape, value, ask.behaviour.allow_unknown).map_err(|(path, fault)| {
        let path = path.dotted();
        Problem::bad(match fault {
            Fault::Unknown => format!("{place}{path}: Extra inputs are not permitted"),
            Fault::Missing => format!("{place}{path}: Field required"),
            Fault::Type(kind) => format!("{place}{path}: Input should be a valid {kind}"),
            Fault::Value(why) => format!("{place}{path}: {why}"),
        })
    })
}
