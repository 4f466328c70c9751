//! One request and what its client saw.

use std::time::Duration;

use serde_json::{Value, json};

/// What every request asks; the provider echoes it.
pub(crate) const PROMPT: &str = "one two three four five six";

/// A request to make.
#[derive(Clone)]
pub(crate) struct Call {
    pub(crate) body: Value,
    pub(crate) explain: bool,
}

impl Call {
    pub(crate) fn new(route: &str, stream: bool) -> Self {
        let messages = json!([{ "role": "user", "content": PROMPT }]);
        Self { body: json!({ "model": route, "stream": stream, "messages": messages }), explain: false }
    }

    pub(crate) fn is_stream(&self) -> bool {
        self.body["stream"] == json!(true)
    }
}

/// What its client saw.
#[derive(Clone, Debug, Default)]
pub(crate) struct Sample {
    /// When it was sent, on the stage's clock.
    pub(crate) at: Duration,
    /// When the answer had ended, on the same clock.
    pub(crate) end: Duration,
    pub(crate) proxy: usize,
    pub(crate) status: u16,
    /// Who answered, `x-portcullis-provider`.
    pub(crate) provider: String,
    pub(crate) model: String,
    pub(crate) attempts: usize,
    pub(crate) fallback: String,
    pub(crate) retry_after: Option<String>,
    /// `x-portcullis-explain`, or a stream's comment.
    pub(crate) explain: Option<Value>,
    /// The content that came.
    pub(crate) text: String,
    /// Why it is no whole answer.
    pub(crate) failure: Option<String>,
}

impl Sample {
    /// An error where a client could still have been given an answer.
    pub(crate) fn failed_before_content(&self) -> bool {
        self.failure.is_some() && self.text.is_empty()
    }

    pub(crate) fn failed_after_content(&self) -> bool {
        self.failure.is_some() && !self.text.is_empty()
    }

    /// Whether what came is the beginning of the one answer there is, so nothing was said twice.
    pub(crate) fn says_nothing_twice(&self) -> bool {
        format!("echo: {PROMPT}").starts_with(&self.text)
    }

    /// Reads a plain answer.
    pub(crate) fn plain(&mut self, body: &[u8]) {
        let json: Value = serde_json::from_slice(body).unwrap_or_default();
        match json["choices"][0]["message"]["content"].as_str() {
            Some(content) if self.status == 200 => self.text = content.to_owned(),
            _ => self.failure = Some(String::from_utf8_lossy(body).into_owned()),
        }
    }

    /// Reads one line of a stream; true at its proper end.
    pub(crate) fn line(&mut self, line: &str) -> bool {
        if let Some(comment) = line.strip_prefix(": portcullis ") {
            let comment: Value = serde_json::from_str(comment).unwrap();
            self.explain = comment.get("passed_over").is_some().then_some(comment);
        }
        let Some(data) = line.strip_prefix("data: ") else { return false };
        if data == "[DONE]" {
            return true;
        }
        let event: Value = serde_json::from_str(data).unwrap_or_default();
        if event.get("error").is_some() {
            self.failure = Some(data.to_owned());
        }
        self.text += event["choices"][0]["delta"]["content"].as_str().unwrap_or_default();
        false
    }
}

/// Those that failed with nothing shown yet.
pub(crate) fn errors_before_content(samples: &[Sample]) -> usize {
    samples.iter().filter(|sample| sample.failed_before_content()).count()
}

/// Those that one provider answered.
pub(crate) fn answered_by(samples: &[Sample], provider: &str) -> usize {
    samples.iter().filter(|sample| sample.provider == provider && sample.failure.is_none()).count()
}
