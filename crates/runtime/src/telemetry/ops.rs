//! `GET` and `PUT /telemetry` on the ops port: log level and sampling of the running process.

use std::{
    net::{IpAddr, SocketAddr},
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
};

use axum::{
    Json, Router,
    body::Bytes,
    extract::{ConnectInfo, State},
    http::{HeaderMap, StatusCode, header},
    response::{IntoResponse, Response},
    routing::get,
};
use serde::Deserialize;
use serde_json::{Value, json};

use super::control::{CONTROL, Control, parse};

/// The share of requests that are traced, 0 to 1; shared with the code that samples by it.
#[derive(Clone, Debug)]
pub struct Sampling(Arc<AtomicU64>);

impl Sampling {
    /// A share to begin with.
    ///
    /// # Errors
    /// When it is not from 0 to 1.
    pub fn new(share: f64) -> Result<Self, String> {
        check(share)?;
        Ok(Self(Arc::new(AtomicU64::new(share.to_bits()))))
    }

    /// The share at this moment.
    #[must_use]
    pub fn share(&self) -> f64 {
        f64::from_bits(self.0.load(Ordering::Relaxed))
    }

    fn set(&self, share: f64) {
        self.0.store(share.to_bits(), Ordering::Relaxed);
    }
}

fn check(share: f64) -> Result<(), String> {
    // Not a number is in no range.
    if (0.0..=1.0).contains(&share) { Ok(()) } else { Err("must be from 0.0 to 1.0".to_owned()) }
}

/// The routes. Without a sampler, as in services that trace nothing, only the log can be changed.
pub fn routes(sampling: Option<Sampling>) -> Router {
    Router::new().route("/telemetry", get(show).put(change)).with_state(sampling)
}

/// What is asked for; a field that is left out stays as it is.
#[derive(Default)]
struct Change {
    log: Option<String>,
    trace_sample: Option<f64>,
}

async fn show(State(sampling): State<Option<Sampling>>) -> Response {
    state(CONTROL.get(), sampling.as_ref())
}

async fn change(
    State(sampling): State<Option<Sampling>>,
    ConnectInfo(peer): ConnectInfo<SocketAddr>,
    headers: HeaderMap,
    body: Bytes,
) -> Response {
    let Some(control) = CONTROL.get() else {
        return refuse(StatusCode::CONFLICT, None, "this process has no log");
    };
    if !may_change(control, peer, &headers) {
        let text = "only a client on this host, or with the token in PORTCULLIS_OPS_TOKEN, may change this";
        return refuse(StatusCode::FORBIDDEN, None, text);
    }
    match read(&body).and_then(|change| apply(control, sampling.as_ref(), &change)) {
        Ok(()) => {
            let (log, trace_sample) = (control.directives(), sampling.as_ref().map(Sampling::share));
            tracing::warn!(%peer, %log, trace_sample, "telemetry was changed at the ops port");
            state(Some(control), sampling.as_ref())
        }
        Err(Refused { field, detail }) => refuse(StatusCode::BAD_REQUEST, field, &detail),
    }
}

/// What proxies add on the way: behind one, everybody would be this host.
const FORWARDED: [&str; 4] = ["forwarded", "via", "x-forwarded-for", "x-real-ip"];

/// This host may, and whoever has the token. A page that a browser was led to by a name of its own is not this host,
/// nor is somebody for whom a proxy on this host asks.
fn may_change(control: &Control, peer: SocketAddr, headers: &HeaderMap) -> bool {
    let text = |name| headers.get(name).and_then(|value: &header::HeaderValue| value.to_str().ok());
    let token = text(header::AUTHORIZATION).and_then(|value| value.split_once(' '));
    if let Some((scheme, token)) = token
        && scheme.eq_ignore_ascii_case("bearer")
    {
        return control.is_token(token.trim());
    }
    let host = text(header::HOST).unwrap_or_default();
    let name = host.rsplit_once(':').map_or(host, |(name, _)| name).trim_matches(['[', ']']);
    let forwarded = FORWARDED.iter().any(|name| headers.contains_key(*name));
    peer.ip().to_canonical().is_loopback()
        && !forwarded
        && (name == "localhost" || name.parse::<IpAddr>().is_ok())
}

/// What is wrong with a change, and with which field of it.
struct Refused {
    field: Option<&'static str>,
    detail: String,
}

impl Refused {
    fn new(field: &'static str, detail: impl Into<String>) -> Self {
        Self { field: Some(field), detail: detail.into() }
    }
}

fn read(body: &[u8]) -> Result<Change, Refused> {
    let whole = |detail: String| Refused { field: None, detail };
    let document: serde_json::Map<String, Value> = serde_json::from_slice(body)
        .map_err(|error| whole(format!("the body is no JSON object: {error}")))?;
    let mut change = Change::default();
    for (name, value) in document {
        match name.as_str() {
            "log" => {
                change.log =
                    Some(String::deserialize(value).map_err(|error| Refused::new("log", error.to_string()))?);
            }
            "trace_sample" => {
                let share = f64::deserialize(value);
                change.trace_sample =
                    Some(share.map_err(|error| Refused::new("trace_sample", error.to_string()))?);
            }
            _ => {
                let name: String = name.chars().take(64).collect();
                return Err(whole(format!("unknown field {name:?}; there are log and trace_sample")));
            }
        }
    }
    Ok(change)
}

/// Applies all of a change or nothing of it.
fn apply(control: &Control, sampling: Option<&Sampling>, change: &Change) -> Result<(), Refused> {
    let share = match (change.trace_sample, sampling) {
        (None, _) => None,
        (Some(_), None) => return Err(Refused::new("trace_sample", "this process traces nothing")),
        (Some(share), Some(sampling)) => {
            check(share).map_err(|detail| Refused::new("trace_sample", detail))?;
            Some((sampling, share))
        }
    };
    if let Some(directives) = &change.log {
        let filter = parse(directives).map_err(|detail| Refused::new("log", detail))?;
        control.apply(directives, filter).map_err(|error| Refused::new("log", error.to_string()))?;
    }
    if let Some((sampling, share)) = share {
        sampling.set(share);
    }
    Ok(())
}

fn state(control: Option<&Control>, sampling: Option<&Sampling>) -> Response {
    let log = control.map(|control| control.directives().to_string());
    Json(json!({ "log": log, "trace_sample": sampling.map(Sampling::share) })).into_response()
}

/// Problem details, RFC 9457, as in the admin API.
fn refuse(status: StatusCode, field: Option<&str>, detail: &str) -> Response {
    let (code, title) = match status {
        StatusCode::FORBIDDEN => ("forbidden", "Not allowed"),
        _ => ("invalid", "The request is invalid"),
    };
    let mut problem = json!({
        "type": format!("urn:portcullis:problem:{code}"), "title": title, "status": status.as_u16(),
        "detail": field.map_or_else(|| detail.to_owned(), |field| format!("{field}: {detail}")),
    });
    if let Some(field) = field {
        problem["field"] = field.into();
    }
    (status, [(header::CONTENT_TYPE, "application/problem+json")], problem.to_string()).into_response()
}
