//! Chat completions: the answer, plain or as chunks.

use bytes::Bytes;
use serde_json::{Value, json};

use super::read::read;
use super::{id, logprobs, usage};
use crate::CREATED;
use crate::answer::{Answer, Call, Finish, Reply, reply};
use crate::echo;
use crate::failure::Framing;
use crate::plan::Events;
use crate::problem::Problem;
use crate::reply::Payload;
use crate::request::SimRequest;
use crate::script::{Behaviour, UsagePlace};
use crate::sse::Sse;

/// Answers `POST /v1/chat/completions`.
pub(crate) fn answer(request: &SimRequest<'_>) -> Result<Payload, Problem> {
    let intent = read(request)?;
    let reply = reply(&intent, request.behaviour, &request.app.cache, "call_", request.digest)?;
    let logprobs =
        (request.json["logprobs"] == true).then(|| request.json["top_logprobs"].as_u64().unwrap_or(0));
    let told = usage(&reply.usage, request.behaviour);
    let chat = Chat {
        behaviour: request.behaviour,
        logprobs,
        id: id("chatcmpl-", request.digest),
        model: request.model,
        usage: told,
    };
    Ok(match intent.stream {
        true => chat.events(&reply, request.json["stream_options"]["include_usage"] == true),
        false => Payload::json(&chat.document(&reply)),
    })
}

struct Chat<'a> {
    behaviour: &'a Behaviour,
    /// How many alternatives each token gets, when log probabilities are asked for.
    logprobs: Option<u64>,
    id: String,
    model: &'a str,
    usage: Value,
}

fn call(call: &Call) -> Value {
    json!({"id": call.id, "type": "function", "function": {"name": call.name, "arguments": call.arguments}})
}

impl Chat<'_> {
    fn finish(&self, answer: &Answer) -> String {
        let word = match answer.finish {
            Finish::End | Finish::Stop(_) | Finish::Refusal => "stop",
            Finish::Length => "length",
            Finish::Calls => "tool_calls",
            Finish::Filter => "content_filter",
        };
        self.behaviour.finish_reason.clone().unwrap_or_else(|| word.to_owned())
    }

    /// The field for reasoning text, which compatible vendors have and OpenAI has not.
    fn reasoning_field(&self) -> Option<&str> {
        let field = self.behaviour.reasoning_field.as_deref().unwrap_or("reasoning_content");
        (!field.is_empty()).then_some(field)
    }

    fn document(&self, reply: &Reply) -> Value {
        let choices: Vec<Value> =
            reply.answers.iter().enumerate().map(|(index, answer)| self.choice(index, answer)).collect();
        let mut document = json!({
            "id": self.id,
            "object": "chat.completion",
            "created": CREATED,
            "model": self.model,
            "choices": choices,
        });
        match self.behaviour.usage {
            UsagePlace::None => {}
            UsagePlace::InChoice => document["choices"][0]["usage"] = self.usage.clone(),
            _ => document["usage"] = self.usage.clone(),
        }
        document
    }

    fn choice(&self, index: usize, answer: &Answer) -> Value {
        let text = answer.text.concat();
        let (content, refusal) = match answer.finish {
            Finish::Refusal => (Value::Null, Value::from(text)),
            Finish::Calls if text.is_empty() => (Value::Null, Value::Null),
            _ => (Value::from(text), Value::Null),
        };
        let mut message = json!({"role": "assistant", "content": content, "refusal": refusal});
        if let Some(field) = self.reasoning_field().filter(|_| !answer.reasoning.is_empty()) {
            message[field] = answer.reasoning.concat().into();
        }
        if !answer.calls.is_empty() {
            message["tool_calls"] = answer.calls.iter().map(call).collect();
        }
        let logprobs =
            self.logprobs.map(|top| json!({"content": logprobs(&answer.text, top), "refusal": null}));
        json!({"index": index, "message": message, "logprobs": logprobs, "finish_reason": self.finish(answer)})
    }

    fn events(&self, reply: &Reply, include_usage: bool) -> Payload {
        let sse = Sse::of(self.behaviour);
        let place = if include_usage { self.behaviour.usage } else { UsagePlace::None };
        let writer = Writer {
            sse,
            place,
            head: format!(
                r#"{{"id":"{}","object":"chat.completion.chunk","created":{CREATED},"model":{},"choices":["#,
                self.id,
                Value::from(self.model),
            ),
            usage: self.usage.clone(),
            obfuscate: self.behaviour.obfuscation,
        };
        let mut events = Events::default();
        let mut written = 0;
        for (index, answer) in reply.answers.iter().enumerate() {
            let role = r#"{"role":"assistant","content":""}"#;
            events.opening.push(writer.delta(index, role, "null", &mut written, 0));
            for (delta, logprobs, bytes) in self.deltas(answer) {
                events.content.push(writer.delta(index, &delta, &logprobs, &mut written, bytes));
            }
            let last = index + 1 == reply.answers.len();
            events.closing.push(writer.finish(index, &self.finish(answer), last));
        }
        if place == UsagePlace::OwnChunk {
            events.closing.push(writer.chunk("", Some(&self.usage)));
        }
        events.closing.push(sse.data("[DONE]"));
        Payload::Events(Framing::Chat(sse), events)
    }

    /// The deltas of an answer as JSON, their log probabilities, and the bytes of output in each.
    fn deltas(&self, answer: &Answer) -> Vec<(String, String, usize)> {
        let none = || "null".to_owned();
        let mut deltas = Vec::new();
        if let Some(field) = self.reasoning_field() {
            deltas.extend(
                answer.reasoning.iter().map(|text| (json!({field: text}).to_string(), none(), text.len())),
            );
        }
        let field = if answer.finish == Finish::Refusal { "refusal" } else { "content" };
        for text in &answer.text {
            let logprobs = self.logprobs.map(|top| {
                json!({"content": logprobs(std::slice::from_ref(text), top), "refusal": null}).to_string()
            });
            deltas.push((
                format!(r#"{{"{field}":{}}}"#, Value::from(text.as_str())),
                logprobs.unwrap_or_else(none),
                text.len(),
            ));
        }
        for (index, call) in answer.calls.iter().enumerate() {
            let first = json!({"tool_calls": [{"index": index, "id": call.id, "type": "function",
                "function": {"name": call.name, "arguments": ""}}]});
            deltas.push((first.to_string(), none(), call.name.len()));
            deltas.extend(call.pieces().iter().map(|piece| {
                let delta = json!({"tool_calls": [{"index": index, "function": {"arguments": piece}}]});
                (delta.to_string(), none(), piece.len())
            }));
        }
        deltas
    }
}

/// Writes chunks, which differ in their choices only.
struct Writer {
    sse: Sse,
    place: UsagePlace,
    head: String,
    usage: Value,
    obfuscate: bool,
}

impl Writer {
    fn chunk(&self, choices: &str, usage: Option<&Value>) -> Bytes {
        let usage = match usage {
            Some(usage) => format!(r#","usage":{usage}"#),
            // OpenAI sends `usage: null` on all other chunks when usage comes in a chunk of its own.
            None if self.place == UsagePlace::OwnChunk => r#","usage":null"#.to_owned(),
            None => String::new(),
        };
        let padding = if self.obfuscate { r#","obfuscation":"aGk3Zx9"}"# } else { "}" };
        self.sse.data(&[&self.head, choices, "]", &usage, padding].concat())
    }

    fn delta(&self, index: usize, delta: &str, logprobs: &str, written: &mut usize, bytes: usize) -> Bytes {
        *written += bytes;
        let logprobs = if logprobs == "null" { String::new() } else { format!(r#","logprobs":{logprobs}"#) };
        let choice = format!(r#"{{"index":{index},"delta":{delta}{logprobs},"finish_reason":null}}"#);
        let so_far = (self.place == UsagePlace::EveryChunk).then(|| {
            let mut usage = self.usage.clone();
            let output = echo::tokens(*written).min(usage["completion_tokens"].as_u64().unwrap_or(u64::MAX));
            usage["completion_tokens"] = output.into();
            usage["total_tokens"] =
                usage["prompt_tokens"].as_u64().map(|input| input.saturating_add(output)).into();
            usage
        });
        self.chunk(&choice, so_far.as_ref())
    }

    /// The chunk with the finish reason; the last one may carry usage.
    fn finish(&self, index: usize, reason: &str, last: bool) -> Bytes {
        let inside = match self.place == UsagePlace::InChoice && last {
            true => format!(r#","usage":{}"#, self.usage),
            false => String::new(),
        };
        let reason = Value::from(reason);
        let choice = format!(r#"{{"index":{index},"delta":{{}},"finish_reason":{reason}{inside}}}"#);
        let here = last && matches!(self.place, UsagePlace::LastChoice | UsagePlace::EveryChunk);
        self.chunk(&choice, here.then_some(&self.usage))
    }
}
