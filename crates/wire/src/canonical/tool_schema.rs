//! The schema of a tool's arguments in the spelling that every target takes.

use crate::json::{Json, out::ObjectOut};

/// Members that say what the arguments are without `type` and `properties`.
const OTHER_FORMS: [&str; 7] = ["$ref", "allOf", "anyOf", "oneOf", "enum", "const", "not"];

/// What a target wants of a schema.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct SchemaForm {
    /// An object has `properties`, if only none.
    pub(crate) properties: bool,
    /// Members that it does not know.
    pub(crate) without: &'static [&'static str],
}

/// Writes a schema under `key`. `{}`, `{"type":"object"}` and no schema at all mean the same, a tool without arguments,
/// and each is refused somewhere (docs/spec/cases.md#case-34).
pub(crate) fn write(key: &str, schema: Option<Json<'_>>, form: SchemaForm, o: &mut ObjectOut<'_>) {
    let SchemaForm { properties, without } = form;
    let fields = schema.and_then(|schema| schema.object().ok().flatten());
    let (Some(fields), Some(schema)) = (fields, schema) else {
        return o.object(key, |o| {
            o.text("type", "object");
            if properties {
                o.object("properties", |_| ());
            }
        });
    };
    let has = |name: &str| fields.peek(name).is_some();
    let other = OTHER_FORMS.iter().any(|name| has(name));
    let is_object =
        fields.peek("type").and_then(Json::text).is_none_or(|kind| kind.eq_ignore_ascii_case("object"));
    let (no_type, no_properties) =
        (!other && !has("type"), properties && !other && is_object && !has("properties"));
    if !no_type && !no_properties && !without.iter().any(|name| has(name)) {
        return o.raw(key, schema);
    }
    o.object(key, |o| {
        if no_type {
            o.text("type", "object");
        }
        for (name, value) in fields.all().filter(|(name, _)| !without.contains(name)) {
            o.raw(name, value);
        }
        if no_properties {
            o.object("properties", |_| ());
        }
    });
}
