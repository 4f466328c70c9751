//! The words of a route: strategies, what a target must be able to do, ready-made conditions.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// How a tier orders its targets.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Strategy {
    /// As they are listed.
    #[default]
    Priority,
    /// By chance, as their weights say.
    Weighted,
    /// The lowest 95th percentile of the time to the first token first, of probes and live traffic.
    LowestLatency,
    /// The better one of two drawn by chance: fewest requests in flight, weighed by recent time to the first token.
    LeastLoaded,
    /// The lowest expected cost first, of those that can do what the request needs.
    Cheapest,
    /// The nearest region to the proxy's first.
    Nearest,
    /// The same target for the same session, user or beginning of a prompt.
    Sticky,
}

impl Strategy {
    /// The name users write.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Priority => "priority",
            Self::Weighted => "weighted",
            Self::LowestLatency => "lowest_latency",
            Self::LeastLoaded => "least_loaded",
            Self::Cheapest => "cheapest",
            Self::Nearest => "nearest",
            Self::Sticky => "sticky",
        }
    }
}

/// What keeps to a target under `sticky`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum StickyBy {
    /// `x-portcullis-session`, else the user, else the beginning of the prompt.
    #[default]
    Session,
    /// The end user, else the beginning of the prompt.
    User,
    /// The beginning of the prompt: what providers cache.
    Prompt,
}

/// What a target must be able to do to be used for a request.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct Require {
    /// `fits`: input and output must fit into the model's context.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub context: Option<ContextNeed>,
    /// Whatever the request uses (tools, images, a JSON schema, reasoning) must be known of the model.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub capabilities: Option<CapabilityNeed>,
}

/// How a model's context is looked at.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum ContextNeed {
    /// The estimated input and the output limit must fit.
    Fits,
}

/// How a model's capabilities are looked at.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum CapabilityNeed {
    /// A model of which it is unknown is used; one that is known not to have it is not.
    NotMissing,
    /// Only a model that is known to have it is used.
    Known,
}

/// A condition that is ready-made; the documentation has what each is in CEL.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Preset {
    /// Little input, no tools, no media.
    SmallPrompt,
    /// Much input.
    LongContext,
    /// Reasoning was asked for.
    Reasoning,
    /// Much of what the user says is program text.
    Code,
    /// There are images.
    Vision,
    /// There are tools.
    Tools,
}

impl Preset {
    /// Every preset.
    pub const ALL: [Self; 6] =
        [Self::SmallPrompt, Self::LongContext, Self::Reasoning, Self::Code, Self::Vision, Self::Tools];

    /// The name users write.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::SmallPrompt => "small_prompt",
            Self::LongContext => "long_context",
            Self::Reasoning => "reasoning",
            Self::Code => "code",
            Self::Vision => "vision",
            Self::Tools => "tools",
        }
    }
}
