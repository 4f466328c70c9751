//! What is known of a model: sizes, modalities, capabilities, and how long it lives.

use std::collections::BTreeSet;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::Timestamp;

/// What is known of a model at a provider; the resource's name is `provider/model`.
///
/// What is not written is taken from the catalogue's row of the provider's kind, and is unknown where that says
/// nothing either.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct ModelSpec {
    /// Largest input in tokens (the context window).
    #[serde(skip_serializing_if = "Option::is_none")]
    pub context: Option<u64>,
    /// Largest output in tokens.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub max_output: Option<u64>,
    /// The name the provider knows it by, where it differs.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub upstream: Option<String>,
    /// What it is for.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub task: Option<Task>,
    /// What it reads; empty: unknown.
    #[serde(skip_serializing_if = "BTreeSet::is_empty")]
    pub modalities_in: BTreeSet<Modality>,
    /// What it writes; empty: unknown.
    #[serde(skip_serializing_if = "BTreeSet::is_empty")]
    pub modalities_out: BTreeSet<Modality>,
    /// What it can do.
    #[serde(skip_serializing_if = "Capabilities::is_unknown")]
    pub capabilities: Capabilities,
    /// When the provider takes it out of service (RFC 3339, or a date in UTC).
    #[serde(skip_serializing_if = "Option::is_none")]
    pub deprecation: Option<Timestamp>,
    /// The model that the provider names in its place.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub successor: Option<String>,
    /// Where this is written.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub source: Option<String>,
}

/// What a model is for; it decides which of the client APIs reach it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Task {
    /// Conversations.
    Chat,
    /// Continuing a text.
    Completion,
    /// Vectors of texts.
    Embedding,
    /// Ordering documents by a question.
    Rerank,
    /// Making images.
    Image,
    /// Sound into text.
    Transcription,
    /// Text into sound.
    Speech,
    /// Judging texts.
    Moderation,
    /// Reading the pages of documents.
    Ocr,
}

/// A sort of content.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Modality {
    /// Text.
    Text,
    /// Images.
    Image,
    /// Sound.
    Audio,
    /// Moving images.
    Video,
    /// Files such as PDF.
    Document,
}

/// The one list of capabilities.
macro_rules! capabilities {
    ($($(#[$doc:meta])* $name:ident,)*) => {
        /// What a model can do; what is not written is unknown, which is not "no".
        #[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
        #[serde(deny_unknown_fields, default)]
        pub struct Capabilities {
            $($(#[$doc])* #[serde(skip_serializing_if = "Option::is_none")] pub $name: Option<bool>,)*
        }

        impl Capabilities {
            /// What is known here, and of the rest what is known there.
            #[must_use]
            pub fn or(self, other: Self) -> Self {
                Self { $($name: self.$name.or(other.$name),)* }
            }
        }
    };
}

capabilities! {
    /// Calls tools.
    tools,
    /// Calls several tools at once.
    parallel_tools,
    /// Keeps to a JSON schema.
    structured_output,
    /// Reasons before it answers.
    reasoning,
    /// Sees images.
    vision,
    /// Reads documents (PDF).
    documents,
    /// Hears or speaks.
    audio,
    /// Its provider caches prompts.
    prompt_cache,
    /// Searches the web by itself.
    web_search,
    /// Takes `temperature`, `top_p` and `top_k`; Anthropic's newer models answer 400 to them
    /// (docs/spec/anthropic.md#api-versions).
    sampling_fields,
}

impl Capabilities {
    /// Whether nothing is known.
    #[must_use]
    pub fn is_unknown(&self) -> bool {
        *self == Self::default()
    }
}

impl ModelSpec {
    /// What is known here, and of the rest what is known there.
    #[must_use]
    pub fn or(&self, other: &Self) -> Self {
        let set = |own: &BTreeSet<Modality>, other: &BTreeSet<Modality>| {
            if own.is_empty() { other.clone() } else { own.clone() }
        };
        Self {
            context: self.context.or(other.context),
            max_output: self.max_output.or(other.max_output),
            upstream: self.upstream.clone().or_else(|| other.upstream.clone()),
            task: self.task.or(other.task),
            modalities_in: set(&self.modalities_in, &other.modalities_in),
            modalities_out: set(&self.modalities_out, &other.modalities_out),
            capabilities: self.capabilities.or(other.capabilities),
            deprecation: self.deprecation.or(other.deprecation),
            successor: self.successor.clone().or_else(|| other.successor.clone()),
            source: self.source.clone().or_else(|| other.source.clone()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_written_covers_what_is_known_elsewhere_field_by_field() {
        let read = |json| serde_json::from_str::<ModelSpec>(json).unwrap();
        let own = read(r#"{"context":1000,"capabilities":{"tools":false}}"#);
        let known = read(
            r#"{"context":9,"max_output":5,"task":"chat","modalities_in":["text","image"],
                "capabilities":{"tools":true,"vision":true},"deprecation":"2027-01-01"}"#,
        );
        let both = own.or(&known);
        assert_eq!((both.context, both.max_output, both.task), (Some(1000), Some(5), Some(Task::Chat)));
        assert_eq!((both.capabilities.tools, both.capabilities.vision), (Some(false), Some(true)));
        assert_eq!(both.modalities_in.len(), 2);
        assert_eq!(serde_json::from_value::<ModelSpec>(serde_json::to_value(&both).unwrap()).unwrap(), both);
        assert_eq!(serde_json::to_string(&ModelSpec::default()).unwrap(), "{}");
    }

    #[test]
    fn unknown_fields_are_refused_at_every_level() {
        for json in
            [r#"{"contxt":1}"#, r#"{"capabilities":{"flying":true}}"#, r#"{"modalities_in":["smell"]}"#]
        {
            assert!(serde_json::from_str::<ModelSpec>(json).is_err(), "{json}");
        }
    }
}
