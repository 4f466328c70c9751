//! Why an answer ended, as status and details (docs/spec/responses.md#finish-reasons).

use crate::{canonical::Finish, json::Fields};

/// Reads the reason of a response that came to an end; a failed one has none.
pub(super) fn read(response: &Fields<'_>, calls: bool, refusal: bool) -> Option<Finish> {
    let text = |key| response.peek(key).and_then(crate::json::Json::text);
    let finish = match text("status").as_deref() {
        None | Some("completed") => Finish::End,
        Some("incomplete") => {
            let details = response.peek("incomplete_details").and_then(|json| json.object().ok().flatten());
            let reason = details.and_then(|details| details.peek("reason")?.text());
            match reason.as_deref() {
                None | Some("max_output_tokens") => Finish::Length,
                Some("content_filter") => Finish::ContentFilter,
                Some(_) => return None,
            }
        }
        Some(_) => return None,
    };
    Some(match finish.with_calls(calls) {
        Finish::End if refusal => Finish::Refusal,
        settled => settled,
    })
}

/// The status of a response.
pub(super) const fn status(finish: Finish) -> &'static str {
    match finish {
        Finish::Length | Finish::ContextFull | Finish::ContentFilter => "incomplete",
        Finish::Malformed | Finish::Error => "failed",
        _ => "completed",
    }
}

/// `incomplete_details.reason`.
pub(super) const fn incomplete(finish: Finish) -> Option<&'static str> {
    match finish {
        Finish::Length | Finish::ContextFull => Some("max_output_tokens"),
        Finish::ContentFilter => Some("content_filter"),
        _ => None,
    }
}
