//! The REST admin API: the list of operations makes both the router and the OpenAPI document.

mod auth;
mod bootstrap;
mod catalogue_item;
mod counts;
mod error;
mod latest_rows;
mod names;
mod openapi;
mod operation;
mod operations;
mod request;
mod sign_in_failures;
mod state;
mod write;

use std::{
    sync::Arc,
    time::{Duration, Instant},
};

use axum::{
    Router,
    extract::{RawPathParams, Request, State, rejection::RawPathParamsRejection},
    http::{HeaderValue, Uri, header},
    middleware,
    response::{IntoResponse, Response},
    routing::on,
};

use self::{error::ApiError, operation::Operation, request::AdminRequest};

pub use self::state::{AdminSettings, AdminState};
pub use runtime::http::serve;

/// The longest time that a request may take.
const TIMEOUT: Duration = Duration::from_secs(30);

/// The whole API under `/api/v1`; every request signs in, whatever it asks for.
pub fn router(state: Arc<AdminState>) -> Router {
    let mut router: Router<Arc<AdminState>> = Router::new();
    for Operation { method, route, query, handler, .. } in operations::all() {
        let run = move |State(state): State<Arc<AdminState>>,
                        params: Result<RawPathParams, RawPathParamsRejection>,
                        request: Request| async move {
            let Ok(params) = params else { return ApiError::no_path(request.uri().path()).into_response() };
            let name = params.iter().next().map(|(_, name)| name.to_owned());
            match AdminRequest::read(request, name, query).await {
                Ok(request) => handler(&state, &request).await.unwrap_or_else(IntoResponse::into_response),
                Err(error) => error.into_response(),
            }
        };
        router = router.route(&route, on(method.filter(), run));
    }
    router
        .method_not_allowed_fallback(|| async { ApiError::method_not_allowed() })
        .fallback(|uri: Uri| async move { ApiError::no_path(uri.path()) })
        .layer(middleware::from_fn_with_state(Arc::clone(&state), auth::sign_in))
        .layer(middleware::from_fn_with_state(Arc::clone(&state), response_layer))
        .with_state(state)
}

/// Bounds the time of a request, counts it, and keeps answers, which may hold secrets, out of caches.
async fn response_layer(
    State(state): State<Arc<AdminState>>,
    request: Request,
    next: middleware::Next,
) -> Response {
    let method = request.method().clone();
    let began = Instant::now();
    let answered = tokio::time::timeout(TIMEOUT, next.run(request)).await;
    let mut response = answered.unwrap_or_else(|_| ApiError::too_slow().into_response());
    state.counts.answered(&method, response.status(), began.elapsed());
    let headers = response.headers_mut();
    headers.insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
    headers.insert(header::X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff"));
    response
}
