//! Why an answer ended, in Chat Completions' words and its copies' (docs/spec/responses.md#finish-reasons).

use crate::{canonical::Finish, error::FAILURES};

/// Reads a reason; an unknown one is an end.
pub(crate) fn read(reason: &str) -> Finish {
    match reason {
        "length" | "max_tokens" => Finish::Length,
        "model_length" => Finish::ContextFull,
        "tool_calls" | "function_call" => Finish::ToolCalls,
        "content_filter" | "sensitive" => Finish::ContentFilter,
        reason if FAILURES.contains(&reason) => Finish::Error,
        _ => Finish::End,
    }
}

/// The reason once it is known what the answer holds.
pub(crate) const fn settled(finish: Finish, calls: bool, refusal: bool) -> Finish {
    match finish.with_calls(calls) {
        Finish::End if refusal => Finish::Refusal,
        settled => settled,
    }
}

/// Writes a reason.
pub(crate) const fn write(finish: Finish) -> &'static str {
    match finish {
        Finish::End | Finish::StopSequence | Finish::Refusal | Finish::Pause => "stop",
        Finish::Length | Finish::ContextFull => "length",
        Finish::ToolCalls => "tool_calls",
        Finish::ContentFilter => "content_filter",
        Finish::Malformed | Finish::Error => "error",
    }
}

/// What a client reads where a filter left nothing else and gave no reason.
pub(crate) const FILTERED: &str = "The provider's filter stopped this answer.";

/// Finish reasons of filters, as they are written; Azure's annotations of every answer go by longer names.
pub(crate) const FILTERS: [&[u8]; 2] = [b"\"content_filter\"", b"\"sensitive\""];
