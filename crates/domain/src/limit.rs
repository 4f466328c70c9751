//! Limits as users write them: requests and tokens in an interval, requests at once, and what happens without the store.

use std::{fmt, str::FromStr};

use schemars::JsonSchema;
use serde::{Deserialize, Deserializer, Serialize, Serializer, de};

/// A limit of one tenant's requests and tokens; every limit that applies must agree before a request is sent.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct LimitSpec {
    /// The requests that are counted together.
    #[serde(default, skip_serializing_if = "Per::is_tenant")]
    pub per: Per,
    /// Requests in any interval of a length: `600/min`, `10000/day`; `20/s` is smoothed instead of counted.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub requests: Option<RequestRate>,
    /// Requests in flight at once, streams until their end.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub concurrent: Option<u64>,
    /// Tokens of input and output together in any interval of a length: `100k/min`. They are estimated before a request is
    /// sent and corrected when it ended; what was taken beyond the limit is carried.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub tokens: Option<TokenRate>,
    /// Tokens of input, likewise.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub input_tokens: Option<TokenRate>,
    /// Tokens of output, likewise.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub output_tokens: Option<TokenRate>,
    /// Counted and reported, never enforced.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub observe: bool,
    /// What happens while the shared store is away.
    #[serde(default, skip_serializing_if = "OnStoreLoss::is_bounded")]
    pub on_store_loss: OnStoreLoss,
    /// With `bounded`: what each proxy admits by itself meanwhile; a quarter of the limit if not written.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub per_replica: Option<u64>,
}

/// The requests that are counted together.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Per {
    /// All of the tenant's.
    #[default]
    Tenant,
    /// Those of one end user; requests that name none are counted together.
    User,
    /// Those of one key.
    Key,
    /// Those of one feature of the application, likewise.
    Feature,
    /// Those of one session, likewise.
    Session,
    /// Those that ask for one model or route, by the name that the client says.
    Model,
}

impl Per {
    /// The name users write.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Tenant => "tenant",
            Self::User => "user",
            Self::Key => "key",
            Self::Feature => "feature",
            Self::Session => "session",
            Self::Model => "model",
        }
    }

    #[allow(clippy::trivially_copy_pass_by_ref, reason = "serde passes references")]
    fn is_tenant(&self) -> bool {
        *self == Self::Tenant
    }
}

/// What a limit does while the shared store is away.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum OnStoreLoss {
    /// Refuses.
    Closed,
    /// Admits everything.
    Open,
    /// Admits a fixed amount on each proxy.
    #[default]
    Bounded,
}

impl OnStoreLoss {
    #[allow(clippy::trivially_copy_pass_by_ref, reason = "serde passes references")]
    fn is_bounded(&self) -> bool {
        *self == Self::Bounded
    }
}

/// The length of the interval of a rate.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Period {
    /// One second.
    Second,
    /// One minute.
    Minute,
    /// One hour.
    Hour,
    /// 24 hours.
    Day,
}

impl Period {
    const ALL: [Self; 4] = [Self::Second, Self::Minute, Self::Hour, Self::Day];

    /// Its length in seconds.
    #[must_use]
    pub const fn seconds(self) -> u64 {
        match self {
            Self::Second => 1,
            Self::Minute => 60,
            Self::Hour => 3_600,
            Self::Day => 86_400,
        }
    }

    const fn as_str(self) -> &'static str {
        match self {
            Self::Second => "s",
            Self::Minute => "min",
            Self::Hour => "hour",
            Self::Day => "day",
        }
    }
}

/// So many requests in an interval; written `600/min`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct RequestRate {
    /// How many; at least 1.
    pub count: u64,
    /// In what time.
    pub period: Period,
}

impl fmt::Display for RequestRate {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.count, self.period.as_str())
    }
}

impl FromStr for RequestRate {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let bad = || format!("{text:?} is not a rate; write 20/s, 600/min, 5000/hour or 10000/day");
        let (count, unit) = text.split_once('/').ok_or_else(bad)?;
        let period = Period::ALL.into_iter().find(|period| period.as_str() == unit).ok_or_else(bad)?;
        let count = count.parse().ok().filter(|count| (1..=1_000_000_000).contains(count)).ok_or_else(bad)?;
        Ok(Self { count, period })
    }
}

/// So many tokens in an interval; written `2M/min`, `500k/hour`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct TokenRate {
    /// How many; at least 1.
    pub count: u64,
    /// In what time.
    pub period: Period,
}

impl fmt::Display for TokenRate {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (count, unit) = match self.count {
            count if count % 1_000_000 == 0 => (count / 1_000_000, "M"),
            count if count % 1_000 == 0 => (count / 1_000, "k"),
            count => (count, ""),
        };
        write!(f, "{count}{unit}/{}", self.period.as_str())
    }
}

impl FromStr for TokenRate {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let bad = || format!("{text:?} is not a rate of tokens; write 2M/min or 500k/hour");
        let (count, unit) = text.split_once('/').ok_or_else(bad)?;
        let (digits, scale) = match count.as_bytes().last() {
            Some(b'M') => (&count[..count.len() - 1], 1_000_000),
            Some(b'k') => (&count[..count.len() - 1], 1_000),
            _ => (count, 1),
        };
        let period = Period::ALL.into_iter().find(|period| period.as_str() == unit).ok_or_else(bad)?;
        let count = digits.parse::<u64>().ok().and_then(|count| count.checked_mul(scale));
        let count = count.filter(|count| (1..=1_000_000_000).contains(count)).ok_or_else(bad)?;
        Ok(Self { count, period })
    }
}

impl Serialize for TokenRate {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for TokenRate {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        String::deserialize(deserializer)?.parse().map_err(de::Error::custom)
    }
}

impl JsonSchema for TokenRate {
    fn schema_name() -> std::borrow::Cow<'static, str> {
        "TokenRate".into()
    }

    fn json_schema(_: &mut schemars::SchemaGenerator) -> schemars::Schema {
        schemars::json_schema!({
            "type": "string", "pattern": "^[1-9][0-9]*[kM]?/(s|min|hour|day)$", "examples": ["2M/min", "500k/hour"],
        })
    }
}

impl Serialize for RequestRate {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for RequestRate {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        String::deserialize(deserializer)?.parse().map_err(de::Error::custom)
    }
}

impl JsonSchema for RequestRate {
    fn schema_name() -> std::borrow::Cow<'static, str> {
        "RequestRate".into()
    }

    fn json_schema(_: &mut schemars::SchemaGenerator) -> schemars::Schema {
        schemars::json_schema!({
            "type": "string", "pattern": "^[1-9][0-9]*/(s|min|hour|day)$", "examples": ["600/min", "20/s"],
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rates_round_trip_and_nonsense_is_refused() {
        for text in ["20/s", "600/min", "5000/hour", "10000/day"] {
            assert_eq!(text.parse::<RequestRate>().unwrap().to_string(), text);
        }
        for text in ["", "600", "0/min", "-1/min", "600/week", "1.5/s", "600 / min", "9999999999999/s"] {
            assert!(text.parse::<RequestRate>().is_err(), "{text}");
        }
    }

    #[test]
    fn rates_of_tokens_round_trip() {
        for text in ["2M/min", "500k/hour", "1234/s"] {
            assert_eq!(text.parse::<TokenRate>().unwrap().to_string(), text);
        }
        assert_eq!("1000k/min".parse::<TokenRate>().unwrap().to_string(), "1M/min");
        for text in ["", "2G/min", "M/min", "0k/min", "2M", "-1k/s", "9999999999999M/s"] {
            assert!(text.parse::<TokenRate>().is_err(), "{text}");
        }
    }

    #[test]
    fn a_limit_shows_only_what_was_written() {
        let spec: LimitSpec = serde_json::from_str(r#"{"requests":"600/min"}"#).unwrap();
        assert_eq!(serde_json::to_string(&spec).unwrap(), r#"{"requests":"600/min"}"#);
        let all = r#"{"per":"session","tokens":"1M/min","input_tokens":"500k/min","output_tokens":"9/s","observe":true}"#;
        let spec: LimitSpec = serde_json::from_str(all).unwrap();
        assert_eq!(serde_json::to_string(&spec).unwrap(), all);
        assert!(serde_json::from_str::<LimitSpec>(r#"{"calls":"1/min"}"#).is_err());
    }
}
