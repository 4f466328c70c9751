//! The stage that charges what only the body of a request could tell.

use policy::expected_output;

use super::call::Call;
use crate::{
    error::GatewayError,
    limits::{self, Admission, Reserve, Subjects, TokenCounts},
    meter::Meter,
    request::LlmRequest,
};

/// Charges the limits that need the body, and holds all of the request's slots until its account is settled.
pub(super) async fn reserve(
    call: &Call<'_>,
    request: &LlmRequest,
    admission: Admission,
    meter: &mut Meter,
) -> Result<(), GatewayError> {
    let facts = &request.facts;
    let output = if request.api.generates() { expected_output(facts.max_output, facts.choices) } else { 0 };
    let asked = Reserve {
        subjects: Subjects { attribution: meter.attribution(), session: request.options.session.as_deref() },
        model: &facts.model,
        expected: TokenCounts { input: request.input_estimate(), output },
    };
    let caller = &call.client.caller;
    let held = limits::reserve(call.proxy, caller, meter.request(), admission, asked).await?;
    meter.hold(held);
    Ok(())
}
