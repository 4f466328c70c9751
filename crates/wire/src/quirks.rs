//! What is odd about a provider that speaks somebody else's dialect (docs/spec/providers.md#deviations), as a flat list
//! of facts.

/// Where a compatible provider departs from the dialect that it copied; the encoders obey it.
///
/// A field that a provider does not know is treated as one that its dialect does not have.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Quirks {
    /// Knows `max_tokens` and not `max_completion_tokens`.
    pub old_limit_name: bool,
    /// Refuses `stream_options`.
    pub no_stream_options: bool,
    /// Knows no role `developer`: it becomes `system`.
    pub no_developer_role: bool,
    /// Refuses `name` on messages.
    pub no_names: bool,
    /// Takes content as one string where there is only text.
    pub string_content: bool,
    /// A trailing assistant message must say `prefix: true` to be continued (Mistral).
    pub prefix_flag: bool,
    /// Ids of calls have exactly nine letters and digits (Mistral).
    pub nine_letter_ids: bool,
    /// Knows no `strict` at functions and schemas.
    pub no_strict: bool,
    /// Refuses `$schema` and `$id` at the top of a function's schema.
    pub no_schema_keywords: bool,
    /// Knows no `json_object`.
    pub no_json_object: bool,
    /// Which values of `tool_choice` it knows.
    pub tool_choice: ToolChoices,
    /// Refuses `parallel_tool_calls`.
    pub no_parallel_flag: bool,
    /// Streams arguments only with `tool_stream: true` (GLM).
    pub tool_stream: bool,
    /// What it calls `seed`.
    pub seed: Seed,
    /// Takes `top_k`, which the dialect has not.
    pub top_k: bool,
    /// Refuses penalties.
    pub no_penalties: bool,
    /// Refuses `logprobs`.
    pub no_logprobs: bool,
    /// Refuses `n` above 1.
    pub no_choices: bool,
    /// Temperature ends at 1.
    pub temperature_to_one: bool,
    /// Knows nothing of an OpenAI account: `user`, `metadata`, `store`, `service_tier`.
    pub no_account_fields: bool,
    /// Refuses `service_tier`.
    pub no_service_tier: bool,
    /// Refuses `verbosity`.
    pub no_verbosity: bool,
    /// How it is told to think.
    pub thinking: Thinking,
    /// The efforts it knows.
    pub efforts: Efforts,
    /// Where it wants its thoughts back.
    pub thoughts_back: ReasoningReplay,
    /// How prompts are marked for its cache.
    pub cache_marks: CacheMarks,
    /// Speaks Anthropic's dialect for Anthropic's models alone: it serves those of others as well.
    pub messages_for_claude: bool,
    /// Top-level fields that every call needs, with their JSON (`reasoning_split` of MiniMax).
    pub always: &'static [(&'static str, &'static str)],
}

/// Values of `tool_choice` that a provider knows.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ToolChoices {
    /// All of them.
    All,
    /// All but `allowed_tools`: the list of tools is cut down instead, which is the same.
    NoAllowed,
    /// The same, and `required` is called `any` (Mistral).
    Any,
    /// The same as [`Self::NoAllowed`] without `required`.
    NoRequired,
    /// The same as [`Self::NoAllowed`] without a named tool: the list of tools is cut down to it.
    NoNamed,
    /// `auto` and `none`.
    AutoNone,
    /// `auto`.
    Auto,
    /// The field is not known.
    Unknown,
}

/// What a provider calls `seed`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Seed {
    /// `seed`
    Seed,
    /// `random_seed` (Mistral)
    RandomSeed,
    /// It has none.
    None,
}

/// How a provider is told whether and how hard to think.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Thinking {
    /// `reasoning_effort`
    Effort,
    /// `thinking: {type: enabled | disabled}`, and `reasoning_effort` (DeepSeek)
    TypeAndEffort,
    /// `thinking: {type: enabled | disabled}` (GLM, Moonshot)
    Type,
    /// `enable_thinking`, `thinking_budget` (Qwen)
    Enable,
    /// `reasoning: {effort, max_tokens, enabled}` (OpenRouter)
    Object,
    /// Not at all.
    None,
}

/// The efforts that a provider knows; others become the nearest.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Efforts {
    /// All of OpenAI's.
    All,
    /// Up to `xhigh` (OpenRouter).
    ToXHigh,
    /// `low`, `medium`, `high`.
    LowToHigh,
    /// `low`, `high`, `max` (DeepSeek).
    LowHighMax,
}

/// Where a provider wants its thoughts back in later calls.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ReasoningReplay {
    /// Nowhere.
    Nowhere,
    /// `reasoning_content`; messages with calls must have it (DeepSeek, Moonshot).
    ReasoningContent,
    /// `reasoning`
    Reasoning,
    /// `reasoning_details`, as it wrote them (OpenRouter, MiniMax).
    ReasoningDetails,
    /// A part `{type: thinking, thinking: […]}` of the content (Mistral).
    ThinkingPart,
}

/// How a part of a prompt is marked for a provider's cache.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum CacheMarks {
    /// Not at all.
    None,
    /// `prompt_cache_breakpoint` (OpenAI)
    Breakpoint,
    /// `cache_control`, as Anthropic has it (OpenRouter)
    CacheControl,
}

impl Quirks {
    /// Nothing odd: what OpenAI's own dialect says, without marks for its cache.
    pub const NONE: Self = Self {
        old_limit_name: false,
        no_stream_options: false,
        no_developer_role: false,
        no_names: false,
        string_content: false,
        prefix_flag: false,
        nine_letter_ids: false,
        no_strict: false,
        no_schema_keywords: false,
        no_json_object: false,
        tool_choice: ToolChoices::All,
        no_parallel_flag: false,
        tool_stream: false,
        seed: Seed::Seed,
        top_k: false,
        no_penalties: false,
        no_logprobs: false,
        no_choices: false,
        temperature_to_one: false,
        no_account_fields: false,
        no_service_tier: false,
        no_verbosity: false,
        thinking: Thinking::Effort,
        efforts: Efforts::All,
        thoughts_back: ReasoningReplay::Nowhere,
        cache_marks: CacheMarks::None,
        messages_for_claude: false,
        always: &[],
    };
}

impl Default for Quirks {
    fn default() -> Self {
        Self::NONE
    }
}
