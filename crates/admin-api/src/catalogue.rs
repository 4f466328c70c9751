//! The model catalogue over REST: what is imported, and what is shown of it.

use domain::{Catalogue, ModelRef, ModelSpec, PriceSpec, Version};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::{Format, Invalid, field::typed, text::parse};

/// One model of the catalogue.
#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
pub struct CatalogueItem {
    /// `kind/model`: it applies to every provider of the kind that has no row of its own.
    pub model: ModelRef,
    /// What is known of it.
    pub facts: ModelSpec,
    /// The price that is in force; `null`: unknown.
    pub price: Option<PriceSpec>,
    /// All its prices, the newest first, those of the past and of the future included.
    pub prices: Vec<PriceSpec>,
}

/// The answer to an import.
#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
pub struct CatalogueReply {
    /// The file's version.
    pub catalogue: String,
    /// The configuration's version afterwards.
    pub version: Version,
    /// Models that are new or of which something else is known now.
    pub models: usize,
    /// Prices that begin.
    pub prices: usize,
}

/// Reads a catalogue file, JSON or YAML, and checks it.
///
/// # Errors
/// When it is malformed, holds a field this version does not know, or contradicts itself; the field is named.
pub fn read_catalogue(text: &str, format: Format) -> Result<Catalogue, Invalid> {
    let catalogue: Catalogue = typed(parse(text, format)?, "").map_err(|error| Invalid(vec![error]))?;
    catalogue.check().map_err(|error| Invalid::new(error.field, error.reason))?;
    Ok(catalogue)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_wrong_file_is_refused_with_the_field() {
        let refused = |text: &str| read_catalogue(text, Format::Yaml).unwrap_err().0[0].field.clone();
        assert_eq!(refused("version: soon"), "version");
        let price = "version: 2027-01-01\nprices: [ { model: a/b, effective_from: 2027-01-01, input: $1, output: free } ]";
        assert_eq!(refused(price), "prices[0].output");
        assert!(refused("version: 2027-01-01\nmodels: { a/b: { contxt: 1 } }").starts_with("models.a/b"));
        assert!(read_catalogue("version: 2027-01-01\nmodels: { a/b: { context: 1 } }", Format::Yaml).is_ok());
    }
}
