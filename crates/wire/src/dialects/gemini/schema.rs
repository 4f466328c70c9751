//! Google's own schemas, a subset of OpenAPI's with types in capitals, as the JSON Schema that everybody else reads.

use crate::json::{
    Json, JsonKind,
    out::{self, ArrayOut, ObjectOut},
};

/// The body with its schemas in the members that hold JSON Schema, if there is anything to change.
///
/// The canonical call borrows from the body, so what has to be rewritten must be so before it is read.
pub(super) fn prepare(body: &[u8]) -> Option<Vec<u8>> {
    let has = |name: &[u8]| memchr::memmem::find(body, name).is_some();
    if !has(b"\"parameters\"") && !has(b"\"responseSchema\"") && !has(b"\"response_schema\"") {
        return None;
    }
    let body = Json::parse(body).ok()?;
    let mut written = Vec::with_capacity(body.raw().len());
    rewritten(body, Where::Body, &mut written)?;
    Some(written)
}

/// Where in a body one is.
#[derive(Clone, Copy)]
enum Where {
    Body,
    Config,
    Tool,
    Declaration,
}

/// Gives nothing if it is not what the place asks for; the call's reader has the better error for that.
fn rewritten(json: Json<'_>, place: Where, out: &mut Vec<u8>) -> Option<()> {
    let members = json.object().ok()??;
    out::object(out, |o| {
        for (key, value) in members.all() {
            let inner = match (place, &*super::common::camel(key)) {
                (Where::Body, "generationConfig") => Where::Config,
                (Where::Body, "tools") => Where::Tool,
                (Where::Tool, "functionDeclarations") => Where::Declaration,
                (Where::Config, "responseSchema") => {
                    member("responseJsonSchema", value, o);
                    continue;
                }
                (Where::Declaration, "parameters") => {
                    member("parametersJsonSchema", value, o);
                    continue;
                }
                _ => {
                    o.raw(key, value);
                    continue;
                }
            };
            match inner {
                Where::Config => raw(key, o, |out| rewritten(value, inner, out))?,
                _ => raw(key, o, |out| list(value, inner, out))?,
            }
        }
        Some(())
    })
}

fn list(json: Json<'_>, place: Where, out: &mut Vec<u8>) -> Option<()> {
    let elements = json.array().ok()??;
    out::array(out, |a| {
        for element in elements {
            let mut written = Vec::new();
            rewritten(element, place, &mut written)?;
            a.raw(Json::parse(&written).ok()?);
        }
        Some(())
    })
}

fn raw(key: &str, o: &mut ObjectOut<'_>, write: impl FnOnce(&mut Vec<u8>) -> Option<()>) -> Option<()> {
    let mut written = Vec::new();
    write(&mut written)?;
    o.raw(key, Json::parse(&written).ok()?);
    Some(())
}

/// Writes a schema as a member, converted where it is one.
fn member(key: &str, value: Json<'_>, o: &mut ObjectOut<'_>) {
    match value.object() {
        Ok(Some(_)) => o.object(key, |o| schema(value, o)),
        _ => o.raw(key, value),
    }
}

/// Numbers that Google's JSON may write as strings.
const COUNTS: [&str; 6] =
    ["minItems", "maxItems", "minLength", "maxLength", "minProperties", "maxProperties"];

fn schema(json: Json<'_>, o: &mut ObjectOut<'_>) {
    let Ok(Some(members)) = json.object() else { return };
    let nullable = members.peek("nullable").and_then(Json::bool) == Some(true);
    for (key, value) in members.all() {
        match &*super::common::camel(key) {
            "nullable" | "propertyOrdering" => {}
            "type" => kind(value, nullable, o),
            "properties" | "defs" | "$defs" => map(key, value, o),
            "items" | "additionalProperties" => member(&super::common::camel(key), value, o),
            "anyOf" => any_of(value, nullable, o),
            "example" => o.array("examples", |a| a.raw(value)),
            name if COUNTS.contains(&name) => match value.text().filter(|text| text.parse::<u64>().is_ok()) {
                Some(text) => o.number(name, text.parse().unwrap_or(0)),
                None => o.raw(name, value),
            },
            _ => o.raw(key, value),
        }
    }
}

fn kind(value: Json<'_>, nullable: bool, o: &mut ObjectOut<'_>) {
    let Some(name) = value.text().map(|name| name.to_ascii_lowercase()) else { return o.raw("type", value) };
    match (&*name, nullable) {
        ("type_unspecified", _) => {}
        (name, false) => o.text("type", name),
        (name, true) => o.array("type", |a: &mut ArrayOut<'_>| {
            a.text(name);
            a.text("null");
        }),
    }
}

fn map(key: &str, value: Json<'_>, o: &mut ObjectOut<'_>) {
    let Ok(Some(members)) = value.object() else { return o.raw(key, value) };
    o.object(key, |o| members.all().for_each(|(key, value)| member(key, value, o)));
}

fn any_of(value: Json<'_>, nullable: bool, o: &mut ObjectOut<'_>) {
    let Ok(Some(schemas)) = value.array() else { return o.raw("anyOf", value) };
    o.array("anyOf", |a| {
        for one in schemas {
            match one.kind() {
                JsonKind::Object => a.object(|o| schema(one, o)),
                _ => a.raw(one),
            }
        }
        if nullable {
            a.object(|o| o.text("type", "null"));
        }
    });
}
