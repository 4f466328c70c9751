//! Server-sent events as providers write them, well or oddly.

use bytes::Bytes;
use serde_json::Value;

use crate::script::{Behaviour, LineEnd};

/// Stands in an answer's text for bytes that are not UTF-8; one character of a private use area.
pub(crate) const BROKEN_MARK: &str = "\u{E000}";
/// What takes the mark's place: as many bytes, none of which occurs in UTF-8.
const BROKEN: [u8; 3] = [0xff, 0xfe, 0xfd];

/// How events are written.
#[derive(Clone, Copy, Default)]
pub(crate) struct Sse {
    lines: LineEnd,
    multi_line: bool,
    tight: bool,
}

impl Sse {
    pub(crate) fn of(behaviour: &Behaviour) -> Self {
        let Behaviour { multi_line_data: multi_line, tight, .. } = *behaviour;
        Self { lines: behaviour.lines(), multi_line, tight }
    }

    fn end(self) -> &'static str {
        match self.lines {
            LineEnd::Lf => "\n",
            LineEnd::Crlf => "\r\n",
            LineEnd::Cr => "\r",
        }
    }

    /// An event without a name.
    pub(crate) fn data(self, data: &str) -> Bytes {
        self.event(None, data)
    }

    /// An event with `event:` line when it has a name.
    pub(crate) fn event(self, name: Option<&str>, data: &str) -> Bytes {
        let end = self.end();
        let space = if self.tight { "" } else { " " };
        let mut out = String::with_capacity(data.len() + 32);
        if let Some(name) = name {
            out.extend(["event:", space, name, end]);
        }
        let spread = self.multi_line.then(|| spread(data)).flatten();
        for line in spread.as_deref().unwrap_or(data).split('\n') {
            out.extend(["data:", space, line, end]);
        }
        out.push_str(end);
        unmask(out.into_bytes())
    }

    /// An event with its name in its data, under `type`.
    pub(crate) fn typed(self, data: &Value) -> Bytes {
        self.event(data["type"].as_str(), &data.to_string())
    }

    /// A comment, which clients must skip.
    pub(crate) fn comment(self) -> Bytes {
        Bytes::from([": keep-alive", self.end(), self.end()].concat())
    }
}

/// The same JSON over several lines; nothing when it is not JSON.
fn spread(data: &str) -> Option<String> {
    serde_json::from_str::<Value>(data).and_then(|value| serde_json::to_string_pretty(&value)).ok()
}

/// The bytes with broken ones in place of their mark.
pub(crate) fn unmask(mut bytes: Vec<u8>) -> Bytes {
    let mark = BROKEN_MARK.as_bytes();
    let mut from = 0;
    while let Some(at) = bytes.get(from..).and_then(|rest| rest.windows(mark.len()).position(|w| w == mark)) {
        from += at + mark.len();
        if let Some(place) = bytes.get_mut(from - mark.len()..from) {
            place.copy_from_slice(&BROKEN);
        }
    }
    Bytes::from(bytes)
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn sse(script: &str) -> Sse {
        Sse::of(&serde_json::from_str(script).unwrap())
    }

    #[test]
    fn events_are_written_as_the_script_says() {
        let data = json!({"type": "ping"});
        assert_eq!(sse("{}").typed(&data), "event: ping\ndata: {\"type\":\"ping\"}\n\n");
        assert_eq!(sse(r#"{"crlf":true}"#).data("x"), "data: x\r\n\r\n");
        assert_eq!(sse(r#"{"line_end":"cr","tight":true}"#).data("x"), "data:x\r\r");
        let spread = sse(r#"{"multi_line_data":true}"#);
        assert_eq!(spread.data(r#"{"a":1}"#), "data: {\ndata:   \"a\": 1\ndata: }\n\n");
        assert_eq!(spread.data("[DONE]"), "data: [DONE]\n\n");
        assert_eq!(sse(r#"{"crlf":true}"#).comment(), ": keep-alive\r\n\r\n");
    }

    #[test]
    fn marks_become_bytes_that_are_not_utf8() {
        let bytes = unmask(format!("a{BROKEN_MARK}b{BROKEN_MARK}").into_bytes());
        assert_eq!(bytes.as_ref(), b"a\xff\xfe\xfdb\xff\xfe\xfd");
        assert!(std::str::from_utf8(&bytes).is_err());
    }
}
