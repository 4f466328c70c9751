//! Providers fail by script under load, before three real proxies; what requests saw of it is printed as tables.
//!
//! `make chaos-routing` shows them. Each claim is a row with the figure that was measured, and the test fails where
//! one does not hold. Counts hold on any machine; times are held by `make chaos-routing` alone, on one that is idle.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "a test may fail")]

mod asked;
mod both;
mod explained;
mod keys;
mod latency;
mod load;
mod outage;
mod probe;
mod rules;
mod sim;
mod split;
mod stage;
mod table;
#[path = "../e2e/world.rs"]
#[allow(dead_code, reason = "each suite uses its part of it")]
mod world;

use load::Caller;
use stage::Stage;
use table::{Report, Table};

/// A scene brings its tables.
type Scene = fn(&Stage, &Caller) -> Vec<Table>;

/// Those of a row play at the same time, each on routes and providers of its own.
const SCENES: [&[(&str, Scene)]; 3] = [
    &[("outage of one", outage::play)],
    &[
        ("outage of both", both::play),
        ("keys", keys::play),
        ("latency", latency::play),
        ("probe", probe::play),
    ],
    &[("split", split::play), ("rules", rules::play)],
];

#[test]
fn requests_survive_their_providers() {
    let stage = Stage::start();
    let mut report = Report::default();
    for scenes in SCENES {
        let caller = stage.begin();
        std::thread::scope(|scope| {
            let start = |(name, scene): &(&'static str, Scene)| {
                let (stage, caller, scene) = (&stage, &caller, *scene);
                (*name, scope.spawn(move || scene(stage, caller)))
            };
            let playing: Vec<_> = scenes.iter().map(start).collect();
            for (name, scene) in playing {
                // A scene that cannot go on must not hide what the others found.
                match scene.join() {
                    Ok(tables) => report.tables.extend(tables),
                    Err(_) => report.abandoned.push(name),
                }
            }
        });
    }
    report.tables.sort_by(|one, other| one.title().cmp(other.title()));
    if !report.abandoned.is_empty() {
        println!("{}", stage.warnings());
    }
    println!("{report}");
    let broken = report.broken();
    assert!(broken.is_empty(), "{} claims do not hold:\n{}", broken.len(), broken.join("\n"));
}
