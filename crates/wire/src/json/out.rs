//! Writing JSON straight into bytes: members in the order in which they are written, raw text passed through.

use super::view::Json;

/// An object that is being written.
#[derive(Debug)]
pub struct ObjectOut<'o> {
    out: &'o mut Vec<u8>,
    empty: bool,
}

/// An array that is being written.
#[derive(Debug)]
pub struct ArrayOut<'o> {
    out: &'o mut Vec<u8>,
    empty: bool,
}

/// Appends an object; `write` writes its members.
pub fn object<R>(out: &mut Vec<u8>, write: impl FnOnce(&mut ObjectOut<'_>) -> R) -> R {
    out.push(b'{');
    let result = write(&mut ObjectOut { out, empty: true });
    out.push(b'}');
    result
}

/// Appends an array; `write` writes its elements.
pub fn array<R>(out: &mut Vec<u8>, write: impl FnOnce(&mut ArrayOut<'_>) -> R) -> R {
    out.push(b'[');
    let result = write(&mut ArrayOut { out, empty: true });
    out.push(b']');
    result
}

/// Appends a string with its quotes and escapes.
pub fn string(out: &mut Vec<u8>, text: &str) {
    out.push(b'"');
    escaped(out, text);
    out.push(b'"');
}

/// Appends the inside of a string.
pub fn escaped(out: &mut Vec<u8>, text: &str) {
    const HEX: &[u8; 16] = b"0123456789abcdef";
    let mut plain = 0;
    let bytes = text.as_bytes();
    for (at, &byte) in bytes.iter().enumerate() {
        let escape: &[u8] = match byte {
            b'"' => b"\\\"",
            b'\\' => b"\\\\",
            b'\n' => b"\\n",
            b'\r' => b"\\r",
            b'\t' => b"\\t",
            0..0x20 => &[b'\\', b'u', b'0', b'0', HEX[usize::from(byte >> 4)], HEX[usize::from(byte & 15)]],
            _ => continue,
        };
        out.extend_from_slice(&bytes[plain..at]);
        out.extend_from_slice(escape);
        plain = at + 1;
    }
    out.extend_from_slice(&bytes[plain..]);
}

/// Appends a whole number.
pub fn number(out: &mut Vec<u8>, number: u64) {
    use std::io::Write as _;
    // A Vec takes every write.
    let _ = write!(out, "{number}");
}

impl ObjectOut<'_> {
    fn key(&mut self, key: &str) -> &mut Vec<u8> {
        if !std::mem::replace(&mut self.empty, false) {
            self.out.push(b',');
        }
        string(self.out, key);
        self.out.push(b':');
        self.out
    }

    /// A string member.
    pub fn text(&mut self, key: &str, text: &str) {
        string(self.key(key), text);
    }

    /// A string member where there is one.
    pub fn text_if(&mut self, key: &str, text: Option<&str>) {
        if let Some(text) = text {
            self.text(key, text);
        }
    }

    /// A member with a value that is JSON already.
    pub fn raw(&mut self, key: &str, json: Json<'_>) {
        self.key(key).extend_from_slice(json.raw().as_bytes());
    }

    /// A member with a value that is JSON already, where there is one.
    pub fn raw_if(&mut self, key: &str, json: Option<Json<'_>>) {
        if let Some(json) = json {
            self.raw(key, json);
        }
    }

    /// A whole number.
    pub fn number(&mut self, key: &str, value: u64) {
        number(self.key(key), value);
    }

    /// A whole number where there is one.
    pub fn number_if(&mut self, key: &str, value: Option<u64>) {
        if let Some(value) = value {
            self.number(key, value);
        }
    }

    /// A boolean.
    pub fn bool(&mut self, key: &str, value: bool) {
        self.key(key).extend_from_slice(if value { b"true" } else { b"false" });
    }

    /// A null.
    pub fn null(&mut self, key: &str) {
        self.key(key).extend_from_slice(b"null");
    }

    /// An object.
    pub fn object<R>(&mut self, key: &str, write: impl FnOnce(&mut ObjectOut<'_>) -> R) -> R {
        object(self.key(key), write)
    }

    /// An array.
    pub fn array<R>(&mut self, key: &str, write: impl FnOnce(&mut ArrayOut<'_>) -> R) -> R {
        array(self.key(key), write)
    }

    /// A string member put together from pieces: for data URIs and the like.
    pub fn pieces(&mut self, key: &str, pieces: &[&str]) {
        let out = self.key(key);
        out.push(b'"');
        for piece in pieces {
            escaped(out, piece);
        }
        out.push(b'"');
    }
}

impl ArrayOut<'_> {
    fn next(&mut self) -> &mut Vec<u8> {
        if !std::mem::replace(&mut self.empty, false) {
            self.out.push(b',');
        }
        self.out
    }

    /// A string.
    pub fn text(&mut self, text: &str) {
        string(self.next(), text);
    }

    /// A whole number.
    pub fn number(&mut self, value: u64) {
        number(self.next(), value);
    }

    /// JSON as it is.
    pub fn raw(&mut self, json: Json<'_>) {
        self.next().extend_from_slice(json.raw().as_bytes());
    }

    /// An object.
    pub fn object<R>(&mut self, write: impl FnOnce(&mut ObjectOut<'_>) -> R) -> R {
        object(self.next(), write)
    }

    /// An array.
    pub fn array<R>(&mut self, write: impl FnOnce(&mut ArrayOut<'_>) -> R) -> R {
        array(self.next(), write)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn writes_what_serde_reads() {
        let mut out = Vec::new();
        let odd = "a\"\\\n\u{1}\u{7f}é😀\u{2028}";
        object(&mut out, |o| {
            o.text("text", odd);
            o.text_if("none", None);
            o.raw("raw", Json::parse(b"[1.0]").unwrap());
            o.number("n", u64::MAX);
            o.bool("b", true);
            o.null("z");
            o.object("o", |_| ());
            o.array("a", |a| {
                a.text("x");
                a.object(|o| o.number("y", 1));
                a.number(2);
            });
            o.pieces("uri", &["data:", "a\"b", ";base64,"]);
        });
        let value: serde_json::Value = serde_json::from_slice(&out).unwrap();
        assert_eq!(value["text"], odd);
        assert_eq!(value["n"], u64::MAX);
        assert_eq!(value["a"], serde_json::json!(["x", { "y": 1 }, 2]));
        assert_eq!(value["uri"], "data:a\"b;base64,");
        assert!(out.starts_with(b"{\"text\":") && value["o"].is_object());
    }
}
