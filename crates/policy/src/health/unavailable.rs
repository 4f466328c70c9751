//! Why a credential is not to be used now.

use std::time::Duration;

/// A key that is not to be used now.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Unavailable {
    /// Why not.
    pub reason: UnavailableReason,
    /// For how long; nothing left of `Refused`: it waits for [`CredentialState::take_trial`].
    pub left: Duration,
}

/// Why a key is not used.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum UnavailableReason {
    /// The provider said 429, and until when.
    Resting,
    /// The provider said 429 a moment ago and named no time: it might serve already.
    Throttled,
    /// The provider refused it: 401, 402 or 403.
    Refused,
    /// By the provider's count too few requests are left; it may be wrong.
    RequestsSpent,
    /// By the provider's count too few tokens are left for this request; it may be wrong.
    TokensSpent,
    /// The provider refuses it this model: 402, 403, or 404 where the model may exist for others.
    ModelRefused,
    /// The provider said 429 for this model, and until when.
    ModelResting,
    /// The provider said 429 for this model a moment ago and named no time.
    ModelThrottled,
}

impl UnavailableReason {
    /// Whether the credential is worth a try where nothing else is left: the provider did not say that it would refuse
    /// it, or refuses it one model, which harms no other model and tells the client why.
    #[must_use]
    pub const fn is_guess(self) -> bool {
        matches!(
            self,
            Self::Throttled
                | Self::RequestsSpent
                | Self::TokensSpent
                | Self::ModelRefused
                | Self::ModelThrottled
        )
    }

    /// Whether waiting does not help by itself, because the provider refuses the credential.
    #[must_use]
    pub const fn is_refusal(self) -> bool {
        matches!(self, Self::Refused | Self::ModelRefused)
    }

    /// The word in explanations, in labels of metrics and wherever people read it.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Resting => "resting",
            Self::Throttled => "throttled",
            Self::Refused => "refused",
            Self::RequestsSpent => "requests_spent",
            Self::TokensSpent => "tokens_spent",
            Self::ModelRefused => "refused for this model",
            Self::ModelResting => "resting for this model",
            Self::ModelThrottled => "throttled for this model",
        }
    }
}
