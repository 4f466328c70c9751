//! The model catalogue as a file: what is known of models and their prices, by kind of provider.

use std::collections::BTreeMap;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::{ModelRef, ModelSpec, PriceSpec};

/// A catalogue file. Models and prices are written as in a configuration, with a kind of provider where that names a
/// provider: a row applies to every provider of the kind that has none of its own.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Catalogue {
    /// A date and, where there are several of a day, a number: `2027-12-31`, `2027-12-31.2`. Later ones sort later.
    #[schemars(regex(pattern = r"^[0-9]{4}-[0-9]{2}-[0-9]{2}(\.[0-9]{1,3})?$"))]
    pub version: String,
    /// Where the facts come from, and on which terms.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub notice: Option<String>,
    /// What is known of models, by `kind/model`.
    #[serde(default)]
    pub models: BTreeMap<ModelRef, ModelSpec>,
    /// What they cost, from when on.
    #[serde(default)]
    pub prices: Vec<PriceSpec>,
}

/// What a catalogue file holds that no correct one does.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{field}: {reason}")]
pub struct CatalogueError {
    /// Where.
    pub field: String,
    /// What is wrong there.
    pub reason: String,
}

impl Catalogue {
    /// Checks what the types do not say.
    ///
    /// # Errors
    /// When the version is none, a kind is no plain word, or two prices of a model begin at the same moment.
    pub fn check(&self) -> Result<(), CatalogueError> {
        let wrong = |field: String, reason: &str| Err(CatalogueError { field, reason: reason.to_owned() });
        if version_key(&self.version).is_none() {
            return wrong("version".to_owned(), "must be a date such as 2027-12-31, or 2027-12-31.2");
        }
        for model in self.models.keys() {
            if !is_plain(&model.provider) {
                return wrong(format!("models.{model}"), "begins with no kind of provider");
            }
        }
        let mut seen = std::collections::BTreeSet::new();
        for (index, price) in self.prices.iter().enumerate() {
            if !is_plain(&price.model.provider) {
                return wrong(format!("prices[{index}].model"), "begins with no kind of provider");
            }
            if !seen.insert((&price.model, price.effective_from)) {
                return wrong(format!("prices[{index}]"), "the model has another price from that moment on");
            }
        }
        Ok(())
    }

    /// Whether this file is newer than one of that version, which may be unreadable and is older then.
    #[must_use]
    pub fn is_newer_than(&self, version: &str) -> bool {
        version_key(&self.version) > version_key(version)
    }
}

/// The date and the number of a version, if the text is one.
fn version_key(version: &str) -> Option<(&str, u32)> {
    let (date, number) = version.split_once('.').unwrap_or((version, "0"));
    let shape = date.bytes().map(|byte| if byte.is_ascii_digit() { b'0' } else { byte });
    let digits = !number.is_empty() && number.len() <= 3 && number.bytes().all(|byte| byte.is_ascii_digit());
    (shape.eq(*b"0000-00-00") && digits).then(|| Some((date, number.parse().ok()?)))?
}

fn is_plain(kind: &str) -> bool {
    kind.bytes().all(|byte| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'-')
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(text: &str) -> Catalogue {
        serde_json::from_str(text).unwrap()
    }

    #[test]
    fn versions_are_dates_and_numbers_and_are_ordered_as_such() {
        let version = |version: &str| Catalogue { version: version.to_owned(), ..Catalogue::default() };
        for good in ["2027-12-31", "2027-12-31.2", "2027-12-31.010"] {
            assert!(version(good).check().is_ok(), "{good}");
        }
        for bad in ["", "1", "2027-12-31.", "2027-12-31.x", "2027-12-31.2.3", "27-12-31", "latest"] {
            assert!(version(bad).check().is_err(), "{bad}");
        }
        assert!(version("2027-12-31.10").is_newer_than("2027-12-31.9"));
        assert!(version("2028-01-01").is_newer_than("2027-12-31.9"));
        assert!(!version("2027-12-31").is_newer_than("2027-12-31"));
    }

    #[test]
    fn what_no_correct_file_holds_is_named() {
        let price = r#"{"model":"openai/m","effective_from":"2027-01-01","input":"1","output":"2"}"#;
        let twice = read(&format!(r#"{{"version":"2027-01-01","prices":[{price},{price}]}}"#));
        assert_eq!(twice.check().unwrap_err().field, "prices[1]");
        let odd = read(r#"{"version":"2027-01-01","models":{"kind:openai/m":{}}}"#);
        assert_eq!(odd.check().unwrap_err().field, "models.kind:openai/m");
        assert!(serde_json::from_str::<Catalogue>(r#"{"version":"2027-01-01","model":{}}"#).is_err());
    }
}
