//! Hard caps before four real proxies, while what they stand on is killed, emptied, paused and edited, as tables.
//!
//! `make chaos-money` shows them. Each claim is a row with the figure that was measured, and the test fails where one
//! does not hold: what a cap allows is a count, which holds on any machine.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "a test may fail")]

#[path = "../chaos_routing/asked.rs"]
#[allow(dead_code, reason = "each suite uses its part of it")]
mod asked;
mod cap;
mod disturbance;
#[path = "../chaos_routing/load.rs"]
#[allow(dead_code, reason = "each suite uses its part of it")]
mod load;
#[path = "../chaos_routing/sim.rs"]
#[allow(dead_code, reason = "each suite uses its part of it")]
mod sim;
mod stage;
#[path = "../chaos_routing/table.rs"]
#[allow(dead_code, reason = "each suite uses its part of it")]
mod table;
#[path = "../e2e/world.rs"]
#[allow(dead_code, reason = "each suite uses its part of it")]
mod world;

use stage::Stage;
use table::Report;

#[test]
fn no_cap_is_passed_and_no_cost_is_lost() {
    let mut stage = Stage::start();
    let report = Report { tables: vec![cap::play(&mut stage)], abandoned: Vec::new() };
    println!("{report}");
    let broken = report.broken();
    assert!(
        broken.is_empty(),
        "{} claims do not hold:\n{}\n{}",
        broken.len(),
        broken.join("\n"),
        stage.warnings()
    );
}
