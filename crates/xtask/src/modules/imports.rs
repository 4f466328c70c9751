//! The edges between the files of a crate: every name that a file takes from another one, and where.

use std::collections::BTreeMap;

use proc_macro2::{TokenStream, TokenTree};
use syn::visit::{self, Visit};

use super::resolve::{self, Definition};
use crate::source_tree::{ImportedNames, SourceTree};
use crate::syntax;

/// Files by index in their [`SourceTree`], and what the first takes from the second.
pub(crate) type Edges = BTreeMap<FilePair, Vec<Reference>>;

/// A file that imports and one that defines.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct FilePair {
    pub(crate) from: usize,
    pub(crate) to: usize,
}

/// A name from another file and the line, from 1, that mentions it.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Reference {
    pub(crate) line: usize,
    pub(crate) name: String,
}

/// Collects the edges of a crate.
pub(crate) fn edges(tree: &SourceTree) -> Edges {
    let mut edges = Edges::new();
    for module in 0..tree.modules.len() {
        let mut references = References { tree, module, edges: &mut edges };
        references.imports();
        // Modules inside another one's file are reached from there.
        let it = &tree.modules[module];
        if it.parent.is_none_or(|parent| tree.modules[parent].file != it.file) {
            references.visit_file(&tree.files[it.file].syntax);
        }
    }
    for references in edges.values_mut() {
        references.sort();
        references.dedup();
    }
    edges
}

struct References<'a> {
    tree: &'a SourceTree,
    module: usize,
    edges: &'a mut Edges,
}

impl References<'_> {
    fn imports(&mut self) {
        for import in &self.tree.modules[self.module].imports {
            let found = resolve::definitions(self.tree, self.module, &import.path);
            let name = match import.names {
                ImportedNames::One(_) => import.path.last().cloned().unwrap_or_default(),
                ImportedNames::All => format!("{}::*", import.path.join("::")),
            };
            self.add(&found, import.line, &name);
        }
    }

    fn add(&mut self, found: &[Definition], line: usize, name: &str) {
        let from = self.tree.modules[self.module].file;
        for definition in found {
            let to = resolve::file_of(self.tree, *definition);
            if to != from {
                let reference = Reference { line, name: name.to_owned() };
                self.edges.entry(FilePair { from, to }).or_default().push(reference);
            }
        }
    }

    /// A path in code; a single name matters only if a glob brought it in, for its `use` names every other one.
    fn path(&mut self, segments: &[String], line: usize) {
        let found = match segments {
            [] => return,
            [name] => resolve::through_globs(self.tree, self.module, name),
            path => resolve::definitions(self.tree, self.module, path),
        };
        let name = segments.last().cloned().unwrap_or_default();
        self.add(&found, line, &name);
    }

    /// The name of a macro that is called; one of this crate may be visible by its place in the text alone.
    fn macro_name(&mut self, path: &syn::Path) {
        let segments: Vec<String> =
            path.segments.iter().map(|segment| syntax::text(&segment.ident)).collect();
        let line = path.segments.first().map_or(0, |segment| syntax::line(segment.ident.span()));
        if let [name] = segments.as_slice() {
            let known = !resolve::definitions(self.tree, self.module, &segments).is_empty();
            if let (false, Some([file])) = (known, self.tree.macros.get(name).map(Vec::as_slice)) {
                return self.add(&[Definition::Value(*file)], line, name);
            }
        }
        self.path(&segments, line);
    }

    /// The paths in the tokens of a macro or an attribute: names with `::` between them.
    fn tokens(&mut self, tokens: TokenStream) {
        let tokens: Vec<TokenTree> = tokens.into_iter().collect();
        let mut at = 0;
        while at < tokens.len() {
            match &tokens[at] {
                TokenTree::Group(group) => self.tokens(group.stream()),
                TokenTree::Ident(first) if !follows_dot_or_colons(&tokens, at) => {
                    let mut segments = vec![syntax::text(first)];
                    while let Some(TokenTree::Ident(next)) = after_colons(&tokens, at) {
                        segments.push(syntax::text(next));
                        at += 3;
                    }
                    if segments.len() > 1 || segments[0].starts_with(char::is_uppercase) {
                        self.path(&segments, syntax::line(first.span()));
                    }
                }
                _ => {}
            }
            at += 1;
        }
    }
}

/// The token behind `::` behind the token at a place.
fn after_colons(tokens: &[TokenTree], at: usize) -> Option<&TokenTree> {
    let is_colon =
        |place: usize| matches!(tokens.get(place), Some(TokenTree::Punct(it)) if it.as_char() == ':');
    if is_colon(at + 1) && is_colon(at + 2) { tokens.get(at + 3) } else { None }
}

/// Whether a name is a field, a method or the end of a path that begins elsewhere.
fn follows_dot_or_colons(tokens: &[TokenTree], at: usize) -> bool {
    let punct = |back: usize| match at.checked_sub(back).map(|place| &tokens[place]) {
        Some(TokenTree::Punct(it)) => Some(it.as_char()),
        _ => None,
    };
    // Two dots are a range, and its end may be a path.
    (punct(1) == Some('.') && punct(2) != Some('.')) || (punct(1) == Some(':') && punct(2) == Some(':'))
}

/// The path that a string in an attribute spells, as in `#[serde(default = "module::function")]`.
fn spelled_path(literal: &str) -> Option<Vec<String>> {
    let inner = literal.strip_prefix('"')?.strip_suffix('"')?;
    let path: syn::Path = syn::parse_str(inner).ok()?;
    Some(path.segments.iter().map(|segment| syntax::text(&segment.ident)).collect())
}

impl<'ast> Visit<'ast> for References<'_> {
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

    fn visit_local(&mut self, local: &'ast syn::Local) {
        if !syntax::is_test_only(&local.attrs) {
            visit::visit_local(self, local);
        }
    }

    fn visit_field(&mut self, field: &'ast syn::Field) {
        if !syntax::is_test_only(&field.attrs) {
            visit::visit_field(self, field);
        }
    }

    fn visit_item_mod(&mut self, item: &'ast syn::ItemMod) {
        let Some((_, items)) = &item.content else { return };
        let Some(&child) = self.tree.modules[self.module].children.get(&syntax::text(&item.ident)) else {
            return;
        };
        let mut inner = References { tree: self.tree, module: child, edges: self.edges };
        items.iter().for_each(|item| inner.visit_item(item));
    }

    fn visit_item_use(&mut self, _: &'ast syn::ItemUse) {}

    fn visit_visibility(&mut self, _: &'ast syn::Visibility) {}

    fn visit_attribute(&mut self, attribute: &'ast syn::Attribute) {
        let syn::Meta::List(list) = &attribute.meta else { return };
        self.tokens(list.tokens.clone());
        for token in list.tokens.clone() {
            if let TokenTree::Literal(literal) = token
                && let Some(path) = spelled_path(&literal.to_string())
            {
                self.path(&path, syntax::line(literal.span()));
            }
        }
    }

    fn visit_macro(&mut self, it: &'ast syn::Macro) {
        self.macro_name(&it.path);
        self.tokens(it.tokens.clone());
    }

    fn visit_qself(&mut self, it: &'ast syn::QSelf) {
        self.visit_type(&it.ty);
    }

    fn visit_expr_path(&mut self, it: &'ast syn::ExprPath) {
        // In `<Type>::name` the path is a name of the type, in a bare lower-case name mostly a variable.
        let associated = it.qself.as_ref().is_some_and(|own| own.position == 0);
        let bare =
            it.path.get_ident().is_some_and(|name| !syntax::text(name).starts_with(char::is_uppercase));
        if associated || bare {
            it.qself.iter().for_each(|own| self.visit_qself(own));
        } else {
            visit::visit_expr_path(self, it);
        }
    }

    fn visit_expr_call(&mut self, call: &'ast syn::ExprCall) {
        if let syn::Expr::Path(function) = &*call.func
            && let Some(name) = function.path.get_ident()
        {
            self.path(&[syntax::text(name)], syntax::line(name.span()));
        }
        visit::visit_expr_call(self, call);
    }

    fn visit_type_path(&mut self, it: &'ast syn::TypePath) {
        match &it.qself {
            Some(own) if own.position == 0 => self.visit_qself(own),
            _ => visit::visit_type_path(self, it),
        }
    }

    fn visit_path(&mut self, path: &'ast syn::Path) {
        if path.leading_colon.is_none()
            && let Some(first) = path.segments.first()
        {
            let segments: Vec<String> =
                path.segments.iter().map(|segment| syntax::text(&segment.ident)).collect();
            self.path(&segments, syntax::line(first.ident.span()));
        }
        visit::visit_path(self, path);
    }
}
