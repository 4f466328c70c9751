//! Documented fields of one dialect that the canonical call has no place for, and what the loss of each one means.
//!
//! A field that is neither here nor read by the dialect's decoder is *unknown*: in a translation it is left out and
//! named, or refused in strict mode, and never written into a body of another dialect.

use super::FieldClass;
use crate::{
    dialect::Dialect,
    json::{Json, JsonKind},
};

/// A documented field of one dialect.
#[derive(Clone, Copy, Debug)]
pub struct OwnField {
    /// The dialect.
    pub dialect: Dialect,
    /// Its place in the body; `[]` is any element of a list.
    pub name: &'static str,
    /// What its loss means.
    pub class: FieldClass,
    /// Why it is of its class.
    pub reason: &'static str,
    /// Values that say what is so anyway, as compact JSON.
    usual: &'static [&'static str],
}

/// Declares the fields of the dialects, each in one line: class, place, values that say what is so anyway, and why it
/// is of its class.
macro_rules! own_fields {
    ($($dialect:ident { $($class:ident $name:literal [$($usual:literal)*] $reason:literal)* })*) => {
        /// Every documented field that the canonical call has no place for.
        pub const OWN_FIELDS: &[OwnField] = &[$($(
            OwnField {
                dialect: Dialect::$dialect,
                name: $name,
                class: FieldClass::$class,
                reason: $reason,
                usual: &[$($usual,)*],
            },
        )*)*];
    };
}

own_fields! {
    OpenAiChat {
        Meaning "audio" [] "the answer is to be spoken"
        Meaning "function_call" [r#""auto""#] "an older form of `tool_choice`"
        Meaning "functions" [] "an older form of `tools`"
        Meaning "logit_bias" [] "words that must not come, or must"
        Meaning "modalities" [r#"["text"]"#] "the answer is to be more than text"
        Meaning "moderation" [] "the client reads the verdict from the answer"
        Hint "prediction" [] "makes the same answer faster"
        Hint "prompt_cache_key" [] "what the same answer costs"
        Hint "prompt_cache_options" [] "what the same answer costs"
        Hint "prompt_cache_retention" [] "what the same answer costs"
        Hint "web_search_options" [] "a tool that the provider runs, and that the model need not use"
    }
    OpenAiResponses {
        Hint "access_programs" [] "concerns the account"
        Hint "background_options" [] "concerns answers that are fetched later"
        Hint "context_management" [] "when the provider shortens the conversation"
        Meaning "image" [] "the answer is to hold images"
        Hint "include" [] "what is shown of tools that the provider runs"
        Hint "max_tool_calls" [] "counts calls of tools that the provider runs"
        Meaning "moderation" [] "the client reads the verdict from the answer"
        Hint "prompt_cache_key" [] "what the same answer costs"
        Hint "prompt_cache_options" [] "what the same answer costs"
        Hint "prompt_cache_retention" [] "what the same answer costs"
        Hint "reasoning.context" [r#""auto""#] "which of its earlier thoughts the model sees"
        Hint "reasoning.mode" [r#""standard""#] "how long the model thinks about the same question"
        Meaning "tool_choice" [] "a tool of the provider that must be called"
        Hint "truncation" [r#""disabled""#] "concerns conversations that are too long, which are refused without it"
    }
    Anthropic {
        Hint "betas" [] "names versions of the API"
        Meaning "container" [] "holds files and skills that only the provider has"
        Hint "context_management" [] "when the provider shortens the conversation"
        Hint "diagnostics" [] "what is shown beside the answer"
        Meaning "inference_geo" [] "where the request may be computed"
        Meaning "mcp_servers" [] "tools of the client that only the provider can reach for it"
        Hint "output_config.task_budget" [] "how long the model thinks about the same question"
        Hint "speed" [r#""standard""#] "how soon the same answer comes"
        Hint "thinking" [] "how long the model thinks about the same question"
        Meaning "tools[].allowed_callers" [r#"["direct"]"#] "who may call the tool"
        Hint "tools[].defer_loading" ["false"] "when the model is told of the tool"
        Hint "tools[].eager_input_streaming" ["false"] "how finely arguments are streamed"
        Hint "tools[].input_examples" [] "examples of what the schema says"
        Hint "user_profile_id" [] "concerns the account"
        Hint "workspace_id" [] "concerns the account"
    }
    Gemini {
        Meaning "cachedContent" [] "holds a part of the prompt that only the provider has"
        Hint "contents[].parts[].mediaResolution" [] "how many tokens an image of the prompt costs"
        Hint "contents[].parts[].partMetadata" [] "the client's own notes; the model never sees them"
        Meaning "contents[].parts[].videoMetadata" [] "which part of a video the model sees"
        Hint "generationConfig.audioTimestamp" ["false"] "how audio in the prompt is read"
        Hint "generationConfig.enableEnhancedCivicAnswers" ["false"] "concerns the provider's own tools"
        Meaning "generationConfig.imageConfig" [] "the answer is to hold images"
        Hint "generationConfig.mediaResolution" [r#""MEDIA_RESOLUTION_UNSPECIFIED""#] "how many tokens an image of the prompt costs"
        Hint "generationConfig.modelSelectionConfig" [] "concerns the provider's own routing"
        Meaning "generationConfig.responseFormat" [] "the client parses the answer by it"
        Meaning "generationConfig.responseMimeType" [] "the client parses the answer by it"
        Meaning "generationConfig.responseModalities" [r#"["TEXT"]"#] "the answer is to be more than text"
        Hint "generationConfig.routingConfig" [] "concerns the provider's own routing"
        Meaning "generationConfig.speechConfig" [] "the answer is to be spoken"
        Meaning "safetySettings" [] "what the provider is to block"
        Hint "toolConfig.includeServerSideToolInvocations" ["false"] "what is shown of tools that the provider runs"
        Hint "toolConfig.retrievalConfig" [] "concerns tools that the provider runs"
        Hint "tools[].functionDeclarations[].behavior" [r#""BLOCKING""#] "when the model waits for the result"
        Hint "tools[].functionDeclarations[].response" [] "describes what the tool answers"
        Hint "tools[].functionDeclarations[].responseJsonSchema" [] "describes what the tool answers"
    }
    Cohere {
        Hint "citation_options" [] "how exactly the answer is cited"
        Meaning "safety_mode" [r#""CONTEXTUAL""# r#""OFF""# r#""NONE""#] "what the provider is to block"
    }
    Bedrock {
        Hint "additionalModelResponseFieldPaths" [] "what is shown beside the answer"
        Meaning "guardrailConfig" [] "what the provider is to block"
        Hint "performanceConfig" [] "how soon the same answer comes"
        Meaning "promptVariables" [] "fills a prompt that only the provider has"
    }
}

impl OwnField {
    /// The documented field of a dialect at a place of its body.
    #[must_use]
    pub fn find(dialect: Dialect, place: &str) -> Option<&'static Self> {
        let of_dialect = OWN_FIELDS.iter().filter(|field| field.dialect == dialect);
        of_dialect.into_iter().find(|field| is_at(place, field.name))
    }

    /// Whether a value says only what is so anyway.
    #[must_use]
    pub fn says_nothing(&self, value: Json<'_>) -> bool {
        if is_empty(value) || self.usual.contains(&value.raw()) {
            return true;
        }
        // Filters that are switched off: so they are where there is none.
        self.name == "safetySettings"
            && value.array().ok().flatten().is_some_and(|list| list.iter().all(is_off))
    }
}

/// Whether a value is empty: null, or a text, list or object without contents.
pub(super) fn is_empty(value: Json<'_>) -> bool {
    match value.kind() {
        JsonKind::Null => true,
        JsonKind::String => value.raw() == "\"\"",
        JsonKind::Array => value.array().is_ok_and(|list| list.is_some_and(|list| list.is_empty())),
        JsonKind::Object => {
            value.object().is_ok_and(|fields| fields.is_some_and(|fields| fields.all().next().is_none()))
        }
        JsonKind::Bool | JsonKind::Number => false,
    }
}

fn is_off(setting: &Json<'_>) -> bool {
    let threshold = setting.object().ok().flatten().and_then(|setting| setting.peek("threshold")?.text());
    matches!(threshold.as_deref(), Some("OFF" | "BLOCK_NONE" | "HARM_BLOCK_THRESHOLD_UNSPECIFIED"))
}

/// Whether a place is the one that is declared.
fn is_at(place: &str, declared: &str) -> bool {
    let (mut place, mut declared) = (place.as_bytes(), declared.as_bytes());
    loop {
        match (place, declared) {
            ([], []) => return true,
            ([b'[', inside @ ..], [b'[', b']', behind @ ..]) => {
                let Some(end) = inside.iter().position(|byte| *byte == b']') else { return false };
                if !inside[..end].iter().all(u8::is_ascii_digit) {
                    return false;
                }
                (place, declared) = (&inside[end + 1..], behind);
            }
            ([one, rest @ ..], [other, behind @ ..]) if one == other => (place, declared) = (rest, behind),
            _ => return false,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_place_is_found_in_any_element_of_a_list() {
        let class = |dialect, place| OwnField::find(dialect, place).map(|field| field.name);
        assert_eq!(class(Dialect::OpenAiChat, "logit_bias"), Some("logit_bias"));
        assert_eq!(
            class(Dialect::Anthropic, "tools[12].eager_input_streaming"),
            Some("tools[].eager_input_streaming")
        );
        for unknown in [
            "thinking.novelty",
            "betas[0]",
            "logit_biases",
            "logit",
            "tools[x].defer_loading",
            "tools.defer_loading",
            "tools[1",
        ] {
            assert_eq!(class(Dialect::OpenAiChat, unknown), None, "{unknown}");
            assert_eq!(class(Dialect::Anthropic, unknown), None, "{unknown}");
        }
    }

    #[test]
    fn empty_and_usual_values_say_nothing() {
        let says_nothing = |dialect, place, value: &str| {
            OwnField::find(dialect, place).unwrap().says_nothing(Json::parse(value.as_bytes()).unwrap())
        };
        assert!(says_nothing(Dialect::OpenAiChat, "logit_bias", "{ }"));
        assert!(!says_nothing(Dialect::OpenAiChat, "logit_bias", r#"{"5":1}"#));
        assert!(says_nothing(Dialect::Gemini, "safetySettings", "[]"));
        let settings = |threshold| format!(r#"[{{"category":"a","threshold":"{threshold}"}}]"#);
        assert!(says_nothing(Dialect::Gemini, "safetySettings", &settings("BLOCK_NONE")));
        assert!(!says_nothing(Dialect::Gemini, "safetySettings", &settings("BLOCK_LOW_AND_ABOVE")));
        assert!(says_nothing(Dialect::Cohere, "safety_mode", r#""OFF""#));
    }
}
