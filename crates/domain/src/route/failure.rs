//! Failures by class, and what a route does about each.

use std::collections::BTreeMap;

use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::{Deserialize, Serialize};

use crate::{AttemptOutcome, Share};

/// What is done about failures, as long as nothing was relayed to the client.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct RetrySpec {
    /// Most attempts of a request at one target with one key; the next target and the next key are no repeats.
    #[schemars(range(min = 1, max = 10))]
    pub attempts: u32,
    /// Repeats at one target, as a share of the requests it gets; three in ten seconds are always allowed.
    pub budget: Share,
    /// What follows a failure, where it is not the usual.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    #[schemars(schema_with = "by_class")]
    pub on: BTreeMap<FailureClass, Action>,
}

/// A map with the classes as keys, which derived schemas of maps leave out.
fn by_class(generator: &mut SchemaGenerator) -> Schema {
    let class = generator.subschema_for::<FailureClass>();
    let action = generator.subschema_for::<Action>();
    json_schema!({ "type": "object", "propertyNames": class, "additionalProperties": action })
}

impl Default for RetrySpec {
    /// An outage is amplified at most 1.2 times at each endpoint.
    fn default() -> Self {
        Self { attempts: 3, budget: Share::percent(20), on: BTreeMap::new() }
    }
}

/// Why an attempt failed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum FailureClass {
    /// No connection.
    Connect,
    /// The TLS handshake failed.
    Tls,
    /// Nothing came in time.
    Timeout,
    /// HTTP 429.
    RateLimited,
    /// HTTP 5xx.
    ServerError,
    /// HTTP 401, 402, 403.
    BadCredential,
    /// The provider's content filter refused.
    ContentFilter,
    /// The input does not fit into the model's context.
    ContextTooLong,
    /// The request itself is at fault.
    ClientFault,
    /// An error inside a 200 stream, before content.
    StreamError,
    /// The answer ended before its content.
    Cut,
    /// The answer was none.
    Protocol,
}

/// What follows a failure.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Action {
    /// The same target with its next key; the next target when there is none.
    NextKey,
    /// The same target after a wait, within the retry budget, where no other target is left.
    Retry,
    /// The next target.
    NextTarget,
    /// The next target with a model that takes more input.
    LargerContext,
    /// The client is told.
    Stop,
}

impl FailureClass {
    /// The class of an attempt's outcome, if it is a failure that something can be done about.
    #[must_use]
    pub const fn of(outcome: AttemptOutcome) -> Option<Self> {
        use AttemptOutcome as O;
        Some(match outcome {
            O::Connect => Self::Connect,
            O::Tls => Self::Tls,
            O::Timeout => Self::Timeout,
            O::RateLimited => Self::RateLimited,
            O::ServerError => Self::ServerError,
            O::BadCredential => Self::BadCredential,
            O::ContentFilter => Self::ContentFilter,
            O::ContextTooLong => Self::ContextTooLong,
            O::ClientFault => Self::ClientFault,
            O::StreamError => Self::StreamError,
            O::Cut => Self::Cut,
            O::Protocol => Self::Protocol,
            O::Ok | O::Cancelled | O::NotSent | O::Orphaned | O::Rejected => return None,
        })
    }

    /// What follows unless a route says otherwise.
    #[must_use]
    pub const fn usual(self) -> Action {
        match self {
            Self::RateLimited | Self::BadCredential => Action::NextKey,
            Self::Connect | Self::ServerError | Self::StreamError | Self::Cut => Action::Retry,
            // A target that was silent has had its time, a broken certificate stays broken, and what is no answer
            // will be none again. Another provider may see content otherwise.
            Self::Timeout | Self::Tls | Self::Protocol | Self::ContentFilter => Action::NextTarget,
            Self::ContextTooLong => Action::LargerContext,
            Self::ClientFault => Action::Stop,
        }
    }
}
