//! A call: what a client asks of a model, in no dialect's words.

use super::{CacheTtl, Part, Text};
use crate::{dialect::Dialect, json::Json};

/// One call of a model.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Call<'a> {
    /// What the client put into `model`, or into the path.
    pub model: Text<'a>,
    /// Whether the answer is to be streamed.
    pub stream: bool,
    /// Whether the client wants usage in the stream (OpenAI Chat leaves it out unless asked).
    pub stream_usage: bool,
    /// The conversation in order, system turns where they stand.
    pub turns: Vec<Turn<'a>>,
    /// Tools on offer.
    pub tools: Vec<Tool<'a>>,
    /// Which tool to call, if any, where the client says so.
    pub tool_choice: Option<ToolChoice<'a>>,
    /// Whether several calls may come at once, where the client says so.
    pub parallel_tools: Option<bool>,
    /// The form of the answer.
    pub format: OutputFormat<'a>,
    /// How the answer is drawn.
    pub sampling: Sampling<'a>,
    /// Most output tokens, reasoning included.
    pub max_output: Option<u64>,
    /// Thinking.
    pub reasoning: Reasoning,
    /// `low`, `medium`, `high`.
    pub verbosity: Option<Text<'a>>,
    /// Pairs the provider stores with the call.
    pub metadata: Vec<(Text<'a>, Text<'a>)>,
    /// The end user, for the provider's abuse checks.
    pub user: Option<Text<'a>>,
    /// Which queue the provider should serve it from.
    pub service_tier: Option<ServiceTier<'a>>,
    /// Whether the provider should store the call.
    pub store: Option<bool>,
    /// A cache mark at the whole prompt's end (Anthropic's top-level `cache_control`).
    pub cache: Option<CacheTtl>,
    /// Fields that the canonical call has no place for, in their own dialect's words.
    pub extra: Vec<Extra<'a>>,
}

/// A field outside the canonical call: a documented one of its dialect (see [`super::OwnField`]) or an unknown one.
/// Neither is written into a body of another dialect.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Extra<'a> {
    /// Its place in the body: the name of a top-level field, or a path like `messages[0].content[1].novelty`.
    pub name: Text<'a>,
    /// Its value, as it is written.
    pub value: Json<'a>,
}

impl Extra<'_> {
    /// Whether it is a top-level field of the body.
    #[must_use]
    pub fn is_top(&self) -> bool {
        !self.name.contains(['.', '['])
    }
}

/// One turn of the conversation.
///
/// Decoders join what a dialect spreads over several messages and split what it heaps into one: results of tools
/// stand in a turn of [`Role::Tool`] of their own, in front of what the user says next.
#[derive(Clone, Debug, PartialEq)]
pub struct Turn<'a> {
    /// Who speaks.
    pub role: Role,
    /// What is said.
    pub parts: Vec<Part<'a>>,
    /// The participant's name (OpenAI).
    pub name: Option<Text<'a>>,
}

/// Who speaks.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Role {
    /// The operator of the model.
    System,
    /// The same, as OpenAI's newer models call it.
    Developer,
    /// The user.
    User,
    /// The model.
    Assistant,
    /// Tools: every part is a [`super::PartKind::ToolResult`].
    Tool,
}

/// A tool on offer.
#[derive(Clone, Debug, PartialEq)]
pub struct Tool<'a> {
    /// Its name.
    pub name: Text<'a>,
    /// What it is for.
    pub description: Option<Text<'a>>,
    /// JSON Schema of its arguments, if it takes any.
    pub schema: Option<Json<'a>>,
    /// Whether arguments must obey the schema, where the client says so.
    pub strict: Option<bool>,
    /// A cache mark behind it.
    pub cache: Option<CacheTtl>,
    /// A tool that is no function with a schema (built-in, free-form): all of it, in its dialect's words; ✗ elsewhere.
    pub foreign: Option<Json<'a>>,
}

/// Whether and what the model must call.
#[derive(Clone, Debug, PartialEq)]
pub struct ToolChoice<'a> {
    /// How.
    pub mode: ToolMode<'a>,
    /// Only these tools may be called, by name; empty: all.
    pub allowed: Vec<Text<'a>>,
}

/// How tools are chosen.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ToolMode<'a> {
    /// As the model likes.
    Auto,
    /// None.
    None,
    /// At least one.
    Required,
    /// This one.
    Named(Text<'a>),
}

/// The form of the answer.
#[derive(Clone, Debug, Default, PartialEq)]
pub enum OutputFormat<'a> {
    /// Text.
    #[default]
    Text,
    /// Any JSON object.
    Json,
    /// JSON that obeys a schema.
    Schema(Schema<'a>),
}

/// A schema of the answer.
#[derive(Clone, Debug, PartialEq)]
pub struct Schema<'a> {
    /// Its name.
    pub name: Option<Text<'a>>,
    /// What it is for.
    pub description: Option<Text<'a>>,
    /// The JSON Schema, as it was written.
    pub schema: Json<'a>,
    /// Whether it must be obeyed to the letter, where the client says so.
    pub strict: Option<bool>,
}

/// How the answer is drawn; numbers stay as they were written.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Sampling<'a> {
    /// Temperature.
    pub temperature: Option<Json<'a>>,
    /// Nucleus.
    pub top_p: Option<Json<'a>>,
    /// Most likely tokens only.
    pub top_k: Option<Json<'a>>,
    /// Seed.
    pub seed: Option<Json<'a>>,
    /// By how often a token stands there already.
    pub frequency_penalty: Option<Json<'a>>,
    /// By whether it does.
    pub presence_penalty: Option<Json<'a>>,
    /// Texts that end the answer.
    pub stop: Vec<Text<'a>>,
    /// Whether log-probabilities of the answer's tokens are wanted.
    pub logprobs: bool,
    /// And of how many alternatives each.
    pub top_logprobs: Option<u64>,
    /// How many answers; 0 or 1: one.
    pub choices: u64,
}

/// Thinking, as asked for.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Reasoning {
    /// How hard.
    pub effort: Option<Effort>,
    /// At most so many tokens.
    pub budget: Option<u64>,
    /// On, off, or as the model likes.
    pub mode: Option<ReasoningMode>,
    /// How much of it is shown.
    pub show: Option<Show>,
}

/// Whether the model thinks.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ReasoningMode {
    /// Off.
    Off,
    /// On.
    On,
    /// As the model likes (`adaptive`, Gemini's budget −1).
    Adaptive,
}

/// How hard the model thinks.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
#[allow(missing_docs, reason = "the names are the values")]
pub enum Effort {
    None,
    Minimal,
    Low,
    Medium,
    High,
    XHigh,
    Max,
}

/// How much of the thoughts is shown.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Show {
    /// Nothing.
    Hidden,
    /// A summary as the provider likes it.
    Auto,
    /// A short summary.
    Concise,
    /// A long one, or the thoughts themselves.
    Detailed,
}

/// A provider's queue, in the client's words.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ServiceTier<'a>(pub Text<'a>);

impl Effort {
    /// Every effort with its name in OpenAI's words, lowest first.
    pub const ALL: [(Self, &'static str); 7] = [
        (Self::None, "none"),
        (Self::Minimal, "minimal"),
        (Self::Low, "low"),
        (Self::Medium, "medium"),
        (Self::High, "high"),
        (Self::XHigh, "xhigh"),
        (Self::Max, "max"),
    ];

    /// The name in OpenAI's words.
    #[must_use]
    pub const fn name(self) -> &'static str {
        Self::ALL[self as usize].1
    }

    /// Reads the name.
    #[must_use]
    pub fn from_name(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|(_, known)| *known == name).map(|(effort, _)| effort)
    }

    /// The budget in tokens for targets that know only budgets; always below the output limit, if there is one.
    #[must_use]
    pub fn budget(self, max_output: Option<u64>) -> u64 {
        let below = max_output.map_or(u64::MAX, |limit| limit.saturating_sub(1));
        let wanted = match self {
            Self::None => 0,
            Self::Minimal => 1_024,
            Self::Low => 2_048,
            Self::Medium => 8_192,
            Self::High => 16_384,
            Self::XHigh => 32_768,
            Self::Max => below.min(131_072),
        };
        wanted.min(below)
    }

    /// The effort for a budget: the nearest that is not above it.
    #[must_use]
    pub const fn from_budget(budget: u64) -> Self {
        match budget {
            0 => Self::None,
            1..2_048 => Self::Minimal,
            2_048..8_192 => Self::Low,
            8_192..16_384 => Self::Medium,
            16_384..32_768 => Self::High,
            _ => Self::XHigh,
        }
    }
}

impl Reasoning {
    /// How hard the model is to think, where the client says so.
    pub(crate) fn asked_effort(&self) -> Option<Effort> {
        match self.mode {
            Some(ReasoningMode::Off) => Some(Effort::None),
            _ => self.effort.or(self.budget.map(Effort::from_budget)),
        }
    }

    /// Whether thinking is asked for.
    #[must_use]
    pub fn wanted(&self) -> bool {
        let off = self.mode == Some(ReasoningMode::Off)
            || self.effort == Some(Effort::None)
            || self.budget == Some(0);
        !off && (self.mode.is_some() || self.effort.is_some() || self.budget.is_some())
    }

    /// How much of the thoughts the client expects to see: some dialects show them unless told otherwise, or have no
    /// word for it (docs/spec/reasoning.md#showing-reasoning), while some targets hide them unless told otherwise.
    #[must_use]
    pub fn expected(&self, client: Dialect) -> Option<Show> {
        use Dialect as D;
        let shows = matches!(client, D::OpenAiChat | D::Anthropic | D::Cohere | D::Bedrock);
        self.show.or((shows && self.wanted()).then_some(Show::Auto))
    }
}

impl<'a> Turn<'a> {
    /// A turn without a participant's name.
    #[must_use]
    pub const fn new(role: Role, parts: Vec<Part<'a>>) -> Self {
        Self { role, parts, name: None }
    }
}

impl Role {
    /// Whether it speaks for the operator.
    #[must_use]
    pub const fn is_system(self) -> bool {
        matches!(self, Self::System | Self::Developer)
    }
}

impl Call<'_> {
    /// How many of the first turns are system turns: what dialects with a system field put there.
    #[must_use]
    pub fn leading_system(&self) -> usize {
        self.turns.iter().take_while(|turn| turn.role.is_system()).count()
    }

    /// The names of the tools that were called in the conversation, each once: what a target that refuses calls in a
    /// history without tools on offer is offered (docs/spec/requests.md#tools).
    #[must_use]
    pub fn called_tools(&self) -> Vec<&str> {
        let mut seen = std::collections::HashSet::new();
        let called = self.turns.iter().flat_map(|turn| &turn.parts).filter_map(|part| match &part.kind {
            super::PartKind::ToolCall(call) => Some(&*call.name),
            _ => None,
        });
        called.filter(|name| seen.insert(*name)).collect()
    }

    /// Whether calls or results of tools stand in the conversation.
    #[must_use]
    pub fn has_tool_history(&self) -> bool {
        use super::PartKind as P;
        self.turns
            .iter()
            .flat_map(|turn| &turn.parts)
            .any(|part| matches!(part.kind, P::ToolCall(_) | P::ToolResult(_)))
    }
}
