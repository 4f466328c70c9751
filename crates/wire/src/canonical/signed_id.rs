//! A provider's signature inside the opaque id of a call, for clients that have no other place for it.
//!
//! `call_abc` becomes `call_abc.pc1` + family + tag + seal, base64url; the id of the item that it stands in follows the
//! seal behind a zero byte. The tag is keyed, so a client can pass the seal on but not make one up, and it covers the
//! id, so a seal cannot be moved to another call.

use std::sync::LazyLock;

use base64::{Engine as _, engine::general_purpose::URL_SAFE_NO_PAD};
use memchr::memmem::Finder;

use super::{Family, Signature};
use crate::{canonical::SignatureMac, dialect::Dialect};

const MARK: &str = ".pc1";
const ITEM: char = '\0';
/// Longest id with a seal that is written or believed, in bytes.
const MAX: usize = 64 << 10;

/// Whether a body may carry a seal: its mark stands somewhere, in plain text or as a blob of the dialects that have
/// those. A pass over the bytes; what it finds may also be the client's own text.
#[must_use]
pub fn may_carry(dialect: Dialect, body: &[u8]) -> bool {
    // Made once: for a short body the search costs less than its preparation.
    static MARKED: LazyLock<Finder<'static>> = LazyLock::new(|| Finder::new(MARK));
    let has = |mark: &str| memchr::memmem::find(body, mark.as_bytes()).is_some();
    // The mark in base64, at each of its three alignments.
    let blobs = ["LnBjM", "5wYz", "ucGMx"];
    MARKED.find(body).is_some()
        || (matches!(dialect, Dialect::Gemini | Dialect::Bedrock) && blobs.iter().any(|blob| has(blob)))
}

/// The id with the seal in it; the id alone where the seal is too long to carry.
#[must_use]
pub fn embed_signature(id: &str, signature: &Signature<'_>, seal: &dyn SignatureMac) -> String {
    let letter = signature.family.letter();
    let mut text = signature.text.clone().into_owned();
    if let Some(item) = &signature.item {
        text.push(ITEM);
        text.push_str(item);
    }
    let text = URL_SAFE_NO_PAD.encode(text);
    let tag = URL_SAFE_NO_PAD.encode(seal.tag(covered(id, letter, &text).as_bytes()));
    let carried = format!("{id}{MARK}{letter}{tag}{text}");
    if carried.len() > MAX { id.to_owned() } else { carried }
}

/// An id's own part, and the seal that it carries if it is genuine.
#[must_use]
pub fn extract_signature<'a>(id: &'a str, seal: &dyn SignatureMac) -> (&'a str, Option<Signature<'static>>) {
    let Some(at) = id.rfind(MARK).filter(|_| id.len() <= MAX) else { return (id, None) };
    let (own, rest) = (&id[..at], &id[at + MARK.len()..]);
    let mut letters = rest.chars();
    let Some(family) = letters.next().and_then(Family::from_letter) else { return (id, None) };
    let rest = letters.as_str();
    let (Some(tag), Some(text)) = (rest.get(..TAG), rest.get(TAG..)) else { return (id, None) };
    if tag != URL_SAFE_NO_PAD.encode(seal.tag(covered(own, family.letter(), text).as_bytes())) {
        return (own, None);
    }
    let text = URL_SAFE_NO_PAD.decode(text).ok().and_then(|bytes| String::from_utf8(bytes).ok());
    let sealed = |text: String| match text.split_once(ITEM) {
        Some((text, item)) => {
            Signature { family, text: text.to_owned().into(), item: Some(item.to_owned().into()) }
        }
        None => Signature { family, text: text.into(), item: None },
    };
    (own, text.map(sealed))
}

/// Length of 16 bytes in base64url without padding.
const TAG: usize = 22;

fn covered(id: &str, letter: char, text: &str) -> String {
    format!("{id}\n{letter}\n{text}")
}

#[cfg(test)]
mod tests {
    use super::*;

    struct Sum(u8);

    impl SignatureMac for Sum {
        fn tag(&self, bytes: &[u8]) -> [u8; 16] {
            [bytes.iter().fold(self.0, |sum, byte| sum.wrapping_mul(31).wrapping_add(*byte)); 16]
        }
    }

    fn signature(text: &str) -> Signature<'_> {
        Signature { family: Family::Gemini, text: text.into(), item: None }
    }

    #[test]
    fn what_is_carried_comes_back() {
        for text in ["", "a", "ab", "abc", "CiQBjz1rX0+/=="] {
            let id = embed_signature("call_1", &signature(text), &Sum(7));
            assert!(id.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"_-.".contains(&byte)), "{id}");
            assert_eq!(extract_signature(&id, &Sum(7)), ("call_1", Some(signature(text))), "{id}");
        }
        assert_eq!(extract_signature("call_1", &Sum(7)), ("call_1", None));
        let item = Signature { item: Some("rs_1".into()), ..signature("seal") };
        assert_eq!(extract_signature(&embed_signature("", &item, &Sum(7)), &Sum(7)), ("", Some(item)));
    }

    #[test]
    fn one_cannot_be_forged_or_moved() {
        let id = embed_signature("call_1", &signature("seal"), &Sum(7));
        assert_eq!(extract_signature(&id, &Sum(8)), ("call_1", None));
        assert_eq!(extract_signature(&id.replace("call_1", "call_2"), &Sum(7)).1, None);
        assert_eq!(extract_signature("x.pc1zz", &Sum(7)), ("x.pc1zz", None));
        for front in ["", "a", "ab", "abc"] {
            let blob = base64::engine::general_purpose::STANDARD.encode(format!("{front}.pc1gxyz"));
            assert!(may_carry(Dialect::Gemini, blob.as_bytes()), "{blob}");
            assert!(!may_carry(Dialect::OpenAiChat, blob.as_bytes()));
        }
        assert!(may_carry(Dialect::OpenAiChat, br#"{"id":"call_1.pc1g"}"#));
        assert_eq!(extract_signature("x.pc1g\u{e9}", &Sum(7)), ("x.pc1g\u{e9}", None));
        assert_eq!(embed_signature("c", &signature(&"x".repeat(MAX)), &Sum(7)), "c");
    }
}
