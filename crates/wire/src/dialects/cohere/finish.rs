//! Why an answer ended, in Cohere's words (docs/spec/responses.md#finish-reasons).

use crate::canonical::Finish;

/// Reads `finish_reason`; an unknown one is an end.
pub(super) fn read(reason: &str) -> Finish {
    match reason {
        "STOP_SEQUENCE" => Finish::StopSequence,
        "MAX_TOKENS" => Finish::Length,
        "TOOL_CALL" => Finish::ToolCalls,
        "ERROR" | "TIMEOUT" => Finish::Error,
        _ => Finish::End,
    }
}

/// Writes `finish_reason`.
pub(super) const fn write(finish: Finish) -> &'static str {
    match finish {
        Finish::End | Finish::Refusal | Finish::Pause => "COMPLETE",
        Finish::StopSequence => "STOP_SEQUENCE",
        Finish::Length | Finish::ContextFull => "MAX_TOKENS",
        Finish::ToolCalls => "TOOL_CALL",
        Finish::ContentFilter | Finish::Malformed | Finish::Error => "ERROR",
    }
}
