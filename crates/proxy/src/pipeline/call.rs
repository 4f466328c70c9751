//! What the stages of one call share.

use std::{sync::Arc, time::Duration};

use crate::{auth::Authenticated, context::IncomingRequest, state::ProxyState};

/// One call of a model by an authenticated client.
pub(super) struct Call<'a> {
    pub(super) proxy: &'a Arc<ProxyState>,
    pub(super) incoming: &'a mut IncomingRequest,
    pub(super) client: Authenticated,
    /// Time spent waiting for the client to send its body.
    pub(super) upload: Duration,
}
