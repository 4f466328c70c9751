//! The order of a crate's modules: each imports only from modules of lower rows of the crate's table.

use std::collections::BTreeSet;

use super::ModuleGraph;
use crate::{Verdict, verdict};

/// The table of a crate.
pub(crate) struct ModuleOrder {
    pub(crate) crate_name: &'static str,
    /// The lowest row first. Modules of one row may not import each other. A row names a module with all that is below
    /// it, except what a longer name, as `health::state`, gives a row of its own.
    pub(crate) rows: &'static [&'static [&'static str]],
}

/// A module of the table and its row.
#[derive(Clone, Copy, PartialEq, Eq)]
struct Ranked<'a> {
    name: &'a str,
    row: usize,
}

/// Where a file stands in the order.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Position<'a> {
    /// In a module of the table.
    Module(Ranked<'a>),
    /// The root of the library or of a binary, above every module.
    Root,
    /// In a module that the table lacks.
    Missing,
}

/// Checks every crate that has a table.
pub(crate) fn check(graphs: &[ModuleGraph], tables: &[ModuleOrder]) -> Verdict {
    let mut violations = Vec::new();
    for table in tables {
        match graphs.iter().find(|graph| graph.name == table.crate_name) {
            Some(graph) => violations.extend(violations_of(graph, table)),
            None => violations.push(format!("{}: there is no such crate", table.crate_name)),
        }
    }
    verdict(violations, || {
        let rows = |table: &ModuleOrder| format!("{} in {} rows", table.crate_name, table.rows.len());
        tables.iter().map(rows).collect::<Vec<_>>().join(", ")
    })
}

fn violations_of(graph: &ModuleGraph, table: &ModuleOrder) -> Vec<String> {
    let ranked: Vec<Ranked<'_>> = table
        .rows
        .iter()
        .enumerate()
        .flat_map(|(row, names)| names.iter().map(move |name| Ranked { name, row }))
        .collect();
    let positions = positions(graph, &ranked);
    let mut violations = wrong_rows(graph, &ranked);
    violations.extend(missing(graph, &positions));
    for (pair, references) in &graph.edges {
        if let Some(why) = refusal(positions[pair.from], positions[pair.to]) {
            let (from, to) = (graph.file(pair.from), graph.file(pair.to));
            violations.push(format!("{}: {from} -> {to} ({}): {why}", graph.name, super::names(references)));
        }
    }
    violations
}

/// The positions of all files, in their order.
fn positions<'a>(graph: &ModuleGraph, ranked: &[Ranked<'a>]) -> Vec<Position<'a>> {
    let mut positions = vec![Position::Root; graph.tree.files.len()];
    // A module inside its parent's file belongs to the file's own module.
    for module in graph.tree.modules.iter().rev().filter(|module| !module.path.is_empty()) {
        let path = module.path.join("::");
        let above = |it: &&Ranked<'_>| path == it.name || path.starts_with(&format!("{}::", it.name));
        let longest = ranked.iter().filter(above).max_by_key(|it| it.name.len());
        positions[module.file] = longest.map_or(Position::Missing, |it| Position::Module(*it));
    }
    for root in graph.tree.modules.iter().filter(|module| module.path.is_empty()) {
        positions[root.file] = Position::Root;
    }
    positions
}

/// Rows for modules that are not there or are there twice.
fn wrong_rows(graph: &ModuleGraph, ranked: &[Ranked<'_>]) -> Vec<String> {
    let modules: BTreeSet<String> = graph.tree.modules.iter().map(|module| module.path.join("::")).collect();
    let mut seen = BTreeSet::new();
    let mut violations = Vec::new();
    for it in ranked {
        if !modules.contains(it.name) {
            violations
                .push(format!("{}: the table has a row for {}, which is no module", graph.name, it.name));
        }
        if !seen.insert(it.name) {
            violations.push(format!("{}: the table has {} twice", graph.name, it.name));
        }
    }
    violations
}

/// The top-level modules that the table lacks.
fn missing(graph: &ModuleGraph, positions: &[Position<'_>]) -> Vec<String> {
    let lacks = |file: &usize| positions[*file] == Position::Missing;
    let tops: BTreeSet<&str> = graph
        .tree
        .modules
        .iter()
        .filter(|module| lacks(&module.file))
        .filter_map(|module| module.path.first().map(String::as_str))
        .collect();
    let one =
        |name| format!("{}: module {name} has no row: give it one in xtask/src/module_order.rs", graph.name);
    tops.into_iter().map(one).collect()
}

/// Why an import is refused, if it is.
fn refusal(from: Position<'_>, to: Position<'_>) -> Option<String> {
    match (from, to) {
        (Position::Root, _) | (Position::Missing, Position::Module(_) | Position::Missing) => None,
        (Position::Module(_), Position::Missing) => None,
        (_, Position::Root) => Some("a module imports nothing that the crate's root defines".into()),
        (Position::Module(a), Position::Module(b)) if a == b || b.row < a.row => None,
        (Position::Module(a), Position::Module(b)) if a.row == b.row => {
            Some(format!("{} and {} are in one row and may not import each other", a.name, b.name))
        }
        (Position::Module(a), Position::Module(b)) => {
            Some(format!("{} (row {}) is below {} (row {})", a.name, a.row, b.name, b.row))
        }
    }
}
