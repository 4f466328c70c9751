//! REST bodies of one resource: the fields of its specification beside its name and owner.

use domain::{Kind, ResourceId, Spec, Timestamp};
use serde::Serialize;
use serde_json::{Map, Value};

use crate::{FieldError, Invalid, SecretText, check_name, check_spec, field::typed};

/// A resource as the API shows it; sealed material never leaves.
#[derive(Clone, Debug, Serialize)]
pub struct Item {
    /// The row.
    pub id: ResourceId,
    /// Its name.
    pub name: String,
    /// The owner's name; not written: the operator's.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub tenant: Option<String>,
    /// The revision of the configuration that wrote it last: the value for `If-Match`.
    pub revision: u64,
    /// When it was created.
    pub created_at: Timestamp,
    /// When it was written last.
    pub updated_at: Timestamp,
    /// The fields of its specification.
    #[serde(flatten)]
    pub spec: Map<String, Value>,
    /// Keys, in the answer that made them: the secret, shown once.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub secret: Option<ShownOnce>,
}

/// The text of a new key on its way to its owner; not in `Debug`.
#[derive(Clone, Serialize)]
#[serde(transparent)]
pub struct ShownOnce(pub String);

impl std::fmt::Debug for ShownOnce {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("ShownOnce(…)")
    }
}

/// Fields that the server alone writes. A body that was read and sent back carries them along, which is
/// fine as long as they still say what is stored.
pub type ReadOnly = Map<String, Value>;

/// What a client wrote of one resource.
#[derive(Clone, Debug)]
pub struct Written {
    /// The full name, where it was written or follows from the specification.
    pub name: Option<String>,
    /// The owner's name, where written.
    pub tenant: Option<String>,
    /// The specification.
    pub spec: Spec,
    /// Credentials: the secret, where written.
    pub secret: Option<SecretText>,
    /// What it says of fields it cannot write.
    pub read_only: ReadOnly,
}

const READ_ONLY: [&str; 4] = ["id", "revision", "created_at", "updated_at"];

/// Reads the body of a create or replace; `addressed` is the full name in the path, if there is one.
///
/// # Errors
/// One that names the field.
pub fn read_item(kind: Kind, body: Value, addressed: Option<&str>) -> Result<Written, Invalid> {
    let Value::Object(mut fields) = body else {
        return Err(Invalid::new("", format!("expected an object with the fields of a {kind}")));
    };
    let mut text = |field: &str| match fields.shift_remove(field) {
        None | Some(Value::Null) => Ok(None),
        Some(Value::String(text)) => Ok(Some(text)),
        Some(_) => Err(Invalid::new(field, "expected a text")),
    };
    let name = text("name")?;
    let tenant = text("tenant")?;
    let read_only = READ_ONLY
        .iter()
        .filter_map(|field| fields.shift_remove(*field).map(|value| ((*field).to_owned(), value)))
        .collect();
    let secret = match (kind, fields.shift_remove("secret")) {
        (_, None) => None,
        (Kind::Credential, Some(secret)) => Some(read_secret(secret)?),
        (_, Some(_)) => return Err(Invalid::new("secret", "cannot be written; the gateway makes it")),
    };
    let name = match kind {
        Kind::Credential => credential_name(&mut fields, name.as_deref().or(addressed))?,
        _ => name.or_else(|| addressed.map(str::to_owned)),
    };
    let spec = typed_spec(kind, Value::Object(fields))?;
    let name = match &spec {
        Spec::Price(price) => Some(price_name(price, name)?),
        _ => name,
    };
    if let Some(name) = &name {
        check_name(kind, name).map_err(|message| Invalid::new("name", message))?;
    }
    Invalid::unless_empty(check_spec(&spec))?;
    Ok(Written { name, tenant, spec, secret, read_only })
}

/// A secret is written as a text, or as in the document; `env` and `file` are for local readers.
fn read_secret(written: Value) -> Result<SecretText, Invalid> {
    let text = match written {
        Value::String(text) => Some(text),
        Value::Object(mut form) if form.len() == 1 => match form.shift_remove("value") {
            Some(Value::String(text)) => Some(text),
            _ => None,
        },
        _ => None,
    };
    let form = "expected { value: TEXT }; the server reads no environment and no file for a remote editor";
    SecretText::new(text.ok_or_else(|| Invalid::new("secret", form))?)
        .map_err(|message| Invalid::new("secret", message))
}

fn typed_spec(kind: Kind, fields: Value) -> Result<Spec, Invalid> {
    let read = match kind {
        Kind::Tenant => typed(fields, "").map(Spec::Tenant),
        Kind::Key => typed(fields, "").map(Spec::Key),
        Kind::Provider => typed(fields, "").map(Spec::Provider),
        Kind::Credential => typed(fields, "").map(Spec::Credential),
        Kind::Model => typed(fields, "").map(Spec::Model),
        Kind::Price => typed(fields, "").map(Spec::Price),
        Kind::Route => typed(fields, "").map(Spec::Route),
        Kind::Limit => typed(fields, "").map(Spec::Limit),
        Kind::Budget => typed(fields, "").map(Spec::Budget),
    };
    read.map_err(|error: FieldError| Invalid(vec![error]))
}

/// A credential's full name is `provider/name`; either half of it may be said once or twice, but not
/// differently.
fn credential_name(fields: &mut Map<String, Value>, name: Option<&str>) -> Result<Option<String>, Invalid> {
    let provider = fields.get("provider").and_then(Value::as_str).map(str::to_owned);
    match (name, provider) {
        (Some(full), Some(provider)) => match full.split_once('/') {
            None => Ok(Some(format!("{provider}/{full}"))),
            Some((prefix, _)) if prefix == provider => Ok(Some(full.to_owned())),
            Some(_) => Err(Invalid::new("provider", format!("differs from the name {full:?}"))),
        },
        (Some(full), None) => {
            if let Some((provider, _)) = full.split_once('/') {
                fields.insert("provider".to_owned(), provider.into());
            }
            Ok(Some(full.to_owned()))
        }
        (None, _) => Ok(None),
    }
}

fn price_name(price: &domain::PriceSpec, written: Option<String>) -> Result<String, Invalid> {
    let name = format!("{}@{}", price.model, price.effective_from);
    match written {
        Some(written) if written != name => {
            Err(Invalid::new("name", format!("a price is named by its model and date: {name}")))
        }
        _ => Ok(name),
    }
}

/// Merges a patch into a value (RFC 7396): objects field by field, `null` removes, all else replaces.
pub fn merge(target: &mut Value, patch: Value) {
    let Value::Object(patch) = patch else {
        *target = patch;
        return;
    };
    if !target.is_object() {
        *target = Value::Object(Map::new());
    }
    if let Value::Object(fields) = target {
        for (name, value) in patch {
            if value.is_null() {
                fields.shift_remove(&name);
            } else {
                merge(fields.entry(name).or_insert(Value::Null), value);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn names_follow_from_what_is_written() {
        let name = |kind, body| read_item(kind, body, None).map(|w| w.name).map_err(|e| e.to_string());
        assert_eq!(name(Kind::Credential, json!({ "name": "a/m" })), Ok(Some("a/m".into())));
        assert_eq!(name(Kind::Credential, json!({ "name": "m", "provider": "a" })), Ok(Some("a/m".into())));
        assert!(name(Kind::Credential, json!({ "name": "b/m", "provider": "a" })).is_err());
        let price = json!({ "model": "a/b", "effective_from": "2026-01-01", "input": "1", "output": "2" });
        assert_eq!(name(Kind::Price, price.clone()), Ok(Some("a/b@2026-01-01T00:00:00Z".into())));
        assert!(read_item(Kind::Price, price, Some("a/b@2027-01-01T00:00:00Z")).is_err());
        assert_eq!(name(Kind::Route, json!({ "targets": ["a/b"] })), Ok(None));
    }

    #[test]
    fn errors_name_the_field() {
        let error = |kind, body| read_item(kind, body, None).unwrap_err().to_string();
        assert!(error(Kind::Key, json!({ "name": "k", "secret": "mine" })).starts_with("secret: "));
        assert!(error(Kind::Key, json!({ "name": "a b" })).starts_with("name: "));
        assert!(
            error(Kind::Tenant, json!({ "name": "a", "role": "owner" })).starts_with("role: unknown field")
        );
        assert!(error(Kind::Route, json!({ "name": "a", "targets": [] })).starts_with("targets: "));
        let secret = error(Kind::Credential, json!({ "name": "a/m", "secret": { "env": "HOME" } }));
        assert!(secret.starts_with("secret: ") && secret.contains("reads no environment"), "{secret}");
        assert!(!error(Kind::Credential, json!({ "name": "a/m", "secret": ["canary"] })).contains("canary"));
        assert!(error(Kind::Tenant, json!([])).contains("expected an object"));
    }

    #[test]
    fn merging_follows_the_standard() {
        // The cases of RFC 7396, appendix A.
        let cases = [
            (json!({"a":"b"}), json!({"a":"c"}), json!({"a":"c"})),
            (json!({"a":"b"}), json!({"b":"c"}), json!({"a":"b","b":"c"})),
            (json!({"a":"b"}), json!({"a":null}), json!({})),
            (json!({"a":["b"]}), json!({"a":"c"}), json!({"a":"c"})),
            (json!({"a":{"b":"c"}}), json!({"a":{"b":"d","c":null}}), json!({"a":{"b":"d"}})),
            (json!({"a":[{"b":"c"}]}), json!({"a":[1]}), json!({"a":[1]})),
            (json!(["a", "b"]), json!(["c", "d"]), json!(["c", "d"])),
            (json!({"e":null}), json!({"a":1}), json!({"e":null,"a":1})),
            (json!({}), json!({"a":{"bb":{"ccc":null}}}), json!({"a":{"bb":{}}})),
        ];
        for (mut target, patch, expected) in cases {
            merge(&mut target, patch);
            assert_eq!(target, expected);
        }
    }
}
