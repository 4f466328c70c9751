//! Authentication: which API key sends a request, and by which configuration that is decided.

use std::sync::Arc;

use policy::{Caller, Snapshot, identify_one};

use crate::{
    context::IncomingRequest,
    error::GatewayError,
    request::{check_origin, extract_api_keys},
    state::ProxyState,
};

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
    let presented = extract_api_keys(incoming.request.headers(), incoming.request.uri());
    let caller = identify_one(&snapshot, &proxy.keyring, presented.iter(), incoming.context.at)
        .map_err(|error| GatewayError::new(error.kind(), error.to_string()))?;
    let headers = incoming.request.headers();
    check_origin(headers, caller.key.tenant.spec.cors_origins.as_ref(), "tenant")?;
    check_origin(headers, caller.key.spec.cors_origins.as_ref(), "API key")?;
    incoming.context.key = Some(Arc::clone(&caller.key));
    proxy.check_priority_headroom(caller.key.priority())?;
    Ok(Authenticated { snapshot, caller })
}
