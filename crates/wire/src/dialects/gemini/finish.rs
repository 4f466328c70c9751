//! Why an answer ended, in Gemini's words (docs/spec/responses.md#finish-reasons).

use crate::canonical::Finish;

/// Reads `finishReason`; an unknown one is an end.
pub(super) fn read(reason: &str) -> Finish {
    match reason {
        "MAX_TOKENS" | "CONTINUATION" => Finish::Length,
        "SAFETY"
        | "RECITATION"
        | "BLOCKLIST"
        | "PROHIBITED_CONTENT"
        | "SPII"
        | "LANGUAGE"
        | "IMAGE_SAFETY"
        | "IMAGE_PROHIBITED_CONTENT"
        | "IMAGE_RECITATION"
        | "ESCALATION"
        | "PUP_LIMITED_DISABLED"
        | "MODEL_ARMOR" => Finish::ContentFilter,
        "MALFORMED_FUNCTION_CALL"
        | "UNEXPECTED_TOOL_CALL"
        | "TOO_MANY_TOOL_CALLS"
        | "MALFORMED_RESPONSE"
        | "MISSING_THOUGHT_SIGNATURE" => Finish::Malformed,
        "OTHER" | "IMAGE_OTHER" | "NO_IMAGE" | "FINISH_REASON_UNSPECIFIED" => Finish::Error,
        _ => Finish::End,
    }
}

/// Writes `finishReason`; calls end with `STOP` as well.
pub(super) const fn write(finish: Finish) -> &'static str {
    match finish {
        Finish::End | Finish::StopSequence | Finish::ToolCalls | Finish::Pause => "STOP",
        Finish::Length | Finish::ContextFull => "MAX_TOKENS",
        Finish::ContentFilter | Finish::Refusal => "SAFETY",
        Finish::Malformed => "MALFORMED_FUNCTION_CALL",
        Finish::Error => "OTHER",
    }
}
