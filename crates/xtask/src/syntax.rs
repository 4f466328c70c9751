//! Small questions about Rust syntax that several checks ask.

use syn::ext::IdentExt;
use syn::punctuated::Punctuated;
use syn::{Attribute, ImplItem, Item, Meta, Token};

/// Whether attributes keep what they are on out of every build but that of tests.
pub(crate) fn is_test_only(attributes: &[Attribute]) -> bool {
    attributes.iter().any(|attribute| match &attribute.meta {
        Meta::List(list) if list.path.is_ident("cfg") => {
            list.parse_args::<Meta>().is_ok_and(|condition| requires_test(&condition))
        }
        meta => meta.path().segments.last().is_some_and(|last| last.ident == "test"),
    })
}

/// Whether a condition of `cfg` holds in tests only.
fn requires_test(condition: &Meta) -> bool {
    let Meta::List(list) = condition else { return condition.path().is_ident("test") };
    let Ok(inner) = list.parse_args_with(Punctuated::<Meta, Token![,]>::parse_terminated) else {
        return false;
    };
    (list.path.is_ident("all") && inner.iter().any(requires_test))
        || (list.path.is_ident("any") && !inner.is_empty() && inner.iter().all(requires_test))
}

/// The attributes of an item.
pub(crate) fn item_attributes(item: &Item) -> &[Attribute] {
    match item {
        Item::Const(it) => &it.attrs,
        Item::Enum(it) => &it.attrs,
        Item::ExternCrate(it) => &it.attrs,
        Item::Fn(it) => &it.attrs,
        Item::ForeignMod(it) => &it.attrs,
        Item::Impl(it) => &it.attrs,
        Item::Macro(it) => &it.attrs,
        Item::Mod(it) => &it.attrs,
        Item::Static(it) => &it.attrs,
        Item::Struct(it) => &it.attrs,
        Item::Trait(it) => &it.attrs,
        Item::TraitAlias(it) => &it.attrs,
        Item::Type(it) => &it.attrs,
        Item::Union(it) => &it.attrs,
        Item::Use(it) => &it.attrs,
        _ => &[],
    }
}

/// The attributes of an item of an `impl` block.
pub(crate) fn impl_item_attributes(item: &ImplItem) -> &[Attribute] {
    match item {
        ImplItem::Const(it) => &it.attrs,
        ImplItem::Fn(it) => &it.attrs,
        ImplItem::Macro(it) => &it.attrs,
        ImplItem::Type(it) => &it.attrs,
        _ => &[],
    }
}

/// An identifier without the `r#` of a raw one.
pub(crate) fn text(ident: &proc_macro2::Ident) -> String {
    ident.unraw().to_string()
}

/// The line, from 1, on which a token begins.
pub(crate) fn line(span: proc_macro2::Span) -> usize {
    span.start().line
}

#[cfg(test)]
mod tests {
    use super::*;

    fn test_only(text: &str) -> bool {
        is_test_only(item_attributes(&syn::parse_str::<Item>(&format!("{text} fn f() {{}}")).unwrap()))
    }

    #[test]
    fn what_only_tests_compile_is_told_from_what_tests_compile_too() {
        for text in
            ["#[cfg(test)]", "#[cfg(all(test, unix))]", "#[cfg(any(test))]", "#[tokio::test]", "#[test]"]
        {
            assert!(test_only(text), "{text}");
        }
        for text in
            ["", "#[cfg(not(test))]", "#[cfg(any(test, feature = \"x\"))]", "#[cfg(unix)]", "#[must_use]"]
        {
            assert!(!test_only(text), "{text}");
        }
    }
}
