//! Authentication: which API key sends a request, and by which configuration that is decided.

use std::sync::Arc;

use policy::{Caller, Snapshot, identify};

use crate::{context::IncomingRequest, error::GatewayError, request::extract_api_key, state::ProxyState};

/// An authenticated client, with the configuration by which its request is served to the end.
pub(crate) struct Authenticated {
    pub(crate) snapshot: Arc<Snapshot>,
    pub(crate) caller: Caller,
}

/// Finds the API key of a request, and checks that there is room for a request of its priority.
pub(crate) fn authenticate(
    proxy: &ProxyState,
    incoming: &mut IncomingRequest,
) -> Result<Authenticated, GatewayError> {
    let snapshot = proxy.snapshot()?;
    let presented = extract_api_key(incoming.request.headers(), incoming.request.uri());
    let caller = identify(&snapshot, &proxy.keyring, presented, incoming.context.at)
        .map_err(|error| GatewayError::new(error.kind(), error.to_string()))?;
    incoming.context.key = Some(Arc::clone(&caller.key));
    proxy.check_priority_headroom(caller.key.priority())?;
    Ok(Authenticated { snapshot, caller })
}
