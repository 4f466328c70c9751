//! One target of a plan.

use std::sync::Arc;

use super::reason::SelectionReason;
use crate::{rules::Program, target::Target};

/// One target of a plan.
#[derive(Clone, Debug)]
pub struct PlannedTarget {
    /// The target.
    pub target: Arc<Target>,
    /// Why it has this place in the plan.
    pub reason: SelectionReason,
    /// Its tier, from 0; in a cascade its step.
    pub tier: usize,
    /// Most requests that this proxy may have in flight there.
    pub concurrent: Option<u32>,
    /// The condition that its answer has to meet. `None` if any answer is accepted.
    pub accept: Option<Arc<Program>>,
}
