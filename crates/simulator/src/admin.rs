//! The simulator's own endpoints under `/_sim`: scripts in, recorded requests out.
//!
//! - `PUT /_sim/script/{model}`: a [`Behaviour`](crate::Behaviour) or a list of them, consumed in order, the last
//!   one repeating; `?key=K` makes it the script for requests that carry that key; model `*` is every model without one.
//! - `DELETE /_sim/script/{model}`, `DELETE /_sim/script`: back to normal.
//! - `GET /_sim/requests`: `{received, served, cancelled, requests: [..]}`, oldest first; `?model=M` keeps those for
//!   one model, `?key=K` those with one key. `DELETE` forgets them and starts their clock again.
//! - `GET /_sim/requests/{n}/body`: the bytes as they came.
//! - `GET /_sim/requests/wait?received=R&served=S&cancelled=C&timeout_ms=T`: returns as soon as every counter has
//!   reached what is asked, 408 when that takes longer than T (default 5,000, at most 60,000).

use std::sync::Arc;
use std::time::Duration;

use axum::extract::rejection::QueryRejection;
use axum::extract::{Path, Query, State};
use axum::response::{IntoResponse, Response};
use axum::routing::{delete, get, put};
use axum::{Json, Router};
use bytes::Bytes;
use http::{HeaderMap, StatusCode};
use serde::Deserialize;
use serde_json::{Map, Value, json};

use crate::App;
use crate::digest::{hex, sha256};
use crate::recorder::{Counts, Entry};

/// Longest wait that a caller may ask for, in milliseconds.
const MAX_WAIT_MS: u64 = 60_000;
/// Wait when the caller names none, in milliseconds.
const DEFAULT_WAIT_MS: u64 = 5_000;

pub(crate) fn router() -> Router<Arc<App>> {
    Router::new()
        .route("/_sim/script", delete(reset_scripts))
        .route("/_sim/script/{*model}", put(put_script).delete(reset_script))
        .route("/_sim/requests", get(requests).delete(reset_requests))
        .route("/_sim/requests/wait", get(wait))
        .route("/_sim/requests/{n}/body", get(body))
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct KeyQuery {
    key: Option<String>,
}

async fn put_script(
    State(app): State<Arc<App>>,
    Path(model): Path<String>,
    query: Result<Query<KeyQuery>, QueryRejection>,
    script: Bytes,
) -> Response {
    let key = match query {
        Ok(Query(query)) => query.key.map(|key| sha256(key.as_bytes())),
        Err(error) => return problem(StatusCode::BAD_REQUEST, &error.body_text()),
    };
    match app.scripts.put(&model, key, &script) {
        Ok(()) => StatusCode::NO_CONTENT.into_response(),
        Err(reason) => problem(StatusCode::BAD_REQUEST, &reason),
    }
}

async fn reset_script(State(app): State<Arc<App>>, Path(model): Path<String>) -> StatusCode {
    app.scripts.reset(Some(&model));
    StatusCode::NO_CONTENT
}

async fn reset_scripts(State(app): State<Arc<App>>) -> StatusCode {
    app.scripts.reset(None);
    StatusCode::NO_CONTENT
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Filter {
    model: Option<String>,
    key: Option<String>,
}

impl Filter {
    fn keeps(&self, entry: &Entry, digest: Option<&[u8; 32]>) -> bool {
        let model = self.model.as_ref().is_none_or(|model| *model == entry.model);
        model && digest.is_none_or(|digest| entry.key_digest.as_ref() == Some(digest))
    }
}

async fn requests(State(app): State<Arc<App>>, filter: Result<Query<Filter>, QueryRejection>) -> Response {
    let filter = match filter {
        Ok(Query(filter)) => filter,
        Err(error) => return problem(StatusCode::BAD_REQUEST, &error.body_text()),
    };
    let (counts, entries) = app.recorder.all();
    let mut out = json!(counts);
    let digest = filter.key.as_ref().map(|key| sha256(key.as_bytes()));
    let wanted = entries.iter().filter(|entry| filter.keeps(entry, digest.as_ref()));
    out["requests"] = wanted.map(describe).collect();
    Json(out).into_response()
}

async fn reset_requests(State(app): State<Arc<App>>) -> StatusCode {
    app.recorder.reset();
    StatusCode::NO_CONTENT
}

async fn body(State(app): State<Arc<App>>, Path(n): Path<u64>) -> Response {
    match app.recorder.body(n) {
        Some(bytes) => bytes.into_response(),
        None => problem(StatusCode::NOT_FOUND, "no such request, or no longer kept"),
    }
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Goal {
    #[serde(default)]
    received: u64,
    #[serde(default)]
    served: u64,
    #[serde(default)]
    cancelled: u64,
    timeout_ms: Option<u64>,
}

async fn wait(State(app): State<Arc<App>>, goal: Result<Query<Goal>, QueryRejection>) -> Response {
    let goal = match goal {
        Ok(Query(goal)) => goal,
        Err(error) => return problem(StatusCode::BAD_REQUEST, &error.body_text()),
    };
    let timeout = Duration::from_millis(goal.timeout_ms.unwrap_or(DEFAULT_WAIT_MS).min(MAX_WAIT_MS));
    let counts = Counts { received: goal.received, served: goal.served, cancelled: goal.cancelled };
    let (reached, counts) = tokio::select! {
        result = app.recorder.wait(counts, timeout) => result,
        () = app.shutdown.cancelled() => return problem(StatusCode::SERVICE_UNAVAILABLE, "shutting down"),
    };
    let status = if reached { StatusCode::OK } else { StatusCode::REQUEST_TIMEOUT };
    (status, Json(counts)).into_response()
}

fn problem(status: StatusCode, message: &str) -> Response {
    (status, Json(json!({"error": {"message": message}}))).into_response()
}

fn describe(entry: &Entry) -> Value {
    json!({
        "n": entry.n,
        "at_ms": millis(entry.at),
        "took_ms": entry.took.map(millis),
        "model": entry.model,
        "path": entry.path,
        "query": entry.query,
        "outcome": entry.outcome,
        "authorized": entry.signed || entry.key_digest.is_some(),
        "signed": entry.signed,
        "key_sha256": entry.key_digest.map(|digest| hex(&digest)),
        "body_sha256": hex(&entry.body_digest),
        "body_length": entry.body.len(),
        "headers": header_map(&entry.headers),
    })
}

fn millis(time: Duration) -> u64 {
    u64::try_from(time.as_millis()).unwrap_or(u64::MAX)
}

/// Header values by name; repeated ones are joined with a comma.
fn header_map(headers: &HeaderMap) -> Map<String, Value> {
    let joined = |name| {
        let values: Vec<_> =
            headers.get_all(name).iter().map(|v| String::from_utf8_lossy(v.as_bytes())).collect();
        values.join(", ")
    };
    headers.keys().map(|name| (name.to_string(), Value::from(joined(name)))).collect()
}
