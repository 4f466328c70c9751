//! The response object and its items, as plain answers and the events of streams write them.

use crate::{
    canonical::{Call, Family, Finish, Logprob, NameParts, Signature, ToolCallRef, signed_id, split_name},
    codec::Envelope,
    json::{
        Json,
        out::{self, ArrayOut, ObjectOut},
    },
    openai::encode::{logprobs, served_tier},
};
use domain::Usage;

use super::{echo, finish, items_in};

/// One item of the output.
#[derive(Debug)]
pub(super) enum Item {
    Message {
        id: String,
        parts: Vec<Said>,
    },
    Reasoning {
        id: String,
        text: String,
        sealed: Option<String>,
    },
    Call {
        id: String,
        call_id: String,
        name: String,
        arguments: String,
        custom: bool,
    },
    /// An image that the model made, as base64.
    Image {
        id: String,
        data: String,
    },
}

/// Text or a refusal in a message.
#[derive(Debug, Default)]
pub(super) struct Said {
    pub(super) refusal: bool,
    pub(super) text: String,
    /// Tokens with their log-probabilities: elements of a JSON array.
    pub(super) logprobs: Vec<u8>,
}

impl Item {
    pub(super) fn message(envelope: &Envelope, at: usize) -> Self {
        Self::Message { id: minted("msg", envelope, at), parts: Vec::new() }
    }

    pub(super) fn reasoning(envelope: &Envelope, at: usize) -> Self {
        Self::Reasoning { id: minted("rs", envelope, at), text: String::new(), sealed: None }
    }

    /// A call; one without an id gets one (docs/spec/cases.md#case-5), and a seal of the step goes into the id
    /// (docs/spec/cases.md#case-8).
    pub(super) fn call(envelope: &Envelope, at: usize, call: ToolCallRef<'_>, custom: bool) -> Self {
        let call_id = if call.id.is_empty() { minted("call", envelope, at) } else { call.id.to_owned() };
        let call_id = match call.signature {
            Some(signature) => signed_id::embed_signature(&call_id, signature, &*envelope.seal),
            None => call_id,
        };
        let id = minted(if custom { "ctc" } else { "fc" }, envelope, at);
        Self::Call { id, call_id, name: call.name.to_owned(), arguments: String::new(), custom }
    }

    pub(super) fn image(envelope: &Envelope, at: usize, data: &str) -> Self {
        Self::Image { id: minted("ig", envelope, at), data: data.to_owned() }
    }

    pub(super) fn id(&self) -> &str {
        match self {
            Self::Message { id, .. }
            | Self::Reasoning { id, .. }
            | Self::Call { id, .. }
            | Self::Image { id, .. } => id,
        }
    }

    /// Writes the item as far as it is known.
    pub(super) fn write(&self, status: &str, o: &mut ObjectOut<'_>) {
        o.text("id", self.id());
        match self {
            Self::Message { parts, .. } => {
                o.text("type", "message");
                o.text("status", status);
                o.text("role", "assistant");
                o.array("content", |a| parts.iter().for_each(|part| a.object(|o| part.write(o))));
            }
            Self::Reasoning { text, sealed, .. } => {
                o.text("type", "reasoning");
                o.array("summary", |a| {
                    if !text.is_empty() {
                        a.object(|o| summary(text, o));
                    }
                });
                o.text_if("encrypted_content", sealed.as_deref());
            }
            Self::Call { call_id, name, arguments, custom, .. } => {
                o.text("type", if *custom { "custom_tool_call" } else { "function_call" });
                o.text("status", status);
                o.text("call_id", call_id);
                let NameParts { namespace, name } = split_name(name);
                o.text("name", name);
                o.text_if("namespace", namespace);
                o.text(if *custom { "input" } else { "arguments" }, arguments);
            }
            Self::Image { data, .. } => {
                o.text("type", "image_generation_call");
                o.text("status", status);
                o.text("result", data);
            }
        }
    }
}

impl Said {
    pub(super) fn write(&self, o: &mut ObjectOut<'_>) {
        if self.refusal {
            o.text("type", "refusal");
            return o.text("refusal", &self.text);
        }
        o.text("type", "output_text");
        o.text("text", &self.text);
        o.array("annotations", |_| ());
        self.tokens(o);
    }

    /// Writes `logprobs`, which clients require.
    pub(super) fn tokens(&self, o: &mut ObjectOut<'_>) {
        let list = [b"[", &self.logprobs[..], b"]"].concat();
        o.raw("logprobs", Json::parse(&list).unwrap_or(Json::EMPTY_ARRAY));
    }

    /// Adds tokens with their log-probabilities.
    pub(super) fn weigh(&mut self, tokens: &[Logprob<'_>]) {
        let mut list = Vec::new();
        out::array(&mut list, |a| logprobs(tokens, a));
        let inside = list.get(1..list.len() - 1).unwrap_or_default();
        if !self.logprobs.is_empty() && !inside.is_empty() {
            self.logprobs.push(b',');
        }
        self.logprobs.extend_from_slice(inside);
    }
}

/// Writes the part of a reasoning item that holds its text.
pub(super) fn summary(text: &str, o: &mut ObjectOut<'_>) {
    o.text("type", "summary_text");
    o.text("text", text);
}

/// A seal as `encrypted_content`: OpenAI's own as it is, another's wrapped, if it is short enough to be carried.
pub(super) fn sealed(signature: &Signature<'_>, redacted: bool, envelope: &Envelope) -> Option<String> {
    if signature.family == Family::OpenAi {
        return Some(signature.text.to_string());
    }
    let kind = if redacted { items_in::REDACTED } else { items_in::THOUGHTS };
    Some(signed_id::embed_signature(kind, signature, &*envelope.seal)).filter(|carried| carried != kind)
}

fn minted(kind: &str, envelope: &Envelope, at: usize) -> String {
    format!("{kind}_{}_{at}", envelope.request)
}

/// What a response says beside its output.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct State<'s> {
    /// Why it ended, unless it goes on.
    pub(super) finish: Option<Finish>,
    pub(super) model: Option<&'s str>,
    pub(super) usage: Option<Usage>,
    pub(super) service_tier: Option<&'s str>,
    /// What the provider said about its refusal or failure.
    pub(super) explanation: Option<&'s str>,
}

/// Writes a response.
pub(super) fn response(
    envelope: &Envelope,
    state: &State<'_>,
    output: impl FnOnce(&mut ArrayOut<'_>),
    o: &mut ObjectOut<'_>,
) {
    o.pieces("id", &["resp_", &envelope.request]);
    o.text("object", "response");
    o.number("created_at", envelope.created);
    let status = state.finish.map_or("in_progress", finish::status);
    o.text("status", status);
    if status == "failed" {
        o.object("error", |o| {
            o.text("code", "server_error");
            o.text("message", state.explanation.unwrap_or("the provider ended the answer with an error"));
        });
    } else {
        o.null("error");
    }
    match state.finish.and_then(finish::incomplete) {
        Some(reason) => o.object("incomplete_details", |o| o.text("reason", reason)),
        None => o.null("incomplete_details"),
    }
    o.text("model", state.model.unwrap_or(&envelope.model));
    o.array("output", output);
    let default;
    let echo = match Json::parse(&envelope.echo) {
        Ok(echo) => Some(echo),
        Err(_) => {
            default = echo::write(&Call::default());
            Json::parse(&default).ok()
        }
    };
    if let Some(fields) = echo.and_then(|echo| echo.object().ok().flatten()) {
        fields.all().for_each(|(key, value)| o.raw(key, value));
    }
    o.text_if("service_tier", state.service_tier.map(served_tier));
    match &state.usage {
        Some(used) => o.object("usage", |o| usage(used, o)),
        None => o.null("usage"),
    }
}

fn usage(used: &Usage, o: &mut ObjectOut<'_>) {
    o.number("input_tokens", used.input());
    o.object("input_tokens_details", |o| {
        o.number("cached_tokens", used.cache_read);
        o.number("cache_write_tokens", used.cache_written());
        if used.write_30m + used.write_12h > 0 {
            o.object("cache_write_tokens_details", |o| {
                o.number("ttl_30m_tokens", used.write_30m);
                o.number("ttl_12h_tokens", used.write_12h);
            });
        }
    });
    o.number("output_tokens", used.output());
    o.object("output_tokens_details", |o| o.number("reasoning_tokens", used.reasoning));
    o.number("total_tokens", used.input().saturating_add(used.output()));
}
