//! What a whole answer is like, for cascades that accept it or ask a better model.

mod schema;

use std::collections::BTreeSet;

pub use self::schema::obeys;
use crate::{
    canonical::{Choice, Event, Finish, Logprob, PartKind},
    codec::DialectCodec,
    json::Json,
    openai::finish,
    tap::frames::Frames,
};

/// The first answer of a reply, or its only one.
#[derive(Clone, Debug, PartialEq)]
pub struct Answer {
    /// The text, without thoughts and without a refusal in words.
    pub text: String,
    /// Whether the model declined or a filter stopped it, by the dialect's own sign; words are not guessed at.
    pub refusal: bool,
    /// Why it ended, in OpenAI Chat's words: `stop`, `length`, `tool_calls`, `content_filter`, `error`.
    pub finish: &'static str,
    /// Calls of tools.
    pub tool_calls: u32,
    /// Whether the text, without the white space around it, is one JSON value. A fence around it is no JSON.
    pub json_valid: bool,
    /// Mean of the tokens' log-probabilities (natural logarithm), where the provider says them.
    pub mean_logprob: Option<f64>,
}

/// Reads a provider's whole plain response; gives nothing for an error or for what is no response.
#[must_use]
pub fn plain(codec: &dyn DialectCodec, body: &[u8]) -> Option<Answer> {
    let reply = codec.decode_response(Json::parse(body).ok()?).ok()?;
    let mut parts = Parts::default();
    parts.choice(reply.choices.into_iter().next()?);
    parts.answer()
}

/// Reads the bytes of a provider's whole stream, unless it is unreadable, was cut short, or ended in an error.
#[must_use]
pub fn streamed(codec: &dyn DialectCodec, body: &[u8]) -> Option<Answer> {
    let mut decoder = codec.stream_decoder();
    let mut frames = Frames::new(decoder.framing());
    let mut parts = Parts::default();
    let mut rest = body;
    while let Some(len) = frames.next(rest).ok()? {
        decoder.event(&rest[..len], &mut |event| parts.event(event)).ok()?;
        rest = &rest[len..];
    }
    if !rest.trim_ascii().is_empty() {
        // An event may lack its blank line; half of one is nothing.
        let last = [rest, b"\n\n"].concat();
        let _ = decoder.event(&last, &mut |event| parts.event(event));
    }
    parts.failed |= !(parts.ended || decoder.is_complete() || parts.finish.is_some());
    parts.answer()
}

/// What came so far of the first choice.
#[derive(Default)]
struct Parts {
    text: String,
    refusal: bool,
    calls: BTreeSet<u32>,
    finish: Option<Finish>,
    logprobs: (f64, u32),
    ended: bool,
    failed: bool,
}

impl Parts {
    fn choice(&mut self, choice: Choice<'_>) {
        for (at, part) in (0..).zip(choice.parts) {
            self.part(at, &part.kind);
        }
        self.probable(&choice.logprobs);
        self.finish = Some(choice.finish);
    }

    fn part(&mut self, at: u32, kind: &PartKind<'_>) {
        match kind {
            PartKind::Text(text) => self.text.push_str(text),
            PartKind::Refusal(_) => self.refusal = true,
            PartKind::ToolCall(_) => {
                self.calls.insert(at);
            }
            _ => {}
        }
    }

    fn event(&mut self, event: Event<'_>) {
        match event {
            Event::Text { choice: 0, text } => self.text.push_str(&text),
            Event::Refusal { choice: 0, text } => self.refusal |= !text.is_empty(),
            Event::CallStart { choice: 0, call, .. } => {
                self.calls.insert(call);
            }
            Event::Part { choice: 0, part } => self.part(u32::MAX, &part.kind),
            Event::Logprobs { choice: 0, logprobs } => self.probable(&logprobs),
            Event::Finish { choice: 0, reason, .. } => self.finish = Some(reason),
            Event::Error(_) => self.failed = true,
            Event::End => self.ended = true,
            _ => {}
        }
    }

    fn probable(&mut self, logprobs: &[Logprob<'_>]) {
        let numbers = logprobs.iter().filter_map(|token| token.logprob.f64());
        for number in numbers.filter(|number| number.is_finite()) {
            self.logprobs.0 += number;
            self.logprobs.1 = self.logprobs.1.saturating_add(1);
        }
    }

    fn answer(self) -> Option<Answer> {
        let finish = self.finish.unwrap_or(Finish::End);
        if self.failed || finish == Finish::Error {
            return None;
        }
        let (sum, tokens) = self.logprobs;
        Some(Answer {
            json_valid: Json::parse(self.text.trim().as_bytes()).is_ok(),
            text: self.text,
            refusal: self.refusal || matches!(finish, Finish::Refusal | Finish::ContentFilter),
            finish: finish::write(finish),
            tool_calls: u32::try_from(self.calls.len()).unwrap_or(u32::MAX),
            mean_logprob: (tokens > 0).then(|| sum / f64::from(tokens)),
        })
    }
}

#[cfg(test)]
mod tests;
