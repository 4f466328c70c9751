//! The fastest target of each tier that goes by speed, found anew once per interval.

use std::{collections::HashMap, sync::Arc};

use domain::{Strategy, Timestamp};
use policy::{
    Route, Snapshot, Target, Tier,
    health::{BreakerState, Micros, Move},
};

use crate::state::ProxyState;

/// When each tier's leader is judged next, by the leader's address: leaders outlive snapshots.
#[derive(Default)]
pub(super) struct Leaders(HashMap<usize, Micros>);

impl Leaders {
    /// Judges where the interval is over.
    pub(super) fn round(&mut self, proxy: &ProxyState, snapshot: &Snapshot) {
        let now = proxy.now();
        let mut before = std::mem::take(&mut self.0);
        for route in snapshot.routes() {
            for tier in route.tiers().filter(|tier| tier.strategy == Strategy::LowestLatency) {
                let place = Arc::as_ptr(&tier.leader).addr();
                let mut due = before.remove(&place).unwrap_or(now.saturating_add(tier.interval));
                if due <= now {
                    due = now.saturating_add(tier.interval);
                    judge(route, tier, now);
                }
                self.0.insert(place, due);
            }
        }
    }
}

fn judge(route: &Route, tier: &Tier, now: Micros) {
    let today = Timestamp::now();
    let targets: Vec<&Arc<Target>> = tier
        .members
        .iter()
        .map(|member| member.target.replacement(today).unwrap_or(&member.target))
        .collect();
    let window = tier.interval.saturating_mul(2);
    let p95s: Vec<_> = targets.iter().map(|target| target.state.ttft_p95(now, window)).collect();
    let in_use = |target: &&Arc<Target>| {
        matches!(target.state.admission(now), BreakerState::Healthy | BreakerState::Warming { .. })
    };
    let eligible: Vec<bool> = targets.iter().map(in_use).collect();
    let faster = |one: usize, other: usize| match (targets.get(one), targets.get(other)) {
        (Some(one), Some(other)) => one.state.is_faster(&other.state, now, window),
        _ => false,
    };
    if let Some(Move { from, to }) = tier.leader.judge(&p95s, &eligible, faster) {
        let name = |place: usize| targets.get(place).map(|target| target.model.to_string());
        let seconds = |place: usize| p95s.get(place).copied().flatten().map(|p95| p95.as_secs_f64());
        tracing::info!(
            route = route.name,
            from = name(from),
            from_p95_seconds = seconds(from),
            to = name(to),
            to_p95_seconds = seconds(to),
            "another target is the fastest now"
        );
    }
}
