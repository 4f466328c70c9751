//! A part of a whole as users write it: `20%`.

use std::{fmt, str::FromStr};

use schemars::JsonSchema;
use serde::{Deserialize, Deserializer, Serialize, Serializer, de};

/// A part of a whole, in parts per million; written as a percentage with up to four decimals (`2.5%`).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Share(u32);

impl Share {
    /// All of it.
    pub const WHOLE: Self = Self(1_000_000);

    /// From a percentage; more than 100 is 100.
    #[must_use]
    pub const fn percent(percent: u32) -> Self {
        Self::ppm(percent.saturating_mul(10_000))
    }

    /// From parts per million; more than a million is a million.
    #[must_use]
    pub const fn ppm(parts: u32) -> Self {
        if parts > 1_000_000 { Self::WHOLE } else { Self(parts) }
    }

    /// In parts per million.
    #[must_use]
    pub const fn parts(self) -> u32 {
        self.0
    }

    /// Whether a number drawn evenly from all of `u64` falls into this share.
    #[must_use]
    pub const fn hit(self, draw: u64) -> bool {
        draw % 1_000_000 < self.0 as u64
    }

    /// This share of a number, rounded down.
    #[must_use]
    pub fn of(self, number: u64) -> u64 {
        let part = u128::from(number) * u128::from(self.0) / 1_000_000;
        u64::try_from(part).unwrap_or(u64::MAX)
    }
}

impl fmt::Display for Share {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let whole = self.0 / 10_000;
        let rest = self.0 % 10_000;
        if rest == 0 {
            return write!(f, "{whole}%");
        }
        write!(f, "{whole}.{}%", format!("{rest:04}").trim_end_matches('0'))
    }
}

impl FromStr for Share {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let bad = || format!("{text:?} is not a share; write 20% or 2.5%, at most 100%");
        let number = text.strip_suffix('%').ok_or_else(bad)?;
        let (whole, rest) = number.split_once('.').unwrap_or((number, "0"));
        let digits = |text: &str| !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
        if !digits(whole) || !digits(rest) || whole.len() > 3 || rest.len() > 4 {
            return Err(bad());
        }
        let rest: u32 = format!("{rest:0<4}").parse().map_err(|_| bad())?;
        let parts = whole.parse::<u32>().map_err(|_| bad())? * 10_000 + rest;
        if parts > 1_000_000 { Err(bad()) } else { Ok(Self(parts)) }
    }
}

impl Serialize for Share {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for Share {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        String::deserialize(deserializer)?.parse().map_err(de::Error::custom)
    }
}

impl JsonSchema for Share {
    fn schema_name() -> std::borrow::Cow<'static, str> {
        "Share".into()
    }

    fn json_schema(_: &mut schemars::SchemaGenerator) -> schemars::Schema {
        schemars::json_schema!({
            "type": "string", "pattern": "^[0-9]{1,3}(\\.[0-9]{1,4})?%$", "examples": ["20%", "2.5%"],
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn shares_round_trip_and_nonsense_is_refused() {
        for text in ["0%", "20%", "2.5%", "100%", "0.0001%", "33.3333%"] {
            assert_eq!(text.parse::<Share>().unwrap().to_string(), text);
        }
        for text in ["", "%", "20", "-1%", "101%", "1.%", ".5%", "1.00001%", "100.0001%", "9999%", "1e1%"] {
            assert!(text.parse::<Share>().is_err(), "{text}");
        }
    }

    #[test]
    fn a_share_of_a_number_never_exceeds_it() {
        assert_eq!(Share::percent(20).of(10), 2);
        assert_eq!(Share::percent(20).of(4), 0);
        assert_eq!(Share::WHOLE.of(u64::MAX), u64::MAX);
        assert!(!Share::ppm(0).hit(0) && Share::WHOLE.hit(u64::MAX) && Share::ppm(1).hit(1_000_000));
    }
}
