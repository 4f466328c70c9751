//! What signatures and fields should not be made of: tuples as parameters, nested results, optional truth values.

use syn::visit::{self, Visit};
use syn::{FnArg, GenericArgument, Pat, PathArguments, PathSegment, Type};

use crate::modules::ModuleGraph;
use crate::syntax;
use crate::{Verdict, verdict};

/// A finding in one file.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Finding {
    /// From 1.
    pub(crate) line: usize,
    pub(crate) kind: Kind,
    /// The name of the function, or of the field.
    pub(crate) name: String,
}

/// What was found.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Kind {
    /// A parameter that takes a tuple apart.
    TakenApart,
    /// A parameter of a tuple type under one name.
    NamedTuple,
    /// A `Result` that has a `Result` as its value.
    NestedResult,
    /// An `Option<bool>`; it is counted, not refused.
    OptionalBool,
}

/// No signature outside of tests has a tuple as a parameter or a `Result` inside a `Result`.
pub(crate) fn check(graphs: &[ModuleGraph]) -> Verdict {
    let mut violations = Vec::new();
    let mut files = 0;
    for file in graphs.iter().flat_map(|graph| &graph.tree.files) {
        files += 1;
        for Finding { line, kind, name } in find(&file.syntax) {
            let path = &file.path;
            match kind {
                Kind::TakenApart => {
                    violations.push(format!("{path}:{line}: {name} takes a tuple apart: use a named struct"));
                }
                Kind::NamedTuple => {
                    violations.push(format!("{path}:{line}: {name} takes a tuple: use a named struct"));
                }
                Kind::NestedResult => {
                    violations
                        .push(format!("{path}:{line}: {name} has a Result inside a Result: use one enum"));
                }
                Kind::OptionalBool => {}
            }
        }
    }
    verdict(violations, || format!("{files} files"))
}

/// Everything of a file outside of its tests.
pub(crate) fn find(file: &syn::File) -> Vec<Finding> {
    let mut finder = Finder { found: Vec::new() };
    finder.visit_file(file);
    finder.found
}

struct Finder {
    found: Vec<Finding>,
}

impl Finder {
    fn parameter(&mut self, function: &syn::Ident, parameter: &syn::PatType) {
        let kind = match (takes_apart(&parameter.pat), is_tuple(&parameter.ty)) {
            (true, _) => Kind::TakenApart,
            (false, true) => Kind::NamedTuple,
            (false, false) => return,
        };
        let line = syntax::line(parameter.colon_token.spans[0]);
        self.found.push(Finding { line, kind, name: syntax::text(function) });
    }

    /// The kinds of types wherever they are inside a signature or a field.
    fn types(&mut self, name: &str, look: impl FnOnce(&mut Segments)) {
        let mut segments = Segments { found: Vec::new() };
        look(&mut segments);
        let finding = |(line, kind)| Finding { line, kind, name: name.to_owned() };
        self.found.extend(segments.found.into_iter().map(finding));
    }
}

/// Whether a pattern is a tuple, also behind a reference.
fn takes_apart(pattern: &Pat) -> bool {
    match pattern {
        Pat::Tuple(_) => true,
        Pat::Reference(it) => takes_apart(&it.pat),
        Pat::Paren(it) => takes_apart(&it.pat),
        _ => false,
    }
}

/// Whether a type is a tuple with elements.
fn is_tuple(ty: &Type) -> bool {
    match ty {
        Type::Tuple(it) => !it.elems.is_empty(),
        Type::Paren(it) => is_tuple(&it.elem),
        Type::Group(it) => is_tuple(&it.elem),
        _ => false,
    }
}

impl<'ast> Visit<'ast> for Finder {
    fn visit_item(&mut self, item: &'ast syn::Item) {
        if !syntax::is_test_only(syntax::item_attributes(item)) {
            visit::visit_item(self, item);
        }
    }

    fn visit_impl_item(&mut self, item: &'ast syn::ImplItem) {
        if !syntax::is_test_only(syntax::impl_item_attributes(item)) {
            visit::visit_impl_item(self, item);
        }
    }

    fn visit_signature(&mut self, signature: &'ast syn::Signature) {
        for argument in &signature.inputs {
            if let FnArg::Typed(parameter) = argument {
                self.parameter(&signature.ident, parameter);
            }
        }
        self.types(&syntax::text(&signature.ident), |segments| segments.visit_signature(signature));
    }

    fn visit_field(&mut self, field: &'ast syn::Field) {
        if !syntax::is_test_only(&field.attrs) {
            let name = field.ident.as_ref().map_or_else(|| "a field".into(), syntax::text);
            self.types(&name, |segments| segments.visit_type(&field.ty));
        }
    }
}

/// Collects nested results and optional truth values with their lines.
struct Segments {
    found: Vec<(usize, Kind)>,
}

impl<'ast> Visit<'ast> for Segments {
    fn visit_path_segment(&mut self, segment: &'ast PathSegment) {
        let value = first_type(segment);
        let is = |name: &str| value.is_some_and(|inner| inner.ident == name);
        let line = syntax::line(segment.ident.span());
        if segment.ident == "Result" && is("Result") {
            self.found.push((line, Kind::NestedResult));
        }
        if segment.ident == "Option" && is("bool") {
            self.found.push((line, Kind::OptionalBool));
        }
        visit::visit_path_segment(self, segment);
    }
}

/// The last name of the first type between a name's angle brackets.
fn first_type(segment: &PathSegment) -> Option<&PathSegment> {
    let PathArguments::AngleBracketed(arguments) = &segment.arguments else { return None };
    let first = arguments.args.iter().find_map(|argument| match argument {
        GenericArgument::Type(Type::Path(path)) => Some(path.path.segments.last()),
        GenericArgument::Type(_) => Some(None),
        _ => None,
    });
    first.flatten()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn kinds(text: &str) -> Vec<Kind> {
        find(&syn::parse_file(text).unwrap()).into_iter().map(|finding| finding.kind).collect()
    }

    #[test]
    fn a_tuple_is_no_parameter_whether_it_is_taken_apart_or_not() {
        assert_eq!(kinds("fn f((a, b): (A, B)) {}"), [Kind::TakenApart]);
        assert_eq!(kinds("fn f(&(a, b): &(A, B)) {}"), [Kind::TakenApart]);
        assert_eq!(kinds("impl S { fn f(&self, (a, b): Pair) {} }"), [Kind::TakenApart]);
        assert_eq!(kinds("trait T { fn f(pair: (A, B)); }"), [Kind::NamedTuple]);
        assert_eq!(
            kinds("fn outer() { fn f((a, b): (A, B), pair: (A, B)) {} }"),
            [Kind::TakenApart, Kind::NamedTuple]
        );
    }

    #[test]
    fn collections_closures_and_units_are_free() {
        for text in [
            "fn f(pairs: &[(K, V)], unit: (), list: Vec<(K, V)>, one: &(K, V)) {}",
            "fn f() { list.map(|(a, b)| a + b); }",
            "fn f(Wrapper(a): Wrapper) {}",
            "fn f() -> (A, B) {}",
        ] {
            assert!(kinds(text).is_empty(), "{text}");
        }
    }

    #[test]
    fn what_is_for_tests_is_not_looked_at() {
        let text = "#[cfg(test)] mod tests { fn f((a, b): (A, B)) {} }
            impl S { #[cfg(test)] fn f(pair: (A, B)) {} }
            #[test] fn f(pair: (A, B)) {}
            struct S { #[cfg(test)] flag: Option<bool> }";
        assert!(kinds(text).is_empty());
    }

    #[test]
    fn a_result_inside_a_result_is_found_where_a_signature_has_it() {
        assert_eq!(kinds("fn f() -> Result<Result<A, B>, C> {}"), [Kind::NestedResult]);
        assert_eq!(kinds("fn f() -> Option<io::Result<fmt::Result>> {}"), [Kind::NestedResult]);
        assert_eq!(
            kinds("async fn f(it: impl Future<Output = Result<Result<A, B>, C>>) {}"),
            [Kind::NestedResult]
        );
        assert!(kinds("fn f() -> Result<A, Result<B, C>> {}").is_empty());
        assert!(kinds("fn f() { let a: Result<Result<A, B>, C>; }").is_empty());
    }

    #[test]
    fn optional_truth_values_are_found_in_signatures_and_fields() {
        let text = "struct S { flag: Option<bool> }
            enum E { V { flag: Option<bool> }, W(Option<bool>) }
            fn f(flag: Option<bool>) -> Vec<Option<bool>> { let local: Option<bool> = None; }";
        assert_eq!(kinds(text), [Kind::OptionalBool; 5]);
    }
}
