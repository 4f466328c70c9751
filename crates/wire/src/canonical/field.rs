//! The canonical fields by the name that each dialect gives them, so that refusals speak the client's language.

use crate::dialect::Dialect;

/// A field of a call that some target cannot express.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[allow(missing_docs, reason = "the names are the fields of `Call`")]
pub enum Field {
    Temperature,
    TopP,
    TopK,
    Seed,
    FrequencyPenalty,
    PresencePenalty,
    Stop,
    Logprobs,
    TopLogprobs,
    Choices,
    MaxOutput,
    ToolChoice,
    ParallelTools,
    StrictTools,
    Format,
    Effort,
    Budget,
    Reasoning,
    ShowReasoning,
    Verbosity,
    Metadata,
    User,
    ServiceTier,
    Store,
    Cache,
    System,
    ParticipantName,
}

/// Names in the order of [`Dialect::ALL`]; empty: the dialect has no such field, so its clients cannot send it.
type Names = [&'static str; 6];

impl Field {
    /// What clients of a dialect call it; the canonical name where the dialect has none.
    #[must_use]
    pub fn name_in(self, dialect: Dialect) -> &'static str {
        let names = self.names();
        let name = names[dialect as usize];
        if name.is_empty() {
            names.into_iter().find(|name| !name.is_empty()).unwrap_or("request")
        } else {
            name
        }
    }

    #[rustfmt::skip]
    const fn names(self) -> Names {
        match self {
            //                        OpenAI Chat, OpenAI Responses, Anthropic, Gemini, Cohere, Bedrock
            Self::Temperature =>      ["temperature", "temperature", "temperature", "generationConfig.temperature", "temperature", "inferenceConfig.temperature"],
            Self::TopP =>             ["top_p", "top_p", "top_p", "generationConfig.topP", "p", "inferenceConfig.topP"],
            Self::TopK =>             ["", "", "top_k", "generationConfig.topK", "k", "additionalModelRequestFields.top_k"],
            Self::Seed =>             ["seed", "", "", "generationConfig.seed", "seed", ""],
            Self::FrequencyPenalty => ["frequency_penalty", "", "", "generationConfig.frequencyPenalty", "frequency_penalty", ""],
            Self::PresencePenalty =>  ["presence_penalty", "", "", "generationConfig.presencePenalty", "presence_penalty", ""],
            Self::Stop =>             ["stop", "", "stop_sequences", "generationConfig.stopSequences", "stop_sequences", "inferenceConfig.stopSequences"],
            Self::Logprobs =>         ["logprobs", "include", "", "generationConfig.responseLogprobs", "logprobs", ""],
            Self::TopLogprobs =>      ["top_logprobs", "top_logprobs", "", "generationConfig.logprobs", "", ""],
            Self::Choices =>          ["n", "", "", "generationConfig.candidateCount", "", ""],
            Self::MaxOutput =>        ["max_completion_tokens", "max_output_tokens", "max_tokens", "generationConfig.maxOutputTokens", "max_tokens", "inferenceConfig.maxTokens"],
            Self::ToolChoice =>       ["tool_choice", "tool_choice", "tool_choice", "toolConfig.functionCallingConfig", "tool_choice", "toolConfig.toolChoice"],
            Self::ParallelTools =>    ["parallel_tool_calls", "parallel_tool_calls", "tool_choice.disable_parallel_tool_use", "", "", "additionalModelRequestFields.tool_choice"],
            Self::StrictTools =>      ["tools[].function.strict", "tools[].strict", "tools[].strict", "toolConfig.functionCallingConfig.mode", "strict_tools", "toolConfig.tools[].toolSpec.strict"],
            Self::Format =>           ["response_format", "text.format", "output_config.format", "generationConfig.responseMimeType", "response_format", "outputConfig.textFormat"],
            Self::Effort =>           ["reasoning_effort", "reasoning.effort", "output_config.effort", "generationConfig.thinkingConfig.thinkingLevel", "", "outputConfig.effort"],
            Self::Budget =>           ["", "", "thinking.budget_tokens", "generationConfig.thinkingConfig.thinkingBudget", "thinking.token_budget", "additionalModelRequestFields.thinking"],
            Self::Reasoning =>        ["reasoning_effort", "reasoning", "thinking", "generationConfig.thinkingConfig", "thinking", "additionalModelRequestFields.thinking"],
            Self::ShowReasoning =>    ["", "reasoning.summary", "thinking.display", "generationConfig.thinkingConfig.includeThoughts", "", ""],
            Self::Verbosity =>        ["verbosity", "text.verbosity", "", "", "", ""],
            Self::Metadata =>         ["metadata", "metadata", "", "labels", "", "requestMetadata"],
            Self::User =>             ["user", "user", "metadata.user_id", "", "", ""],
            Self::ServiceTier =>      ["service_tier", "service_tier", "service_tier", "serviceTier", "priority", "serviceTier"],
            Self::Store =>            ["store", "store", "", "store", "", ""],
            Self::Cache =>            ["prompt_cache_breakpoint", "prompt_cache_breakpoint", "cache_control", "cachedContent", "", "cachePoint"],
            Self::System =>           ["messages", "instructions", "system", "systemInstruction", "messages", "system"],
            Self::ParticipantName =>  ["messages[].name", "", "", "", "", ""],
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_field_has_the_clients_name_or_somebodys() {
        assert_eq!(Field::TopP.name_in(Dialect::Cohere), "p");
        assert_eq!(Field::Stop.name_in(Dialect::OpenAiResponses), "stop");
        assert_eq!(Field::MaxOutput.name_in(Dialect::Bedrock), "inferenceConfig.maxTokens");
    }
}
