//! The free probe: the provider's list of models, asked for as its clients do.

use std::{sync::Arc, time::Duration};

use bytes::{Bytes, BytesMut};
use domain::{AttemptOutcome, Timeouts};
use http::{HeaderName, HeaderValue, Method, Request, Uri, header};
use http_body_util::BodyExt as _;
use hyper::body::Incoming;
use policy::{Credential, Endpoint};
use tokio::time::{Instant, timeout_at};
use wire::Dialect;

use crate::{attempt::classify_status, gateway::ProxyState, upstream::TrackedBody};

/// Longest list that is read, in bytes; aggregators list hundreds of models.
const MOST: usize = 4 << 20;

/// How it ended, and whether that says something of the endpoint.
pub(super) struct Listed {
    pub(super) outcome: AttemptOutcome,
    pub(super) verdict: Option<bool>,
}

impl Listed {
    const fn of(outcome: AttemptOutcome) -> Self {
        Self { outcome, verdict: crate::attempt::verdict(outcome) }
    }
}

/// The path of the list; `None`: the provider has none that is of use here.
pub(super) fn path(endpoint: &Endpoint) -> Option<String> {
    let speaks = endpoint.dialect_for(endpoint.own_dialect(), "");
    wire::models::path(&endpoint.prefix, speaks.root, speaks.dialect, endpoint.row.addressing)
}

/// Asks; `None`: nothing was sent, because no key may be used.
pub(super) async fn ask(gateway: &ProxyState, endpoint: &Endpoint, timeout: Duration) -> Option<Listed> {
    let deadline = Instant::now() + timeout;
    let credential = match endpoint.credentials.as_slice() {
        [] => None,
        all => Some(usable(gateway, all)?),
    };
    let mut request = request(endpoint)?;
    if let Some(credential) = credential {
        let signed = gateway.tokens.sign(&mut request, credential, endpoint.region.as_deref(), deadline);
        signed.await.ok()?;
    }
    let listed = timeout_at(deadline, exchange(gateway, request)).await;
    Some(listed.unwrap_or(Listed::of(AttemptOutcome::Timeout)))
}

/// One of the keys that may be used. None of them is tried out here: what may list models may yet not call them.
fn usable<'a>(gateway: &ProxyState, all: &'a [Arc<Credential>]) -> Option<&'a Arc<Credential>> {
    let now = gateway.now();
    let usable: Vec<_> = all.iter().filter(|key| key.state.usable(0, now).is_ok()).collect();
    let drawn = gateway.live.draw().checked_rem(usable.len() as u64)?;
    usable.get(usize::try_from(drawn).ok()?).copied()
}

fn request(endpoint: &Endpoint) -> Option<Request<Bytes>> {
    let uri = Uri::builder()
        .scheme(endpoint.scheme.clone())
        .authority(endpoint.authority.clone())
        .path_and_query(path(endpoint)?)
        .build()
        .ok()?;
    let mut request = Request::new(Bytes::new());
    (*request.method_mut(), *request.uri_mut()) = (Method::GET, uri);
    let agent = HeaderValue::from_static(concat!("portcullis/", env!("CARGO_PKG_VERSION")));
    request.headers_mut().insert(header::USER_AGENT, agent);
    request.headers_mut().insert(header::ACCEPT, HeaderValue::from_static("application/json"));
    if endpoint.own_dialect() == Dialect::Anthropic {
        let version = HeaderValue::from_static(wire::anthropic::API_VERSION);
        request.headers_mut().insert(HeaderName::from_static("anthropic-version"), version);
    }
    Some(request)
}

async fn exchange(gateway: &ProxyState, request: Request<Bytes>) -> Listed {
    let request = request.map(|body| TrackedBody::new(body, Arc::default()));
    // The route's usual bound, so that probes share connections with requests.
    let connect = Timeouts::default().connect.std();
    let response = match gateway.upstream.send(connect, request).await {
        Ok(response) => response,
        Err(error) => return Listed::of(error.outcome),
    };
    let status = response.status().as_u16();
    match classify_status(status) {
        None => Listed::of(read(response.into_body()).await),
        // It answers, and says that it has no such list: that is no fault.
        Some(outcome) if matches!(status, 404 | 405 | 410 | 501) => Listed { outcome, verdict: None },
        Some(outcome) => Listed::of(outcome),
    }
}

/// Reads the list to its end; it must be JSON.
async fn read(mut body: Incoming) -> AttemptOutcome {
    let mut read = BytesMut::new();
    while let Some(frame) = body.frame().await {
        let Ok(frame) = frame else { return AttemptOutcome::Cut };
        let Ok(data) = frame.into_data() else { continue };
        if read.len() + data.len() > MOST {
            return AttemptOutcome::Protocol;
        }
        read.extend_from_slice(&data);
    }
    let list = read.trim_ascii_start().first().is_some_and(|first| b"{[".contains(first));
    let whole = list && serde_json::from_slice::<serde::de::IgnoredAny>(&read).is_ok();
    if whole { AttemptOutcome::Ok } else { AttemptOutcome::Protocol }
}
