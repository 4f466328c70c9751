//! Identifiers: UUIDv7 everywhere, one newtype per thing so that they cannot be mixed up.

use std::{fmt, str::FromStr};

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use uuid::Uuid;

macro_rules! id {
    ($(#[$doc:meta])* $name:ident) => {
        $(#[$doc])*
        #[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
        #[serde(transparent)]
        pub struct $name(pub Uuid);

        impl $name {
            /// A new identifier, ordered by the wall clock (RFC 9562, version 7).
            #[must_use]
            #[allow(clippy::new_without_default, reason = "a fresh random id is no default value")]
            pub fn new() -> Self {
                Self(Uuid::now_v7())
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                self.0.fmt(f)
            }
        }

        impl fmt::Debug for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                self.0.fmt(f)
            }
        }

        impl FromStr for $name {
            type Err = uuid::Error;

            fn from_str(text: &str) -> Result<Self, Self::Err> {
                Uuid::parse_str(text).map(Self)
            }
        }

        impl JsonSchema for $name {
            fn schema_name() -> std::borrow::Cow<'static, str> {
                stringify!($name).into()
            }

            fn json_schema(_: &mut schemars::SchemaGenerator) -> schemars::Schema {
                schemars::json_schema!({ "type": "string", "format": "uuid" })
            }
        }
    };
}

id! {
    /// A row of configuration: tenant, key, provider, credential, model, price or route.
    ResourceId
}
id! {
    /// One client request; its time is the moment the proxy accepted it.
    RequestId
}
id! {
    /// One proxy process, from start to death; names the owner of a usage spool.
    IncarnationId
}
id! {
    /// One configuration database; a new one, and one that adopted a backup, gets another.
    StoreId
}

impl ResourceId {
    /// Stands where the operator itself acts, on no tenant's behalf: no row has this id.
    pub const OPERATOR: Self = Self(Uuid::nil());
}

impl RequestId {
    /// Microseconds since the Unix epoch at which the id was minted (millisecond precision).
    #[must_use]
    pub fn unix_micros(self) -> i64 {
        let bytes = self.0.as_bytes();
        let millis = bytes[..6].iter().fold(0i64, |acc, byte| (acc << 8) | i64::from(*byte));
        millis * 1_000
    }

    /// Days since the Unix epoch (UTC) at which the id was minted: the first part of the usage key.
    #[must_use]
    pub fn day(self) -> i64 {
        self.unix_micros().div_euclid(86_400_000_000)
    }
}

/// A configuration version: which database, and how many writes it has seen.
///
/// Revisions of different stores do not compare, so a database restored from an old backup under a new
/// id is noticed instead of being mistaken for old news.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize, JsonSchema)]
pub struct Version {
    /// The database.
    pub store: StoreId,
    /// Its revision: the count of committed configuration writes.
    pub revision: u64,
}

impl fmt::Display for Version {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}@{}", self.revision, self.store)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_request_id_carries_its_day() {
        // 0x019aa8b7d400 ms after the epoch.
        let id: RequestId = "019aa8b7-d400-7000-8000-000000000000".parse().unwrap();
        assert_eq!((id.unix_micros(), id.day()), (1_763_767_211_008_000, 20413));
        assert!(RequestId::new().day() > id.day());
    }
}
