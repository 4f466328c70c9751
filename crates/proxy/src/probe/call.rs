//! The call that a probe makes: something small, in the words of the target.

use std::{borrow::Cow, sync::Arc};

use bytes::Bytes;
use domain::{Attribution, PromptProbe, ResourceId};
use fleet::Grant;
use policy::{Plan, Planned, Reason, Target, Terms};
use wire::{
    Api, DialectName,
    canon::{Call, Losses, Part, PartKind, Role, TargetFacts, Turn},
};

use crate::{
    ask::Options,
    gateway::Gateway,
    meter::{Meter, Opening},
    observe::Passage,
    pipeline::Ask,
    talk::FromPath,
};

/// What records call the route and the feature of probes.
const PROBE: &str = "probe";

/// Writes the call; `None`: the target's dialect cannot say it.
pub(super) fn ask(target: &Arc<Target>, probe: &PromptProbe) -> Option<Ask> {
    let endpoint = &target.endpoint;
    let dialect = endpoint.dialect_for(endpoint.own_dialect(), &target.upstream).dialect;
    let codec = dialect.codec()?;
    let text = PartKind::Text(Cow::Borrowed(&*probe.prompt));
    let call = Call {
        model: Cow::Borrowed(&*target.upstream),
        stream: true,
        stream_usage: true,
        turns: vec![Turn::new(Role::User, vec![Part { kind: text, cache: None }])],
        max_output: Some(u64::from(probe.max_tokens).max(least(dialect))),
        ..Call::default()
    };
    let facts = TargetFacts {
        model: &target.upstream,
        max_output: target.spec.max_output,
        sampling: target.spec.capabilities.sampling_fields,
        quirks: &endpoint.row.quirks,
    };
    let encoded = codec.encode_call(&call, &facts, Losses::new(dialect, dialect, true)).ok()?;
    let body = Bytes::from(encoded.body);
    let in_path = in_path(dialect, &target.upstream);
    let api = api(dialect);
    let facts = match dialect {
        DialectName::OpenAiChat => wire::scan(api, &body),
        _ => codec.scan(in_path.borrowed(), &body),
    };
    let planned = Planned {
        target: Arc::clone(target),
        reason: Reason::First,
        tier: 0,
        concurrent: None,
        accept: None,
    };
    let plan = Plan {
        route: PROBE.to_owned(),
        rule: None,
        pool: Arc::from(PROBE),
        terms: Arc::new(Terms::default()),
        attempts: vec![planned],
        passed_over: Vec::new(),
        rules: Vec::new(),
    };
    Some(Ask { api, in_path, body, facts: facts.ok()?, plan, options: Options::default() })
}

/// Its account: paid by whoever wrote the provider.
pub(super) fn meter(gateway: &Arc<Gateway>, ask: &Ask, owner: Option<ResourceId>) -> Meter {
    let attribution = Attribution {
        tenant: owner.unwrap_or(ResourceId::OPERATOR),
        key: ResourceId::OPERATOR,
        user: None,
        feature: Some(PROBE.to_owned()),
        tags: Vec::new(),
    };
    let opening = Opening {
        attribution,
        api: ask.api.name(),
        stream: ask.facts.stream,
        route: PROBE.to_owned(),
        rule: None,
        pool: None,
        decided: None,
        upload: std::time::Duration::ZERO,
        input_estimate: ask.input_estimate(),
    };
    Meter::new(Passage::of_the_gateway(Arc::clone(gateway)), opening, Grant::default())
}

/// The smallest output limit that a dialect takes.
const fn least(dialect: DialectName) -> u64 {
    if matches!(dialect, DialectName::OpenAiResponses) { 16 } else { 1 }
}

/// What dialects say in the request line.
fn in_path(dialect: DialectName, model: &str) -> FromPath {
    match dialect {
        DialectName::Gemini | DialectName::Bedrock => {
            FromPath { model: Some(model.to_owned()), stream: Some(true), version: None }
        }
        _ => FromPath::default(),
    }
}

const fn api(dialect: DialectName) -> Api {
    match dialect {
        DialectName::OpenAiChat => Api::Chat,
        DialectName::OpenAiResponses => Api::Responses,
        DialectName::Anthropic => Api::Messages,
        DialectName::Gemini => Api::Gemini,
        DialectName::Cohere => Api::Cohere,
        DialectName::Bedrock => Api::Converse,
    }
}
