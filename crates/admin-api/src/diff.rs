//! What a write changes: one entry per resource, with the fields that differ.

use domain::Kind;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

/// What happens to a resource.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Change {
    /// It is new.
    Create,
    /// It differs.
    Update,
    /// It goes.
    Delete,
    /// It is as it was.
    Unchanged,
}

/// One resource of a diff.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct DiffEntry {
    /// What it is.
    pub kind: Kind,
    /// Its name.
    pub name: String,
    /// The owner's name; not written: the operator's.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub tenant: Option<String>,
    /// What happens to it.
    pub change: Change,
    /// The paths of the fields that differ, `timeouts.total`; a secret is named, never shown.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub fields: Vec<String>,
}

/// The paths at which two specifications differ; lists count as one field.
#[must_use]
pub fn changed_fields(old: &Value, new: &Value) -> Vec<String> {
    let mut found = Vec::new();
    compare("", old, new, &mut found);
    found
}

fn compare(path: &str, old: &Value, new: &Value, found: &mut Vec<String>) {
    if old == new {
        return;
    }
    let empty = Map::new();
    // A field that is not written has its default, so an object may appear or go as a whole.
    let fields =
        |value: &Value| value.as_object().cloned().or_else(|| value.is_null().then(|| empty.clone()));
    match (fields(old), fields(new)) {
        (Some(old), Some(new)) if !(old.is_empty() && new.is_empty()) => {
            let names = old.keys().chain(new.keys().filter(|name| !old.contains_key(*name)));
            for name in names {
                let (before, after) =
                    (old.get(name).unwrap_or(&Value::Null), new.get(name).unwrap_or(&Value::Null));
                compare(&crate::field::join(path, name), before, after, found);
            }
        }
        _ => found.push(path.to_owned()),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn names_the_fields_that_differ() {
        let old = json!({ "a": 1, "b": { "c": 1, "d": 2 }, "e": [1], "g": true });
        let new = json!({ "a": 1, "b": { "c": 2, "d": 2 }, "e": [2], "f": { "x": 1 } });
        assert_eq!(changed_fields(&old, &new), ["b.c", "e", "g", "f.x"]);
        assert!(changed_fields(&old, &old).is_empty());
    }
}
