//! What a resource may be called: names go into paths, headers, metrics and logs.

use std::fmt;

use domain::{Kind, ModelRef};
use schemars::JsonSchema;
use serde::{Deserialize, Deserializer, Serialize, de};

const LONGEST: usize = 128;

macro_rules! name {
    ($(#[$doc:meta])* $name:ident, $extra:literal, $pattern:literal) => {
        $(#[$doc])*
        #[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
        #[serde(transparent)]
        pub struct $name(String);

        impl $name {
            /// Checks a name.
            ///
            /// # Errors
            /// One sentence that says what a name may be.
            pub fn new(text: &str) -> Result<Self, String> {
                check_plain(text, $extra).map(|()| Self(text.to_owned()))
            }

            /// The text.
            #[must_use]
            pub fn as_str(&self) -> &str {
                &self.0
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(&self.0)
            }
        }

        impl<'de> Deserialize<'de> for $name {
            fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
                Self::new(&String::deserialize(deserializer)?).map_err(de::Error::custom)
            }
        }

        impl JsonSchema for $name {
            fn schema_name() -> std::borrow::Cow<'static, str> {
                stringify!($name).into()
            }

            fn inline_schema() -> bool {
                true
            }

            fn json_schema(_: &mut schemars::SchemaGenerator) -> schemars::Schema {
                schemars::json_schema!({ "type": "string", "pattern": $pattern })
            }
        }
    };
}

name! {
    /// The name of a tenant, key, provider or credential.
    Name, "", "^[A-Za-z0-9][A-Za-z0-9._-]{0,127}$"
}
name! {
    /// The name of a route: what applications put into `model`, so `:` is welcome (`chat:fast`).
    RouteName, ":", "^[A-Za-z0-9][A-Za-z0-9._:-]{0,127}$"
}

fn check_plain(text: &str, extra: &str) -> Result<(), String> {
    let allowed = |c: char| c.is_ascii_alphanumeric() || "._-".contains(c) || extra.contains(c);
    let starts_well = text.starts_with(|c: char| c.is_ascii_alphanumeric());
    if text.len() > LONGEST || !starts_well || !text.chars().all(allowed) {
        let shown: String = text.chars().take(40).collect();
        return Err(format!(
            "{shown:?} is not a name: 1 to {LONGEST} letters, digits, '.', '_', '-'{}, a letter or digit first",
            if extra.is_empty() { "" } else { " and ':'" }
        ));
    }
    // REST paths take a name or an id; a name that reads as an id would shadow somebody's row.
    if text.parse::<domain::ResourceId>().is_ok() {
        return Err(format!("{text:?} is not a name: it reads as an id"));
    }
    Ok(())
}

/// Checks `provider/model`: the model's own name is the provider's business, but it must be visible text.
fn check_model(text: &str) -> Result<(), String> {
    let reference: ModelRef = text.parse()?;
    check_plain(&reference.provider, "")?;
    if reference.model.chars().any(|c| c.is_control() || c.is_whitespace() || "?#%".contains(c)) {
        return Err(format!(
            "{text:?} is not a model's name: no spaces, control characters, '?', '#' or '%'"
        ));
    }
    Ok(())
}

/// What reports call the operator, which pays for the gateway's own requests (probes).
pub const OPERATOR: &str = "operator";

/// Checks the full name of a resource, as in `domain::Resource::name`.
///
/// # Errors
/// One sentence that says what the name may be.
pub fn check_name(kind: Kind, name: &str) -> Result<(), String> {
    match kind {
        Kind::Tenant if name == OPERATOR => {
            Err(format!("{name:?} is what reports call the operator, and no tenant's name"))
        }
        Kind::Tenant | Kind::Key | Kind::Provider | Kind::Limit | Kind::Budget => check_plain(name, ""),
        Kind::Route => check_plain(name, ":"),
        Kind::Credential => match name.split_once('/') {
            Some((provider, own)) => check_plain(provider, "").and_then(|()| check_plain(own, "")),
            None => Err(format!("{name:?} is not a credential's name; write provider/name")),
        },
        Kind::Model => check_model(name),
        Kind::Price => check_model(name.rsplit_once('@').map_or(name, |(model, _)| model)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_plain_words() {
        for name in ["acme", "gpt-4.1_x", "A", &"a".repeat(128)] {
            assert!(Name::new(name).is_ok(), "{name}");
        }
        let long = "a".repeat(129);
        let id = domain::ResourceId::new().to_string();
        for name in ["", ".", "..", "a/b", "a b", "a\n", "ä", "-x", "a:b", &long, &id] {
            assert!(Name::new(name).is_err(), "{name}");
        }
        assert!(RouteName::new("chat:fast").is_ok() && RouteName::new("a/b").is_err());
    }

    #[test]
    fn compound_names_follow_their_kind() {
        assert!(check_name(Kind::Tenant, OPERATOR).is_err() && check_name(Kind::Key, OPERATOR).is_ok());
        assert!(check_name(Kind::Credential, "openai/main").is_ok());
        assert!(check_name(Kind::Credential, "openai").is_err());
        assert!(check_name(Kind::Model, "bedrock/amazon.nova-lite-v1:0").is_ok());
        assert!(check_name(Kind::Model, "a/b/c@d").is_ok());
        assert!(check_name(Kind::Model, "a/b c").is_err() && check_name(Kind::Model, "a b/c").is_err());
        assert!(check_name(Kind::Price, "a/b@2026-01-01T00:00:00Z").is_ok());
    }
}
