//! The workspace as `cargo metadata` tells it, reduced to what the checks look at.

use std::collections::HashMap;
use std::path::PathBuf;

use anyhow::Context;
use cargo_metadata::{DependencyKind, Metadata, MetadataCommand, Package, TargetKind};

/// What the checks need to know.
pub(crate) struct Workspace {
    pub(crate) root: PathBuf,
    /// The workspace's own crates with what they declare.
    pub(crate) crates: Vec<Crate>,
    /// Every resolved package, foreign ones too, with what it links or builds with.
    pub(crate) packages: Vec<Resolved>,
}

/// A workspace crate and its declared dependencies on other workspace crates.
pub(crate) struct Crate {
    pub(crate) name: String,
    pub(crate) edges: Vec<Edge>,
    /// The root files of its library and its binaries, the library first.
    pub(crate) roots: Vec<Root>,
}

/// The root file of a library or a binary.
pub(crate) struct Root {
    pub(crate) path: PathBuf,
    /// The name under which Rust code imports it.
    pub(crate) name: String,
    pub(crate) is_library: bool,
}

/// One declared dependency on a workspace crate.
pub(crate) struct Edge {
    pub(crate) to: String,
    /// True for a dev-dependency, false for a normal or a build dependency.
    pub(crate) dev: bool,
}

/// A resolved package; dependencies are indices, without those for development.
pub(crate) struct Resolved {
    pub(crate) name: String,
    pub(crate) dependencies: Vec<usize>,
}

/// Asks cargo.
pub(crate) fn load() -> anyhow::Result<Workspace> {
    let mut command = MetadataCommand::new();
    command.other_options(["--locked".to_owned()]);
    let metadata = command.exec().context("cargo metadata")?;
    Ok(Workspace {
        root: metadata.workspace_root.clone().into_std_path_buf(),
        crates: metadata.workspace_packages().into_iter().map(declared).collect(),
        packages: resolved(&metadata)?,
    })
}

fn declared(package: &Package) -> Crate {
    let own = package.dependencies.iter().filter(|dependency| dependency.path.is_some());
    let edge = |dependency: &cargo_metadata::Dependency| Edge {
        to: dependency.name.clone(),
        dev: dependency.kind == DependencyKind::Development,
    };
    Crate { name: package.name.to_string(), edges: own.map(edge).collect(), roots: roots(package) }
}

fn roots(package: &Package) -> Vec<Root> {
    let one = |target: &cargo_metadata::Target| Root {
        path: target.src_path.clone().into_std_path_buf(),
        name: target.name.replace('-', "_"),
        is_library: target.kind.contains(&TargetKind::Lib),
    };
    let shipped = |root: &&cargo_metadata::Target| {
        root.kind.contains(&TargetKind::Lib) || root.kind.contains(&TargetKind::Bin)
    };
    let mut roots: Vec<Root> = package.targets.iter().filter(shipped).map(one).collect();
    roots.sort_by_key(|root| (!root.is_library, root.path.clone()));
    roots
}

fn resolved(metadata: &Metadata) -> anyhow::Result<Vec<Resolved>> {
    let nodes = &metadata.resolve.as_ref().context("cargo metadata resolved nothing")?.nodes;
    let index: HashMap<_, _> = nodes.iter().enumerate().map(|(i, node)| (&node.id, i)).collect();
    let links = |dep: &&cargo_metadata::NodeDep| {
        dep.dep_kinds.iter().any(|kind| kind.kind != DependencyKind::Development)
    };
    let one = |node: &cargo_metadata::Node| Resolved {
        name: metadata[&node.id].name.to_string(),
        dependencies: node.deps.iter().filter(links).filter_map(|dep| index.get(&dep.pkg).copied()).collect(),
    };
    Ok(nodes.iter().map(one).collect())
}
