//! Errors that name the field, and reading a typed value so that every error does.

use std::fmt;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize, de::DeserializeOwned};
use serde_json::Value;

/// What is wrong with one field.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct FieldError {
    /// The path from the root of what was sent, `tenants.acme.keys[0].expires`; empty: the whole of it.
    pub field: String,
    /// What is wrong and what would be right.
    pub message: String,
}

impl FieldError {
    /// Names the field and says what is wrong.
    pub fn new(field: impl Into<String>, message: impl Into<String>) -> Self {
        Self { field: field.into(), message: message.into() }
    }

    /// The same error seen from one level further out.
    #[must_use]
    pub fn within(mut self, parent: &str) -> Self {
        self.field = join(parent, &self.field);
        self
    }
}

impl fmt::Display for FieldError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.field.as_str() {
            "" => f.write_str(&self.message),
            field => write!(f, "{field}: {}", self.message),
        }
    }
}

/// Why something that a user wrote cannot be taken; never empty.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{}", .0.iter().map(ToString::to_string).collect::<Vec<_>>().join("; "))]
pub struct Invalid(pub Vec<FieldError>);

impl Invalid {
    /// With one field at fault.
    pub fn new(field: impl Into<String>, message: impl Into<String>) -> Self {
        Self(vec![FieldError::new(field, message)])
    }

    /// `Ok` when there is nothing to complain about.
    ///
    /// # Errors
    /// When there is.
    pub fn unless_empty(errors: Vec<FieldError>) -> Result<(), Self> {
        if errors.is_empty() { Ok(()) } else { Err(Self(errors)) }
    }
}

/// `parent.child`, where either may be empty and a child may be an index (`[0]`).
pub(crate) fn join(parent: &str, child: &str) -> String {
    match (parent, child) {
        ("", _) => child.to_owned(),
        (_, "") => parent.to_owned(),
        _ if child.starts_with('[') => format!("{parent}{child}"),
        _ => format!("{parent}.{child}"),
    }
}

/// Reads a typed value; `at` is where it stands in what the user sent.
pub(crate) fn typed<T: DeserializeOwned>(value: Value, at: &str) -> Result<T, FieldError> {
    serde_path_to_error::deserialize(value).map_err(|error| {
        let mut path = error.path().to_string();
        if path == "." {
            path.clear();
        }
        // A key that is none of an enum's words has no name of its own; the message says it.
        if let Some(parent) = path.strip_suffix(".?") {
            path.truncate(parent.len());
        }
        let message = error.into_inner().to_string();
        // serde reports a missing field at its parent; users look for the field.
        if let Some(missing) = message.strip_prefix("missing field `").and_then(|rest| rest.strip_suffix('`'))
        {
            let field = join(at, &join(&path, missing));
            return FieldError::new(field, "is required");
        }
        let message =
            quoted(&message).unwrap_or_else(|| message.replacen("unknown variant", "unknown value", 1));
        FieldError::new(join(at, &path), message)
    })
}

/// For a number where a text belongs, as money does: how to write it.
fn quoted(message: &str) -> Option<String> {
    let number = message.strip_prefix("invalid type: ")?.strip_suffix(", expected a string")?;
    let number = number.strip_prefix("floating point `").or_else(|| number.strip_prefix("integer `"))?;
    let number = number.strip_suffix('`')?;
    Some(format!("must be a text in quotes, not a number; money is written as \"${number}\""))
}

#[cfg(test)]
mod tests {
    use domain::KeySpec;
    use serde_json::json;

    use super::*;

    #[test]
    fn errors_name_the_whole_path() {
        let expires = typed::<KeySpec>(json!({ "expires": "x" }), "keys[0]").unwrap_err();
        assert_eq!(expires.field, "keys[0].expires");
        assert!(expires.message.contains("is not a time"), "{expires}");
        let unknown = typed::<KeySpec>(json!({ "limits": [] }), "").unwrap_err();
        assert_eq!(unknown.field, "limits");
        let retry = json!({ "targets": ["a/b"], "retry": { "on": { "hail": "stop" } } });
        let word = typed::<domain::RouteSpec>(retry, "").unwrap_err();
        assert_eq!(word.field, "retry.on");
        assert!(word.message.starts_with("unknown value `hail`"), "{word}");
        let missing = typed::<domain::ProviderSpec>(json!({}), "providers.a").unwrap_err();
        assert_eq!(missing.to_string(), "providers.a.kind: is required");
        let price = json!({ "model": "a/x", "effective_from": "2026-01-01", "input": 0.15, "output": "$1" });
        let number = typed::<domain::PriceSpec>(price, "").unwrap_err();
        assert_eq!(number.field, "input");
        assert!(number.message.ends_with("money is written as \"$0.15\""), "{number}");
        let whole = typed::<domain::ProviderSpec>(json!([]), "providers.a").unwrap_err();
        assert_eq!(whole.field, "providers.a");
    }
}
