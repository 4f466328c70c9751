//! Providers fail by script under load, before three real proxies; what requests saw of it is printed as tables.
//!
//! `make chaos-routing` shows them. Each claim is a row with the figure that was measured, and the test fails where
//! one does not hold. Bounds are counts and generous times: the machine may be busy.

#![allow(dead_code, reason = "the scenes of outages and probes come next")]
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "a test may fail")]

mod asked;
mod keys;
mod load;
mod rules;
mod sim;
mod split;
mod stage;
mod table;
#[path = "../e2e/world.rs"]
#[allow(dead_code, reason = "each suite uses its part of it")]
mod world;

use std::panic::{AssertUnwindSafe, catch_unwind};

use stage::Stage;
use table::Report;

/// A scene brings its table.
type Scene = fn(&Stage) -> Vec<table::Table>;

const SCENES: [(&str, Scene); 3] = [("keys", keys::play), ("split", split::play), ("rules", rules::play)];

#[test]
fn requests_survive_their_providers() {
    let stage = Stage::start();
    let mut report = Report::default();
    for (name, scene) in SCENES {
        // A scene that cannot go on must not hide what the others found.
        match catch_unwind(AssertUnwindSafe(|| scene(&stage))) {
            Ok(tables) => report.tables.extend(tables),
            Err(_) => report.abandoned.push(name),
        }
    }
    println!("{report}");
    let broken = report.broken();
    assert!(broken.is_empty(), "{} claims do not hold:\n{}", broken.len(), broken.join("\n"));
}
