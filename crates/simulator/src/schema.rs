//! The smallest sensible value of a JSON schema, so that structured answers are valid.

use serde_json::{Map, Value, json};

/// Objects nested deeper than this get their required fields only, so that recursive schemas end.
const FULL_DEPTH: usize = 4;
/// Nesting at which everything becomes null.
const MAX_DEPTH: usize = 32;
/// Most values in one document; further ones are null.
const MAX_VALUES: usize = 10_000;
/// Most items and most characters that `minItems` and `minLength` are followed to.
const MAX_SIZE: usize = 1_000;

/// A value that the schema allows. Understood are `type` (also in upper case and as a list), `properties`,
/// `required`, `items`, `enum`, `const`, `anyOf`, `oneOf`, `allOf`, `$ref` within the schema, `minItems`,
/// `minLength`, `minimum`, `exclusiveMinimum`, `maximum` and the formats `date`, `date-time`, `email`, `uri`, `uuid`.
pub(crate) fn example(schema: &Value) -> Value {
    Builder { root: schema, left: MAX_VALUES }.build(schema, 0)
}

struct Builder<'a> {
    root: &'a Value,
    /// How many values may still be made: a few nested arrays can ask for more than memory holds.
    left: usize,
}

impl Builder<'_> {
    fn build(&mut self, schema: &Value, depth: usize) -> Value {
        if self.left == 0 {
            return Value::Null;
        }
        self.left -= 1;
        if depth > MAX_DEPTH {
            return Value::Null;
        }
        if let Some(target) = schema["$ref"].as_str().and_then(|r| r.strip_prefix('#')) {
            return self.build(self.root.pointer(target).unwrap_or(&Value::Null), depth + 1);
        }
        if let Some(value) = schema.get("const") {
            return value.clone();
        }
        if let Some(value) = schema["enum"].as_array().and_then(|values| values.first()) {
            return value.clone();
        }
        for choice in ["anyOf", "oneOf"] {
            if let Some(first) = schema[choice].as_array().and_then(|schemas| schemas.first()) {
                return self.build(first, depth + 1);
            }
        }
        if let Some(parts) = schema["allOf"].as_array() {
            return self.merged(parts, depth);
        }
        match kind(schema).as_str() {
            "object" => self.object(schema, depth),
            "array" => {
                let items = size(&schema["minItems"]).unwrap_or(1);
                (0..items)
                    .map_while(|_| (self.left > 0).then(|| self.build(&schema["items"], depth + 1)))
                    .collect()
            }
            "string" => string(schema),
            "integer" => json!(least(schema).ceil()).as_f64().map_or(json!(0), whole),
            "number" => json!(least(schema)),
            "boolean" => json!(true),
            _ => Value::Null,
        }
    }

    /// Objects of all parts together; the first part's value when they are not objects.
    fn merged(&mut self, parts: &[Value], depth: usize) -> Value {
        let values: Vec<Value> = parts.iter().map(|part| self.build(part, depth + 1)).collect();
        if values.iter().all(Value::is_object) {
            let maps = values.into_iter().filter_map(|value| value.as_object().cloned());
            return Value::Object(maps.flatten().collect());
        }
        values.into_iter().next().unwrap_or(Value::Null)
    }

    fn object(&mut self, schema: &Value, depth: usize) -> Value {
        let Some(properties) = schema["properties"].as_object() else { return json!({}) };
        let required = |name: &String| {
            schema["required"].as_array().is_some_and(|names| names.iter().any(|n| n.as_str() == Some(name)))
        };
        let wanted = properties.iter().filter(|(name, _)| depth < FULL_DEPTH || required(name));
        let fields: Map<String, Value> =
            wanted.map(|(name, schema)| (name.clone(), self.build(schema, depth + 1))).collect();
        Value::Object(fields)
    }
}

/// The type in lower case (Google writes it in upper case); the first that is not null of several.
fn kind(schema: &Value) -> String {
    let named = match &schema["type"] {
        Value::Array(types) => types.iter().filter_map(Value::as_str).find(|name| *name != "null"),
        one => one.as_str(),
    };
    let guess = if schema["properties"].is_object() { "object" } else { "string" };
    named.unwrap_or(guess).to_lowercase()
}

fn string(schema: &Value) -> Value {
    let text = match schema["format"].as_str() {
        Some("date") => "2026-01-31",
        Some("date-time") => "2026-01-31T12:00:00Z",
        Some("email") => "a@example.com",
        Some("uri") => "https://example.com/",
        Some("uuid") => "00000000-0000-4000-8000-000000000000",
        _ => "text",
    };
    let least = size(&schema["minLength"]).unwrap_or(0);
    let most = schema["maxLength"].as_u64().and_then(|n| usize::try_from(n).ok()).unwrap_or(MAX_SIZE);
    let padded = text.chars().chain(std::iter::repeat_n('x', least.saturating_sub(text.len())));
    json!(padded.take(most.max(least)).collect::<String>())
}

fn size(value: &Value) -> Option<usize> {
    value.as_u64().and_then(|n| usize::try_from(n).ok()).map(|n| n.min(MAX_SIZE))
}

/// The smallest number that the bounds allow, 0 where they do.
fn least(schema: &Value) -> f64 {
    let from = schema["minimum"].as_f64().or_else(|| schema["exclusiveMinimum"].as_f64().map(|n| n + 1.0));
    from.unwrap_or_else(|| schema["maximum"].as_f64().map_or(0.0, |most| most.min(0.0)))
}

/// A whole number written without a fraction.
fn whole(number: f64) -> Value {
    format!("{number:.0}").parse::<i64>().map_or(json!(0), |n| json!(n))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_field_of_a_nested_schema_gets_a_value() {
        let schema = json!({"type": "object", "required": ["name"], "properties": {
            "name": {"type": "string", "minLength": 6},
            "age": {"type": "integer", "minimum": 18},
            "height": {"type": ["null", "number"]},
            "colour": {"enum": ["red", "green"]},
            "tags": {"type": "array", "minItems": 2, "items": {"type": "boolean"}},
            "pet": {"$ref": "#/$defs/pet"},
            "either": {"anyOf": [{"const": 7}, {"type": "string"}]},
        }, "$defs": {"pet": {"type": "OBJECT", "properties": {"born": {"type": "STRING", "format": "date"}}}}});
        let want = json!({"name": "textxx", "age": 18, "height": 0.0, "colour": "red", "tags": [true, true],
            "pet": {"born": "2026-01-31"}, "either": 7});
        assert_eq!(example(&schema), want);
    }

    #[test]
    fn recursive_schemas_end() {
        let schema = json!({"type": "object", "properties": {"next": {"$ref": "#"}}});
        assert!(example(&schema).to_string().len() < 200);
        let forced = json!({"type": "object", "required": ["next"], "properties": {"next": {"$ref": "#"}}});
        assert!(example(&forced).to_string().ends_with("null}}}}}}}}}}}}}}}}}"));
    }

    #[test]
    fn greedy_schemas_are_bounded() {
        let wide = json!({"minItems": 1000, "type": "array", "items": {"$ref": "#"}});
        assert!(example(&wide).to_string().len() < 100 * MAX_VALUES);
    }

    #[test]
    fn parts_are_merged() {
        let schema = json!({"allOf": [
            {"type": "object", "properties": {"a": {"type": "integer"}}},
            {"type": "object", "properties": {"b": {"type": "boolean"}}},
        ]});
        assert_eq!(example(&schema), json!({"a": 0, "b": true}));
    }
}
