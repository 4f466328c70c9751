//! Field names in either spelling: Google's JSON takes `snake_case` and `camelCase`, and its Python client sends both.

use serde_json::{Map, Value};

/// Fields with contents of the client's own, where no name is touched.
const FREE: [&str; 10] = [
    "args",
    "labels",
    "parameters",
    "parametersJsonSchema",
    "partMetadata",
    "response",
    "responseJsonSchema",
    "responseSchema",
    "executableCode",
    "codeExecutionResult",
];

/// The same document with every field of Google's in `camelCase`.
///
/// # Errors
/// When a field is there in both spellings.
pub(super) fn case(value: &Value) -> Result<Value, String> {
    match value {
        Value::Array(all) => all.iter().map(case).collect(),
        Value::Object(fields) => {
            let mut out = Map::new();
            for (name, value) in fields {
                let name = camel(name);
                let inner = if FREE.contains(&name.as_str()) { value.clone() } else { case(value)? };
                if out.insert(name.clone(), inner).is_some() {
                    return Err(format!(
                        "Invalid JSON payload received. Field '{name}' is set more than once."
                    ));
                }
            }
            Ok(Value::Object(out))
        }
        other => Ok(other.clone()),
    }
}

fn camel(name: &str) -> String {
    let mut out = String::with_capacity(name.len());
    let mut raise = false;
    for c in name.chars() {
        match c {
            '_' if !out.is_empty() => raise = true,
            c if std::mem::take(&mut raise) => out.extend(c.to_uppercase()),
            c => out.push(c),
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn names_are_one_spelling_except_in_what_is_the_clients_own() {
        let mixed = json!({"generation_config": {"thinkingConfig": {"include_thoughts": true}},
            "contents": [{"parts": [{"function_call": {"name": "a_b", "args": {"my_key": 1}}}]}]});
        let want = json!({"generationConfig": {"thinkingConfig": {"includeThoughts": true}},
            "contents": [{"parts": [{"functionCall": {"name": "a_b", "args": {"my_key": 1}}}]}]});
        assert_eq!(case(&mixed), Ok(want));
        assert!(case(&json!({"a_b": 1, "aB": 2})).is_err());
    }
}
