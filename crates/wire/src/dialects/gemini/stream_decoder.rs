//! Reading a provider's stream: every event is a whole answer with the next parts.

use super::{
    decode_response::{Answer, Candidate},
    error,
};
use crate::{
    canonical::{Event, Events, Finish, Part, PartKind, ToolCall},
    codec::{Framing, StreamDecoder},
    error::{InvalidEvent, stray_error},
    json::Json,
    scan::MAX_CHOICES,
    sse::{self, BOM, Data},
};

/// Reads one stream.
#[derive(Debug, Default)]
pub(super) struct Decoder {
    begun: bool,
    choices: Vec<Progress>,
    searches: u64,
}

/// What came of one candidate.
#[derive(Clone, Copy, Debug, Default)]
struct Progress {
    calls: u32,
    finished: bool,
    seen: bool,
}

impl StreamDecoder for Decoder {
    fn framing(&self) -> Framing {
        Framing::Sse
    }

    fn event(&mut self, event: &[u8], sink: &mut Events<'_>) -> Result<(), InvalidEvent> {
        let event = event.strip_prefix(BOM).unwrap_or(event);
        let Some(data) = Data::of(event) else {
            bare(event, sink);
            return Ok(());
        };
        let payload = data.payload();
        if matches!(payload.trim_ascii(), b"" | b"[DONE]") {
            return Ok(());
        }
        let body = Json::parse(&payload)?;
        if let (_, Some(said)) = error::inside(body) {
            sink(Event::Error(said));
            return Ok(());
        }
        if sse::name(event).is_some()
            && let Some(said) = stray_error(event, &payload)
        {
            sink(Event::Error(said));
            return Ok(());
        }
        let answer = Answer::read(body).map_err(|malformed| InvalidEvent(malformed.to_string()))?;
        self.answer(answer, sink)
    }

    /// Google's streams just end: the answer is whole when every candidate said why it ended.
    fn is_complete(&self) -> bool {
        let seen = |progress: &&Progress| progress.seen;
        self.choices.iter().any(|progress| progress.seen)
            && self.choices.iter().filter(seen).all(|progress| progress.finished)
    }
}

/// An error that stands in the stream without framing.
fn bare(event: &[u8], sink: &mut Events<'_>) {
    if let Ok(body) = Json::parse(event.trim_ascii())
        && let (_, Some(said)) = error::inside(body)
    {
        sink(Event::Error(said));
    }
}

impl Decoder {
    fn answer(&mut self, answer: Answer<'_>, sink: &mut Events<'_>) -> Result<(), InvalidEvent> {
        if !std::mem::replace(&mut self.begun, true) {
            sink(Event::Start { id: answer.id, model: answer.model });
        }
        self.searches = self.searches.max(answer.searches);
        let blocked = answer.blocked.filter(|_| !self.is_complete());
        let mut ends = Vec::new();
        for mut candidate in answer.candidates {
            let end = candidate.finish.take().map(|reason| (reason, candidate.explanation.take()));
            let choice = candidate.index;
            let calls = self.candidate(candidate, sink)?;
            if let (Some((reason, explanation)), Some(progress)) = (end, self.progress(choice))
                && !std::mem::replace(&mut progress.finished, true)
            {
                ends.push((choice, reason.with_calls(calls), explanation));
            }
        }
        if let (Some(explanation), Some(progress)) = (blocked, self.progress(0)) {
            *progress = Progress { finished: true, seen: true, ..*progress };
            ends.push((0, Finish::ContentFilter, Some(explanation)));
        }
        if let Some(usage) = answer.usage {
            sink(Event::Usage(domain::Usage { web_searches: self.searches, ..usage }));
        }
        for (choice, reason, explanation) in ends {
            sink(Event::Finish { choice, reason, stop_sequence: None, explanation });
        }
        Ok(())
    }

    fn progress(&mut self, choice: u32) -> Option<&mut Progress> {
        let at = usize::try_from(choice).ok().filter(|_| u64::from(choice) < MAX_CHOICES)?;
        if self.choices.len() <= at {
            self.choices.resize(at + 1, Progress::default());
        }
        self.choices.get_mut(at)
    }

    /// Whether the candidate holds calls so far.
    fn candidate(&mut self, candidate: Candidate<'_>, sink: &mut Events<'_>) -> Result<bool, InvalidEvent> {
        let choice = candidate.index;
        let progress = self
            .progress(choice)
            .ok_or_else(|| InvalidEvent(format!("candidate {choice} was not asked for")))?;
        progress.seen = true;
        for part in candidate.parts {
            self::part(part, choice, &mut progress.calls, sink);
        }
        let calls = progress.calls > 0;
        if candidate.citations.is_some_and(|citations| !matches!(citations.raw(), "{}" | "null")) {
            sink(Event::Citations { choice });
        }
        if !candidate.logprobs.is_empty() {
            sink(Event::Logprobs { choice, logprobs: candidate.logprobs });
        }
        Ok(calls)
    }
}

fn part(part: Part<'_>, choice: u32, calls: &mut u32, sink: &mut Events<'_>) {
    match part.kind {
        PartKind::Text(text) => sink(Event::Text { choice, text }),
        PartKind::Reasoning { text, signature } => {
            if !text.is_empty() {
                sink(Event::Reasoning { choice, text });
            }
            if let Some(signature) = signature {
                sink(Event::Signature { choice, signature });
            }
        }
        PartKind::ToolCall(ToolCall { id, name, arguments, signature, .. }) => {
            let call = *calls;
            *calls = calls.saturating_add(1);
            sink(Event::CallStart { choice, call, id, name, signature, custom: false });
            sink(Event::CallArguments { choice, call, fragment: arguments });
            sink(Event::CallEnd { choice, call });
        }
        _ => sink(Event::Part { choice, part }),
    }
}
