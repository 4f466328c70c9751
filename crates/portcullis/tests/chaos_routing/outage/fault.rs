//! The ways in which the primary fails.

use serde_json::{Value, json};
use testkit::FaultProxy;

use crate::sim::Sim;

/// A way to fail.
pub(super) struct Fault {
    /// Of the route, and the beginning of its providers' names.
    pub(super) name: &'static str,
    pub(super) title: &'static str,
    script: &'static str,
    /// Percentage of streams among its requests.
    pub(super) streamed: u64,
    /// It is the way to the provider that fails.
    pub(super) relayed: bool,
    /// The key rests, not the target: there is no trial and no warm-up.
    pub(super) rests: bool,
}

const fn fault(name: &'static str, title: &'static str, script: &'static str, streamed: u64) -> Fault {
    Fault { name, title, script, streamed, relayed: false, rests: false }
}

/// All of them. Faults of streams have nothing but streams, or the plain answers between them would be successes.
pub(super) const FAULTS: [Fault; 7] = [
    fault("hard", "hard 500s", r#"{"status":500}"#, 50),
    Fault { relayed: true, ..fault("cut", "cut off", "{}", 50) },
    fault("hole", "blackhole", r#"{"hang":"before_headers"}"#, 50),
    Fault { rests: true, ..fault("throttle", "429", r#"{"status":429,"retry_after":1}"#, 50) },
    fault("drip", "silent drip", r#"{"hang":"after_headers","keepalive_comments":50}"#, 50),
    fault("stall", "stall after content", r#"{"hang":{"after_chunks":1},"keepalive_comments":50}"#, 100),
    fault("inside", "error in stream", r#"{"error_event_after":0}"#, 100),
];

impl Fault {
    /// The primary: its provider and its model have one name.
    pub(super) fn first(&self) -> String {
        format!("{}-first", self.name)
    }

    pub(super) fn second(&self) -> String {
        format!("{}-second", self.name)
    }

    /// Whether content is shown before it fails, after which nothing can be repeated.
    pub(super) fn is_after_content(&self) -> bool {
        self.script.contains("after_chunks")
    }

    /// Whether it comes back once and by and by: keys that rest have no warm-up, and answers that began to stall before
    /// the fault ended may break off after the return and end it.
    pub(super) fn returns_once(&self) -> bool {
        !self.rests && !self.is_after_content()
    }

    pub(super) fn strike(&self, sim: &Sim, relay: &FaultProxy) {
        if self.relayed {
            relay.cut();
        } else {
            sim.script(&self.first(), &serde_json::from_str::<Value>(self.script).unwrap());
        }
    }

    pub(super) fn heal(&self, sim: &Sim, relay: &FaultProxy, latency_ms: u64) {
        if self.relayed {
            relay.pass();
        } else {
            sim.script(&self.first(), &json!({ "latency_ms": latency_ms }));
        }
    }
}
