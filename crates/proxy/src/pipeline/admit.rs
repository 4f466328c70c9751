//! The stage that charges a request to its tenant's limits before its body is read.

use super::call::Call;
use crate::{
    error::GatewayError,
    limits::{self, Admission, Subjects},
    request::ParsedHeaders,
};

/// Charges the tenant's limits as far as the head of the request is enough for them. A refusal then costs the client no
/// upload, and the proxy no memory.
pub(super) async fn admit(call: &mut Call<'_>, headers: &ParsedHeaders) -> Result<Admission, GatewayError> {
    let context = &mut call.incoming.context;
    let ParsedHeaders { attribution, options } = headers;
    let subjects = Subjects { attribution, session: options.session.as_deref() };
    let admitted = limits::admit(call.proxy, &call.client.caller, context.id, subjects).await;
    if admitted.is_err() {
        context.attribution = Some(attribution.clone());
    }
    admitted
}
