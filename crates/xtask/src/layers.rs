//! Crate layers: every crate of the workspace depends only on crates of lower layers.

use crate::workspace::{Crate, Edge};
use crate::{Verdict, verdict};

/// The layer of a crate.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Layer {
    /// Of this rank, depending only on lower ones.
    Rank(u8),
    /// For tests and measurements: only ever a dev-dependency, free to depend on anything.
    Tests,
    /// For the repository itself: depends on no crate here, and none depends on it.
    Apart,
}

/// The table, from the architecture page. A new crate gets its layer here before anything may use it.
const LAYERS: [(&str, Layer); 23] = [
    ("domain", Layer::Rank(0)),
    ("admin-api", Layer::Rank(1)),
    ("proto", Layer::Rank(1)),
    ("secrets", Layer::Rank(1)),
    ("wire", Layer::Rank(1)),
    ("budget", Layer::Rank(2)),
    ("policy", Layer::Rank(2)),
    ("runtime", Layer::Rank(2)),
    ("cache", Layer::Rank(3)),
    ("config-client", Layer::Rank(3)),
    ("coordination", Layer::Rank(3)),
    ("store", Layer::Rank(3)),
    ("upstream", Layer::Rank(3)),
    ("usage-spool", Layer::Rank(3)),
    ("cli", Layer::Rank(4)),
    ("control-plane", Layer::Rank(4)),
    ("ledger", Layer::Rank(4)),
    ("proxy", Layer::Rank(4)),
    ("simulator", Layer::Rank(4)),
    ("portcullis", Layer::Rank(5)),
    ("bench", Layer::Tests),
    ("testkit", Layer::Tests),
    ("xtask", Layer::Apart),
];

fn layer(name: &str) -> Option<Layer> {
    LAYERS.iter().find(|(known, _)| *known == name).map(|(_, layer)| *layer)
}

/// Checks every declared dependency between crates of the workspace.
pub(crate) fn check(crates: &[Crate]) -> Verdict {
    let violations = crates.iter().flat_map(|krate| match layer(&krate.name) {
        Some(from) => krate.edges.iter().filter_map(|edge| refuse(&krate.name, from, edge)).collect(),
        None => vec![format!("{} has no layer: give it one in xtask/src/layers.rs", krate.name)],
    });
    let dependencies = || crates.iter().map(|krate| krate.edges.len()).sum::<usize>();
    verdict(violations.collect(), || format!("{} crates, {} dependencies", crates.len(), dependencies()))
}

/// Why a dependency is refused, if it is.
fn refuse(name: &str, from: Layer, edge: &Edge) -> Option<String> {
    let to = &edge.to;
    match (from, layer(to)?) {
        (Layer::Apart, _) => Some(format!("{name} -> {to}: {name} may use no crate of the workspace")),
        (_, Layer::Apart) => Some(format!("{name} -> {to}: no crate may use {to}")),
        _ if edge.dev => None,
        (Layer::Tests, _) => None,
        (_, Layer::Tests) => Some(format!("{name} -> {to}: {to} may only be a dev-dependency")),
        (Layer::Rank(a), Layer::Rank(b)) if b < a => None,
        (Layer::Rank(a), Layer::Rank(b)) => {
            Some(format!("{name} (layer {a}) -> {to} (layer {b}): dependencies point to a lower layer"))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn krate(name: &str, edges: &[(&str, bool)]) -> Crate {
        let edges = edges.iter().map(|(to, dev)| Edge { to: (*to).into(), dev: *dev }).collect();
        Crate { name: name.into(), edges, roots: Vec::new() }
    }

    fn violations(crates: &[Crate]) -> String {
        check(crates).err().unwrap_or_default().join("\n")
    }

    #[test]
    fn dependencies_down_and_those_of_tests_are_fine() {
        let proxy = krate("proxy", &[("policy", false), ("testkit", true), ("simulator", true)]);
        let testkit = krate("testkit", &[("proxy", false)]);
        assert_eq!(check(&[proxy, testkit, krate("xtask", &[])]), Ok("3 crates, 4 dependencies".into()));
    }

    #[test]
    fn dependencies_up_and_within_a_layer_are_refused() {
        assert!(
            violations(&[krate("domain", &[("wire", false)])]).contains("domain (layer 0) -> wire (layer 1)")
        );
        assert!(violations(&[krate("proto", &[("wire", false)])]).contains("lower layer"));
    }

    #[test]
    fn testkit_is_for_tests_and_xtask_for_no_crate() {
        assert!(violations(&[krate("proxy", &[("testkit", false)])]).contains("dev-dependency"));
        assert!(violations(&[krate("proxy", &[("xtask", true)])]).contains("no crate may use xtask"));
        assert!(violations(&[krate("xtask", &[("domain", true)])]).contains("no crate of the workspace"));
    }

    #[test]
    fn a_crate_without_a_layer_is_refused() {
        assert!(violations(&[krate("utils", &[])]).contains("utils has no layer"));
    }
}
