//! The rows: where each provider is, what it speaks and what is odd about it (docs/spec/providers.md#deviations, state
//! of November 2026).

use super::{Addressing, Auth, BasePath, DialectEndpoint, ProviderRow};
use crate::{
    dialect::Dialect::{self, Anthropic, Bedrock, Cohere, Gemini, OpenAiChat, OpenAiResponses},
    quirks::{CacheMarks, Efforts, Quirks, ReasoningReplay, Seed, Thinking, ToolChoices},
};

/// A dialect behind the base URL.
pub(super) const fn at_base(dialect: Dialect) -> DialectEndpoint {
    DialectEndpoint { dialect, root: BasePath::Base }
}

/// A dialect behind another path of the same host.
const fn at(dialect: Dialect, path: &'static str) -> DialectEndpoint {
    DialectEndpoint { dialect, root: BasePath::Instead(path) }
}

const CHAT: &[DialectEndpoint] = &[at_base(OpenAiChat)];
const CHAT_AND_RESPONSES: &[DialectEndpoint] = &[at_base(OpenAiChat), at_base(OpenAiResponses)];
/// Local servers: OpenAI's dialects under `/v1`, Anthropic's beside it.
const LOCAL: &[DialectEndpoint] = &[at_base(OpenAiChat), at_base(OpenAiResponses), at(Anthropic, "")];

/// A row that copied OpenAI Chat; others write what differs.
const COMPATIBLE: ProviderRow = ProviderRow {
    kind: "custom",
    base_url: None,
    auth: Auth::Bearer,
    speaks: CHAT,
    addressing: Addressing::Standard,
    limits_per_model: false,
    quirks: Quirks::NONE,
    genai_name: "custom",
    retired: None,
};

/// A compatible vendor with the name it has in telemetry as well.
const fn vendor(kind: &'static str, base_url: &'static str) -> ProviderRow {
    ProviderRow { kind, base_url: Some(base_url), genai_name: kind, ..COMPATIBLE }
}

/// What nearly every vendor that is not OpenAI lacks.
const VENDOR: Quirks = Quirks {
    no_developer_role: true,
    tool_choice: ToolChoices::NoAllowed,
    no_account_fields: true,
    no_service_tier: true,
    no_verbosity: true,
    efforts: Efforts::LowToHigh,
    ..Quirks::NONE
};
/// The same with the older name of the output limit.
const OLD_NAMES: Quirks = Quirks { old_limit_name: true, ..VENDOR };

pub(super) static ROWS: [ProviderRow; 38] = [
    // Those who made a dialect.
    ProviderRow {
        speaks: CHAT_AND_RESPONSES,
        quirks: Quirks { cache_marks: CacheMarks::Breakpoint, ..Quirks::NONE },
        limits_per_model: true,
        ..vendor("openai", "https://api.openai.com/v1")
    },
    ProviderRow {
        auth: Auth::Header("x-api-key"),
        speaks: &[at_base(Anthropic)],
        limits_per_model: true,
        ..vendor("anthropic", "https://api.anthropic.com")
    },
    ProviderRow {
        auth: Auth::Header("x-goog-api-key"),
        speaks: &[at_base(Gemini)],
        genai_name: "gcp.gemini",
        limits_per_model: true,
        ..vendor("gemini", "https://generativelanguage.googleapis.com")
    },
    ProviderRow { speaks: &[at_base(Cohere)], ..vendor("cohere", "https://api.cohere.com") },
    // Clouds.
    ProviderRow {
        auth: Auth::Header("api-key"),
        speaks: CHAT_AND_RESPONSES,
        genai_name: "azure.ai.openai",
        limits_per_model: true,
        ..vendor("azure-openai", "https://{resource}.openai.azure.com/openai/v1")
    },
    ProviderRow {
        auth: Auth::Header("api-key"),
        addressing: Addressing::AzureDeployments { api_version: "2024-10-21" },
        genai_name: "azure.ai.openai",
        limits_per_model: true,
        ..vendor("azure-openai-classic", "https://{resource}.openai.azure.com")
    },
    ProviderRow {
        auth: Auth::Aws,
        speaks: &[at_base(Bedrock), at(Anthropic, "/anthropic")],
        quirks: Quirks { messages_for_claude: true, ..Quirks::NONE },
        genai_name: "aws.bedrock",
        limits_per_model: true,
        ..vendor("bedrock", "https://bedrock-runtime.{region}.amazonaws.com")
    },
    ProviderRow {
        auth: Auth::Google,
        speaks: &[at_base(Gemini), at_base(Anthropic)],
        addressing: Addressing::Vertex,
        genai_name: "gcp.vertex_ai",
        limits_per_model: true,
        ..vendor(
            "vertex",
            "https://{region}-aiplatform.googleapis.com/v1/projects/{project}/locations/{region}",
        )
    },
    ProviderRow {
        speaks: &[at_base(OpenAiChat), at(Anthropic, "/anthropic")],
        quirks: Quirks { messages_for_claude: true, ..OLD_NAMES },
        ..vendor("databricks", "https://{host}/serving-endpoints")
    },
    ProviderRow {
        quirks: OLD_NAMES,
        ..vendor("cloudflare", "https://api.cloudflare.com/client/v4/accounts/{account}/ai/v1")
    },
    // Those who make models and copied a dialect.
    ProviderRow {
        quirks: Quirks {
            prefix_flag: true,
            nine_letter_ids: true,
            no_strict: true,
            no_schema_keywords: true,
            no_names: true,
            tool_choice: ToolChoices::Any,
            seed: Seed::RandomSeed,
            no_logprobs: true,
            thoughts_back: ReasoningReplay::ThinkingPart,
            ..OLD_NAMES
        },
        genai_name: "mistral_ai",
        ..vendor("mistral", "https://api.mistral.ai/v1")
    },
    ProviderRow {
        speaks: &[at_base(OpenAiChat), at(Anthropic, "/anthropic")],
        quirks: Quirks {
            thinking: Thinking::TypeAndEffort,
            efforts: Efforts::LowHighMax,
            thoughts_back: ReasoningReplay::ReasoningContent,
            ..OLD_NAMES
        },
        ..vendor("deepseek", "https://api.deepseek.com")
    },
    ProviderRow {
        // Its chat completions are deprecated.
        speaks: &[at_base(OpenAiResponses), at_base(OpenAiChat)],
        quirks: VENDOR,
        genai_name: "x_ai",
        ..vendor("xai", "https://api.x.ai/v1")
    },
    ProviderRow {
        // Its chat completions ended on 27 September 2026.
        speaks: &[at_base(OpenAiResponses)],
        quirks: VENDOR,
        ..vendor("perplexity", "https://api.perplexity.ai/v1")
    },
    ProviderRow {
        speaks: &[at_base(OpenAiChat), at(Anthropic, "/anthropic")],
        quirks: Quirks {
            temperature_to_one: true,
            thinking: Thinking::Type,
            thoughts_back: ReasoningReplay::ReasoningContent,
            tool_choice: ToolChoices::NoRequired,
            ..OLD_NAMES
        },
        genai_name: "moonshot_ai",
        ..vendor("moonshot", "https://api.moonshot.ai/v1")
    },
    ProviderRow {
        speaks: &[at_base(OpenAiChat), at(Anthropic, "/api/anthropic")],
        quirks: Quirks {
            tool_choice: ToolChoices::Auto,
            tool_stream: true,
            thinking: Thinking::Type,
            thoughts_back: ReasoningReplay::ReasoningContent,
            no_logprobs: true,
            ..OLD_NAMES
        },
        ..vendor("zhipu", "https://api.z.ai/api/paas/v4")
    },
    ProviderRow {
        speaks: &[at_base(OpenAiChat), at_base(OpenAiResponses), at(Anthropic, "/apps/anthropic")],
        quirks: Quirks { thinking: Thinking::Enable, top_k: true, ..OLD_NAMES },
        ..vendor("qwen", "https://dashscope-intl.aliyuncs.com/compatible-mode/v1")
    },
    ProviderRow {
        speaks: &[at_base(OpenAiChat), at(Anthropic, "/anthropic"), at_base(OpenAiResponses)],
        quirks: Quirks {
            tool_choice: ToolChoices::Unknown,
            thinking: Thinking::None,
            thoughts_back: ReasoningReplay::ReasoningDetails,
            always: &[("reasoning_split", "true")],
            ..VENDOR
        },
        ..vendor("minimax", "https://api.minimax.io/v1")
    },
    ProviderRow {
        quirks: OLD_NAMES,
        retired: Some("its API ended on 2026-08-09"),
        ..vendor("ai21", "https://api.ai21.com/studio/v1")
    },
    // Those who serve other people's models.
    ProviderRow {
        speaks: CHAT_AND_RESPONSES,
        quirks: Quirks { no_logprobs: true, no_names: true, no_choices: true, ..VENDOR },
        limits_per_model: true,
        ..vendor("groq", "https://api.groq.com/openai/v1")
    },
    ProviderRow { quirks: OLD_NAMES, ..vendor("together", "https://api.together.ai/v1") },
    ProviderRow {
        speaks: &[at_base(OpenAiChat), at(Anthropic, "/inference")],
        quirks: Quirks {
            top_k: true,
            // Without it an input that is too long silently lowers the output limit.
            always: &[("context_length_exceeded_behavior", "\"error\"")],
            ..OLD_NAMES
        },
        ..vendor("fireworks", "https://api.fireworks.ai/inference/v1")
    },
    ProviderRow {
        speaks: &[at_base(OpenAiChat), at_base(OpenAiResponses), at(Anthropic, "/api")],
        quirks: Quirks {
            top_k: true,
            thinking: Thinking::Object,
            efforts: Efforts::ToXHigh,
            thoughts_back: ReasoningReplay::ReasoningDetails,
            cache_marks: CacheMarks::CacheControl,
            ..OLD_NAMES
        },
        ..vendor("openrouter", "https://openrouter.ai/api/v1")
    },
    ProviderRow {
        quirks: Quirks {
            no_penalties: true,
            no_parallel_flag: true,
            tool_choice: ToolChoices::AutoNone,
            ..VENDOR
        },
        ..vendor("cerebras", "https://api.cerebras.ai/v1")
    },
    ProviderRow {
        quirks: Quirks {
            string_content: true,
            no_penalties: true,
            no_logprobs: true,
            no_choices: true,
            seed: Seed::None,
            ..OLD_NAMES
        },
        ..vendor("sambanova", "https://api.sambanova.ai/v1")
    },
    ProviderRow {
        quirks: Quirks { no_logprobs: true, no_choices: true, ..OLD_NAMES },
        ..vendor("nvidia", "https://integrate.api.nvidia.com/v1")
    },
    ProviderRow {
        speaks: CHAT_AND_RESPONSES,
        quirks: OLD_NAMES,
        ..vendor("huggingface", "https://router.huggingface.co/v1")
    },
    ProviderRow {
        retired: Some("it was retired on 2026-07-30"),
        ..vendor("github-models", "https://models.github.ai/inference")
    },
    ProviderRow {
        quirks: Quirks { no_logprobs: true, no_stream_options: true, ..OLD_NAMES },
        ..vendor("hyperbolic", "https://api.hyperbolic.xyz/v1")
    },
    ProviderRow {
        speaks: &[at_base(OpenAiChat), at(Anthropic, "/anthropic")],
        quirks: OLD_NAMES,
        ..vendor("novita", "https://api.novita.ai/openai/v1")
    },
    ProviderRow {
        speaks: &[at_base(OpenAiChat), at(Anthropic, "/anthropic")],
        quirks: Quirks { tool_choice: ToolChoices::AutoNone, ..OLD_NAMES },
        ..vendor("deepinfra", "https://api.deepinfra.com/v1/openai")
    },
    ProviderRow { quirks: OLD_NAMES, ..vendor("nebius", "https://api.tokenfactory.nebius.com/v1") },
    // Servers of one's own.
    ProviderRow {
        auth: Auth::Optional,
        speaks: LOCAL,
        quirks: Quirks { no_choices: true, thoughts_back: ReasoningReplay::Reasoning, ..OLD_NAMES },
        ..vendor("ollama", "http://localhost:11434/v1")
    },
    ProviderRow {
        auth: Auth::Optional,
        speaks: LOCAL,
        quirks: Quirks { top_k: true, thoughts_back: ReasoningReplay::Reasoning, ..VENDOR },
        ..vendor("vllm", "http://localhost:8000/v1")
    },
    ProviderRow {
        auth: Auth::Optional,
        speaks: &[at_base(OpenAiChat), at(Anthropic, "")],
        quirks: Quirks { top_k: true, thoughts_back: ReasoningReplay::ReasoningContent, ..OLD_NAMES },
        ..vendor("llama-cpp", "http://localhost:8080/v1")
    },
    ProviderRow {
        auth: Auth::Optional,
        speaks: LOCAL,
        quirks: Quirks { no_json_object: true, ..OLD_NAMES },
        ..vendor("lm-studio", "http://localhost:1234/v1")
    },
    // Whatever else speaks one of the dialects.
    COMPATIBLE,
    ProviderRow { kind: "simulator", genai_name: "simulator", ..COMPATIBLE },
];
