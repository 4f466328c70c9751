//! Chat completions: reading the few fields that matter and writing the answer, plain or as chunks.

use std::borrow::Cow;

use bytes::Bytes;
use serde::Deserialize;
use serde_json::{Value, json};

use super::{CREATED, Refusal};
use crate::echo;
use crate::reply::{Payload, event};
use crate::script::{Behaviour, UsagePlace};

/// A chat request; fields the simulator has no use for are ignored, as are parts that are not text.
#[derive(Deserialize)]
pub(super) struct Request<'a> {
    #[serde(borrow)]
    pub(super) model: Cow<'a, str>,
    #[serde(borrow)]
    messages: Vec<Message<'a>>,
    #[serde(default)]
    stream: Option<bool>,
    #[serde(default)]
    stream_options: Option<StreamOptions>,
    #[serde(default)]
    max_tokens: Option<u64>,
    #[serde(default)]
    max_completion_tokens: Option<u64>,
}

#[derive(Deserialize)]
struct StreamOptions {
    #[serde(default)]
    include_usage: bool,
}

#[derive(Deserialize)]
struct Message<'a> {
    #[serde(borrow)]
    role: Cow<'a, str>,
    #[serde(borrow, default)]
    content: Option<Content<'a>>,
}

#[derive(Deserialize)]
#[serde(untagged)]
enum Content<'a> {
    #[serde(borrow)]
    Text(Cow<'a, str>),
    Parts(Vec<Part<'a>>),
}

#[derive(Deserialize)]
struct Part<'a> {
    #[serde(borrow, default)]
    text: Option<Cow<'a, str>>,
}

impl Message<'_> {
    fn text(&self) -> Cow<'_, str> {
        match &self.content {
            None => Cow::Borrowed(""),
            Some(Content::Text(text)) => Cow::Borrowed(text.as_ref()),
            Some(Content::Parts(parts)) => {
                Cow::Owned(parts.iter().filter_map(|part| part.text.as_deref()).collect())
            }
        }
    }
}

/// The answer before it is written.
struct Answer {
    id: String,
    model: String,
    chunks: Vec<String>,
    finish_reason: &'static str,
    usage: Value,
}

impl<'a> Request<'a> {
    pub(super) fn parse(body: &'a [u8]) -> Result<Self, Refusal> {
        serde_json::from_slice(body).map_err(|e| Refusal(format!("could not read the request: {e}")))
    }

    /// The answer to the last user message; input tokens are those of all messages' text together, at least 1.
    pub(super) fn answer(&self, digest: &[u8; 32], behaviour: &Behaviour) -> Payload {
        let last = self.messages.iter().rev().find(|message| message.role == "user");
        let text = echo::answer(&last.map(Message::text).unwrap_or_default());
        let mut chunks = echo::chunks(&text, behaviour.chunks);
        let limit = self.max_completion_tokens.or(self.max_tokens).map(|tokens| tokens.saturating_mul(4));
        let limit = usize::try_from(limit.unwrap_or(u64::MAX)).unwrap_or(usize::MAX).min(echo::MAX_ANSWER);
        let cut = echo::truncate(&mut chunks, limit);
        let input: usize = self.messages.iter().map(|message| message.text().len()).sum();
        let output: usize = chunks.iter().map(String::len).sum();
        let id: String = digest.iter().take(12).map(|byte| format!("{byte:02x}")).collect();
        let answer = Answer {
            id: format!("chatcmpl-{id}"),
            model: self.model.to_string(),
            chunks,
            finish_reason: if cut { "length" } else { "stop" },
            usage: usage(behaviour, echo::tokens(input).max(1), echo::tokens(output)),
        };
        if self.stream == Some(true) {
            let include_usage = self.stream_options.as_ref().is_some_and(|options| options.include_usage);
            answer.events(behaviour, include_usage)
        } else {
            answer.document(behaviour)
        }
    }
}

/// Counted or scripted usage, with details only where they are scripted.
fn usage(behaviour: &Behaviour, input: u64, output: u64) -> Value {
    let input = behaviour.prompt_tokens.unwrap_or(input);
    let output = behaviour.completion_tokens.unwrap_or(output);
    let mut usage = json!({
        "prompt_tokens": input,
        "completion_tokens": output,
        "total_tokens": input.saturating_add(output),
    });
    if let Some(cached) = behaviour.cached_tokens {
        usage["prompt_tokens_details"] = json!({ "cached_tokens": cached });
    }
    if let Some(reasoning) = behaviour.reasoning_tokens {
        usage["completion_tokens_details"] = json!({ "reasoning_tokens": reasoning });
    }
    usage
}

impl Answer {
    fn document(self, behaviour: &Behaviour) -> Payload {
        let mut document = json!({
            "id": self.id,
            "object": "chat.completion",
            "created": CREATED,
            "model": self.model,
            "choices": [{
                "index": 0,
                "message": {"role": "assistant", "content": self.chunks.concat(), "refusal": null},
                "logprobs": null,
                "finish_reason": self.finish_reason,
            }],
        });
        if behaviour.usage != UsagePlace::None {
            document["usage"] = self.usage;
        }
        Payload::Document(Bytes::from(document.to_string()))
    }

    fn events(self, behaviour: &Behaviour, include_usage: bool) -> Payload {
        let place = if include_usage { behaviour.usage } else { UsagePlace::None };
        let head = format!(
            r#"{{"id":"{}","object":"chat.completion.chunk","created":{CREATED},"model":{},"choices":["#,
            self.id,
            Value::from(self.model),
        );
        // OpenAI sends `usage: null` on all other chunks when usage comes in a chunk of its own.
        let tail = if place == UsagePlace::OwnChunk { r#"],"usage":null}"# } else { "]}" };
        let write = |choices: &str, tail: &str| event(&[&head, choices, tail].concat(), behaviour.crlf);
        let content = self.chunks.into_iter().map(|chunk| {
            let text = Value::from(chunk);
            write(&format!(r#"{{"index":0,"delta":{{"content":{text}}},"finish_reason":null}}"#), tail)
        });
        let finish = format!(r#"{{"index":0,"delta":{{}},"finish_reason":"{}"}}"#, self.finish_reason);
        let usage = format!(r#"],"usage":{}}}"#, self.usage);
        let mut closing = match place {
            UsagePlace::None => vec![write(&finish, tail)],
            UsagePlace::LastChoice => vec![write(&finish, &usage)],
            UsagePlace::OwnChunk => vec![write(&finish, tail), write("", &usage)],
        };
        closing.push(event("[DONE]", behaviour.crlf));
        let role = r#"{"index":0,"delta":{"role":"assistant","content":""},"finish_reason":null}"#;
        Payload::Events { opening: write(role, tail), content: content.collect(), closing }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn document(body: &Value, behaviour: &str) -> Value {
        let body = body.to_string();
        let Ok(request) = Request::parse(body.as_bytes()) else { panic!("refused") };
        match request.answer(&[0xab; 32], &serde_json::from_str(behaviour).unwrap()) {
            Payload::Document(bytes) => serde_json::from_slice(&bytes).unwrap(),
            Payload::Events { .. } => panic!("a stream"),
        }
    }

    #[test]
    fn the_last_user_message_is_echoed_and_tokens_are_quarter_bytes() {
        let answer = document(
            &json!({"model": "m", "messages": [
                {"role": "user", "content": "first"},
                {"role": "assistant", "content": null},
                {"role": "user", "content": [{"type": "text", "text": "ein \"é\""}, {"type": "image_url"}]},
            ]}),
            "{}",
        );
        assert_eq!(answer["choices"][0]["message"]["content"], "echo: ein \"é\"");
        assert_eq!(answer["usage"], json!({"prompt_tokens": 4, "completion_tokens": 4, "total_tokens": 8}));
        assert_eq!(answer["id"], "chatcmpl-abababababababababababab");
    }

    #[test]
    fn the_output_limit_cuts_and_says_so() {
        let body = json!({"model": "m", "max_tokens": 2, "messages": [{"role": "user", "content": "hello"}]});
        let answer = document(&body, "{}");
        assert_eq!(answer["choices"][0]["message"]["content"], "echo: he");
        assert_eq!(answer["choices"][0]["finish_reason"], "length");
        assert_eq!(answer["usage"]["completion_tokens"], 2);
    }

    #[test]
    fn scripted_usage_replaces_the_counted_one() {
        let body = json!({"model": "m", "messages": [{"role": "user", "content": "hello"}]});
        let script = r#"{"prompt_tokens":100,"completion_tokens":7,"cached_tokens":64,"reasoning_tokens":5}"#;
        let usage = document(&body, script)["usage"].clone();
        assert_eq!(usage["total_tokens"], 107);
        assert_eq!(usage["prompt_tokens_details"]["cached_tokens"], 64);
        assert_eq!(usage["completion_tokens_details"]["reasoning_tokens"], 5);
        assert!(document(&body, r#"{"usage":"none"}"#).get("usage").is_none());
    }
}
