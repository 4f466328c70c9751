//! Money: integers of nano-dollars, and rates of nano-dollars per million units; no float touches either.

use std::{fmt, str::FromStr};

use schemars::JsonSchema;
use serde::{Deserialize, Deserializer, Serialize, Serializer, de};

const NANOS: i64 = 1_000_000_000;

/// An amount in nano-dollars; prints and parses as a decimal string of dollars (`"0.000125"`, `"$500"`).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Money(i64);

/// A price in nano-dollars per 1,000,000 units (tokens, mostly); written in dollars per million.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Rate(i64);

/// Why a text is no amount of money.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error(
    "{0:?} is not an amount of US dollars; write it as \"$0.15\" or \"0.15 USD\", not below zero, at most nine decimals"
)]
pub struct MoneyError(String);

impl Money {
    /// Nothing.
    pub const ZERO: Self = Self(0);

    /// From nano-dollars.
    #[must_use]
    pub const fn from_nanos(nanos: i64) -> Self {
        Self(nanos)
    }

    /// In nano-dollars.
    #[must_use]
    pub const fn nanos(self) -> i64 {
        self.0
    }

    /// The sum, saturating at the reach of 64 bits ($9.2e9), which no request and no window comes near.
    #[must_use]
    pub const fn plus(self, other: Self) -> Self {
        Self(self.0.saturating_add(other.0))
    }
}

impl Rate {
    /// From nano-dollars per million units.
    #[must_use]
    pub const fn from_nanos(nanos: i64) -> Self {
        Self(nanos)
    }

    /// In nano-dollars per million units.
    #[must_use]
    pub const fn nanos(self) -> i64 {
        self.0
    }

    /// Units × rate, in nano-dollars × 1,000,000: exact, to be summed and rounded once.
    #[must_use]
    pub const fn times(self, units: u64) -> i128 {
        self.0 as i128 * units as i128
    }
}

fn parse_nanos(text: &str) -> Result<i64, MoneyError> {
    let bad = || MoneyError(text.to_owned());
    let trimmed = text.trim();
    let digits = trimmed.strip_prefix('$').or_else(|| trimmed.strip_suffix("USD")).unwrap_or(trimmed).trim();
    let (whole, fraction) = digits.split_once('.').unwrap_or((digits, ""));
    let plain = |part: &str| part.bytes().all(|byte| byte.is_ascii_digit());
    if whole.is_empty() || !plain(whole) || !plain(fraction) || fraction.len() > 9 {
        return Err(bad());
    }
    let whole: i64 = whole.parse().map_err(|_| bad())?;
    let fraction: i64 = format!("{fraction:0<9}").parse().map_err(|_| bad())?;
    whole.checked_mul(NANOS).and_then(|nanos| nanos.checked_add(fraction)).ok_or_else(bad)
}

fn write_nanos(nanos: i64, f: &mut fmt::Formatter<'_>) -> fmt::Result {
    let sign = if nanos < 0 { "-" } else { "" };
    let whole = nanos.unsigned_abs() / 1_000_000_000;
    let fraction = nanos.unsigned_abs() % 1_000_000_000;
    if fraction == 0 {
        return write!(f, "{sign}{whole}");
    }
    // Shortened as a number: this is written once a request at least, and text would be allocated.
    let mut digits = fraction;
    let mut width = 9;
    while digits.is_multiple_of(10) {
        (digits, width) = (digits / 10, width - 1);
    }
    write!(f, "{sign}{whole}.{digits:0width$}")
}

macro_rules! decimal_text {
    ($name:ident, $what:literal) => {
        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                write_nanos(self.0, f)
            }
        }

        impl FromStr for $name {
            type Err = MoneyError;

            fn from_str(text: &str) -> Result<Self, MoneyError> {
                parse_nanos(text).map(Self)
            }
        }

        impl Serialize for $name {
            fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
                serializer.collect_str(self)
            }
        }

        impl<'de> Deserialize<'de> for $name {
            fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
                let text = String::deserialize(deserializer)?;
                text.parse().map_err(de::Error::custom)
            }
        }

        impl JsonSchema for $name {
            fn schema_name() -> std::borrow::Cow<'static, str> {
                stringify!($name).into()
            }

            fn json_schema(_: &mut schemars::SchemaGenerator) -> schemars::Schema {
                schemars::json_schema!({
                    "type": "string",
                    "description": $what,
                    "pattern": r"^\s*\$?\s*[0-9]+(\.[0-9]{1,9})?\s*(USD)?\s*$",
                    "examples": ["$0.15", "0.15 USD"],
                })
            }
        }
    };
}

decimal_text!(Money, "US dollars, up to nine decimals.");
decimal_text!(Rate, "US dollars per 1,000,000 units, up to nine decimals.");

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reads_every_written_form_and_prints_one() {
        for (text, nanos) in
            [("$500", 500 * NANOS), ("0.25 USD", NANOS / 4), ("0.000000001", 1), (" $ 1.5 ", 1_500_000_000)]
        {
            assert_eq!(text.parse::<Money>().unwrap().nanos(), nanos, "{text}");
        }
        assert_eq!(Money::from_nanos(125_000).to_string(), "0.000125");
        assert_eq!(Money::from_nanos(-NANOS).to_string(), "-1");
        assert_eq!(Money::ZERO.to_string(), "0");
    }

    #[test]
    fn refuses_what_is_no_amount() {
        for text in ["", "$", "-1", "1e3", "1.0000000001", "ten", "1,5", "99999999999999", ".5", "$1 EUR"] {
            assert!(text.parse::<Money>().is_err(), "{text}");
        }
    }
}
