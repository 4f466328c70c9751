//! The OpenAPI 3.1 document, built from the operations that the router serves.

use admin_api::{Direction, Problem};
use schemars::{SchemaGenerator, generate::SchemaSettings};
use serde_json::{Map, Value, json};

use super::operation::{Method, Operation, Shape};

/// The document of these operations.
pub(super) fn document(operations: &[Operation]) -> Value {
    let mut settings = SchemaSettings::draft2020_12();
    settings.definitions_path = "/components/schemas".into();
    settings.meta_schema = None;
    let mut generator = settings.into_generator();
    let problem = generator.subschema_for::<Problem>().to_value();
    let mut paths: Map<String, Value> = Map::new();
    for operation in operations {
        let described = describe(operation, &mut generator);
        let path = paths.entry(operation.path()).or_insert_with(|| json!({}));
        path[operation.method.as_str()] = described;
    }
    json!({
        "openapi": "3.1.0",
        "info": { "title": "Portcullis admin API", "version": env!("CARGO_PKG_VERSION") },
        "security": [{ "admin_token": [] }],
        "paths": paths,
        "components": {
            "securitySchemes": { "admin_token": { "type": "http", "scheme": "bearer" } },
            "responses": { "Problem": {
                "description": "What went wrong, with the field at fault (RFC 9457).",
                "content": { "application/problem+json": { "schema": problem } },
            } },
            "schemas": generator.take_definitions(true),
        },
    })
}

fn describe(operation: &Operation, generator: &mut SchemaGenerator) -> Value {
    let mut parameters: Vec<Value> = operation
        .query
        .iter()
        .map(|param| {
            json!({
                "name": param.name, "in": "query", "description": param.description,
                "schema": { "type": "string" },
            })
        })
        .collect();
    if operation.route.contains("name}") {
        parameters.push(json!({
            "name": "name", "in": "path", "required": true, "schema": { "type": "string" },
            "description": "Name or id; slashes within the names of models, prices and credentials stay as they are. Of the catalogue: `kind/model`.",
        }));
    }
    if matches!(operation.method, Method::Put | Method::Patch | Method::Delete) {
        parameters.push(json!({
            "name": "If-Match", "in": "header", "schema": { "type": "string" },
            "description": "The `revision` that was read; 412 when the resource was written since.",
        }));
    }
    let mut described = json!({
        "operationId": operation_id(operation),
        "summary": operation.summary,
        "parameters": parameters,
        "responses": {
            operation.status.to_string(): reply(operation.reply, generator),
            "default": { "$ref": "#/components/responses/Problem" },
        },
    });
    if !matches!(operation.request, Shape::Empty) {
        described["requestBody"] =
            json!({ "required": true, "content": content(operation.request, true, generator) });
    }
    described
}

/// From the path alone, so that it cannot be given twice: `get_api_v1_keys_name`.
fn operation_id(operation: &Operation) -> String {
    let path = operation.path();
    let words = path.split(|c: char| !c.is_ascii_alphanumeric()).filter(|word| !word.is_empty());
    std::iter::once(operation.method.as_str()).chain(words).collect::<Vec<_>>().join("_")
}

fn reply(shape: Shape, generator: &mut SchemaGenerator) -> Value {
    match shape {
        Shape::Empty => json!({ "description": "Done." }),
        shape => json!({ "description": "The answer.", "content": content(shape, false, generator) }),
    }
}

fn content(shape: Shape, in_request: bool, generator: &mut SchemaGenerator) -> Value {
    let schema = shape.schema(generator);
    match shape {
        _ if !in_request => json!({ "application/json": { "schema": schema } }),
        Shape::Item(_, Direction::Patch) => json!({
            "application/merge-patch+json": { "schema": schema }, "application/json": { "schema": schema },
        }),
        _ => json!({ "application/json": { "schema": schema }, "application/yaml": { "schema": schema } }),
    }
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use super::*;
    use crate::rest::operations;

    fn references<'a>(value: &'a Value, found: &mut Vec<&'a str>) {
        match value {
            Value::Object(fields) => {
                found.extend(fields.get("$ref").and_then(Value::as_str));
                fields.values().for_each(|value| references(value, found));
            }
            Value::Array(items) => items.iter().for_each(|value| references(value, found)),
            _ => {}
        }
    }

    #[test]
    fn every_reference_resolves_and_every_operation_is_there_once() {
        let operations = operations::all();
        let document = document(&operations);
        let mut found = Vec::new();
        references(&document, &mut found);
        assert!(found.len() > 50);
        for reference in found {
            let pointer = reference.strip_prefix('#').unwrap();
            assert!(document.pointer(pointer).is_some(), "{reference} leads nowhere");
        }
        let mut ids = HashSet::new();
        let mut count = 0;
        for path in document["paths"].as_object().unwrap().values() {
            for operation in path.as_object().unwrap().values() {
                count += 1;
                assert!(ids.insert(operation["operationId"].as_str().unwrap()), "{operation}");
            }
        }
        assert_eq!(count, operations.len());
    }
}
