//! A hash of what a conversation begins with, for providers that keep the prompts they have seen.

use crate::canonical::{Call, Media, Part, PartKind, Role};

/// Most bytes of one text that are hashed: with its length they tell prompts apart.
const MAX_HASHED: usize = 64 << 10;

/// Hashes the system turns up to the first user turn, that turn, and the tools. Never 0.
pub(super) fn hash(call: &Call<'_>) -> u64 {
    let mut hash = Fnv::new();
    for tool in &call.tools {
        hash.text("tool", &tool.name);
        hash.text("about", tool.description.as_deref().unwrap_or_default());
        hash.text("schema", tool.schema.or(tool.foreign).map_or("", |json| json.raw()));
    }
    for turn in &call.turns {
        let user = turn.role == Role::User;
        if !user && !turn.role.is_system() {
            continue;
        }
        hash.text("turn", if user { "user" } else { "system" });
        turn.parts.iter().for_each(|part| hash.part(part));
        if user {
            break;
        }
    }
    hash.finish()
}

/// FNV-1a of 64 bits: simple, and the same everywhere; a collision costs a cache miss and gains nothing.
struct Fnv(u64);

impl Fnv {
    const fn new() -> Self {
        Self(0xcbf2_9ce4_8422_2325)
    }

    fn bytes(&mut self, bytes: &[u8]) {
        for &byte in bytes {
            self.0 = (self.0 ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3);
        }
    }

    /// A text behind its kind and length, so that no two lists of texts are the same bytes.
    fn text(&mut self, kind: &str, text: &str) {
        self.bytes(kind.as_bytes());
        self.bytes(&(text.len() as u64).to_le_bytes());
        let text = text.as_bytes();
        self.bytes(text.get(..MAX_HASHED).unwrap_or(text));
    }

    fn part(&mut self, part: &Part<'_>) {
        match &part.kind {
            PartKind::Text(text) => self.text("text", text),
            PartKind::Image(image) => self.media("image", &image.media),
            PartKind::Audio(media) => self.media("audio", media),
            PartKind::Video(media) => self.media("video", media),
            PartKind::Document(document) => {
                self.text("document", document.text.as_deref().unwrap_or_default());
                document.media.iter().for_each(|media| self.media("file", media));
            }
            PartKind::Foreign { raw, .. } => self.text("foreign", raw.raw()),
            // What models and tools say stands in no turn that is hashed.
            _ => {}
        }
    }

    fn media(&mut self, kind: &str, media: &Media<'_>) {
        match media {
            Media::Base64 { data: text, .. } | Media::Url { url: text, .. } | Media::File(text) => {
                self.text(kind, text);
            }
        }
    }

    /// The low bits of the last bytes are spread over all of the hash: rings of targets look at its high bits.
    const fn finish(self) -> u64 {
        let mixed = (self.0 ^ (self.0 >> 32)).wrapping_mul(0xd6e8_feb8_6659_fd93);
        let mixed = (mixed ^ (mixed >> 32)).wrapping_mul(0xd6e8_feb8_6659_fd93);
        let mixed = mixed ^ (mixed >> 32);
        if mixed == 0 { 1 } else { mixed }
    }
}
