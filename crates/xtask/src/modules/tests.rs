//! The graph, its cycles and the order of modules, on small invented crates.

use std::path::Path;

use super::order::{self, ModuleOrder};
use super::*;
use crate::workspace::Root;

/// A crate named `one` of files below `src/`, and of `main.rs` as a binary where there is one.
fn graph(files: &[(&str, &str)]) -> ModuleGraph {
    let directory = tempfile::tempdir().unwrap();
    let source = directory.path().join("crates/one/src");
    for (name, text) in files {
        let path = source.join(name);
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(path, text).unwrap();
    }
    let root = |file: &str, is_library| Root { path: source.join(file), name: "one".into(), is_library };
    let roots: Vec<Root> = [root("lib.rs", true), root("main.rs", false)]
        .into_iter()
        .filter(|root| Path::exists(&root.path))
        .collect();
    ModuleGraph::new("one".into(), source_tree::load(directory.path(), &roots).unwrap())
}

/// All edges as `a.rs -> b.rs (names)`.
fn edges(files: &[(&str, &str)]) -> Vec<String> {
    let graph = graph(files);
    let one = |(pair, references): (&FilePair, &Vec<Reference>)| {
        format!("{} -> {} ({})", graph.file(pair.from), graph.file(pair.to), names(references))
    };
    let mut edges: Vec<String> = graph.edges.iter().map(one).collect();
    edges.sort();
    edges
}

/// The files of each cycle.
fn cycles(files: &[(&str, &str)]) -> Vec<Vec<String>> {
    let graph = graph(files);
    let one = |cycle: &Cycle| {
        let mut files: Vec<String> = cycle.iter().map(|&file| graph.file(file).to_owned()).collect();
        files.sort();
        files
    };
    graph.cycles.iter().map(one).collect()
}

#[test]
fn a_use_is_an_edge_to_the_file_that_defines_the_name() {
    let files = [
        ("lib.rs", "mod a; mod b;"),
        ("a.rs", "use crate::b::{self, One, two as three};"),
        ("b.rs", "pub struct One; pub fn two() {}"),
    ];
    assert_eq!(edges(&files), ["a.rs -> b.rs (One:1, b:1, two:1)"]);
}

#[test]
fn a_name_that_the_parent_re_exports_comes_from_the_sibling() {
    let files = [
        ("lib.rs", "mod p;"),
        ("p.rs", "mod a; mod b; pub(crate) use b::Thing as Other;"),
        ("p/a.rs", "use super::Other;"),
        ("p/b.rs", "pub struct Thing;"),
    ];
    assert_eq!(edges(&files), ["p.rs -> p/b.rs (Thing:1)", "p/a.rs -> p/b.rs (Other:1)"]);
}

#[test]
fn a_glob_is_an_edge_to_its_module_and_its_names_are_edges_to_where_they_are_defined() {
    let files = [
        ("lib.rs", "mod p;"),
        ("p.rs", "mod a; mod b; use b::Thing;"),
        ("p/a.rs", "use super::*;\nfn f(it: Thing) {}"),
        ("p/b.rs", "pub struct Thing;"),
    ];
    let expected = ["p.rs -> p/b.rs (Thing:1)", "p/a.rs -> p.rs (super::*:1)", "p/a.rs -> p/b.rs (Thing:2)"];
    assert_eq!(edges(&files), expected);
}

#[test]
fn paths_in_bodies_types_macros_and_attributes_are_edges() {
    let bodies = [
        "fn f() { crate::b::two(); }",
        "fn f(it: super::b::One) {}",
        "fn f() { println!(\"{}\", crate::b::two()); }",
        "impl crate::b::One {}",
        "struct S { #[serde(default = \"crate::b::two\")] field: u8 }",
        "fn f() { use crate::b::two; }",
        "fn f() { for it in 0..crate::b::COUNT {} }",
    ];
    for body in bodies {
        let b = "pub struct One; pub fn two() {} pub const COUNT: u8 = 1;";
        let found = edges(&[("lib.rs", "mod a; mod b;"), ("a.rs", body), ("b.rs", b)]);
        assert!(found.len() == 1 && found[0].starts_with("a.rs -> b.rs"), "{body}: {found:?}");
    }
}

#[test]
fn a_path_through_a_child_is_an_edge_and_its_declaration_is_none() {
    assert_eq!(edges(&[("lib.rs", "mod a;"), ("a.rs", "pub fn f() {}")]), [""; 0]);
    let calls = [("lib.rs", "mod a; fn f() { a::f() }"), ("a.rs", "pub fn f() {}")];
    assert_eq!(edges(&calls), ["lib.rs -> a.rs (f:1)"]);
}

#[test]
fn what_only_tests_compile_has_no_edges() {
    let files = [
        ("lib.rs", "mod a; mod b; #[cfg(test)] mod missing;"),
        ("a.rs", "#[cfg(test)] use crate::b::f; #[cfg(test)] mod tests { use crate::b::f; }"),
        ("b.rs", "pub fn f() {}"),
    ];
    assert_eq!(edges(&files), [""; 0]);
}

#[test]
fn files_of_a_path_attribute_and_macros_by_their_place_are_found() {
    let files = [
        ("lib.rs", "#[macro_use] mod m; #[path = \"other/place.rs\"] mod a;"),
        ("m.rs", "macro_rules! make { () => {} }"),
        ("other/place.rs", "make!();"),
    ];
    assert_eq!(edges(&files), ["other/place.rs -> m.rs (make:1)"]);
}

#[test]
fn a_binary_reaches_its_library_by_the_name_of_the_crate() {
    let files = [
        ("lib.rs", "mod a; pub use a::f;"),
        ("a.rs", "pub fn f() {}"),
        ("main.rs", "fn main() { one::f() }"),
    ];
    assert_eq!(edges(&files), ["lib.rs -> a.rs (f:1)", "main.rs -> a.rs (f:1)"]);
}

#[test]
fn a_text_with_the_name_of_the_crate_is_no_edge_to_its_root() {
    let files = [("lib.rs", "mod a;"), ("a.rs", "#[arg(value = \"one\")] struct S; fn f() { one() }")];
    assert_eq!(edges(&files), [""; 0]);
}

#[test]
fn two_files_that_import_each_other_are_a_cycle() {
    let files = [
        ("lib.rs", "mod a; mod b;"),
        ("a.rs", "use crate::b::B; pub struct A;"),
        ("b.rs", "use crate::a::A; pub struct B;"),
    ];
    assert_eq!(cycles(&files), [["a.rs", "b.rs"]]);
    let graphs = [graph(&files)];
    assert_eq!(check(&graphs).unwrap_err(), ["one: 2 files import each other: a.rs, b.rs"]);
    let text = listing(&graphs, Some("one")).unwrap();
    assert!(text.contains("    a.rs -> b.rs  (B:1)\n    b.rs -> a.rs  (A:1)\n"), "{text}");
    assert!(text.ends_with("module cycles: 1\n"), "{text}");
    assert!(listing(&graphs, Some("two")).is_err());
}

#[test]
fn a_module_and_those_below_it_may_import_each_other() {
    let files = [
        ("lib.rs", "mod p;"),
        ("p.rs", "mod a; use a::A; pub struct P;"),
        ("p/a.rs", "mod b; use super::P; pub struct A;"),
        ("p/a/b.rs", "use crate::p::P;"),
    ];
    assert!(cycles(&files).is_empty());
    assert!(listing(&[graph(&files)], None).unwrap().contains("4 files, 3 edges, 1 pairs"));
}

#[test]
fn siblings_below_a_module_may_not() {
    let files = [
        ("lib.rs", "mod p;"),
        ("p.rs", "mod a; mod b; pub struct P; use a::A;"),
        ("p/a.rs", "use super::{P, b::B}; pub struct A;"),
        ("p/b.rs", "use super::{P, A}; pub struct B;"),
    ];
    assert_eq!(cycles(&files), [["p/a.rs", "p/b.rs"]]);
}

#[test]
fn a_cycle_from_a_child_through_its_parent_to_a_stranger_is_one() {
    let files = [
        ("lib.rs", "mod p; mod q;"),
        ("p.rs", "mod a; use crate::q::Q; pub struct P;"),
        ("p/a.rs", "use super::P; pub struct A;"),
        ("q.rs", "use crate::p::a::A; pub struct Q;"),
    ];
    assert_eq!(cycles(&files), [["p.rs", "p/a.rs", "q.rs"]]);
}

/// The violations of an order in a crate of three modules, where `b` has a child.
fn refused(rows: &'static [&'static [&'static str]]) -> Vec<String> {
    let files = [
        ("lib.rs", "mod a; mod b; mod c; pub use c::C;"),
        ("a.rs", "pub struct A;"),
        ("b.rs", "mod d; use d::D; pub struct B;"),
        ("b/d.rs", "use super::B; use crate::a::A; pub struct D;"),
        ("c.rs", "use crate::{a::A, b::B}; pub struct C;"),
    ];
    order::check(&[graph(&files)], &[ModuleOrder { crate_name: "one", rows }]).err().unwrap_or_default()
}

#[test]
fn imports_from_lower_rows_and_within_a_module_are_fine() {
    assert_eq!(refused(&[&["a"], &["b"], &["c"]]), [""; 0]);
}

#[test]
fn imports_from_higher_rows_and_within_a_row_are_refused() {
    assert_eq!(refused(&[&["a"], &["c"], &["b"]]), ["one: c.rs -> b.rs (B:1): c (row 1) is below b (row 2)"]);
    let expected = "one: c.rs -> b.rs (B:1): b and c are in one row and may not import each other";
    assert_eq!(refused(&[&["a"], &["b", "c"]]), [expected.replace("b and c", "c and b")]);
}

#[test]
fn a_longer_name_has_a_row_of_its_own() {
    let expected = "one: b/d.rs -> b.rs (B:1): b::d (row 1) is below b (row 2)";
    assert_eq!(refused(&[&["a"], &["b::d"], &["b"], &["c"]]), [expected]);
}

#[test]
fn the_table_has_every_module_once_and_no_other() {
    assert_eq!(
        refused(&[&["a"], &["b"]]),
        ["one: module c has no row: give it one in xtask/src/module_order.rs"]
    );
    assert_eq!(
        refused(&[&["a", "x"], &["b"], &["c", "c"]]),
        ["one: the table has a row for x, which is no module", "one: the table has c twice"]
    );
    let unknown = ModuleOrder { crate_name: "two", rows: &[] };
    assert_eq!(order::check(&[], &[unknown]).unwrap_err(), ["two: there is no such crate"]);
}

#[test]
fn no_module_imports_what_the_root_defines() {
    let files = [("lib.rs", "mod a; pub struct Root;"), ("a.rs", "use crate::Root;")];
    let table = ModuleOrder { crate_name: "one", rows: &[&["a"]] };
    let violations = order::check(&[graph(&files)], &[table]).unwrap_err();
    assert_eq!(
        violations,
        ["one: a.rs -> lib.rs (Root:1): a module imports nothing that the crate's root defines"]
    );
}
