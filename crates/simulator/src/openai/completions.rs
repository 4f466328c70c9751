//! Legacy completions: text in, text out.

use serde_json::{Value, json};

use super::{fits, id, usage};
use crate::CREATED;
use crate::answer::{Finish, reply};
use crate::canonical_request::{CanonicalRequest, Role};
use crate::failure::Framing;
use crate::field_schema::FieldSchema::{self, Any, Bool, Either, Int, List, Map, Num, Object, Str};
use crate::plan::Events;
use crate::problem::Problem;
use crate::reply::Payload;
use crate::request::SimRequest;
use crate::script::UsagePlace;
use crate::sse::Sse;

static COMPLETION: FieldSchema = Object(&[
    ("model", Str),
    ("prompt!", Either(&[&Str, &List(&Any)])),
    ("best_of", Int),
    ("echo", Bool),
    ("frequency_penalty", Num(-2.0, 2.0)),
    ("logit_bias", Map),
    ("logprobs", Int),
    ("max_tokens", Int),
    ("n", Int),
    ("presence_penalty", Num(-2.0, 2.0)),
    ("seed", Int),
    ("stop", Either(&[&Str, &List(&Str)])),
    ("stream", Bool),
    ("stream_options", Object(&[("include_obfuscation", Bool), ("include_usage", Bool)])),
    ("suffix", Str),
    ("temperature", Num(0.0, 2.0)),
    ("top_p", Num(0.0, 1.0)),
    ("user", Str),
]);

/// Answers `POST /v1/completions` like a chat with one user message.
pub(crate) fn answer(request: &SimRequest<'_>) -> Result<Payload, Problem> {
    fits(request, &COMPLETION)?;
    let json = request.json;
    let texts = |value: &Value| -> Vec<String> {
        let many = value.as_array().into_iter().flatten().filter_map(Value::as_str);
        value.as_str().into_iter().chain(many).map(str::to_owned).collect()
    };
    let mut intent = CanonicalRequest {
        max_tokens: json["max_tokens"].as_u64(),
        stops: texts(&json["stop"]),
        n: json["n"].as_u64().and_then(|n| usize::try_from(n).ok()).unwrap_or(1),
        ..CanonicalRequest::default()
    };
    intent.turn(Role::User);
    texts(&json["prompt"]).iter().for_each(|text| intent.text(text));
    let reply = reply(&intent, request.behaviour, &request.app.cache, "", request.digest)?;
    let told = (request.behaviour.usage != UsagePlace::None).then(|| usage(&reply.usage, request.behaviour));
    let document = |choices: Value, usage: Option<&Value>| {
        let mut document = json!({"id": id("cmpl-", request.digest), "object": "text_completion", "created": CREATED,
            "model": request.model, "choices": choices});
        if let Some(usage) = usage {
            document["usage"] = usage.clone();
        }
        document
    };
    let choice = |index: usize, text: &str, finish: Option<&Finish>| {
        let finish = finish.map(|finish| if *finish == Finish::Length { "length" } else { "stop" });
        json!({"index": index, "text": text, "logprobs": null, "finish_reason": finish})
    };
    if json["stream"] != true {
        let all = reply.answers.iter().enumerate();
        let choices = all.map(|(index, one)| choice(index, &one.text.concat(), Some(&one.finish))).collect();
        return Ok(Payload::json(&document(choices, told.as_ref())));
    }
    let sse = Sse::of(request.behaviour);
    let mut events = Events::default();
    for (index, one) in reply.answers.iter().enumerate() {
        let pieces = one.text.iter().map(|text| document(json!([choice(index, text, None)]), None));
        events.content.extend(pieces.map(|chunk| sse.data(&chunk.to_string())));
        let last = document(json!([choice(index, "", Some(&one.finish))]), None);
        events.closing.push(sse.data(&last.to_string()));
    }
    if json["stream_options"]["include_usage"] == true {
        events.closing.push(sse.data(&document(json!([]), told.as_ref()).to_string()));
    }
    events.closing.push(sse.data("[DONE]"));
    Ok(Payload::Events(Framing::Chat(sse), events))
}
