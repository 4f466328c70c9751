//! JSON Schemas of the document, for editors, and of REST bodies, for OpenAPI: made from the types that parse.

use domain::{
    BudgetSpec, CredentialSpec, KeySpec, Kind, LimitSpec, ModelSpec, PriceSpec, ProviderSpec, RouteSpec,
    TenantSpec,
};
use schemars::{JsonSchema, Schema, SchemaGenerator, generate::SchemaSettings};
use serde_json::{Map, Value, json};

use crate::Document;

/// The JSON Schema (2020-12) of the document.
#[must_use]
pub fn schema() -> Value {
    let mut schema = SchemaSettings::draft2020_12().into_generator().into_root_schema_for::<Document>();
    schema.insert("title".to_owned(), "Portcullis configuration".into());
    schema.to_value()
}

/// Which way a body travels.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Direction {
    /// In answers.
    Read,
    /// In requests that create or replace.
    Write,
    /// In requests that change some fields (RFC 7396).
    Patch,
}

/// The schema of one resource as a REST body.
pub fn item_schema(kind: Kind, direction: Direction, generator: &mut SchemaGenerator) -> Schema {
    let mut schema = match kind {
        Kind::Tenant => TenantSpec::json_schema(generator),
        Kind::Key => KeySpec::json_schema(generator),
        Kind::Provider => ProviderSpec::json_schema(generator),
        Kind::Credential => CredentialSpec::json_schema(generator),
        Kind::Model => ModelSpec::json_schema(generator),
        Kind::Price => PriceSpec::json_schema(generator),
        Kind::Route => RouteSpec::json_schema(generator),
        Kind::Limit => LimitSpec::json_schema(generator),
        Kind::Budget => BudgetSpec::json_schema(generator),
    };
    let mut properties = Map::from_iter([text("name", "Unique among the owner's resources of this kind.")]);
    if kind != Kind::Tenant {
        properties.extend([text("tenant", "The owner's name; not written: the operator's.")]);
    }
    if direction == Direction::Read {
        properties.extend([
            ("id".to_owned(), json!({ "type": "string", "format": "uuid" })),
            ("revision".to_owned(), json!({ "type": "integer", "description": "The value for `If-Match`." })),
            ("created_at".to_owned(), json!({ "type": "string", "format": "date-time" })),
            ("updated_at".to_owned(), json!({ "type": "string", "format": "date-time" })),
        ]);
    }
    match (kind, direction) {
        (Kind::Key, Direction::Read) => {
            properties
                .extend([text("secret", "The key itself, in the answer that made it and nowhere else.")]);
        }
        (Kind::Credential, Direction::Write | Direction::Patch) => {
            let form = json!({
                "description": "The provider's API key; never shown again.", "writeOnly": true, "type": "object",
                "properties": { "value": { "type": "string" } }, "required": ["value"],
                "additionalProperties": false,
            });
            properties.insert("secret".to_owned(), form);
        }
        _ => {}
    }
    add(&mut schema, properties, direction);
    schema
}

fn text(name: &str, description: &str) -> (String, Value) {
    (name.to_owned(), json!({ "type": "string", "description": description }))
}

fn add(schema: &mut Schema, mut properties: Map<String, Value>, direction: Direction) {
    let object = schema.ensure_object();
    if let Some(Value::Object(own)) = object.shift_remove("properties") {
        properties.extend(own);
    }
    object.insert("properties".to_owned(), Value::Object(properties));
    object.insert("additionalProperties".to_owned(), Value::Bool(false));
    match direction {
        Direction::Patch => {
            object.shift_remove("required");
        }
        Direction::Write => {}
        Direction::Read => {
            let required = object.entry("required").or_insert_with(|| json!([]));
            if let Value::Array(required) = required {
                required.extend(["id", "name", "revision", "created_at", "updated_at"].map(Value::from));
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_document_has_a_closed_schema() {
        let schema = schema();
        assert_eq!(schema["$schema"], "https://json-schema.org/draft/2020-12/schema");
        assert_eq!(schema["additionalProperties"], false);
        for section in ["providers", "routes", "models", "prices", "tenants"] {
            assert!(schema["properties"][section].is_object(), "{section}");
        }
        assert_eq!(schema["required"], json!(["apiVersion"]));
        let secret = &schema["$defs"]["SecretSource"];
        assert_eq!(secret["oneOf"].as_array().unwrap().len(), 3, "{secret:#}");
    }

    #[test]
    fn secrets_go_in_for_credentials_and_come_out_for_keys() {
        let mut generator = SchemaSettings::draft2020_12().into_generator();
        for kind in Kind::ALL {
            for direction in [Direction::Read, Direction::Write, Direction::Patch] {
                let schema = item_schema(kind, direction, &mut generator).to_value();
                let shown = schema["properties"].get("secret").is_some();
                let expected = match kind {
                    Kind::Key => direction == Direction::Read,
                    Kind::Credential => direction != Direction::Read,
                    _ => false,
                };
                assert_eq!(shown, expected, "{kind} {direction:?}");
            }
        }
    }
}
