//! Moments and spans as users write them: RFC 3339 or a date; `500ms`, `10s`, `5m`, `24h`, `30d`.

use std::{fmt, str::FromStr};

use schemars::JsonSchema;
use serde::{Deserialize, Deserializer, Serialize, Serializer, de};

/// A moment in microseconds since the Unix epoch; written as RFC 3339 or a UTC date.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Timestamp(i64);

/// A span of time in milliseconds; written with one unit (`10s`).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Duration(u64);

impl Timestamp {
    /// From microseconds since the Unix epoch.
    #[must_use]
    pub const fn from_micros(micros: i64) -> Self {
        Self(micros)
    }

    /// Microseconds since the Unix epoch.
    #[must_use]
    pub const fn micros(self) -> i64 {
        self.0
    }

    /// The day in UTC, `2027-12-31`.
    #[must_use]
    pub fn date(self) -> String {
        let moment = jiff::Timestamp::from_microsecond(self.0).unwrap_or_default();
        moment.strftime("%Y-%m-%d").to_string()
    }

    /// As HTTP writes it (RFC 9110 §5.6.7): `Sun, 06 Nov 1994 08:49:37 GMT`.
    #[must_use]
    pub fn http_date(self) -> String {
        let moment = jiff::Timestamp::from_microsecond(self.0).unwrap_or_default();
        moment.strftime("%a, %d %b %Y %H:%M:%S GMT").to_string()
    }

    /// The wall clock's reading.
    #[must_use]
    pub fn now() -> Self {
        Self(jiff::Timestamp::now().as_microsecond())
    }
}

impl Duration {
    /// From milliseconds.
    #[must_use]
    pub const fn from_millis(millis: u64) -> Self {
        Self(millis)
    }

    /// From seconds.
    #[must_use]
    pub const fn from_secs(seconds: u64) -> Self {
        Self(seconds * 1_000)
    }

    /// As the standard library's type.
    #[must_use]
    pub const fn std(self) -> std::time::Duration {
        std::time::Duration::from_millis(self.0)
    }
}

impl fmt::Display for Timestamp {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match jiff::Timestamp::from_microsecond(self.0) {
            Ok(moment) => moment.fmt(f),
            Err(_) => write!(f, "{}us", self.0),
        }
    }
}

impl FromStr for Timestamp {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let moment = text.parse::<jiff::Timestamp>().or_else(|first| {
            let date: jiff::civil::Date = text.parse().map_err(|_| first)?;
            date.to_zoned(jiff::tz::TimeZone::UTC).map(|zoned| zoned.timestamp())
        });
        moment
            .map(|moment| Self(moment.as_microsecond()))
            .map_err(|_| format!("{text:?} is not a time; write 2027-12-31 or 2027-12-31T23:59:59Z"))
    }
}

const UNITS: [(&str, u64); 5] = [("ms", 1), ("s", 1_000), ("m", 60_000), ("h", 3_600_000), ("d", 86_400_000)];

impl fmt::Display for Duration {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let fits = |(_, size): &&(&str, u64)| self.0.is_multiple_of(*size);
        let (unit, size) = UNITS.iter().rev().find(fits).unwrap_or(&UNITS[0]);
        write!(f, "{}{unit}", self.0 / size)
    }
}

impl FromStr for Duration {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let bad = || format!("{text:?} is not a duration; write 500ms, 10s, 5m, 24h or 30d");
        let split = text.find(|c: char| !c.is_ascii_digit()).ok_or_else(bad)?;
        let (digits, unit) = text.split_at(split);
        let (_, size) = UNITS.iter().find(|(name, _)| *name == unit).ok_or_else(bad)?;
        let count: u64 = digits.parse().map_err(|_| bad())?;
        count.checked_mul(*size).map(Self).ok_or_else(bad)
    }
}

macro_rules! as_text {
    ($name:ident, $schema:tt) => {
        impl Serialize for $name {
            fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
                serializer.collect_str(self)
            }
        }

        impl<'de> Deserialize<'de> for $name {
            fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
                String::deserialize(deserializer)?.parse().map_err(de::Error::custom)
            }
        }

        impl JsonSchema for $name {
            fn schema_name() -> std::borrow::Cow<'static, str> {
                stringify!($name).into()
            }

            fn json_schema(_: &mut schemars::SchemaGenerator) -> schemars::Schema {
                schemars::json_schema!($schema)
            }
        }
    };
}

as_text!(Timestamp, { "type": "string", "examples": ["2027-12-31", "2027-12-31T23:59:59Z"] });
as_text!(Duration, { "type": "string", "pattern": "^[0-9]+(ms|s|m|h|d)$", "examples": ["500ms", "10s", "5m"] });

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn durations_round_trip() {
        for text in ["500ms", "10s", "5m", "24h", "30d", "1500ms"] {
            let parsed: Duration = text.parse().unwrap();
            assert_eq!(parsed.to_string().parse::<Duration>().unwrap(), parsed);
        }
        assert_eq!("90s".parse::<Duration>().unwrap().std().as_secs(), 90);
        for text in ["", "10", "s", "1.5s", "-1s", "10 s", "99999999999999999999s", "9999999999999999d"] {
            assert!(text.parse::<Duration>().is_err(), "{text}");
        }
    }

    #[test]
    fn a_date_is_midnight_utc() {
        assert_eq!("1970-01-02".parse::<Timestamp>().unwrap().micros(), 86_400_000_000);
        assert_eq!("1970-01-01T00:00:01Z".parse::<Timestamp>().unwrap().micros(), 1_000_000);
        assert!("yesterday".parse::<Timestamp>().is_err());
    }
}
