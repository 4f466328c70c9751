//! What signs an attempt: room under the credential's own limits, and the report of what a failure did to it.

use std::{sync::Arc, time::Duration};

use domain::RequestId;
use policy::{Credential, failover::CredentialChange};

use crate::{health::CredentialLease, limits, request::LlmRequest, state::ProxyState};

/// Tokens that an attempt may take of a credential's allowance.
pub(crate) fn needed_tokens(request: &LlmRequest) -> u64 {
    request.input_estimate().saturating_add(request.facts.max_output.unwrap_or_default())
}

/// Takes a credential, with room for one attempt of so many tokens under the limits that the operator set for it.
///
/// # Errors
/// How long until there is room.
pub(crate) async fn lease_credential(
    proxy: &ProxyState,
    credential: Arc<Credential>,
    request: RequestId,
    tokens: u64,
) -> Result<CredentialLease, Duration> {
    let permit = limits::acquire_for_credential(proxy, &credential, request, tokens).await?;
    Ok(CredentialLease::new(credential, tokens, permit))
}

/// Reports what a failure did to a credential; `status` is the provider's.
pub(crate) fn report_change(
    proxy: &ProxyState,
    credential: &Credential,
    change: CredentialChange,
    status: Option<u16>,
) {
    match change {
        CredentialChange::Refused { first } => {
            proxy.health.refused(credential, status.unwrap_or_default(), first);
        }
        CredentialChange::ModelRefused { first: true } => tracing::warn!(
            credential = credential.name,
            status,
            "a provider refuses a model to a credential; other models are not concerned"
        ),
        _ => {}
    }
    proxy.health.changed();
}
