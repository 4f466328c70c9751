//! The REST admin API: one table of operations gives both the routes and the OpenAPI document.

mod apply;
mod at_start;
mod auth;
mod call;
mod catalogue;
mod counts;
mod error;
mod explain;
mod health;
mod items;
mod openapi;
mod operations;
mod reports;
mod write;

use std::{
    fmt,
    sync::Arc,
    time::{Duration, Instant},
};

use axum::{
    Router,
    extract::{RawPathParams, Request, State, rejection::RawPathParamsRejection},
    http::Uri,
    middleware,
    response::{IntoResponse, Response},
    routing::on,
};
use runtime::{ConfigError, metrics::Collect, outbound::Filter};
use secrets::{Digest, Keyring};
use store::Store;

use crate::watch::Proxies;
use call::AdminRequest;
use error::ApiError;
use operations::{Action, operations};

pub use runtime::http::serve;

/// Everything about one request has to happen within this time.
const PATIENCE: Duration = Duration::from_secs(30);

/// What the operator decides about the admin API.
#[derive(Clone)]
pub struct AdminSettings {
    /// Digests of the admin tokens (`Keyring::digest`); at least one, because there is no open admin API.
    pub admin_token_digests: Vec<Digest>,
    /// Which addresses providers may have.
    pub outbound: Filter,
}

/// What every request needs.
pub struct AdminState {
    store: Store,
    keyring: Arc<Keyring>,
    proxies: Arc<Proxies>,
    settings: AdminSettings,
    failures: auth::Failures,
    counts: Arc<counts::Counts>,
    explained: explain::Kept,
}

impl fmt::Debug for AdminState {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("AdminState").field("store", &self.store).finish_non_exhaustive()
    }
}

impl AdminState {
    /// Puts it together.
    ///
    /// # Errors
    /// When there is no admin token: the API never runs without one.
    pub fn new(
        store: Store,
        keyring: Arc<Keyring>,
        proxies: Arc<Proxies>,
        settings: AdminSettings,
    ) -> Result<Arc<Self>, ConfigError> {
        if settings.admin_token_digests.is_empty() {
            return Err(ConfigError::new(
                "PORTCULLIS_ADMIN_TOKEN",
                "is required; there is no admin API without sign-in",
            ));
        }
        let (failures, counts, explained) = Default::default();
        Ok(Arc::new(Self { store, keyring, proxies, settings, failures, counts, explained }))
    }

    /// What the API counts.
    #[must_use]
    pub fn counts(&self) -> Arc<dyn Collect> {
        Arc::clone(&self.counts) as _
    }
}

/// The whole API under `/api/v1`; every request signs in, whatever it asks for.
pub fn router(state: Arc<AdminState>) -> Router {
    let mut router: Router<Arc<AdminState>> = Router::new();
    for operation in operations() {
        let (action, query) = (operation.action, operation.query);
        let run = move |State(state): State<Arc<AdminState>>,
                        params: Result<RawPathParams, RawPathParamsRejection>,
                        request: Request| async move {
            let Ok(params) = params else { return ApiError::no_path(request.uri().path()).into_response() };
            let name = params.iter().next().map(|(_, name)| name.to_owned());
            match AdminRequest::read(request, name, query).await {
                Ok(call) => dispatch(&state, &call, action).await.unwrap_or_else(IntoResponse::into_response),
                Err(error) => error.into_response(),
            }
        };
        router = router.route(&operation.route, on(operation.method.filter(), run));
    }
    router
        .method_not_allowed_fallback(|| async { ApiError::method_not_allowed() })
        .fallback(|uri: Uri| async move { ApiError::no_path(uri.path()) })
        .layer(middleware::from_fn_with_state(Arc::clone(&state), auth::sign_in))
        .layer(middleware::from_fn_with_state(Arc::clone(&state), bounded))
        .with_state(state)
}

/// Bounds the time of a request, counts it, and keeps answers, which may hold secrets, out of caches.
async fn bounded(State(state): State<Arc<AdminState>>, request: Request, next: middleware::Next) -> Response {
    use axum::http::{HeaderValue, header};
    let (method, began) = (request.method().clone(), Instant::now());
    let answered = tokio::time::timeout(PATIENCE, next.run(request)).await;
    let mut response = answered.unwrap_or_else(|_| ApiError::too_slow().into_response());
    state.counts.answered(&method, response.status(), began.elapsed());
    let headers = response.headers_mut();
    headers.insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
    headers.insert(header::X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff"));
    response
}

async fn dispatch(state: &AdminState, call: &AdminRequest, action: Action) -> Result<Response, ApiError> {
    match action {
        Action::List(kind) => items::list(state, call, kind).await,
        Action::Create(kind) => items::create(state, call, kind).await,
        Action::Get(kind) => items::get(state, call, kind).await,
        Action::Replace(kind) => items::replace(state, call, kind, items::ReplaceMode::Whole).await,
        Action::Patch(kind) => items::replace(state, call, kind, items::ReplaceMode::Merge).await,
        Action::Delete(kind) => items::delete(state, call, kind).await,
        Action::Rotate => items::rotate(state, call).await,
        Action::Apply => apply::apply(state, call).await,
        Action::Export => apply::export(state).await,
        Action::Usage => reports::usage(state, call).await,
        Action::Requests => reports::requests(state, call).await,
        Action::Catalogue => catalogue::list(state, call).await,
        Action::CatalogueModel => catalogue::get(state, call).await,
        Action::ImportCatalogue => catalogue::import(state, call).await,
        Action::Explain => explain::explain(state, call).await,
        Action::Audit => reports::audit(state, call).await,
        Action::Proxies => Ok(reports::proxies(state)),
        Action::TargetsHealth => health::targets(state).await,
        Action::OpenApi => Ok(axum::Json(openapi::document()).into_response()),
    }
}
