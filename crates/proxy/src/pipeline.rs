//! A request's walk from its arrival to its answer; read this file first.

use std::{sync::Arc, time::Duration};

use bytes::Bytes;
use domain::{ErrorKind, Usage};
use http::{HeaderValue, Response};
use policy::{Caller, Plan};
use tokio::time::Instant;
use wire::{Api, DialectName, RequestFacts};

use crate::{
    ask, attempt, body,
    gateway::Gateway,
    http::Arrival,
    limits,
    meter::{Meter, Opening},
    models::sign_in,
    relay::{self, ReplyBody},
    reply::Trouble,
    talk::FromPath,
};

/// What the attempts work from: the request as understood, the plan, and the client's options.
pub(crate) struct Ask {
    pub(crate) api: Api,
    /// What the request line said.
    pub(crate) in_path: FromPath,
    pub(crate) body: Bytes,
    pub(crate) facts: RequestFacts,
    pub(crate) plan: Plan,
    pub(crate) options: ask::Options,
}

impl Ask {
    /// Four bytes a token is the usual rule of thumb; it only values attempts that report no usage.
    pub(crate) fn input_estimate(&self) -> u64 {
        // What is billed by piece has no tokens to estimate.
        if self.usage().is_some() { 0 } else { (self.body.len() as u64).div_ceil(4) }
    }

    /// What the call uses where the answer does not say it.
    pub(crate) fn usage(&self) -> Option<Usage> {
        self.api.usage_of_request(&self.facts)
    }
}

/// Serves one call of a model.
pub(crate) async fn handle(
    gateway: &Arc<Gateway>,
    api: Api,
    in_path: FromPath,
    arrival: &mut Arrival,
) -> Result<Response<ReplyBody>, Trouble> {
    arrival.passage.api = Some(api.name());
    arrival.passage.dialect = api.dialect();
    let (snapshot, caller) = sign_in(gateway, arrival)?;
    let options = ask::options(arrival.request.headers())?;
    let reading = Instant::now();
    let body = body::read(&mut arrival.request, &gateway.edge).await?;
    let upload = reading.elapsed();
    let facts = decode((api, &in_path, options.upload.as_ref()), &body)?;
    let plan = policy::plan(&snapshot, &caller, &facts.model, gateway.draw())
        .map_err(|refusal| Trouble::new(refusal.kind(), refusal.to_string()).param(Some("model")))?;
    let ask = Ask { api, in_path, body, facts, plan, options };
    let opening =
        open(arrival, &caller, &ask, upload).map_err(|trouble| trouble.on_route(&ask.plan.route))?;
    let hold = match limits::reserve(gateway, &caller, arrival.passage.id, &opening.attribution).await {
        Ok(hold) => hold,
        Err(trouble) => {
            arrival.passage.whose = Some(opening.attribution);
            return Err(trouble.on_route(&ask.plan.route));
        }
    };
    let mut meter = Meter::new(arrival.passage.hand_over(), opening, hold);
    match attempt::first_success(gateway, &ask, &mut meter).await {
        Ok(answer) => Ok(relay::respond(answer, &ask, meter)),
        Err(trouble) => {
            meter.fail(&trouble);
            Ok(trouble.response(meter.notes()))
        }
    }
}

/// Longest `model`, in bytes; what is longer names nothing, and errors would echo it.
const MAX_MODEL: usize = 512;

/// One validating scan of the body.
fn decode(
    (api, in_path, upload): (Api, &FromPath, Option<&HeaderValue>),
    body: &[u8],
) -> Result<RequestFacts, Trouble> {
    let scanned = match (api.dialect(), api.dialect().codec()) {
        _ if api.is_upload() => {
            let boundary = upload.and_then(|value| wire::multipart::boundary(value.to_str().ok()?));
            let text = "content-type must be multipart/form-data with its boundary";
            let boundary = boundary.ok_or_else(|| Trouble::new(ErrorKind::InvalidRequest, text))?;
            wire::multipart::scan(boundary, body)
        }
        (DialectName::OpenAiChat, _) => wire::scan(api, body),
        (_, Some(dialect)) => dialect.scan(in_path.borrowed(), body),
        (dialect, None) => {
            let text = format!("this version does not speak {}", dialect.title());
            return Err(Trouble::new(ErrorKind::RouteNotFound, text));
        }
    };
    let facts = scanned
        .map_err(|error| Trouble::new(ErrorKind::InvalidRequest, error.to_string()).param(error.field))?;
    if api == Api::Images && facts.stream {
        let text = "images are not streamed by this gateway; leave `stream` out";
        return Err(Trouble::new(ErrorKind::InvalidRequest, text).param(Some("stream")));
    }
    if facts.model.len() > MAX_MODEL {
        let text = format!("model is longer than {MAX_MODEL} bytes");
        return Err(Trouble::new(ErrorKind::InvalidRequest, text).param(Some("model")));
    }
    Ok(facts)
}

/// What the meter records of the request before anything is sent.
fn open(arrival: &Arrival, caller: &Caller, ask: &Ask, upload: Duration) -> Result<Opening, Trouble> {
    Ok(Opening {
        attribution: ask::attribution(arrival.request.headers(), caller, &ask.facts)?,
        api: ask.api.name(),
        stream: ask.facts.stream,
        route: ask.plan.route.clone(),
        upload,
        input_estimate: ask.input_estimate(),
    })
}
