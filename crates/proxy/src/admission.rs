//! A place at a target: at once, or after a short wait where nobody else is left.

use policy::{WhyNot, live::InFlight};

use crate::{attempt::Turn, gateway::Gateway, meter::Meter, pipeline::Ask, reply::Trouble};

/// Takes a place.
pub(crate) async fn enter(
    _gateway: &Gateway,
    _ask: &Ask,
    _meter: &mut Meter,
    turn: &Turn<'_>,
) -> Result<Result<InFlight, WhyNot>, Trouble> {
    let state = &turn.planned.target.state;
    let entered = turn.planned.concurrent.map_or_else(|| Some(state.begin()), |most| state.try_begin(most));
    Ok(entered.ok_or(WhyNot::Busy))
}
