//! Origins of web pages, as browsers tell them in the header `origin`.

use std::{fmt, str::FromStr};

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// An origin that may use the gateway: `https://app.example.com`, or `*` for any.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize, JsonSchema)]
#[serde(try_from = "String", into = "String")]
#[schemars(with = "String")]
pub struct Origin(String);

/// Origins that may use something, at most 64; an empty list allows none.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(try_from = "Vec<Origin>", into = "Vec<Origin>")]
#[schemars(with = "Vec<Origin>")]
pub struct OriginList(Vec<Origin>);

impl OriginList {
    /// Most origins of one list.
    pub const MAX: usize = 64;

    /// The origins.
    #[must_use]
    pub fn as_slice(&self) -> &[Origin] {
        &self.0
    }
}

impl TryFrom<Vec<Origin>> for OriginList {
    type Error = String;

    fn try_from(list: Vec<Origin>) -> Result<Self, String> {
        match list.len() {
            0..=Self::MAX => Ok(Self(list)),
            many => Err(format!("{many} origins, which is more than {}", Self::MAX)),
        }
    }
}

impl From<OriginList> for Vec<Origin> {
    fn from(list: OriginList) -> Self {
        list.0
    }
}

/// Why a text is no origin.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error(
    "{0:?} is no origin: write `https://app.example.com`, with the port where it is not the usual one, or `*`"
)]
pub struct OriginError(String);

impl Origin {
    /// Longest origin, in bytes.
    pub const MAX: usize = 256;

    /// Whether a page of the origin that a browser tells is meant. Browsers write scheme and host in lower case.
    #[must_use]
    pub fn matches(&self, presented: &[u8]) -> bool {
        self.0 == "*" || self.0.as_bytes() == presented
    }
}

impl FromStr for Origin {
    type Err = OriginError;

    fn from_str(text: &str) -> Result<Self, OriginError> {
        let wrong = || OriginError(text.chars().take(Self::MAX).collect());
        if text == "*" {
            return Ok(Self("*".to_owned()));
        }
        let lower = text.to_ascii_lowercase();
        let (scheme, authority) = lower.split_once("://").ok_or_else(wrong)?;
        let is_scheme = scheme.starts_with(|first: char| first.is_ascii_lowercase())
            && scheme.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"+-.".contains(&byte));
        let is_authority = !authority.is_empty()
            && authority.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"-._:[]".contains(&byte));
        if !is_scheme || !is_authority || lower.len() > Self::MAX {
            return Err(wrong());
        }
        // Browsers leave the usual port out.
        let usual = match scheme {
            "https" => ":443",
            "http" => ":80",
            _ => return Ok(Self(lower)),
        };
        Ok(Self(lower.strip_suffix(usual).map(str::to_owned).unwrap_or(lower)))
    }
}

impl TryFrom<String> for Origin {
    type Error = OriginError;

    fn try_from(text: String) -> Result<Self, OriginError> {
        text.parse()
    }
}

impl From<Origin> for String {
    fn from(origin: Origin) -> Self {
        origin.0
    }
}

impl fmt::Display for Origin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn origins_are_as_browsers_write_them() {
        for (text, expected) in [
            ("https://App.Example.com", "https://app.example.com"),
            ("https://a.example:443", "https://a.example"),
            ("http://localhost:3000", "http://localhost:3000"),
            ("http://[::1]:80", "http://[::1]"),
            ("app://obsidian.md", "app://obsidian.md"),
            ("*", "*"),
        ] {
            assert_eq!(text.parse::<Origin>().unwrap().to_string(), expected);
        }
        let long = format!("https://{}", "a".repeat(Origin::MAX));
        for wrong in [
            "",
            "null",
            "example.com",
            "https://",
            "https://a/",
            "https://a?b",
            "https://*.a",
            "https://u@a",
            "://a",
            &long,
        ] {
            assert!(wrong.parse::<Origin>().is_err(), "{wrong}");
        }
    }

    #[test]
    fn a_page_is_matched_exactly() {
        let origin: Origin = "https://a.example".parse().unwrap();
        assert!(origin.matches(b"https://a.example") && "*".parse::<Origin>().unwrap().matches(b"null"));
        for other in
            [&b"https://a.example.evil"[..], b"http://a.example", b"https://a.example:8443", b"null", b""]
        {
            assert!(!origin.matches(other), "{other:?}");
        }
    }
}
