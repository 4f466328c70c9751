//! The fields of the canonical call: what the loss of each one means, and the name that each dialect gives it.
//!
//! `docs/spec/fields.md` is checked against this table and that of [`super::own_field`].

use crate::dialect::Dialect;

/// What the loss of a field means.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum FieldClass {
    /// An answer without it means the same: left out and listed, refused in strict mode only.
    Hint,
    /// It changes what the answer means: refused, unless leniency is on.
    Meaning,
}

/// What is declared of a field.
#[derive(Clone, Copy, Debug)]
pub struct FieldRow {
    /// The field.
    pub field: Field,
    /// What its loss means.
    pub class: FieldClass,
    /// Names in the order of [`Dialect::ALL`]; empty: the dialect has no such field, so its clients cannot send it.
    pub names: [&'static str; 6],
    /// Why it is of its class.
    pub reason: &'static str,
}

/// Declares the fields, each in one line: name, class, names in the order of [`Dialect::ALL`], and why it is of its
/// class.
macro_rules! fields {
    ($($field:ident $class:ident [$($name:literal)*] $reason:literal)*) => {
        /// A field of a call that some target cannot express.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
        pub enum Field {
            $(#[doc = concat!("Its loss: ", $reason, ".")] $field,)*
        }

        impl Field {
            /// Every field.
            pub const TABLE: &'static [FieldRow] = &[
                $(FieldRow {
                    field: Self::$field,
                    class: FieldClass::$class,
                    names: [$($name,)*],
                    reason: $reason,
                },)*
            ];
        }
    };
}

fields! {
    //                       OpenAI Chat, OpenAI Responses, Anthropic, Gemini, Cohere, Bedrock
    Temperature Hint        ["temperature" "temperature" "temperature" "generationConfig.temperature" "temperature" "inferenceConfig.temperature"]
        "chooses among answers that the model would give anyway"
    TopP Hint               ["top_p" "top_p" "top_p" "generationConfig.topP" "p" "inferenceConfig.topP"]
        "chooses among answers that the model would give anyway"
    TopK Hint               ["top_k" "" "top_k" "generationConfig.topK" "k" "additionalModelRequestFields.top_k"]
        "chooses among answers that the model would give anyway"
    Seed Hint               ["seed" "" "" "generationConfig.seed" "seed" ""]
        "repeats an answer at best; no provider promises it"
    FrequencyPenalty Hint   ["frequency_penalty" "" "" "generationConfig.frequencyPenalty" "frequency_penalty" ""]
        "chooses among words that mean the same"
    PresencePenalty Hint    ["presence_penalty" "" "" "generationConfig.presencePenalty" "presence_penalty" ""]
        "chooses among words that mean the same"
    Stop Meaning            ["stop" "" "stop_sequences" "generationConfig.stopSequences" "stop_sequences" "inferenceConfig.stopSequences"]
        "the answer ends elsewhere, and clients parse what is in front of it"
    Logprobs Meaning        ["logprobs" "include" "" "generationConfig.responseLogprobs" "logprobs" ""]
        "the client reads them from the answer"
    TopLogprobs Meaning     ["top_logprobs" "top_logprobs" "" "generationConfig.logprobs" "" ""]
        "the client reads them from the answer"
    Choices Meaning         ["n" "" "" "generationConfig.candidateCount" "" ""]
        "the client reads so many answers"
    MaxOutput Meaning       ["max_completion_tokens" "max_output_tokens" "max_tokens" "generationConfig.maxOutputTokens" "max_tokens" "inferenceConfig.maxTokens"]
        "bounds what the answer costs"
    ToolChoice Meaning      ["tool_choice" "tool_choice" "tool_choice" "toolConfig.functionCallingConfig" "tool_choice" "toolConfig.toolChoice"]
        "a call that must come, or must not, is what the client acts on"
    ParallelTools Hint      ["parallel_tool_calls" "parallel_tool_calls" "tool_choice.disable_parallel_tool_use" "" "" "additionalModelRequestFields.tool_choice"]
        "the same calls come, at once or one after the other"
    StrictTools Hint        ["tools[].function.strict" "tools[].strict" "tools[].strict" "toolConfig.functionCallingConfig.mode" "strict_tools" "toolConfig.tools[].toolSpec.strict"]
        "the model is given the schema either way, without a promise to keep to it"
    Format Meaning          ["response_format" "text.format" "output_config.format" "generationConfig.responseMimeType" "response_format" "outputConfig.textFormat"]
        "the client parses the answer by it"
    Effort Hint             ["reasoning_effort" "reasoning.effort" "output_config.effort" "generationConfig.thinkingConfig.thinkingLevel" "" "outputConfig.effort"]
        "how long the model thinks about the same question"
    Budget Hint             ["" "" "thinking.budget_tokens" "generationConfig.thinkingConfig.thinkingBudget" "thinking.token_budget" "additionalModelRequestFields.thinking"]
        "how long the model thinks about the same question"
    Reasoning Hint          ["reasoning_effort" "reasoning" "thinking" "generationConfig.thinkingConfig" "thinking" "additionalModelRequestFields.thinking"]
        "how long the model thinks about the same question"
    ShowReasoning Hint      ["" "reasoning.summary" "thinking.display" "generationConfig.thinkingConfig.includeThoughts" "" ""]
        "what is shown beside the answer"
    Verbosity Hint          ["verbosity" "text.verbosity" "" "" "" ""]
        "the same answer in more or fewer words"
    Metadata Hint           ["metadata" "metadata" "" "labels" "" "requestMetadata"]
        "for the provider's records; the model never sees it"
    User Hint               ["user" "user" "metadata.user_id" "" "" ""]
        "for the provider's abuse checks; the model never sees it"
    ServiceTier Hint        ["service_tier" "service_tier" "service_tier" "serviceTier" "priority" "serviceTier"]
        "how soon the same answer comes"
    Store Hint              ["store" "store" "" "store" "" ""]
        "what the provider keeps of the answer"
    Cache Hint              ["cache_control" "prompt_cache_breakpoint" "cache_control" "" "" "cachePoint"]
        "what the same answer costs"
    System Meaning          ["messages" "instructions" "system" "systemInstruction" "messages" "system"]
        "an instruction that the model would not read"
    SystemTurn Hint         ["messages[].role" "input[].role" "messages[].role" "contents[].role" "messages[].role" "messages[].role"]
        "a system message in mid-conversation reaches the model either way, at worst as text of the user between `<system>` tags"
    ParticipantName Hint    ["messages[].name" "" "" "" "" ""]
        "tells participants of one role apart"
}

impl Field {
    /// What is declared of it.
    #[must_use]
    pub fn row(self) -> &'static FieldRow {
        &Self::TABLE[self as usize]
    }

    /// What clients of a dialect call it; another dialect's name where that one has none.
    #[must_use]
    pub fn name_in(self, dialect: Dialect) -> &'static str {
        let names = self.row().names;
        let name = names[dialect as usize];
        if name.is_empty() {
            names.into_iter().find(|name| !name.is_empty()).unwrap_or("request")
        } else {
            name
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_field_has_the_clients_name_or_anothers() {
        assert_eq!(Field::TopP.name_in(Dialect::Cohere), "p");
        assert_eq!(Field::Stop.name_in(Dialect::OpenAiResponses), "stop");
        assert_eq!(Field::MaxOutput.name_in(Dialect::Bedrock), "inferenceConfig.maxTokens");
    }

    #[test]
    fn rows_are_in_the_order_of_the_fields() {
        for row in Field::TABLE {
            assert_eq!(row.field.row().field, row.field);
            assert!(row.names.iter().any(|name| !name.is_empty()), "{:?} has a name", row.field);
        }
    }
}
