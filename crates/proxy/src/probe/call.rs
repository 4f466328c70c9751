//! The call that a probe makes: a small prompt in the dialect of the target.

use std::{borrow::Cow, sync::Arc};

use bytes::Bytes;
use domain::{Attribution, PromptProbe, ResourceId, Strictness};
use policy::{Plan, PlannedTarget, RoutePolicy, SelectionReason, Target};
use wire::{
    Api,
    canonical::{Call, LossReport, Part, PartKind, Role, TargetFacts, Turn},
    codec::DialectCodec,
};

use crate::{
    context::RequestContext,
    meter::{Meter, MeterContext},
    request::{LlmRequest, PathParams, RequestOptions},
    state::ProxyState,
};

/// What records call the route and the feature of probes.
const PROBE: &str = "probe";

/// Writes the call, if the target's dialect can express it.
pub(super) fn request(target: &Arc<Target>, probe: &PromptProbe) -> Option<LlmRequest> {
    let endpoint = &target.endpoint;
    let dialect = endpoint.dialect_for(endpoint.own_dialect(), &target.upstream).dialect;
    let codec = wire::codec(dialect);
    let text = PartKind::Text(Cow::Borrowed(&*probe.prompt));
    let call = Call {
        model: Cow::Borrowed(&*target.upstream),
        stream: true,
        stream_usage: true,
        turns: vec![Turn::new(Role::User, vec![Part { kind: text, cache: None }])],
        max_output: Some(u64::from(probe.max_tokens).max(codec.min_output())),
        ..Call::default()
    };
    let facts = TargetFacts {
        model: &target.upstream,
        max_output: target.spec.max_output,
        sampling: target.spec.capabilities.sampling_fields.into(),
        reasoning: target.spec.capabilities.reasoning.into(),
        quirks: &endpoint.row.quirks,
    };
    let encoded =
        codec.encode_request(&call, &facts, LossReport::new(dialect, dialect, Strictness::Lenient)).ok()?;
    let body = Bytes::from(encoded.body);
    let path = path_params(codec, &target.upstream);
    let api = Api::of(dialect);
    let facts = codec.scan(api, path.borrowed(), &body);
    let planned = PlannedTarget {
        target: Arc::clone(target),
        reason: SelectionReason::First,
        tier: 0,
        concurrent: None,
        accept: None,
    };
    let plan = Plan {
        route: PROBE.to_owned(),
        rule: None,
        pool: Arc::from(PROBE),
        terms: Arc::new(RoutePolicy::default()),
        strictness: Strictness::Lenient,
        attempts: vec![planned],
        passed_over: Vec::new(),
        rules: Vec::new(),
    };
    Some(LlmRequest { api, path, body, facts: facts.ok()?, plan, options: RequestOptions::default() })
}

/// Opens the account of a probe, which is paid by the owner of the provider.
pub(super) fn meter(proxy: &Arc<ProxyState>, request: &LlmRequest, owner: Option<ResourceId>) -> Meter {
    let attribution = Attribution {
        tenant: owner.unwrap_or(ResourceId::OPERATOR),
        key: ResourceId::OPERATOR,
        user: None,
        feature: Some(PROBE.to_owned()),
        tags: Vec::new(),
    };
    let subject = MeterContext {
        attribution,
        api: request.api.name(),
        stream: request.facts.stream,
        route: PROBE.to_owned(),
        rule: None,
        pool: None,
        decided: None,
        upload: std::time::Duration::ZERO,
        input_estimate: request.input_estimate(),
    };
    Meter::new(Arc::clone(proxy), RequestContext::internal(&proxy.propagation), subject)
}

/// What the request line says, in dialects that put it there.
fn path_params(codec: &dyn DialectCodec, model: &str) -> PathParams {
    match codec.has_model_in_path() {
        true => PathParams { model: Some(model.to_owned()), stream: Some(true), version: None },
        false => PathParams::default(),
    }
}
