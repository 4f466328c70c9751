//! A request's walk from its arrival to its answer; read this file first.

use std::{cell::OnceCell, sync::Arc, time::Duration};

use bytes::Bytes;
use domain::{Attribution, ErrorKind, Timestamp, Usage};
use http::{HeaderValue, Response};
use policy::{Caller, Plan, RoutingContext, RoutingError, Snapshot};
use tokio::time::Instant;
use wire::{Api, Dialect, RequestFacts};

use crate::{
    ask, body,
    explain::RoutingTrace,
    failover,
    gateway::ProxyState,
    http::IncomingRequest,
    limits,
    meter::{Meter, MeterContext},
    models::sign_in,
    relay::{self, ResponseBody},
    reply::GatewayError,
    talk::PathParams,
};

/// What the attempts work from: the request as understood, the plan, and the client's options.
pub(crate) struct LlmRequest {
    pub(crate) api: Api,
    /// What the request line said.
    pub(crate) in_path: PathParams,
    pub(crate) body: Bytes,
    pub(crate) facts: RequestFacts,
    pub(crate) plan: Plan,
    pub(crate) options: ask::Options,
}

impl LlmRequest {
    /// Input tokens, estimated.
    pub(crate) fn input_estimate(&self) -> u64 {
        input_estimate(self.api, &self.facts, &self.body)
    }

    /// What the call uses where the answer does not say it.
    pub(crate) fn usage(&self) -> Option<Usage> {
        self.api.usage_of_request(&self.facts)
    }
}

/// Serves one call of a model.
pub(crate) async fn handle(
    gateway: &Arc<ProxyState>,
    api: Api,
    in_path: PathParams,
    arrival: &mut IncomingRequest,
) -> Result<Response<ResponseBody>, GatewayError> {
    arrival.passage.api = Some(api.name());
    arrival.passage.dialect = api.dialect();
    let (snapshot, caller) = sign_in(gateway, arrival)?;
    let options = ask::options(arrival.request.headers())?;
    let reading = Instant::now();
    let body = body::read(&mut arrival.request, &gateway.edge).await?;
    let upload = reading.elapsed();
    let facts = decode((api, &in_path, options.upload.as_ref()), &body)?;
    let attribution = ask::attribution(arrival.request.headers(), &caller, &facts)?;
    let plan = plan(gateway, (&snapshot, &caller), &attribution, (api, &in_path, &body, &facts, &options))?;
    let ask = LlmRequest { api, in_path, body, facts, plan, options };
    let opening = open(attribution, &ask, upload);
    let hold = match limits::reserve(gateway, &caller, arrival.passage.id, &opening.attribution).await {
        Ok(hold) => hold,
        Err(trouble) => {
            arrival.passage.whose = Some(opening.attribution);
            let trouble = trouble.on_route(&ask.plan.route);
            return Err(trouble.explained(opening.decided.map(|decided| decided.object(Vec::new(), &[]))));
        }
    };
    let mut meter = Meter::new(arrival.passage.hand_over(), opening, hold);
    match failover::send(gateway, &ask, &mut meter).await {
        Ok(answer) => Ok(relay::respond(answer, &ask, meter)),
        Err(trouble) => {
            meter.fail(&trouble);
            Ok(trouble.explained(meter.explain()).response(meter.notes()))
        }
    }
}

/// Longest `model`, in bytes; what is longer names nothing, and errors would echo it.
const MAX_MODEL: usize = 512;

/// One validating scan of the body.
fn decode(
    (api, in_path, upload): (Api, &PathParams, Option<&HeaderValue>),
    body: &[u8],
) -> Result<RequestFacts, GatewayError> {
    let scanned = match (api.dialect(), api.dialect().codec()) {
        _ if api.is_upload() => {
            let boundary = upload.and_then(|value| wire::multipart::boundary(value.to_str().ok()?));
            let text = "content-type must be multipart/form-data with its boundary";
            let boundary = boundary.ok_or_else(|| GatewayError::new(ErrorKind::InvalidRequest, text))?;
            wire::multipart::scan(boundary, body)
        }
        (Dialect::OpenAiChat, _) => wire::scan(api, body),
        (_, Some(dialect)) => dialect.scan(in_path.borrowed(), body),
        (dialect, None) => {
            let text = format!("this version does not speak {}", dialect.title());
            return Err(GatewayError::new(ErrorKind::RouteNotFound, text));
        }
    };
    let facts = scanned.map_err(|error| {
        GatewayError::new(ErrorKind::InvalidRequest, error.to_string()).param(error.field)
    })?;
    if api == Api::Images && facts.stream {
        let text = "images are not streamed by this gateway; leave `stream` out";
        return Err(GatewayError::new(ErrorKind::InvalidRequest, text).param(Some("stream")));
    }
    if facts.model.len() > MAX_MODEL {
        let text = format!("model is longer than {MAX_MODEL} bytes");
        return Err(GatewayError::new(ErrorKind::InvalidRequest, text).param(Some("model")));
    }
    Ok(facts)
}

/// What the meter records of the request before anything is sent.
fn open(attribution: Attribution, ask: &LlmRequest, upload: Duration) -> MeterContext {
    MeterContext {
        attribution,
        api: ask.api.name(),
        stream: ask.facts.stream,
        route: ask.plan.route.clone(),
        rule: ask.plan.rule.clone(),
        pool: Some(Arc::clone(&ask.plan.pool)),
        decided: ask.options.explain.then(|| Box::new(RoutingTrace::plan(&ask.plan))),
        upload,
        input_estimate: ask.input_estimate(),
    }
}

/// A request as it was understood.
type Understood<'a> = (Api, &'a PathParams, &'a Bytes, &'a RequestFacts, &'a ask::Options);

/// Which targets are tried, in which order, and why.
fn plan(
    gateway: &ProxyState,
    (snapshot, caller): (&Snapshot, &Caller),
    attribution: &Attribution,
    (api, in_path, body, facts, options): Understood<'_>,
) -> Result<Plan, GatewayError> {
    let shape = || wire::shape(api, in_path.borrowed(), body);
    let asking = RoutingContext {
        api: api.name(),
        facts,
        input_tokens: input_estimate(api, facts, body),
        tags: &attribution.tags,
        user: attribution.user.as_deref(),
        feature: attribution.feature.as_deref(),
        session: options.session.as_deref(),
        region: gateway.region.as_deref(),
        shape: &shape,
        seen: OnceCell::new(),
        now: gateway.now(),
        at: Timestamp::now(),
        draw: gateway.live.draw(),
        explain: options.explain,
    };
    policy::plan(snapshot, &gateway.live, caller, &asking).map_err(|refusal| {
        let decided = options.explain.then(|| RoutingTrace::refusal(&refusal, &facts.model));
        let explained = decided.map(|decided| decided.object(Vec::new(), &[]));
        let trouble = GatewayError::new(refusal.kind(), refusal.to_string()).explained(explained);
        match &refusal {
            RoutingError::NoAvailableTarget { route, retry_after, .. } => {
                let seconds = retry_after.as_millis().div_ceil(1_000).try_into().unwrap_or(1);
                trouble.on_route(route).retry_after(seconds)
            }
            _ => trouble.param(Some("model")),
        }
    })
}

/// Four bytes a token is the usual rule of thumb. It only chooses targets, and values attempts that report no usage.
fn input_estimate(api: Api, facts: &RequestFacts, body: &Bytes) -> u64 {
    // What is billed by piece has no tokens to estimate.
    if api.usage_of_request(facts).is_some() { 0 } else { (body.len() as u64).div_ceil(4) }
}
