//! The gateway's own error inside a stream that has begun.

use crate::{error::ClientErrorBody, json::out};

/// Writes the event: flat, unlike the body of an error answer.
pub(super) fn event(error: &ClientErrorBody<'_>) -> Vec<u8> {
    let mut event = b"event: error\ndata: ".to_vec();
    out::object(&mut event, |o| {
        o.text("type", "error");
        o.text("code", error.code);
        o.text("message", error.message);
        match error.param {
            Some(param) => o.text("param", param),
            None => o.null("param"),
        }
        // It is not known here how many events came before; clients tell them apart by type.
        o.number("sequence_number", 0);
        if let Some(extra) = error.extra.map(ToString::to_string)
            && let Ok(extra) = crate::json::Json::parse(extra.as_bytes())
        {
            o.raw("portcullis", extra);
        }
    });
    event.extend_from_slice(b"\n\n");
    event
}
