//! Where the name at the end of a path is defined, through re-exports and globs.

use std::collections::HashSet;

use crate::source_tree::{ImportedNames, ItemKind, SourceTree};

/// What a path names within its crate.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Definition {
    /// A module, by its index.
    Module(usize),
    /// An item of a file behind which a path can go on.
    Type(usize),
    /// Any other item of a file.
    Value(usize),
}

/// From where a name is looked for in a module.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Viewpoint {
    /// Code of the module itself, which sees imports in its bodies too.
    Inside,
    /// A path from another module.
    Outside,
}

/// Names that are being looked for: one that comes up again on the way to itself adds nothing.
type Pending = HashSet<(usize, String)>;

/// The definitions that a path in a module leads to; empty if it leaves the crate.
pub(super) fn definitions(tree: &SourceTree, module: usize, path: &[String]) -> Vec<Definition> {
    let mut found = Resolver { tree }.path(module, path, &mut Pending::new());
    found.sort_unstable();
    found.dedup();
    found
}

/// The file in which a definition is written.
pub(super) fn file_of(tree: &SourceTree, definition: Definition) -> usize {
    match definition {
        Definition::Module(module) => tree.modules[module].file,
        Definition::Type(file) | Definition::Value(file) => file,
    }
}

/// What a name brought in by one of a module's globs leads to; empty if the module has the name otherwise.
pub(super) fn through_globs(tree: &SourceTree, module: usize, name: &str) -> Vec<Definition> {
    let resolver = Resolver { tree };
    let mut pending = Pending::new();
    if !resolver.explicit(module, name, Viewpoint::Inside, &mut pending).is_empty() {
        return Vec::new();
    }
    let mut found = resolver.globs(module, name, Viewpoint::Inside, &mut pending);
    found.sort_unstable();
    found.dedup();
    found
}

struct Resolver<'a> {
    tree: &'a SourceTree,
}

impl Resolver<'_> {
    fn path(&self, module: usize, path: &[String], pending: &mut Pending) -> Vec<Definition> {
        let Some((first, rest)) = path.split_first() else { return vec![Definition::Module(module)] };
        let mut at = self.first(module, first, pending);
        for segment in rest {
            at = self.next(&at, segment, pending);
        }
        at
    }

    fn first(&self, module: usize, segment: &str, pending: &mut Pending) -> Vec<Definition> {
        match segment {
            "crate" | "$crate" => vec![Definition::Module(self.tree.modules[module].root)],
            "self" => vec![Definition::Module(module)],
            "super" => self.parent(module),
            name => {
                let found = self.name(module, name, Viewpoint::Inside, pending);
                match &self.tree.library {
                    Some((library, root)) if found.is_empty() && library == name => {
                        vec![Definition::Module(*root)]
                    }
                    _ => found,
                }
            }
        }
    }

    fn parent(&self, module: usize) -> Vec<Definition> {
        self.tree.modules[module].parent.map(Definition::Module).into_iter().collect()
    }

    /// What a segment means behind the definitions of the segments before it.
    fn next(&self, at: &[Definition], segment: &str, pending: &mut Pending) -> Vec<Definition> {
        let mut found = Vec::new();
        for definition in at {
            match *definition {
                Definition::Module(module) if segment == "super" => found.extend(self.parent(module)),
                Definition::Module(module) => {
                    let named = self.name(module, segment, Viewpoint::Outside, pending);
                    if named.is_empty() && !pending.contains(&(module, segment.to_owned())) {
                        found.push(self.made_by_macro(module, segment));
                    }
                    found.extend(named);
                }
                Definition::Type(file) => found.push(Definition::Type(file)),
                Definition::Value(_) => {}
            }
        }
        found
    }

    /// A name that nothing in the module spells out: an exported macro's, or one that a macro makes there.
    fn made_by_macro(&self, module: usize, name: &str) -> Definition {
        let own = self.tree.modules[module].file;
        let is_root = self.tree.modules[module].parent.is_none();
        match self.tree.macros.get(name).map(Vec::as_slice) {
            Some([file]) if is_root => Definition::Value(*file),
            _ => Definition::Type(own),
        }
    }

    fn name(&self, module: usize, name: &str, from: Viewpoint, pending: &mut Pending) -> Vec<Definition> {
        if !pending.insert((module, name.to_owned())) {
            return Vec::new();
        }
        let mut found = self.explicit(module, name, from, pending);
        if found.is_empty() {
            found = self.globs(module, name, from, pending);
        }
        pending.remove(&(module, name.to_owned()));
        found
    }

    /// Children, items and imports by name.
    fn explicit(&self, module: usize, name: &str, from: Viewpoint, pending: &mut Pending) -> Vec<Definition> {
        let it = &self.tree.modules[module];
        let mut found: Vec<Definition> =
            it.children.get(name).map(|&child| Definition::Module(child)).into_iter().collect();
        found.extend(it.items.get(name).map(|kind| match kind {
            ItemKind::Type => Definition::Type(it.file),
            ItemKind::Value => Definition::Value(it.file),
        }));
        let wanted = ImportedNames::One(name.to_owned());
        let seen = it.imports.iter().filter(|import| from == Viewpoint::Inside || !import.in_body);
        for import in seen.filter(|import| import.names == wanted) {
            // `use name;` in the module itself re-exports what is there already, or names a crate.
            if import.path.as_slice() != [name] {
                found.extend(self.path(module, &import.path, pending));
            }
        }
        found
    }

    fn globs(&self, module: usize, name: &str, from: Viewpoint, pending: &mut Pending) -> Vec<Definition> {
        let imports = self.tree.modules[module].imports.iter();
        let seen = imports.filter(|import| from == Viewpoint::Inside || !import.in_body);
        let mut found = Vec::new();
        for import in seen.filter(|import| import.names == ImportedNames::All) {
            for definition in self.path(module, &import.path, pending) {
                if let Definition::Module(source) = definition {
                    found.extend(self.name(source, name, Viewpoint::Outside, pending));
                }
            }
        }
        found
    }
}
