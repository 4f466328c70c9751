//! A slot at a turn's target: free, or waited for where no other target is left.

use policy::{
    SkipReason,
    health::{ConcurrencyPermit, QueueLimits},
};
use tokio::time::Instant;

use super::TargetTurn;
use crate::{
    admission::{self, SlotRequest},
    meter::Meter,
    request::LlmRequest,
    state::ProxyState,
};

/// Takes a slot; the time that was waited for it does not count as the target's.
pub(super) async fn acquire_slot(
    proxy: &ProxyState,
    request: &LlmRequest,
    meter: &mut Meter,
    turn: &mut TargetTurn<'_>,
) -> Result<ConcurrencyPermit, SkipReason> {
    let target = &turn.planned.target;
    let Some(limit) = turn.planned.concurrent else { return Ok(target.state.begin()) };
    if let Some(permit) = target.state.try_begin(limit) {
        return Ok(permit);
    }
    if !turn.last {
        return Err(SkipReason::Busy);
    }
    let queue = request.plan.terms.queue;
    let begun = Instant::now();
    let slot = admission::acquire_slot(
        proxy,
        SlotRequest {
            target,
            limits: QueueLimits { limit, length: queue.length },
            class: meter.queue_class(),
            wait_until: Some(turn.deadline.min(begun + queue.wait.std())),
        },
    );
    let slot = slot.await;
    let waited = begun.elapsed();
    meter.wait(waited);
    turn.first_content = turn.deadline.min(turn.first_content + waited);
    slot.map_err(|_| SkipReason::Busy)
}
