//! The OpenAI dialect: chat completions, embeddings and models.

mod chat;
mod embeddings;

use std::sync::Arc;

use aws_lc_rs::digest;
use axum::Router;
use axum::extract::State;
use axum::response::{IntoResponse, Response};
use axum::routing::{get, post};
use bytes::Bytes;
use http::{HeaderMap, StatusCode, header};
use serde_json::json;

use crate::recorder::{Entry, InFlight, Outcome};
use crate::reply::{Payload, error_json, respond};
use crate::script::{Behaviour, Hang};
use crate::{App, MODELS, body};

/// `created` in every answer: a fixed time, because answers depend on the request alone.
const CREATED: u64 = 1_700_000_000;

/// Headers that carry credentials: seen, digested, never kept.
const CREDENTIALS: [&str; 6] =
    ["authorization", "api-key", "x-api-key", "x-goog-api-key", "proxy-authorization", "cookie"];

/// Why a request is refused before any script is looked at.
pub(crate) struct Refusal(String);

pub(crate) fn router() -> Router<Arc<App>> {
    Router::new()
        .route("/v1/chat/completions", post(chat))
        .route("/v1/embeddings", post(embed))
        .route("/v1/models", get(models))
}

pub(crate) async fn unknown_path() -> Response {
    refuse(StatusCode::NOT_FOUND, "no such path")
}

async fn chat(State(app): State<Arc<App>>, headers: HeaderMap, body: Bytes) -> Response {
    let request = match chat::Request::parse(&body) {
        Ok(request) => request,
        Err(Refusal(reason)) => return refuse(StatusCode::BAD_REQUEST, &reason),
    };
    let call = Call::new("/v1/chat/completions", &request.model, headers, &body);
    answer(&app, call, |digest, behaviour| Ok(request.answer(digest, behaviour))).await
}

async fn embed(State(app): State<Arc<App>>, headers: HeaderMap, body: Bytes) -> Response {
    let request = match embeddings::Request::parse(&body) {
        Ok(request) => request,
        Err(Refusal(reason)) => return refuse(StatusCode::BAD_REQUEST, &reason),
    };
    let call = Call::new("/v1/embeddings", &request.model, headers, &body);
    answer(&app, call, |_, behaviour| request.answer(behaviour)).await
}

async fn models(State(app): State<Arc<App>>, headers: HeaderMap) -> Response {
    if app.key.as_deref().is_some_and(|key| bearer(&headers) != Some(key)) {
        return refuse(StatusCode::UNAUTHORIZED, "incorrect API key");
    }
    let one = |id| json!({"id": id, "object": "model", "created": CREATED, "owned_by": "simulator"});
    let data: Vec<_> = MODELS.into_iter().map(one).collect();
    axum::Json(json!({"object": "list", "data": data})).into_response()
}

/// A request that was understood, about to be recorded.
struct Call {
    key: Option<String>,
    entry: Entry,
}

impl Call {
    fn new(path: &'static str, model: &str, mut headers: HeaderMap, body: &Bytes) -> Self {
        let key = bearer(&headers).map(str::to_owned);
        for name in CREDENTIALS {
            headers.remove(name);
        }
        let key_digest = key.as_ref().map(|key| sha256(key.as_bytes()));
        let entry = Entry {
            n: 0,
            model: model.to_owned(),
            path,
            headers,
            key_digest,
            body: body.clone(),
            body_digest: sha256(body),
            outcome: Outcome::InFlight,
        };
        Self { key, entry }
    }
}

/// Records the call, then answers it as the next step of its script says.
async fn answer<F>(app: &App, call: Call, payload: F) -> Response
where
    F: FnOnce(&[u8; 32], &Behaviour) -> Result<Payload, Refusal>,
{
    let Call { key, entry } = call;
    let behaviour = app.scripts.next(&entry.model, entry.key_digest.as_ref());
    let digest = entry.body_digest;
    let request = app.recorder.begin(entry);
    let wanted = behaviour.require_key.as_deref().or(app.key.as_deref());
    if wanted.is_some() && key.as_deref() != wanted {
        return finish(request, StatusCode::UNAUTHORIZED, "incorrect API key");
    }
    if behaviour.latency_ms > 0 {
        body::pause(std::time::Duration::from_millis(behaviour.latency_ms), &app.shutdown).await;
    }
    if behaviour.hang == Some(Hang::BeforeHeaders) {
        app.shutdown.cancelled().await;
        return finish(request, StatusCode::SERVICE_UNAVAILABLE, "the simulator is shutting down");
    }
    match payload(&digest, &behaviour) {
        Ok(payload) => respond(&behaviour, payload, request, &app.shutdown),
        Err(Refusal(reason)) => finish(request, StatusCode::BAD_REQUEST, &reason),
    }
}

fn finish(mut request: InFlight, status: StatusCode, message: &str) -> Response {
    request.served();
    refuse(status, message)
}

fn refuse(status: StatusCode, message: &str) -> Response {
    let json = [(header::CONTENT_TYPE, "application/json")];
    (status, json, error_json(status, message, None, None)).into_response()
}

/// The key of a request: the bearer token, else Azure's `api-key`.
fn bearer(headers: &HeaderMap) -> Option<&str> {
    let authorization = headers.get(header::AUTHORIZATION).and_then(|v| v.to_str().ok());
    authorization
        .and_then(|v| v.strip_prefix("Bearer "))
        .or_else(|| headers.get("api-key").and_then(|v| v.to_str().ok()))
}

/// SHA-256 of some bytes.
pub(crate) fn sha256(bytes: &[u8]) -> [u8; 32] {
    let mut out = [0; 32];
    out.copy_from_slice(digest::digest(&digest::SHA256, bytes).as_ref());
    out
}
