//! A client of each dialect, reduced to what a test asks of an answer: its text, its error, its end.

use bytes::Bytes;
use http::Method;
use serde_json::{Value, json};

use super::super::harness::{Bench, Reply};

/// The dialect that a client speaks.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::tests) enum Speaks {
    Chat,
    Responses,
    Messages,
    Gemini,
    Cohere,
    Converse,
}

/// All of them.
pub(in crate::tests) const CLIENTS: [Speaks; 6] =
    [Speaks::Chat, Speaks::Responses, Speaks::Messages, Speaks::Gemini, Speaks::Cohere, Speaks::Converse];

/// What came.
#[derive(Debug, Default)]
pub(in crate::tests) struct Said {
    pub(in crate::tests) text: String,
    pub(in crate::tests) error: Option<Value>,
    /// Whether the dialect's end of a whole answer came.
    pub(in crate::tests) whole: bool,
}

impl Speaks {
    pub(in crate::tests) const fn path(self, stream: bool) -> &'static str {
        match (self, stream) {
            (Self::Chat, _) => "/v1/chat/completions",
            (Self::Responses, _) => "/v1/responses",
            (Self::Messages, _) => "/v1/messages",
            (Self::Gemini, false) => "/v1beta/models/chat:generateContent",
            (Self::Gemini, true) => "/v1beta/models/chat:streamGenerateContent?alt=sse",
            (Self::Cohere, _) => "/v2/chat",
            (Self::Converse, false) => "/model/chat/converse",
            (Self::Converse, true) => "/model/chat/converse-stream",
        }
    }

    pub(in crate::tests) fn body(self, stream: bool) -> Value {
        let messages = json!([{ "role": "user", "content": "one two" }]);
        let mut body = match self {
            Self::Chat | Self::Cohere => json!({ "model": "chat", "messages": messages }),
            Self::Responses => json!({ "model": "chat", "input": "one two" }),
            Self::Messages => json!({ "model": "chat", "max_tokens": 64, "messages": messages }),
            Self::Gemini => json!({ "contents": [{ "role": "user", "parts": [{ "text": "one two" }] }] }),
            Self::Converse => json!({ "messages": [{ "role": "user", "content": [{ "text": "one two" }] }] }),
        };
        if stream && !matches!(self, Self::Gemini | Self::Converse) {
            body["stream"] = true.into();
        }
        body
    }

    pub(in crate::tests) async fn ask(self, bench: &Bench, stream: bool) -> Reply {
        self.send(bench, stream, self.body(stream).to_string()).await
    }

    pub(in crate::tests) async fn send(self, bench: &Bench, stream: bool, body: impl Into<Bytes>) -> Reply {
        let mut request = bench.client.request(Method::POST, self.path(stream), "");
        request.headers_mut().insert("anthropic-version", "2023-06-01".parse().unwrap());
        *request.body_mut() = body.into().into();
        bench.client.plain.send(request).await
    }

    /// The stable code of an error answer.
    pub(in crate::tests) fn code(self, reply: &Reply) -> String {
        let json = reply.json();
        let error = if matches!(self, Self::Cohere | Self::Converse) { &json } else { &json["error"] };
        assert!(error["message"].is_string(), "{self:?}: {json}");
        assert_eq!(error["portcullis"]["request_id"], reply.header("x-portcullis-request-id"), "{json}");
        error["portcullis"]["code"].as_str().unwrap().to_owned()
    }

    /// The text of a plain answer.
    pub(in crate::tests) fn text(self, reply: &Reply) -> String {
        let json = reply.json();
        let text = match self {
            Self::Chat => &json["choices"][0]["message"]["content"],
            Self::Responses => &json["output"][0]["content"][0]["text"],
            Self::Messages => &json["content"][0]["text"],
            Self::Gemini => &json["candidates"][0]["content"]["parts"][0]["text"],
            Self::Cohere => &json["message"]["content"][0]["text"],
            Self::Converse => &json["output"]["message"]["content"][0]["text"],
        };
        text.as_str().unwrap_or_else(|| panic!("{self:?}: {json}")).to_owned()
    }

    /// What a stream said.
    pub(in crate::tests) fn said(self, body: &[u8]) -> Said {
        let mut said = Said::default();
        if self == Self::Converse {
            frames(body, &mut said);
            return said;
        }
        for data in events(body) {
            if data == "[DONE]" {
                said.whole = true;
                continue;
            }
            let event: Value = serde_json::from_str(&data).unwrap_or_else(|_| panic!("{self:?}: {data}"));
            self.note(&event, &mut said);
        }
        said
    }

    fn note(self, event: &Value, said: &mut Said) {
        let kind = event["type"].as_str().unwrap_or_default();
        let (text, error, whole) = match self {
            Self::Chat => (&event["choices"][0]["delta"]["content"], event.get("error"), false),
            Self::Responses if kind == "response.output_text.delta" => (&event["delta"], None, false),
            Self::Responses => {
                let failed = matches!(kind, "error" | "response.failed");
                (&Value::Null, failed.then_some(event), kind == "response.completed")
            }
            Self::Messages => (&event["delta"]["text"], event.get("error"), kind == "message_stop"),
            Self::Gemini => {
                let first = &event["candidates"][0];
                (
                    &first["content"]["parts"][0]["text"],
                    event.get("error"),
                    first.get("finishReason").is_some(),
                )
            }
            Self::Cohere => {
                let error = event["delta"].get("error");
                let whole = kind == "message-end" && error.is_none();
                (&event["delta"]["message"]["content"]["text"], error, whole)
            }
            Self::Converse => unreachable!("its streams are binary"),
        };
        said.text.push_str(text.as_str().unwrap_or_default());
        said.whole |= whole;
        if let Some(error) = error {
            said.error = Some(error.clone());
        }
    }
}

/// The data of each event, whatever its lines end in.
fn events(body: &[u8]) -> Vec<String> {
    let text = std::str::from_utf8(body).unwrap().replace("\r\n", "\n").replace('\r', "\n");
    let text = text.trim_start_matches('\u{feff}');
    let data = |event: &str| {
        let lines = event.lines().filter_map(|line| line.strip_prefix("data:"));
        lines.map(|line| line.strip_prefix(' ').unwrap_or(line)).collect::<Vec<_>>().join("\n")
    };
    text.split("\n\n").map(data).filter(|data| !data.is_empty()).collect()
}

fn frames(mut body: &[u8], said: &mut Said) {
    let number = |bytes: &[u8]| u32::from_be_bytes(bytes[..4].try_into().unwrap()) as usize;
    while !body.is_empty() {
        let (frame, rest) = body.split_at(number(body));
        body = rest;
        let (headers, payload) = frame[12..frame.len() - 4].split_at(number(&frame[4..]));
        let headers = String::from_utf8_lossy(headers);
        let payload: Value = serde_json::from_slice(payload).unwrap();
        if headers.contains(":exception-type") {
            said.error = Some(payload);
        } else {
            said.text.push_str(payload["delta"]["text"].as_str().unwrap_or_default());
            said.whole |= headers.contains("messageStop");
        }
    }
}
