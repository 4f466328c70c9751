//! A provider's signature on what its model thought: opaque, and of use only to the provider that made it.

use super::Text;

/// Who can read a signature.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Family {
    /// Anthropic, on whichever platform serves it.
    Anthropic,
    /// Google's Gemini.
    Gemini,
    /// OpenAI's `encrypted_content`.
    OpenAi,
    /// A vendor that speaks OpenAI's dialect and signs in its own way (`reasoning_details`).
    Compatible,
}

/// A seal.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Signature<'a> {
    /// Who made it.
    pub family: Family,
    /// The seal as it was written: base64 or another opaque text.
    pub text: Text<'a>,
    /// The id of the item it stands in, where the dialect has one (OpenAI Responses' `rs_…`).
    pub item: Option<Text<'a>>,
}

/// Authenticates what is carried through clients inside opaque ids, so that it cannot be forged.
pub trait SignatureMac: Send + Sync {
    /// A keyed digest of the bytes.
    fn tag(&self, bytes: &[u8]) -> [u8; 16];
}

impl Family {
    /// The one-letter name in opaque ids.
    #[must_use]
    pub const fn letter(self) -> char {
        match self {
            Self::Anthropic => 'a',
            Self::Gemini => 'g',
            Self::OpenAi => 'o',
            Self::Compatible => 'c',
        }
    }

    /// Reads the one-letter name.
    #[must_use]
    pub const fn from_letter(letter: char) -> Option<Self> {
        match letter {
            'a' => Some(Self::Anthropic),
            'g' => Some(Self::Gemini),
            'o' => Some(Self::OpenAi),
            'c' => Some(Self::Compatible),
            _ => None,
        }
    }
}

impl Signature<'_> {
    /// The same without borrowing.
    #[must_use]
    pub fn into_owned(self) -> Signature<'static> {
        let owned = |text: Text<'_>| Text::Owned(text.into_owned());
        Signature { family: self.family, text: owned(self.text), item: self.item.map(owned) }
    }
}
