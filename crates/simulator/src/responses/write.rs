//! A response and its items.

use serde_json::{Value, json};

use super::DIALECT;
use super::rules::AFTER_REASONING;
use crate::CREATED;
use crate::answer::{Answer, Call, Finish, Usage};
use crate::openai::{id, logprobs};
use crate::request::SimRequest;
use crate::script::{Behaviour, UsagePlace};
use crate::signature;

/// What all parts of a response share.
pub(super) struct Writer<'a> {
    pub(super) behaviour: &'a Behaviour,
    model: &'a str,
    digest: &'a [u8; 32],
    request: &'a Value,
    usage: Usage,
    /// How many alternatives each token gets, when log probabilities are asked for.
    pub(super) logprobs: Option<u64>,
}

/// One item of the output, with the pieces that its text comes in.
pub(super) struct Item {
    pub(super) value: Value,
    pub(super) pieces: Vec<String>,
}

impl<'a> Writer<'a> {
    pub(super) fn new(ask: &SimRequest<'a>, usage: Usage) -> Self {
        let included = ask.json["include"].as_array().into_iter().flatten();
        let wanted = included.into_iter().any(|name| name == "message.output_text.logprobs");
        Self {
            behaviour: ask.behaviour,
            model: ask.model,
            digest: ask.digest,
            request: ask.json,
            usage,
            logprobs: wanted.then(|| ask.json["top_logprobs"].as_u64().unwrap_or(0)),
        }
    }

    fn usage(&self) -> Value {
        let usage = &self.usage;
        json!({
            "input_tokens": usage.input,
            "input_tokens_details": {
                "cached_tokens": usage.cache_read,
                "cache_write_tokens": usage.written(),
                "cache_write_tokens_details": {"ttl_30m_tokens": usage.write_5m, "ttl_12h_tokens": usage.write_1h},
            },
            "output_tokens": usage.output,
            "output_tokens_details": {"reasoning_tokens": usage.reasoning},
            "total_tokens": usage.input.saturating_add(usage.output),
        })
    }

    /// The response with these items; `done` is missing while it is being made.
    pub(super) fn response(&self, output: &[Value], done: Option<&Finish>) -> Value {
        let asked = |name: &str, default: Value| match &self.request[name] {
            Value::Null => default,
            value => value.clone(),
        };
        let (status, incomplete) = match done {
            None => ("in_progress", Value::Null),
            Some(Finish::Length) => ("incomplete", json!({"reason": "max_output_tokens"})),
            Some(Finish::Filter) => ("incomplete", json!({"reason": "content_filter"})),
            Some(_) => ("completed", Value::Null),
        };
        let usage = done.is_some() && self.behaviour.usage != UsagePlace::None;
        json!({
            "id": id("resp_", self.digest),
            "object": "response",
            "created_at": CREATED,
            "status": status,
            "background": false,
            "error": null,
            "incomplete_details": incomplete,
            "instructions": self.request["instructions"],
            "max_output_tokens": self.request["max_output_tokens"],
            "metadata": asked("metadata", json!({})),
            "model": self.model,
            "output": output,
            "parallel_tool_calls": asked("parallel_tool_calls", json!(true)),
            "previous_response_id": null,
            "reasoning": asked("reasoning", json!({"effort": null, "summary": null})),
            "service_tier": "default",
            "store": asked("store", json!(true)),
            "temperature": asked("temperature", json!(1.0)),
            "text": asked("text", json!({"format": {"type": "text"}})),
            "tool_choice": asked("tool_choice", json!("auto")),
            "tools": asked("tools", json!([])),
            "top_p": asked("top_p", json!(1.0)),
            "truncation": asked("truncation", json!("disabled")),
            "usage": if usage { self.usage() } else { Value::Null },
        })
    }

    pub(super) fn document(&self, answer: &Answer) -> Value {
        let output: Vec<Value> = self.items(answer).into_iter().map(|item| item.value).collect();
        self.response(&output, Some(&answer.finish))
    }

    /// The items of an answer, in order: reasoning, what is said, calls.
    pub(super) fn items(&self, answer: &Answer) -> Vec<Item> {
        let mut items = Vec::new();
        if !answer.reasoning.is_empty() {
            items.push(self.reasoning(answer));
        }
        if !answer.text.is_empty() || answer.calls.is_empty() {
            items.push(self.message(answer));
        }
        items.extend(answer.calls.iter().enumerate().map(|(index, call)| self.call(answer, index, call)));
        items
    }

    fn status(answer: &Answer) -> &'static str {
        match answer.finish {
            Finish::Length | Finish::Filter => "incomplete",
            _ => "completed",
        }
    }

    fn reasoning(&self, answer: &Answer) -> Item {
        let id = id("rs_", self.digest);
        let shown = !self.request["reasoning"]["summary"].is_null();
        let pieces = if shown { answer.reasoning.clone() } else { Vec::new() };
        let summary = match shown {
            true => json!([{"type": "summary_text", "text": pieces.concat()}]),
            false => json!([]),
        };
        let sealed = signature::mint(DIALECT, self.model, &id);
        Item {
            value: json!({"id": id, "type": "reasoning", "summary": summary, "encrypted_content": sealed}),
            pieces,
        }
    }

    fn message(&self, answer: &Answer) -> Item {
        let text = answer.text.concat();
        let part = if answer.finish == Finish::Refusal {
            json!({"type": "refusal", "refusal": text})
        } else {
            let logprobs = self.logprobs.map_or_else(|| json!([]), |top| logprobs(&answer.text, top));
            json!({"type": "output_text", "text": text, "annotations": [], "logprobs": logprobs})
        };
        let mut value = json!({"id": id("msg_", self.digest), "type": "message", "role": "assistant",
            "status": Self::status(answer), "content": [part]});
        if !answer.calls.is_empty() {
            value["phase"] = "commentary".into();
        }
        Item { value, pieces: answer.text.clone() }
    }

    fn call(&self, answer: &Answer, index: usize, call: &Call) -> Item {
        let prefix = if answer.reasoning.is_empty() { "fc_" } else { AFTER_REASONING };
        let cut = answer.finish == Finish::Length && index + 1 == answer.calls.len();
        let value = json!({
            "id": format!("{}{index}", id(prefix, self.digest)),
            "type": "function_call",
            "status": if cut { "incomplete" } else { "completed" },
            "call_id": call.id,
            "name": call.name,
            "arguments": call.arguments,
        });
        Item { value, pieces: call.pieces() }
    }
}
