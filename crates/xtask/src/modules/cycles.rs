//! Cycles in a graph of files, but for those between a module and the modules below it.

use std::collections::{BTreeMap, BTreeSet};

use super::imports::{Edges, FilePair};
use crate::source_tree::SourceTree;

/// Files by index, each of which reaches each other one.
pub(crate) type Cycle = BTreeSet<usize>;

/// A module's file first, that of one below it second.
type Families = BTreeSet<FilePair>;

/// Cycles that do not run through a module which all other files of the cycle are below.
///
/// What goes round between a module and its descendants alone is no finding: such a module is taken out, and the rest
/// of its cycle is looked at again.
pub(crate) fn find(tree: &SourceTree, edges: &Edges) -> Vec<Cycle> {
    let families = families(tree);
    let mut pending = vec![(0..tree.files.len()).collect::<BTreeSet<usize>>()];
    let mut found = Vec::new();
    while let Some(files) = pending.pop() {
        for cycle in components(&files, edges) {
            let heads = |head: &usize| {
                let others = cycle.iter().filter(|&file| file != head);
                others.copied().all(|file| families.contains(&FilePair { from: *head, to: file }))
            };
            match cycle.iter().copied().find(heads) {
                Some(head) => pending.push(cycle.iter().copied().filter(|&file| file != head).collect()),
                None => found.push(cycle),
            }
        }
    }
    found.sort();
    found
}

/// Pairs of a module's file and one below it that import each other.
pub(crate) fn mutual_pairs(tree: &SourceTree, edges: &Edges) -> Vec<FilePair> {
    let mutual = |pair: &FilePair| {
        edges.contains_key(pair) && edges.contains_key(&FilePair { from: pair.to, to: pair.from })
    };
    families(tree).into_iter().filter(mutual).collect()
}

fn families(tree: &SourceTree) -> Families {
    let mut families = Families::new();
    for module in &tree.modules {
        let above = std::iter::successors(module.parent, |&parent| tree.modules[parent].parent);
        let pairs = above.map(|parent| FilePair { from: tree.modules[parent].file, to: module.file });
        families.extend(pairs.filter(|pair| pair.from != pair.to));
    }
    families
}

/// The strongly connected components of more than one file.
fn components(files: &BTreeSet<usize>, edges: &Edges) -> Vec<Cycle> {
    let mut targets: BTreeMap<usize, Vec<usize>> = BTreeMap::new();
    for pair in edges.keys().filter(|pair| files.contains(&pair.from) && files.contains(&pair.to)) {
        targets.entry(pair.from).or_default().push(pair.to);
    }
    let reach: BTreeMap<usize, BTreeSet<usize>> =
        files.iter().map(|&file| (file, reachable(file, &targets))).collect();
    let mut seen = BTreeSet::new();
    let mut found = Vec::new();
    for (file, reached) in &reach {
        if seen.contains(file) {
            continue;
        }
        let cycle: Cycle = reached.iter().copied().filter(|other| reach[other].contains(file)).collect();
        seen.extend(cycle.iter().copied());
        if cycle.len() > 1 {
            found.push(cycle);
        }
    }
    found
}

/// What can be reached from a file in one step or more.
fn reachable(start: usize, targets: &BTreeMap<usize, Vec<usize>>) -> BTreeSet<usize> {
    let mut reached = BTreeSet::new();
    let mut pending = vec![start];
    while let Some(at) = pending.pop() {
        for &next in targets.get(&at).into_iter().flatten() {
            if reached.insert(next) {
                pending.push(next);
            }
        }
    }
    reached
}
