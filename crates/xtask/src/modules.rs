//! The imports between the files of each crate: the check that they go in no circle, and their listing.

mod cycles;
mod imports;
pub(crate) mod order;
mod resolve;
#[cfg(test)]
mod tests;

use std::fmt::Write as _;
use std::path::Path;

use anyhow::bail;

use self::cycles::Cycle;
use self::imports::{Edges, FilePair, Reference};
use crate::source_tree::{self, SourceTree};
use crate::workspace::Crate;
use crate::{Verdict, verdict};

/// Names of an edge that the listing spells out.
const NAMES: usize = 6;

/// A crate's files and the imports between them.
pub(crate) struct ModuleGraph {
    pub(crate) name: String,
    pub(crate) tree: SourceTree,
    edges: Edges,
    cycles: Vec<Cycle>,
}

/// Reads all crates.
pub(crate) fn load(repository: &Path, crates: &[Crate]) -> anyhow::Result<Vec<ModuleGraph>> {
    let mut crates: Vec<&Crate> = crates.iter().collect();
    crates.sort_by(|a, b| a.name.cmp(&b.name));
    let graph = |krate: &&Crate| {
        let tree = source_tree::load(repository, &krate.roots)?;
        Ok(ModuleGraph::new(krate.name.clone(), tree))
    };
    crates.iter().map(graph).collect()
}

/// No files import each other in a circle, except a module and those below it.
pub(crate) fn check(graphs: &[ModuleGraph]) -> Verdict {
    let violation = |graph: &ModuleGraph| {
        let files = |cycle: &Cycle| cycle.iter().map(|&file| graph.file(file)).collect::<Vec<_>>().join(", ");
        let one = |cycle: &Cycle| {
            format!("{}: {} files import each other: {}", graph.name, cycle.len(), files(cycle))
        };
        graph.cycles.iter().map(one).collect::<Vec<_>>()
    };
    verdict(graphs.iter().flat_map(violation).collect(), || {
        let edges: usize = graphs.iter().map(|graph| graph.edges.len()).sum();
        format!("{} crates, {edges} imports between files", graphs.len())
    })
}

/// Files, edges and cycles of all crates or of the one that is named.
pub(crate) fn listing(graphs: &[ModuleGraph], only: Option<&str>) -> anyhow::Result<String> {
    let shown: Vec<&ModuleGraph> =
        graphs.iter().filter(|graph| only.is_none_or(|name| graph.name == name)).collect();
    if shown.is_empty() {
        bail!("there is no crate {}", only.unwrap_or_default());
    }
    let mut text: String = shown.iter().map(|graph| graph.listing()).collect();
    let cycles: usize = shown.iter().map(|graph| graph.cycles.len()).sum();
    let files: usize = shown.iter().flat_map(|graph| &graph.cycles).map(Cycle::len).sum();
    let _ = writeln!(text, "files in cycles: {files}\nmodule cycles: {cycles}");
    Ok(text)
}

impl ModuleGraph {
    fn new(name: String, tree: SourceTree) -> Self {
        let edges = imports::edges(&tree);
        let mut cycles = cycles::find(&tree, &edges);
        cycles.sort_by_key(|cycle| cycle.iter().map(|&file| tree.files[file].path.clone()).min());
        Self { name, tree, edges, cycles }
    }

    /// A file's path below the sources of its crate.
    fn file(&self, file: usize) -> &str {
        let path = &self.tree.files[file].path;
        path.split_once("/src/").map_or(path.as_str(), |(_, below)| below)
    }

    fn listing(&self) -> String {
        let mutual = cycles::mutual_pairs(&self.tree, &self.edges).len();
        let (files, edges) = (self.tree.files.len(), self.edges.len());
        let mut text = format!(
            "{}: {files} files, {edges} edges, {mutual} pairs of a module and one below it that import each other\n",
            self.name
        );
        for cycle in &self.cycles {
            let _ = writeln!(text, "  cycle of {} files", cycle.len());
            let mut lines: Vec<String> =
                cycle.iter().map(|&file| format!("    {}", self.file(file))).collect();
            lines.sort();
            let inside = |pair: &FilePair| cycle.contains(&pair.from) && cycle.contains(&pair.to);
            let edges = self.edges.iter().filter(|(pair, _)| inside(pair));
            let mut arrows: Vec<String> = edges
                .map(|(pair, references)| {
                    let (from, to) = (self.file(pair.from), self.file(pair.to));
                    format!("    {from} -> {to}  ({})", names(references))
                })
                .collect();
            arrows.sort();
            lines.extend(arrows);
            text.push_str(&lines.join("\n"));
            text.push('\n');
        }
        text
    }
}

/// The names of an edge, each once with its first line.
fn names(references: &[Reference]) -> String {
    let mut seen: Vec<&Reference> = Vec::new();
    for reference in references {
        if seen.iter().all(|known| known.name != reference.name) {
            seen.push(reference);
        }
    }
    let mut names: Vec<String> =
        seen.iter().take(NAMES).map(|known| format!("{}:{}", known.name, known.line)).collect();
    if seen.len() > NAMES {
        names.push(format!("{} more", seen.len() - NAMES));
    }
    names.join(", ")
}
