//! The modules of a crate with what each defines and imports, read from its files; modules for tests are left out.

use std::collections::{BTreeMap, HashMap};
use std::path::{Path, PathBuf};
use std::rc::Rc;

use anyhow::{Context, bail};
use syn::visit::Visit;
use syn::{Attribute, Expr, Item, ItemMod, ItemUse, Lit, Meta, UseTree};

use crate::syntax;
use crate::workspace::Root;

/// A crate's modules and files, which refer to each other by index.
pub(crate) struct SourceTree {
    pub(crate) files: Vec<SourceFile>,
    pub(crate) modules: Vec<Module>,
    /// The name of the library and its root module, if the crate has one.
    pub(crate) library: Option<(String, usize)>,
    /// The files that define a macro of a name by `macro_rules!`.
    pub(crate) macros: HashMap<String, Vec<usize>>,
}

/// A parsed file.
pub(crate) struct SourceFile {
    /// Relative to the root of the repository.
    pub(crate) path: String,
    pub(crate) syntax: Rc<syn::File>,
}

/// A module, whether it has a file of its own or is written inside its parent's.
pub(crate) struct Module {
    pub(crate) file: usize,
    pub(crate) parent: Option<usize>,
    /// The root module of the library or binary it belongs to.
    pub(crate) root: usize,
    /// Its names from the root down; empty for a root.
    pub(crate) path: Vec<String>,
    pub(crate) children: BTreeMap<String, usize>,
    pub(crate) items: HashMap<String, ItemKind>,
    pub(crate) imports: Vec<Import>,
}

/// Whether a path can go on behind an item's name.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum ItemKind {
    /// A type or a trait, which has names inside.
    Type,
    /// A function, constant or macro.
    Value,
}

/// One name, or all names, that a `use` brings into a module.
pub(crate) struct Import {
    pub(crate) names: ImportedNames,
    pub(crate) path: Vec<String>,
    pub(crate) line: usize,
    /// True inside a function's body: other modules do not see it.
    pub(crate) in_body: bool,
}

/// What an import is called where it is imported.
#[derive(Clone, PartialEq, Eq)]
pub(crate) enum ImportedNames {
    /// One name.
    One(String),
    /// `*`.
    All,
}

/// Where a module's own modules are looked for.
struct Directories {
    /// Of the file that is being read; `#[path]` is relative to it.
    file: PathBuf,
    /// Of files of child modules.
    children: PathBuf,
    /// Whether the module is written inside its parent's file, where `#[path]` is relative to `children`.
    is_inline: bool,
}

/// Reads all files that a crate's libraries and binaries are made of.
pub(crate) fn load(repository: &Path, roots: &[Root]) -> anyhow::Result<SourceTree> {
    let tree = SourceTree { files: Vec::new(), modules: Vec::new(), library: None, macros: HashMap::new() };
    let mut loader = Loader { repository, tree };
    for root in roots {
        let module = loader.tree.modules.len();
        loader.tree.modules.push(Module::new(None, module, Vec::new()));
        let directory = root.path.parent().context("a root file has a directory")?;
        loader.file(module, &root.path, directory)?;
        if root.is_library {
            loader.tree.library = Some((root.name.clone(), module));
        }
    }
    Ok(loader.tree)
}

impl Module {
    fn new(parent: Option<usize>, root: usize, path: Vec<String>) -> Self {
        let (children, items, imports) = (BTreeMap::new(), HashMap::new(), Vec::new());
        Self { file: 0, parent, root, path, children, items, imports }
    }
}

struct Loader<'a> {
    repository: &'a Path,
    tree: SourceTree,
}

impl Loader<'_> {
    /// Reads a module's file and what is below it.
    fn file(&mut self, module: usize, path: &Path, children: &Path) -> anyhow::Result<()> {
        let relative = path.strip_prefix(self.repository).unwrap_or(path).display().to_string();
        let known = self.tree.files.iter().position(|file| file.path == relative);
        let file = match known {
            Some(file) => file,
            None => {
                let text = std::fs::read_to_string(path).with_context(|| relative.clone())?;
                let syntax = Rc::new(syn::parse_file(&text).with_context(|| relative.clone())?);
                self.tree.files.push(SourceFile { path: relative, syntax });
                self.tree.files.len() - 1
            }
        };
        self.tree.modules[module].file = file;
        let syntax = self.tree.files[file].syntax.clone();
        let own = path.parent().context("a file has a directory")?.to_owned();
        let directories = Directories { file: own, children: children.to_owned(), is_inline: false };
        self.items(module, &syntax.items, &directories)
    }

    fn items(&mut self, module: usize, items: &[Item], directories: &Directories) -> anyhow::Result<()> {
        for item in items.iter().filter(|item| !syntax::is_test_only(syntax::item_attributes(item))) {
            match item {
                Item::Mod(child) => self.child(module, child, directories)?,
                Item::Use(import) => self.tree.modules[module].imports.extend(leaves(import, false)),
                item => self.define(module, item),
            }
        }
        Ok(())
    }

    fn child(&mut self, parent: usize, child: &ItemMod, directories: &Directories) -> anyhow::Result<()> {
        let name = syntax::text(&child.ident);
        let mut path = self.tree.modules[parent].path.clone();
        path.push(name.clone());
        let (module, root) = (self.tree.modules.len(), self.tree.modules[parent].root);
        self.tree.modules.push(Module::new(Some(parent), root, path));
        self.tree.modules[parent].children.insert(name.clone(), module);
        let below = directories.children.join(&name);
        if let Some((_, items)) = &child.content {
            self.tree.modules[module].file = self.tree.modules[parent].file;
            let file = directories.file.clone();
            return self.items(module, items, &Directories { file, children: below, is_inline: true });
        }
        if let Some(given) = path_attribute(&child.attrs) {
            let base = if directories.is_inline { &directories.children } else { &directories.file };
            let file = base.join(given);
            let own = file.parent().context("a file has a directory")?.to_owned();
            return self.file(module, &file, &own);
        }
        let beside = directories.children.join(format!("{name}.rs"));
        let inside = below.join("mod.rs");
        match (beside.exists(), inside.exists()) {
            (true, _) => self.file(module, &beside, &below),
            (false, true) => self.file(module, &inside, &below),
            _ => bail!("module {name} has no file {}", beside.display()),
        }
    }

    /// Enters the name of an item, and the imports in its bodies.
    fn define(&mut self, module: usize, item: &Item) {
        let (ident, kind) = match item {
            Item::Const(it) => (Some(&it.ident), ItemKind::Value),
            Item::Enum(it) => (Some(&it.ident), ItemKind::Type),
            Item::Fn(it) => (Some(&it.sig.ident), ItemKind::Value),
            Item::Macro(it) => (it.ident.as_ref(), ItemKind::Value),
            Item::Static(it) => (Some(&it.ident), ItemKind::Value),
            Item::Struct(it) => (Some(&it.ident), ItemKind::Type),
            Item::Trait(it) => (Some(&it.ident), ItemKind::Type),
            Item::TraitAlias(it) => (Some(&it.ident), ItemKind::Type),
            Item::Type(it) => (Some(&it.ident), ItemKind::Type),
            Item::Union(it) => (Some(&it.ident), ItemKind::Type),
            _ => (None, ItemKind::Value),
        };
        let file = self.tree.modules[module].file;
        if let Some(ident) = ident {
            let name = syntax::text(ident);
            if matches!(item, Item::Macro(_)) {
                self.tree.macros.entry(name.clone()).or_default().push(file);
            }
            let items = &mut self.tree.modules[module].items;
            // A type and a function may share a name; a path goes on behind the type.
            if items.get(&name) != Some(&ItemKind::Type) {
                items.insert(name, kind);
            }
        }
        let mut inner = ImportsInBodies(Vec::new());
        inner.visit_item(item);
        self.tree.modules[module].imports.extend(inner.0);
    }
}

/// Collects every `use` inside an item.
struct ImportsInBodies(Vec<Import>);

impl<'ast> Visit<'ast> for ImportsInBodies {
    fn visit_item_use(&mut self, import: &'ast ItemUse) {
        self.0.extend(leaves(import, true));
    }

    fn visit_item(&mut self, item: &'ast Item) {
        if !syntax::is_test_only(syntax::item_attributes(item)) {
            syn::visit::visit_item(self, item);
        }
    }

    fn visit_impl_item(&mut self, item: &'ast syn::ImplItem) {
        if !syntax::is_test_only(syntax::impl_item_attributes(item)) {
            syn::visit::visit_impl_item(self, item);
        }
    }
}

/// What one `use` brings in; nothing of one that begins with `::`, which names another crate.
fn leaves(import: &ItemUse, in_body: bool) -> Vec<Import> {
    let mut found = Vec::new();
    if import.leading_colon.is_none() {
        add_leaves(&import.tree, &mut Vec::new(), in_body, &mut found);
    }
    found
}

fn add_leaves(tree: &UseTree, prefix: &mut Vec<String>, in_body: bool, found: &mut Vec<Import>) {
    let mut add = |names: ImportedNames, path: Vec<String>, span: proc_macro2::Span| {
        found.push(Import { names, path, line: syntax::line(span), in_body });
    };
    match tree {
        UseTree::Path(path) => {
            prefix.push(syntax::text(&path.ident));
            add_leaves(&path.tree, prefix, in_body, found);
            prefix.pop();
        }
        UseTree::Name(name) => {
            let path = joined(prefix, &name.ident);
            let last = path.last().cloned().unwrap_or_default();
            add(ImportedNames::One(last), path, name.ident.span());
        }
        UseTree::Rename(rename) => {
            let name = ImportedNames::One(syntax::text(&rename.rename));
            add(name, joined(prefix, &rename.ident), rename.ident.span());
        }
        UseTree::Glob(glob) => add(ImportedNames::All, prefix.clone(), glob.star_token.spans[0]),
        UseTree::Group(group) => {
            for tree in &group.items {
                add_leaves(tree, prefix, in_body, found);
            }
        }
    }
}

/// A prefix and a name; `self` at the end is the prefix.
fn joined(prefix: &[String], last: &proc_macro2::Ident) -> Vec<String> {
    let mut path = prefix.to_vec();
    if last != "self" || prefix.is_empty() {
        path.push(syntax::text(last));
    }
    path
}

/// The file that `#[path = "…"]` names.
fn path_attribute(attributes: &[Attribute]) -> Option<String> {
    attributes.iter().find_map(|attribute| match &attribute.meta {
        Meta::NameValue(pair) if pair.path.is_ident("path") => match &pair.value {
            Expr::Lit(literal) => match &literal.lit {
                Lit::Str(text) => Some(text.value()),
                _ => None,
            },
            _ => None,
        },
        _ => None,
    })
}
