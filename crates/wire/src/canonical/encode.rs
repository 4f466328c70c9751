//! Writing a call for a target: what the target is, what came out, what it could not express.

use super::{Field, Text};
use crate::dialect::Dialect;

/// A call in a target's words.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Encoded {
    /// The body.
    pub body: Vec<u8>,
    /// What the target could not express and what only hints lost, in the client's words; for the response header.
    pub dropped: Vec<String>,
}

/// What an encoder has to know of its target.
#[derive(Clone, Copy, Debug)]
pub struct TargetFacts<'a> {
    /// The model's name at the provider.
    pub model: &'a str,
    /// The model's largest output, where the catalogue knows it.
    pub max_output: Option<u64>,
    /// Whether the model takes `temperature` and its like.
    pub sampling: SamplingSupport,
    /// What is odd about the provider (docs/spec/providers.md#deviations).
    pub quirks: &'a crate::quirks::Quirks,
}

/// Whether a model takes `temperature` and its like.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum SamplingSupport {
    /// The catalogue does not say.
    #[default]
    Unknown,
    /// It takes them.
    Supported,
    /// It refuses them.
    Unsupported,
}

impl From<Option<bool>> for SamplingSupport {
    /// Reads the catalogue's flag.
    fn from(flag: Option<bool>) -> Self {
        match flag {
            None => Self::Unknown,
            Some(true) => Self::Supported,
            Some(false) => Self::Unsupported,
        }
    }
}

/// A field that the target cannot express: `unsupported_by_target`.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("`{field}` cannot be expressed by {target}")]
pub struct Unsupported {
    /// The field, in the client's words, with its place (`messages[2].content[0]`).
    pub field: String,
    /// The target's dialect, and why where that is not plain.
    pub target: String,
}

/// A request that is JSON but no call of its dialect.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("`{field}` {what}")]
pub struct Malformed {
    /// The field with its place (`messages[2].content[0].type`); empty: the body as a whole.
    pub field: String,
    /// What is wrong with it.
    pub what: String,
}

impl Malformed {
    /// A field and what is wrong with it.
    pub fn new(field: impl Into<String>, what: impl Into<String>) -> Self {
        Self { field: field.into(), what: what.into() }
    }
}

/// Keeps account of what the target cannot express.
#[derive(Debug)]
pub struct LossReport {
    client: Dialect,
    target: Dialect,
    lenient: bool,
    dropped: Vec<String>,
}

/// Fields with which clients help a provider's cache along: an answer without them is the same
/// (docs/spec/caching.md#hints).
const CACHE_HINTS: [&str; 3] = ["prompt_cache_key", "prompt_cache_options", "prompt_cache_retention"];

impl LossReport {
    /// An empty account; `lenient`: the client would rather lose a field than the answer.
    #[must_use]
    pub const fn new(client: Dialect, target: Dialect, lenient: bool) -> Self {
        Self { client, target, lenient, dropped: Vec::new() }
    }

    /// A canonical field that cannot be expressed: refused, or dropped and reported in lenient mode.
    ///
    /// # Errors
    /// In strict mode.
    pub fn field(&mut self, field: Field) -> Result<(), Unsupported> {
        self.place(field.name_in(self.client))
    }

    /// The same for a place that the caller names in the client's words.
    ///
    /// # Errors
    /// In strict mode.
    pub fn place(&mut self, place: impl Into<Text<'static>>) -> Result<(), Unsupported> {
        let field = place.into().into_owned();
        if !self.lenient && !CACHE_HINTS.contains(&&*field) {
            return Err(Unsupported { field, target: self.target.title().to_owned() });
        }
        self.hint(field);
        Ok(())
    }

    /// Something that may be lost without harm: reported, never an error.
    pub fn hint(&mut self, place: impl Into<String>) {
        const MOST: usize = 64;
        let place = place.into();
        if self.dropped.len() < MOST && !self.dropped.contains(&place) {
            self.dropped.push(place);
        }
    }

    /// Whether fields are dropped rather than refused.
    #[must_use]
    pub const fn lenient(&self) -> bool {
        self.lenient
    }

    /// The client's dialect.
    #[must_use]
    pub const fn client(&self) -> Dialect {
        self.client
    }

    /// The body with the account.
    #[must_use]
    pub fn encoded(self, body: Vec<u8>) -> Encoded {
        Encoded { body, dropped: self.dropped }
    }
}
