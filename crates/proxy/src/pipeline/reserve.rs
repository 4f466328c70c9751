//! The stage that charges what only the body of a request could tell.

use super::call::Call;
use crate::{
    error::GatewayError,
    limits::{self, Admission},
    meter::Meter,
};

/// Charges the limits that need the body, and holds all of the request's slots until its account is settled.
pub(super) async fn reserve(
    call: &Call<'_>,
    admission: Admission,
    meter: &mut Meter,
) -> Result<(), GatewayError> {
    let caller = &call.client.caller;
    let held = limits::reserve(call.proxy, caller, meter.request(), meter.attribution(), admission);
    let held = held.await?;
    meter.hold(held);
    Ok(())
}
