//! Where a provider's secret comes from, and the secret itself: erased on drop, never shown, never echoed.

use std::fmt;

use schemars::JsonSchema;
use serde::{Deserialize, Deserializer, de};
use serde_json::Value;
use zeroize::Zeroizing;

/// Room for a service account's JSON, far from what a header could carry.
const LONGEST: usize = 16 * 1024;

/// The text of a secret.
#[derive(Clone, PartialEq, Eq)]
pub struct SecretText(Zeroizing<String>);

impl SecretText {
    /// Takes a text; white space at its end is dropped, because files end in a line break.
    ///
    /// # Errors
    /// One sentence that does not repeat the text.
    pub fn new(text: String) -> Result<Self, &'static str> {
        let mut text = Zeroizing::new(text);
        let length = text.trim_end().len();
        text.truncate(length);
        if text.is_empty() {
            return Err("is empty");
        }
        if text.len() > LONGEST {
            return Err("is longer than 16 KiB");
        }
        // What no HTTP header can carry, no provider has given out.
        if !text.bytes().all(|byte| matches!(byte, b' '..=b'~')) {
            return Err("holds a line break or another character that is not printable ASCII");
        }
        Ok(Self(text))
    }

    /// The text.
    #[must_use]
    pub fn reveal(&self) -> &str {
        &self.0
    }
}

impl fmt::Debug for SecretText {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("SecretText(…)")
    }
}

/// Written as `{ env: NAME }`, `{ file: PATH }` or `{ value: TEXT }`.
///
/// The command line resolves `env` and `file`; the REST API takes `value` alone, because a
/// remote editor must not read the server's environment or files.
#[derive(Clone, Debug, PartialEq, Eq, JsonSchema)]
#[schemars(rename_all = "snake_case")]
pub enum SecretSource {
    /// A variable of the environment.
    Env(String),
    /// A file; white space at its end is dropped.
    File(String),
    /// The secret itself.
    Value(#[schemars(with = "String")] SecretText),
}

const FORMS: &str = "a secret is written as { env: NAME }, { file: PATH } or { value: TEXT }";

impl SecretSource {
    /// Reads the written form; its errors never repeat what was written, which may be the secret.
    fn read(written: Value) -> Result<Self, &'static str> {
        let Value::Object(map) = written else { return Err(FORMS) };
        let mut fields = map.into_iter();
        match (fields.next(), fields.next()) {
            (Some((form, Value::String(text))), None) => match form.as_str() {
                "env" if !text.is_empty() => Ok(Self::Env(text)),
                "file" if !text.is_empty() => Ok(Self::File(text)),
                "value" => SecretText::new(text).map(Self::Value),
                _ => Err(FORMS),
            },
            _ => Err(FORMS),
        }
    }
}

impl<'de> Deserialize<'de> for SecretSource {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        Self::read(Value::deserialize(deserializer)?).map_err(de::Error::custom)
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn reads_three_forms_and_repeats_none() {
        let read = |value: Value| serde_json::from_value::<SecretSource>(value).map_err(|e| e.to_string());
        assert_eq!(read(json!({ "env": "KEY" })), Ok(SecretSource::Env("KEY".into())));
        let value = read(json!({ "value": "sk-canary\n" })).unwrap();
        assert_eq!(format!("{value:?}"), "Value(SecretText(…))");
        assert_eq!(value, SecretSource::Value(SecretText::new("sk-canary".into()).unwrap()));
        for wrong in [
            json!("sk-canary"),
            json!({ "sk-canary": 1 }),
            json!({ "value": "sk-canary", "env": "A" }),
            json!({ "value": "sk-\ncanary" }),
            json!(["sk-canary"]),
            json!({ "value": "" }),
            json!({ "aws": "default" }),
        ] {
            let error = read(wrong).unwrap_err();
            assert!(!error.contains("canary"), "{error}");
        }
    }
}
