//! A parsed request, as every endpoint gets it.

use bytes::Bytes;
use http::HeaderMap;
use serde_json::Value;

use crate::{App, script::Behaviour};

/// A request that was recorded, authenticated and parsed: what every endpoint computes its answer from.
#[derive(Clone, Copy)]
pub(crate) struct SimRequest<'a> {
    pub(crate) app: &'a App,
    pub(crate) behaviour: &'a Behaviour,
    pub(crate) headers: &'a HeaderMap,
    /// The query string, empty when there is none.
    pub(crate) query: &'a str,
    /// The body as JSON; null for what is not JSON by design.
    pub(crate) json: &'a Value,
    pub(crate) body: &'a Bytes,
    pub(crate) model: &'a str,
    /// SHA-256 of the body.
    pub(crate) digest: &'a [u8; 32],
}

impl SimRequest<'_> {
    /// The value of a query parameter.
    pub(crate) fn parameter(&self, name: &str) -> Option<&str> {
        self.query.split('&').find_map(|pair| pair.strip_prefix(name)?.strip_prefix('='))
    }
}
