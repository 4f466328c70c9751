//! Noting what a decoded event says, for retries, timeouts and settlement.

use super::{output::TapError, summary::StreamSummary};
use crate::{
    canonical::{Event, Finish, PartKind},
    codec::Framing,
    error::{ProviderError, stray_error, unexplained},
    sse::Data,
};

/// Notes one event.
pub(super) fn note(seen: &mut StreamSummary, event: &Event<'_>) {
    match event {
        Event::Start { model, .. } => {
            if seen.model.is_none() {
                seen.model = model.as_ref().filter(|model| !model.is_empty()).map(ToString::to_string);
            }
        }
        Event::Text { text, .. } | Event::Reasoning { text, .. } | Event::Refusal { text, .. } => {
            piece(seen, text.len());
        }
        Event::CallStart { name, .. } => piece(seen, name.len()),
        Event::CallArguments { fragment, .. } => piece(seen, fragment.len()),
        // Thoughts that only the provider can read were written all the same.
        Event::Redacted { signature, .. } => piece(seen, signature.text.len()),
        Event::Part { part, .. } => match &part.kind {
            PartKind::Text(text) | PartKind::Refusal(text) => piece(seen, text.len()),
            _ => piece(seen, 1),
        },
        Event::Usage(usage) => seen.report(*usage),
        Event::Finish { reason, .. } => {
            seen.blocked |= *reason == Finish::ContentFilter && !seen.content;
            seen.content = true;
            seen.finish = true;
        }
        Event::Error(error) => {
            seen.error.get_or_insert_with(|| error.clone());
        }
        Event::End => seen.done = true,
        Event::Signature { .. }
        | Event::CallEnd { .. }
        | Event::Logprobs { .. }
        | Event::Citations { .. } => {}
    }
}

/// The error that a finish of "error" is, whichever way the provider dressed it.
pub(super) fn failure(event: &Event<'_>) -> Option<ProviderError> {
    let Event::Finish { reason: Finish::Error, explanation, .. } = event else { return None };
    let message = explanation.as_deref().map(str::to_owned);
    let unexplained = unexplained();
    Some(ProviderError { message: message.unwrap_or(unexplained.message), ..unexplained })
}

/// Notes an event that the decoder cannot read: an error in words of its own, or the end of the stream.
pub(super) fn unreadable(event: &[u8], framing: Framing, seen: &mut StreamSummary) -> Result<(), TapError> {
    let data = Some(event).filter(|_| framing == Framing::Sse).and_then(Data::of);
    let error = data.and_then(|data| stray_error(event, &data.payload())).ok_or(TapError::InvalidEvent)?;
    seen.disguised |= seen.error.is_none();
    seen.progress += 1;
    seen.error.get_or_insert(error);
    Ok(())
}

fn piece(seen: &mut StreamSummary, bytes: usize) {
    if bytes > 0 {
        seen.content = true;
        seen.deltas = seen.deltas.saturating_add(1);
        seen.output_bytes = seen.output_bytes.saturating_add(bytes as u64);
    }
}
