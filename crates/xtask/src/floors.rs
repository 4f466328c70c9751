//! Crate floors: every crate of the workspace leans only on crates of lower floors.

use crate::workspace::{Crate, Edge};
use crate::{Verdict, verdict};

/// Where a crate lives.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Place {
    /// On a floor, leaning only on lower ones.
    Floor(u8),
    /// For tests and measurements: only ever a dev-dependency, free to lean on anything.
    Tests,
    /// For the repository itself: leans on no crate here and none leans on it.
    Apart,
}

/// The table, from the architecture page. A new crate is given its place here before anything may use it.
const PLACES: [(&str, Place); 22] = [
    ("domain", Place::Floor(0)),
    ("admin-api", Place::Floor(1)),
    ("proto", Place::Floor(1)),
    ("secrets", Place::Floor(1)),
    ("wire", Place::Floor(1)),
    ("policy", Place::Floor(2)),
    ("runtime", Place::Floor(2)),
    ("cache", Place::Floor(3)),
    ("config-client", Place::Floor(3)),
    ("coordination", Place::Floor(3)),
    ("store", Place::Floor(3)),
    ("upstream", Place::Floor(3)),
    ("usage-spool", Place::Floor(3)),
    ("cli", Place::Floor(4)),
    ("control-plane", Place::Floor(4)),
    ("ledger", Place::Floor(4)),
    ("proxy", Place::Floor(4)),
    ("simulator", Place::Floor(4)),
    ("portcullis", Place::Floor(5)),
    ("bench", Place::Tests),
    ("testkit", Place::Tests),
    ("xtask", Place::Apart),
];

fn place(name: &str) -> Option<Place> {
    PLACES.iter().find(|(known, _)| *known == name).map(|(_, place)| *place)
}

/// Checks every declared dependency between crates of the workspace.
pub(crate) fn check(crates: &[Crate]) -> Verdict {
    let violations = crates.iter().flat_map(|krate| match place(&krate.name) {
        Some(from) => krate.edges.iter().filter_map(|edge| refuse(&krate.name, from, edge)).collect(),
        None => vec![format!("{} has no floor: give it one in xtask/src/floors.rs", krate.name)],
    });
    let arrows = || crates.iter().map(|krate| krate.edges.len()).sum::<usize>();
    verdict(violations.collect(), || format!("{} crates, {} arrows", crates.len(), arrows()))
}

/// Why the arrow may not be, if so.
fn refuse(name: &str, from: Place, edge: &Edge) -> Option<String> {
    let to = &edge.to;
    match (from, place(to)?) {
        (Place::Apart, _) => Some(format!("{name} -> {to}: {name} leans on no crate of the workspace")),
        (_, Place::Apart) => Some(format!("{name} -> {to}: nobody may use {to}")),
        _ if edge.dev => None,
        (Place::Tests, _) => None,
        (_, Place::Tests) => Some(format!("{name} -> {to}: {to} may only be a dev-dependency")),
        (Place::Floor(a), Place::Floor(b)) if b < a => None,
        (Place::Floor(a), Place::Floor(b)) => {
            Some(format!("{name} (floor {a}) -> {to} (floor {b}): arrows point to a lower floor"))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn krate(name: &str, edges: &[(&str, bool)]) -> Crate {
        let edges = edges.iter().map(|(to, dev)| Edge { to: (*to).into(), dev: *dev }).collect();
        Crate { name: name.into(), edges }
    }

    fn violations(crates: &[Crate]) -> String {
        check(crates).err().unwrap_or_default().join("\n")
    }

    #[test]
    fn arrows_down_and_arrows_for_tests_are_fine() {
        let proxy = krate("proxy", &[("policy", false), ("testkit", true), ("simulator", true)]);
        let testkit = krate("testkit", &[("proxy", false)]);
        assert_eq!(check(&[proxy, testkit, krate("xtask", &[])]), Ok("3 crates, 4 arrows".into()));
    }

    #[test]
    fn arrows_up_and_arrows_along_a_floor_are_refused() {
        assert!(
            violations(&[krate("domain", &[("wire", false)])]).contains("domain (floor 0) -> wire (floor 1)")
        );
        assert!(violations(&[krate("proto", &[("wire", false)])]).contains("lower floor"));
    }

    #[test]
    fn testkit_is_for_tests_and_xtask_for_nobody() {
        assert!(violations(&[krate("proxy", &[("testkit", false)])]).contains("dev-dependency"));
        assert!(violations(&[krate("proxy", &[("xtask", true)])]).contains("nobody may use xtask"));
        assert!(violations(&[krate("xtask", &[("domain", true)])]).contains("no crate of the workspace"));
    }

    #[test]
    fn a_crate_without_a_floor_is_refused() {
        assert!(violations(&[krate("utils", &[])]).contains("utils has no floor"));
    }
}
