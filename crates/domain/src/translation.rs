//! How strict a translation between two dialects is about what its target cannot express.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// What happens to a field that the target of a translation cannot express. The variants are ordered: a later one
/// forgives more.
#[derive(
    Clone, Copy, Debug, Default, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize, JsonSchema,
)]
#[serde(rename_all = "snake_case")]
pub enum Strictness {
    /// Every such field refuses the request, hints and unknown fields included.
    Strict,
    /// A hint and an unknown field are left out and listed; what changes the meaning of the answer is refused.
    #[default]
    Default,
    /// Every such field is left out and listed.
    Lenient,
}

impl Strictness {
    /// Every strictness, the strictest first.
    pub const ALL: [Self; 3] = [Self::Strict, Self::Default, Self::Lenient];

    /// The word in configuration and headers.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Strict => "strict",
            Self::Default => "default",
            Self::Lenient => "lenient",
        }
    }

    /// Reads the word.
    #[must_use]
    pub fn from_name(name: &[u8]) -> Option<Self> {
        Self::ALL.into_iter().find(|strictness| strictness.as_str().as_bytes() == name)
    }
}

/// Which way the header of a request may change the strictness that key and route set.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum TranslationHeader {
    /// Either way.
    #[default]
    Allow,
    /// Only towards `strict`.
    Tighten,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_are_those_of_the_configuration() {
        for strictness in Strictness::ALL {
            let json = serde_json::to_string(&strictness).unwrap();
            assert_eq!(json, format!("{:?}", strictness.as_str()));
            assert_eq!(Strictness::from_name(strictness.as_str().as_bytes()), Some(strictness));
        }
        assert_eq!(Strictness::from_name(b"Lenient"), None);
        assert!(Strictness::Strict < Strictness::default() && Strictness::default() < Strictness::Lenient);
    }
}
