//! The Gemini dialect: content generated plain and streamed, counted and embedded, also behind Vertex's paths.

mod base64_alphabets;
mod camel;
pub(crate) mod embed;
mod fields;
mod read;
mod rules;
mod write;

use serde_json::{Value, json};

use crate::answer::reply;
use crate::canonical_request::{CanonicalRequest, Role};
use crate::echo;
use crate::field_schema::{Fault, FieldSchema, check as fits};
use crate::problem::Problem;
use crate::reply::Payload;
use crate::request::SimRequest;

/// What signatures of this provider are bound to.
const DIALECT: &str = "gemini";

/// Answers `:generateContent` and `:streamGenerateContent`; a stream is server-sent events only with `alt=sse`.
pub(crate) fn answer(ask: &SimRequest<'_>, stream: bool) -> Result<Payload, Problem> {
    let json = camel::case(ask.json).map_err(Problem::bad)?;
    let ask = &SimRequest { json: &json, ..*ask };
    let intent = read::read(ask)?;
    let reply = reply(&intent, ask.behaviour, &ask.app.cache, "call_", ask.digest)?;
    let config = &ask.json["generationConfig"];
    let logprobs = (config["responseLogprobs"] == true).then(|| config["logprobs"].as_u64().unwrap_or(0));
    let writer = write::Writer {
        behaviour: ask.behaviour,
        model: ask.model,
        digest: ask.digest,
        thoughts: config["thinkingConfig"]["includeThoughts"] == true,
        logprobs,
        usage: reply.usage,
    };
    Ok(match stream {
        true => writer.events(&reply, ask.parameter("alt") == Some("sse")),
        false => Payload::json(&writer.document(&reply)),
    })
}

/// Answers `:countTokens`.
pub(crate) fn count(ask: &SimRequest<'_>) -> Result<Payload, Problem> {
    let json = camel::case(ask.json).map_err(Problem::bad)?;
    let ask = &SimRequest { json: &json, ..*ask };
    check(ask, &fields::COUNT, ask.json)?;
    let whole = &ask.json["generateContentRequest"];
    let request = if whole.is_null() { ask.json } else { whole };
    let mut intent = CanonicalRequest::default();
    intent.turn(Role::System);
    read::system(&mut intent, &request["systemInstruction"]);
    for content in request["contents"].as_array().into_iter().flatten() {
        read::content(&mut intent, content).map_err(Problem::bad)?;
    }
    Ok(Payload::json(&json!({"totalTokens": echo::tokens(intent.input_bytes).max(1)})))
}

/// Checks a body against a shape.
fn check(ask: &SimRequest<'_>, shape: &FieldSchema, value: &Value) -> Result<(), Problem> {
    fits(shape, value, ask.behaviour.allow_unknown).map_err(|(path, fault)| {
        let place = path.bracketed();
        Problem::bad(match fault {
            Fault::Unknown => {
                let (name, outer) = path.split();
                let at =
                    if outer.0.is_empty() { String::new() } else { format!(" at '{}'", outer.bracketed()) };
                format!("Invalid JSON payload received. Unknown name \"{name}\"{at}: Cannot find field.")
            }
            Fault::Missing => format!("* GenerateContentRequest.{place}: {place} is not specified\n"),
            Fault::Type(kind) => format!("Invalid value at '{place}' (TYPE_{})", kind.to_uppercase()),
            Fault::Value(why) => format!("Invalid value at '{place}': {why}"),
        })
    })
}
