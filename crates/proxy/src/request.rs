//! A call of a model as the gateway understands it.

mod body;
mod headers;
mod origin;
mod path;
mod unpack;

use bytes::Bytes;
use domain::Usage;
use policy::Plan;
use wire::{Api, RequestFacts};

pub(crate) use self::{
    body::read_body,
    headers::{ANTHROPIC_BETA, ParsedHeaders, RequestOptions, TRANSLATION, extract_api_keys, read_headers},
    origin::{allows_origin, check_origin},
    path::{ApiCall, PathParams, RouteMatch, dialect_of, match_path},
};

/// A request as understood; once it is routed, it is what attempts work from.
pub(crate) struct LlmRequest<P = Plan> {
    pub(crate) api: Api,
    /// What the request line said.
    pub(crate) path: PathParams,
    pub(crate) body: Bytes,
    pub(crate) facts: RequestFacts,
    /// The targets to try, in order, once the request is routed.
    pub(crate) plan: P,
    pub(crate) options: RequestOptions,
}

/// In place of the plan of a request that is not routed yet.
pub(crate) struct Unrouted;

impl LlmRequest<Unrouted> {
    /// The same request with its plan.
    pub(crate) fn routed(self, plan: Plan) -> LlmRequest {
        let Self { api, path, body, facts, plan: Unrouted, options } = self;
        LlmRequest { api, path, body, facts, plan, options }
    }
}

impl<P> LlmRequest<P> {
    /// Input tokens, estimated by the usual rule of thumb of four bytes a token. The estimate only chooses targets, and
    /// values attempts that report no usage.
    pub(crate) fn input_estimate(&self) -> u64 {
        // What is billed by piece has no tokens to estimate.
        if self.usage().is_some() { 0 } else { (self.body.len() as u64).div_ceil(4) }
    }

    /// What the call uses where the answer does not report it.
    pub(crate) fn usage(&self) -> Option<Usage> {
        self.api.usage_of_request(&self.facts)
    }
}
