//! What a request asks for, the same for every dialect: each dialect's reader fills it, the answer follows from it.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use serde_json::Value;

use crate::cache::Prefix;
use crate::digest::{hex, sha256};

/// Who speaks in a message.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) enum Role {
    #[default]
    System,
    User,
    Assistant,
    /// A message that carries nothing but a tool's result.
    Tool,
}

/// What kind of thing is attached.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Kind {
    Image,
    Document,
    Audio,
    Video,
}

impl Kind {
    /// The kind that a MIME type belongs to.
    pub(crate) fn of(mime: &str) -> Self {
        match mime.split('/').next() {
            Some("image") => Self::Image,
            Some("audio") => Self::Audio,
            Some("video") => Self::Video,
            _ => Self::Document,
        }
    }

    fn name(self) -> &'static str {
        match self {
            Self::Image => "image",
            Self::Document => "document",
            Self::Audio => "audio",
            Self::Video => "video",
        }
    }
}

/// Something attached, as the answer tells of it: `image/png 68 0123456789abcdef`, or a URL.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Media {
    pub(crate) kind: Kind,
    pub(crate) told: String,
}

/// A tool on offer.
#[derive(Debug)]
pub(crate) struct Tool {
    pub(crate) name: String,
    pub(crate) schema: Value,
}

/// Whether tools must be called.
#[derive(Debug, Default, PartialEq, Eq)]
pub(crate) enum Choice {
    #[default]
    Auto,
    None,
    /// One of these, or any when there are none.
    Required(Vec<String>),
}

/// What the answer's text must be.
#[derive(Debug, Default, PartialEq, Eq)]
pub(crate) enum Format {
    #[default]
    Text,
    Json,
    Schema(Value),
}

/// A request in the simulator's own words.
#[derive(Debug, Default)]
pub(crate) struct CanonicalRequest {
    /// Text of the last user message.
    pub(crate) last: String,
    /// Results of tools since the last assistant message.
    pub(crate) results: Vec<String>,
    /// What was attached since the last assistant message.
    pub(crate) media: Vec<Media>,
    pub(crate) tools: Vec<Tool>,
    pub(crate) choice: Choice,
    /// At most one call in an answer.
    pub(crate) single_call: bool,
    pub(crate) format: Format,
    /// Reasoning is asked for.
    pub(crate) thinking: bool,
    pub(crate) max_tokens: Option<u64>,
    pub(crate) stops: Vec<String>,
    /// How many answers; 0 is read as 1.
    pub(crate) n: usize,
    pub(crate) stream: bool,
    /// Bytes of all messages' text.
    pub(crate) input_bytes: usize,
    pub(crate) prefixes: Vec<Prefix>,
    /// Who speaks now.
    pub(crate) role: Role,
    /// Digest of everything that was cacheable so far.
    pub(crate) running: [u8; 32],
}

/// How long the prefix is kept that ends here.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum CacheMark {
    /// As long as the provider keeps what names no time.
    Default,
    /// Longer: the longest time that the provider knows.
    Long,
}

impl CacheMark {
    /// The one of a mark that names the longest time, or of another.
    pub(crate) const fn of(is_long: bool) -> Self {
        if is_long { Self::Long } else { Self::Default }
    }
}

impl CanonicalRequest {
    /// Starts a message.
    pub(crate) fn turn(&mut self, role: Role) {
        if matches!(role, Role::User | Role::Tool) && self.role == Role::Assistant {
            self.results.clear();
            self.media.clear();
            self.last.clear();
        }
        if role == Role::User {
            self.last.clear();
        }
        self.role = role;
    }

    /// Text of the message.
    pub(crate) fn text(&mut self, text: &str) {
        self.input_bytes += text.len();
        if self.role == Role::User {
            self.last.push_str(text);
        }
    }

    /// The result of a tool; text only, or JSON as text.
    pub(crate) fn result(&mut self, text: String) {
        self.input_bytes += text.len();
        self.results.push(text);
    }

    /// Something attached as base64.
    pub(crate) fn base64(&mut self, kind: Kind, mime: &str, data: &str) -> Result<(), String> {
        let bytes = STANDARD.decode(data).map_err(|_| format!("invalid base64 in {}", kind.name()))?;
        self.bytes(kind, mime, &bytes);
        Ok(())
    }

    pub(crate) fn bytes(&mut self, kind: Kind, mime: &str, bytes: &[u8]) {
        let digest = hex(&sha256(bytes));
        self.media.push(Media { kind, told: format!("{mime} {} {}", bytes.len(), digest.split_at(16).0) });
    }

    /// Something attached as a data URI, or by its address.
    pub(crate) fn link(&mut self, kind: Kind, url: &str) -> Result<(), String> {
        let Some(data) = url.strip_prefix("data:") else {
            self.media.push(Media { kind, told: url.to_owned() });
            return Ok(());
        };
        let (mime, data) = data.split_once(";base64,").ok_or("not a base64 data URI")?;
        self.base64(kind, mime, data)
    }

    /// One more block of the prompt for the cache; `mark` is set when it ends a cached prefix.
    pub(crate) fn cacheable(&mut self, block: &Value, mark: Option<CacheMark>) {
        let mut bytes = self.running.to_vec();
        bytes.extend_from_slice(block.to_string().as_bytes());
        self.running = sha256(&bytes);
        if let Some(mark) = mark {
            let hour = mark == CacheMark::Long;
            self.prefixes.push(Prefix { digest: self.running, bytes: self.input_bytes, hour });
        }
    }

    /// `saw 2 image(s) image/png 68 …, image/jpeg 20 …`, one line for each kind.
    pub(crate) fn sights(&self) -> Vec<String> {
        let kinds = [Kind::Image, Kind::Document, Kind::Audio, Kind::Video];
        let told = kinds.into_iter().filter_map(|kind| {
            let all: Vec<&str> =
                self.media.iter().filter(|m| m.kind == kind).map(|m| m.told.as_str()).collect();
            (!all.is_empty()).then(|| format!("saw {} {}(s) {}", all.len(), kind.name(), all.join(", ")))
        });
        told.collect()
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn attachments_are_told_by_type_size_and_digest() {
        let mut intent = CanonicalRequest::default();
        intent.turn(Role::User);
        intent.base64(Kind::Image, "image/png", "YWJj").unwrap();
        intent.link(Kind::Image, "data:image/gif;base64,YWJj").unwrap();
        intent.link(Kind::Document, "https://example.com/a.pdf").unwrap();
        let want = [
            "saw 2 image(s) image/png 3 ba7816bf8f01cfea, image/gif 3 ba7816bf8f01cfea",
            "saw 1 document(s) https://example.com/a.pdf",
        ];
        assert_eq!(intent.sights(), want);
        assert!(intent.base64(Kind::Image, "image/png", "*").is_err());
    }

    #[test]
    fn a_turn_after_the_assistant_starts_afresh() {
        let mut intent = CanonicalRequest::default();
        for (role, text) in [(Role::User, "one"), (Role::Assistant, "call"), (Role::Tool, "")] {
            intent.turn(role);
            intent.text(text);
        }
        intent.result("r1".into());
        intent.turn(Role::Tool);
        intent.result("r2".into());
        assert_eq!((intent.results.len(), intent.last.as_str()), (2, ""));
        intent.turn(Role::User);
        intent.text("go on");
        assert_eq!((intent.results.len(), intent.last.as_str()), (2, "go on"));
        intent.turn(Role::Assistant);
        intent.turn(Role::User);
        assert!(intent.results.is_empty());
    }

    #[test]
    fn marks_end_prefixes_that_follow_from_everything_before() {
        let prefixes = |first: &str| {
            let mut intent = CanonicalRequest::default();
            intent.turn(Role::User);
            intent.text(first);
            intent.cacheable(&json!({"text": first}), None);
            intent.cacheable(&json!({"text": "b"}), Some(CacheMark::Long));
            intent.prefixes
        };
        assert_eq!(prefixes("a"), prefixes("a"));
        assert_ne!(prefixes("a"), prefixes("c"));
        assert_eq!((prefixes("abcd")[0].bytes, prefixes("abcd")[0].hour), (4, true));
    }
}
