//! The provider table: a compatible vendor is one row, and nothing else in the gateway names a vendor.

mod rows;

use std::collections::BTreeMap;

use self::rows::{ROWS, at_base};
use crate::dialect::Dialect;
pub use crate::quirks::Quirks;

/// How a provider wants its key.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Auth {
    /// `Authorization: Bearer KEY`.
    Bearer,
    /// The key alone in this header.
    Header(&'static str),
    /// `Authorization: Bearer KEY` where there is a key; local servers need none.
    Optional,
    /// AWS Signature Version 4, or `Authorization: Bearer KEY` for Bedrock's API keys.
    Aws,
    /// A bearer token obtained with a Google service account.
    Google,
}

/// One dialect of a provider, and where it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct DialectEndpoint {
    /// The dialect.
    pub dialect: Dialect,
    /// Behind which path.
    pub root: BasePath,
}

/// Where a dialect's paths begin.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum BasePath {
    /// Behind the base URL.
    Base,
    /// Behind this path in place of the base URL's own.
    Instead(&'static str),
}

/// How a provider lays out its paths.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Addressing {
    /// As the dialect does.
    Standard,
    /// Azure's classic layout: the deployment in the path, the version in the query.
    AzureDeployments {
        /// `api-version`.
        api_version: &'static str,
    },
    /// Google Cloud's: publishers and models in the path, the dialect chosen by the model's family.
    Vertex,
}

/// What the gateway knows of one kind of provider.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ProviderRow {
    /// The word users write in `kind`.
    pub kind: &'static str,
    /// Where it is, version path included, no slash at the end; without it the resource must say.
    pub base_url: Option<&'static str>,
    /// How it wants its key.
    pub auth: Auth,
    /// The dialects it speaks, its own first.
    pub speaks: &'static [DialectEndpoint],
    /// How it lays out its paths.
    pub addressing: Addressing,
    /// Whether it counts its limits for each model by itself, so that a 429 and what its headers say of the limits hold for
    /// one model alone.
    pub limits_per_model: bool,
    /// What is odd about it.
    pub quirks: Quirks,
    /// The value of `gen_ai.provider.name` in telemetry.
    pub genai_name: &'static str,
    /// Why it cannot be used any more, since when.
    pub retired: Option<&'static str>,
}

impl ProviderRow {
    /// The base URL with its `{region}`, `{project}` and the like filled in.
    ///
    /// # Errors
    /// The name of what is missing or cannot stand in an address.
    pub fn base_url(
        &self,
        region: Option<&str>,
        options: &BTreeMap<String, String>,
    ) -> Result<String, String> {
        let mut rest = self.base_url.ok_or("base_url")?;
        let mut url = String::with_capacity(rest.len() + 32);
        while let Some((before, behind)) = rest.split_once('{') {
            let (name, behind) = behind.split_once('}').ok_or("base_url")?;
            let value = if name == "region" { region } else { options.get(name).map(String::as_str) };
            let plain = |byte: u8| byte.is_ascii_alphanumeric() || b"-_.".contains(&byte);
            let value = value.filter(|value| !value.is_empty() && value.bytes().all(plain));
            let field = if name == "region" { name.to_owned() } else { format!("options.{name}") };
            url.push_str(before);
            url.push_str(value.ok_or(field)?);
            rest = behind;
        }
        url.push_str(rest);
        Ok(url)
    }

    /// The dialect in which a call goes to a model: the client's own where the provider speaks it, because then its
    /// bytes pass as they are; else the provider's first.
    #[must_use]
    pub fn dialect_for(&self, client: Dialect, model: &str) -> DialectEndpoint {
        if self.addressing == Addressing::Vertex {
            // Model names there start with the family; the publisher decides the dialect.
            let claude = model.starts_with("claude");
            return at_base(if claude { Dialect::Anthropic } else { Dialect::Gemini });
        }
        let foreign = client == Dialect::Anthropic
            && self.quirks.messages_for_claude
            && !model.to_ascii_lowercase().contains("claude");
        let own = self.speaks.iter().find(|speaks| speaks.dialect == client && !foreign);
        own.or(self.speaks.first()).copied().unwrap_or(at_base(Dialect::OpenAiChat))
    }
}

/// The row of a kind, if there is such a provider.
#[must_use]
pub fn provider_row(kind: &str) -> Option<&'static ProviderRow> {
    ROWS.iter().find(|row| row.kind == kind)
}

/// Every kind, in the table's order.
pub fn provider_kinds() -> impl Iterator<Item = &'static str> {
    ROWS.iter().map(|row| row.kind)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn clouds_speak_anthropics_dialect_for_its_models_alone() {
        let to = |kind, model| provider_row(kind).unwrap().dialect_for(Dialect::Anthropic, model).dialect;
        assert_eq!(to("bedrock", "eu.anthropic.claude-sonnet-4-5-20250929-v1:0"), Dialect::Anthropic);
        assert_eq!(to("bedrock", "eu.amazon.nova-lite-v1:0"), Dialect::Bedrock);
        assert_eq!(to("databricks", "databricks-claude-sonnet-4"), Dialect::Anthropic);
        assert_eq!(to("databricks", "databricks-llama-4-maverick"), Dialect::OpenAiChat);
        assert_eq!(to("deepseek", "deepseek-chat"), Dialect::Anthropic, "it serves its own by both");
    }
}
