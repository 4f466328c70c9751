//! The free probe: the provider's list of models, asked for as its clients do.

use std::{sync::Arc, time::Duration};

use bytes::{Bytes, BytesMut};
use domain::{AttemptOutcome, Timeouts};
use http::{HeaderName, HeaderValue, Method, Request, Uri, header};
use http_body_util::BodyExt as _;
use hyper::body::Incoming;
use policy::{Credential, Endpoint, health::EndpointHealth};
use tokio::time::{Instant, timeout_at};
use upstream::TrackedBody;

use super::probed::Probed;
use crate::{attempt::classify_status, state::ProxyState};

/// Longest list that is read, in bytes; aggregators list hundreds of models.
const MOST: usize = 4 << 20;

/// The path of the list, if the provider has one that is of use here.
pub(super) fn path(endpoint: &Endpoint) -> Option<String> {
    let speaks = endpoint.dialect_for(endpoint.own_dialect(), "");
    wire::models::path(&endpoint.prefix, speaks.root, speaks.dialect, endpoint.row.addressing)
}

/// Requests the list; nothing is sent where no credential may be used.
pub(super) async fn request_list(proxy: &ProxyState, endpoint: &Endpoint, timeout: Duration) -> Probed {
    let deadline = Instant::now() + timeout;
    let Some(request) = signed_request(proxy, endpoint, deadline).await else { return Probed::NOT_SENT };
    let probed = timeout_at(deadline, exchange(proxy, request)).await;
    probed.unwrap_or(Probed::new(AttemptOutcome::Timeout))
}

/// The request with its credential, if it can be signed.
async fn signed_request(
    proxy: &ProxyState,
    endpoint: &Endpoint,
    deadline: Instant,
) -> Option<Request<Bytes>> {
    let credential = match endpoint.credentials.as_slice() {
        [] => None,
        all => Some(usable(proxy, all)?),
    };
    let mut request = request(endpoint)?;
    if let Some(credential) = credential {
        let signed = proxy.tokens.sign(&mut request, credential, endpoint.region.as_deref(), deadline);
        signed.await.ok()?;
    }
    Some(request)
}

/// One of the credentials that may be used. Refused ones are not tried here: a credential that may list models may yet
/// not call them.
fn usable<'a>(proxy: &ProxyState, all: &'a [Arc<Credential>]) -> Option<&'a Arc<Credential>> {
    let now = proxy.now();
    let usable: Vec<_> = all.iter().filter(|key| key.state.usable(0, now).is_ok()).collect();
    let drawn = proxy.live.draw().checked_rem(usable.len() as u64)?;
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
    *request.method_mut() = Method::GET;
    *request.uri_mut() = uri;
    let agent = HeaderValue::from_static(concat!("portcullis/", env!("CARGO_PKG_VERSION")));
    request.headers_mut().insert(header::USER_AGENT, agent);
    request.headers_mut().insert(header::ACCEPT, HeaderValue::from_static("application/json"));
    if let Some(version) = wire::codec(endpoint.own_dialect()).version_header() {
        let value = HeaderValue::from_static(version.default);
        request.headers_mut().insert(HeaderName::from_static(version.name), value);
    }
    Some(request)
}

async fn exchange(proxy: &ProxyState, request: Request<Bytes>) -> Probed {
    let request = request.map(|body| TrackedBody::new(body, Arc::default()));
    // The route's usual bound, so that probes share connections with requests.
    let connect = Timeouts::default().connect.std();
    let response = match proxy.upstream.send(connect, request).await {
        Ok(response) => response,
        Err(error) => return Probed::new(error.outcome),
    };
    let status = response.status().as_u16();
    match classify_status(status) {
        None => Probed::new(read(response.into_body()).await),
        // It answers that it has no such list, which is no fault of the endpoint.
        Some(outcome) if matches!(status, 404 | 405 | 410 | 501) => {
            Probed { health: EndpointHealth::Unknown, ..Probed::new(outcome) }
        }
        Some(outcome) => Probed::new(outcome),
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
