//! The functions conditions may call: few, so that each is documented and its cost is bounded.

/// A function or macro, as references and documentation list it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Function {
    /// What it is called.
    pub name: &'static str,
    /// How a call is written.
    pub form: &'static str,
    /// What it gives.
    pub doc: &'static str,
    /// Arguments of `f(..)`, where it may be called so.
    pub(super) global: Option<usize>,
    /// Arguments of `x.f(..)`, where it may be called so.
    pub(super) member: Option<usize>,
}

impl Function {
    const fn global(name: &'static str, form: &'static str, doc: &'static str) -> Self {
        Self { name, form, doc, global: Some(1), member: None }
    }

    const fn member(name: &'static str, form: &'static str, doc: &'static str) -> Self {
        Self { name, form, doc, global: None, member: Some(1) }
    }

    /// The parser replaces calls that are written well, so whatever call of it is left is not.
    const fn built_in(name: &'static str, form: &'static str, doc: &'static str) -> Self {
        Self { name, form, doc, global: None, member: None }
    }
}

/// Every function there is.
pub const FUNCTIONS: &[Function] = &[
    Function {
        name: "size",
        form: "size(x) or x.size()",
        doc: "characters of a string, entries of a list or map",
        global: Some(1),
        member: Some(0),
    },
    Function::member("contains", "text.contains(part)", "whether the text has the part in it"),
    Function::member("startsWith", "text.startsWith(part)", "whether the text begins with the part"),
    Function::member("endsWith", "text.endsWith(part)", "whether the text ends with the part"),
    Function {
        name: "matches",
        form: "text.matches('pattern')",
        doc: "whether the regular expression, a literal, matches somewhere in the text",
        global: Some(2),
        member: Some(1),
    },
    Function::global("int", "int(x)", "a whole number of a number or text"),
    Function::global("double", "double(x)", "a number with a fraction of a number or text"),
    Function::global("string", "string(x)", "text of a number or truth value"),
    Function::built_in("has", "has(map.key)", "whether the map has the key, or the answer the fact"),
    Function::built_in("exists", "list.exists(x, condition)", "whether it holds for one entry or more"),
    Function::built_in(
        "exists_one",
        "list.exists_one(x, condition)",
        "whether it holds for exactly one entry",
    ),
    Function::built_in("all", "list.all(x, condition)", "whether it holds for every entry"),
    Function::built_in("filter", "list.filter(x, condition)", "the entries for which it holds"),
    Function::built_in("map", "list.map(x, value)", "a value for every entry"),
];
