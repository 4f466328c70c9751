//! Counts of what the code should have less of: `cargo run -q -p xtask -- figures [CRATE]`.

use std::collections::BTreeMap;
use std::fmt::Write as _;

use anyhow::Context;
use syn::visit::{self, Visit};

use crate::files::{MAX_LINES, Source};
use crate::modules::ModuleGraph;
use crate::signatures::{self, Kind};
use crate::syntax;

/// Most lines of a function's body that are neither blank nor a comment.
const MAX_FUNCTION_LINES: usize = 80;

/// Most arguments of a function, `self` included.
const MAX_ARGUMENTS: usize = 7;

/// Words for persons, which machines are not.
const WORDS_FOR_PERSONS: [&str; 3] = ["whose", "nobody", "whoever"];

/// What is counted, in the order of the output.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Figure {
    TuplesTakenApart,
    NamedTuples,
    NestedResults,
    OptionalBools,
    NoneDocs,
    NoneInDocs,
    WordsForPersons,
    LongFunctions,
    LongFiles,
    ManyArguments,
}

const FIGURES: [(Figure, &str); 10] = [
    (Figure::TuplesTakenApart, "tuple parameters that are taken apart"),
    (Figure::NamedTuples, "tuple parameters under one name"),
    (Figure::NestedResults, "Result<Result<_, _>, _> in signatures"),
    (Figure::OptionalBools, "Option<bool> in signatures and fields"),
    (Figure::NoneDocs, "doc comments that start with `None`:"),
    (Figure::NoneInDocs, "doc comments with `None`: further on"),
    (Figure::WordsForPersons, "comments with whose, nobody or whoever"),
    (Figure::LongFunctions, "functions of more than 80 lines"),
    (Figure::LongFiles, "files of more than 600 lines"),
    (Figure::ManyArguments, "functions of more than 7 arguments"),
];

/// Where each thing was found, by crate.
struct Tally {
    places: BTreeMap<Figure, BTreeMap<String, Vec<String>>>,
}

impl Tally {
    fn add(&mut self, figure: Figure, path: &str, line: usize) {
        let krate = path.split('/').nth(1).unwrap_or(path).to_owned();
        let by_crate = self.places.entry(figure).or_default();
        by_crate.entry(krate).or_default().push(format!("{path}:{line}"));
    }
}

/// The counts of all crates; of one crate with the places.
///
/// Signatures are those outside of tests; comments, functions and files are all of them.
pub(crate) fn listing(
    graphs: &[ModuleGraph],
    sources: &[Source],
    only: Option<&str>,
) -> anyhow::Result<String> {
    let mut tally = Tally { places: BTreeMap::new() };
    for file in graphs.iter().flat_map(|graph| &graph.tree.files) {
        for finding in signatures::find(&file.syntax) {
            tally.add(figure(finding.kind), &file.path, finding.line);
        }
    }
    for source in sources {
        comments(source, &mut tally);
        let lines = source.text.lines().count();
        if lines > MAX_LINES {
            tally.add(Figure::LongFiles, &source.path, lines);
        }
        let syntax = syn::parse_file(&source.text).with_context(|| source.path.clone())?;
        Functions { source, tally: &mut tally }.visit_file(&syntax);
    }
    Ok(text(&tally, only))
}

fn figure(kind: Kind) -> Figure {
    match kind {
        Kind::TakenApart => Figure::TuplesTakenApart,
        Kind::NamedTuple => Figure::NamedTuples,
        Kind::NestedResult => Figure::NestedResults,
        Kind::OptionalBool => Figure::OptionalBools,
    }
}

fn text(tally: &Tally, only: Option<&str>) -> String {
    let mut text = String::new();
    for (figure, name) in FIGURES {
        let none = BTreeMap::new();
        let by_crate = tally.places.get(&figure).unwrap_or(&none);
        let shown = by_crate.iter().filter(|(krate, _)| only.is_none_or(|only| only == krate.as_str()));
        let counts: Vec<(&str, &[String])> =
            shown.map(|(krate, places)| (krate.as_str(), places.as_slice())).collect();
        let total: usize = counts.iter().map(|(_, places)| places.len()).sum();
        let _ = write!(text, "{name}: {total}");
        if only.is_none() && total > 0 {
            let parts: Vec<String> =
                counts.iter().map(|(krate, places)| format!("{krate} {}", places.len())).collect();
            let _ = write!(text, " ({})", parts.join(", "));
        }
        text.push('\n');
        if only.is_some() {
            for place in counts.iter().flat_map(|(_, places)| *places) {
                let _ = writeln!(text, "  {place}");
            }
        }
    }
    text
}

/// Counts in the comments of a file, one a line.
fn comments(source: &Source, tally: &mut Tally) {
    let mut before_is_doc = false;
    for (index, line) in source.text.lines().enumerate() {
        let trimmed = line.trim_start();
        let is_doc = trimmed.starts_with("///");
        if is_doc && trimmed.contains("`None`:") {
            let starts = !before_is_doc && trimmed.starts_with("/// `None`:");
            let figure = if starts { Figure::NoneDocs } else { Figure::NoneInDocs };
            tally.add(figure, &source.path, index + 1);
        }
        before_is_doc = is_doc;
        let comment = if trimmed.starts_with("//") { Some(trimmed) } else { trailing_comment(line) };
        if comment.is_some_and(speaks_of_persons) {
            tally.add(Figure::WordsForPersons, &source.path, index + 1);
        }
    }
}

/// A comment behind code; one that is in a string with a quote on each side is none.
fn trailing_comment(line: &str) -> Option<&str> {
    let at = line.find(" // ")?;
    let quotes = line[..at].matches('"').count();
    quotes.is_multiple_of(2).then(|| &line[at..])
}

fn speaks_of_persons(comment: &str) -> bool {
    let words = comment.split(|letter: char| !letter.is_alphanumeric() && letter != '_');
    words.map(str::to_lowercase).any(|word| WORDS_FOR_PERSONS.contains(&word.as_str()))
}

/// Measures every function, as clippy does.
struct Functions<'a> {
    source: &'a Source,
    tally: &'a mut Tally,
}

impl Functions<'_> {
    fn body(&mut self, block: &syn::Block) {
        let span = block.brace_token.span;
        let (first, last) = (syntax::line(span.open()), syntax::line(span.close()));
        let inside = self.source.text.lines().skip(first).take(last.saturating_sub(first + 1));
        let code = inside.map(str::trim).filter(|line| !line.is_empty() && !line.starts_with("//"));
        if code.count() > MAX_FUNCTION_LINES {
            self.tally.add(Figure::LongFunctions, &self.source.path, first);
        }
    }
}

impl<'ast> Visit<'ast> for Functions<'_> {
    fn visit_signature(&mut self, signature: &'ast syn::Signature) {
        if signature.inputs.len() > MAX_ARGUMENTS {
            self.tally.add(Figure::ManyArguments, &self.source.path, syntax::line(signature.ident.span()));
        }
    }

    fn visit_item_fn(&mut self, function: &'ast syn::ItemFn) {
        self.body(&function.block);
        visit::visit_item_fn(self, function);
    }

    fn visit_impl_item_fn(&mut self, function: &'ast syn::ImplItemFn) {
        self.body(&function.block);
        visit::visit_impl_item_fn(self, function);
    }

    fn visit_trait_item_fn(&mut self, function: &'ast syn::TraitItemFn) {
        function.default.iter().for_each(|block| self.body(block));
        visit::visit_trait_item_fn(self, function);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn counts(text: &str) -> String {
        let source = Source { path: "crates/a/src/lib.rs".into(), text: text.into() };
        let all = listing(&[], &[source], None).unwrap();
        all.lines().filter(|line| !line.ends_with(": 0")).collect::<Vec<_>>().join("\n")
    }

    #[test]
    fn doc_comments_that_start_with_none_are_told_from_those_that_go_on_with_it() {
        let text =
            "/// `None`: there is none.\nstruct A;\n/// A value.\n/// `None`: there is none.\nstruct B;\n";
        let starts = "doc comments that start with `None`:: 1 (a 1)";
        let further_on = "doc comments with `None`: further on: 1 (a 1)";
        assert_eq!(counts(text), [starts, further_on].join("\n"));
    }

    #[test]
    fn words_for_persons_count_in_comments_as_whole_words() {
        let text =
            "// Nobody is there.\nfn whose() {} // whoever\nconst A: &str = \"a // nobody\";\n// whoseness\n";
        assert_eq!(counts(text), "comments with whose, nobody or whoever: 2 (a 2)");
    }

    #[test]
    fn functions_are_measured_without_blank_lines_and_comments() {
        let body = |lines: usize| format!("fn f() {{\n{}\n\n    // Why.\n}}\n", "    a();\n".repeat(lines));
        assert_eq!(counts(&body(MAX_FUNCTION_LINES)), "");
        assert_eq!(counts(&body(MAX_FUNCTION_LINES + 1)), "functions of more than 80 lines: 1 (a 1)");
    }

    #[test]
    fn arguments_count_with_the_receiver() {
        assert_eq!(counts("trait T { fn f(&self, a: A, b: A, c: A, d: A, e: A, f: A); }"), "");
        let more = "trait T { fn f(&self, a: A, b: A, c: A, d: A, e: A, f: A, g: A); }";
        assert_eq!(counts(more), "functions of more than 7 arguments: 1 (a 1)");
    }

    #[test]
    fn one_crate_is_listed_with_the_places() {
        let source = Source { path: "crates/a/src/lib.rs".into(), text: "// whose\n".into() };
        let listing = listing(&[], &[source], Some("a")).unwrap();
        assert!(listing.contains("whoever: 1\n  crates/a/src/lib.rs:1\n"), "{listing}");
    }
}
