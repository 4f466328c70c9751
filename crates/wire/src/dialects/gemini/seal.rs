//! Seals as Gemini's clients carry them: base64 in `thoughtSignature`, another family's wrapped inside.

use base64::{
    Engine as _,
    engine::general_purpose::{STANDARD, URL_SAFE},
};

use crate::canonical::{Family, Signature, SignatureMac, Text, signed_id};

/// What stands in front of a wrapped seal: thoughts that only their provider can read are told from other seals.
const REDACTED: &str = "redacted";

/// A seal and whether it is one of unreadable thoughts.
pub(super) struct Sealed<'a> {
    pub(super) signature: Signature<'a>,
    pub(super) redacted: bool,
}

/// Reads a seal out of a client's part; without `seal` it is a provider's part and its seals are its own.
pub(super) fn read<'a>(text: Text<'a>, seal: Option<&dyn SignatureMac>) -> Sealed<'a> {
    // Clients write bytes in either alphabet.
    let wrapped = seal.and_then(|seal| {
        let bytes = STANDARD.decode(text.as_bytes()).or_else(|_| URL_SAFE.decode(text.as_bytes())).ok()?;
        let inside = String::from_utf8(bytes).ok()?;
        let (mark, signature) = signed_id::extract_signature(&inside, seal);
        Some(Sealed { signature: signature?, redacted: mark == REDACTED })
    });
    wrapped.unwrap_or(Sealed {
        signature: Signature { family: Family::Gemini, text, item: None },
        redacted: false,
    })
}

/// Writes a seal for a client, unless it is too long to carry.
pub(super) fn write(sealed: &Signature<'_>, redacted: bool, seal: &dyn SignatureMac) -> Option<String> {
    if sealed.family == Family::Gemini && !redacted {
        return Some(sealed.text.to_string());
    }
    let mark = if redacted { REDACTED } else { "" };
    let wrapped = signed_id::embed_signature(mark, sealed, seal);
    (wrapped != mark).then(|| STANDARD.encode(wrapped))
}
