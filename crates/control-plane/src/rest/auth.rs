//! Signing in: an admin token, and nothing else, on every path.

use std::sync::Arc;

use axum::{
    extract::{Request, State},
    http::{HeaderMap, header},
    middleware::Next,
    response::{IntoResponse, Response},
};
use store::Actor;

use super::{error::ApiError, state::AdminState};

/// Lets a request with a known token pass, and notes the actor for the audit log.
pub(super) async fn sign_in(
    State(state): State<Arc<AdminState>>,
    mut request: Request,
    next: Next,
) -> Response {
    match identify(&state, request.headers()) {
        Some(actor) => {
            request.extensions_mut().insert(actor);
            next.run(request).await
        }
        None if request.headers().contains_key(header::AUTHORIZATION) => {
            if state.failures.count() {
                tracing::warn!(path = request.uri().path(), "an admin request was refused: unknown token");
            }
            ApiError::unknown_token().into_response()
        }
        None => ApiError::unauthenticated().into_response(),
    }
}

/// Tokens are compared by digest, so the comparison's timing tells nothing of the token.
fn identify(state: &AdminState, headers: &HeaderMap) -> Option<Actor> {
    let mut values = headers.get_all(header::AUTHORIZATION).iter();
    let (Some(value), None) = (values.next(), values.next()) else { return None };
    let (scheme, token) = value.to_str().ok()?.split_once(' ')?;
    if !scheme.eq_ignore_ascii_case("bearer") {
        return None;
    }
    let known = &state.settings.admin_token_digests;
    let digest = state.keyring.digests(token.trim()).find(|digest| known.contains(digest))?;
    let short: String = digest.0[..4].iter().map(|byte| format!("{byte:02x}")).collect();
    Some(Actor { name: format!("admin-token:{short}") })
}
