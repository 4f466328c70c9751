//! A target's keys: which signs next, and what is made of a provider's refusal of one.

use std::{sync::Arc, time::Duration};

use domain::{AttemptOutcome, RequestId, ResourceId};
use policy::{Credential, NextKey, PlannedTarget, SkipReason, next_key};

use super::{CredentialLease, failure::AttemptError};
use crate::{limits, request::LlmRequest, state::ProxyState};

/// The keys of one target's turn.
pub(super) struct CredentialSelector<'a> {
    credentials: &'a [Arc<Credential>],
    tried: Vec<ResourceId>,
    /// Tokens that an attempt may take of a key's allowance.
    tokens: u64,
    /// Whether no other target is left.
    last: bool,
    /// The one that signed last.
    current: Option<Arc<Credential>>,
    /// How long until a key that is at its own limits may be used, of those that were passed over.
    limited: Option<Duration>,
}

/// What signs the next attempt.
pub(super) enum Selection {
    /// `None`: the provider wants no key.
    Sign(Option<CredentialLease>),
    /// There is no key that could.
    NoneLeft(SkipReason),
}

impl<'a> CredentialSelector<'a> {
    pub(super) fn new(planned: &'a PlannedTarget, ask: &LlmRequest, last: bool) -> Self {
        let tokens = ask.input_estimate().saturating_add(ask.facts.max_output.unwrap_or_default());
        let credentials = &planned.target.endpoint.credentials;
        Self { credentials, tried: Vec::new(), tokens, last, current: None, limited: None }
    }

    /// The next key, with its places under the limits that the operator wrote for it.
    pub(super) async fn next(&mut self, gateway: &ProxyState, request: RequestId) -> Selection {
        loop {
            let draw = gateway.live.draw();
            let credential = match self.choose(gateway, draw) {
                NextKey::NotNeeded => return Selection::Sign(None),
                NextKey::NoneLeft => return Selection::NoneLeft(self.why_none()),
                NextKey::Use(credential) => credential,
            };
            match limits::acquire_for_credential(gateway, &credential, request, self.tokens).await {
                Ok(grant) => {
                    self.current = Some(Arc::clone(&credential));
                    return Selection::Sign(Some(CredentialLease::new(credential, self.tokens, grant)));
                }
                Err(wait) => {
                    self.limited = self.limited.into_iter().chain([wait]).min();
                    self.tried.push(credential.id);
                }
            }
        }
    }

    fn why_none(&self) -> SkipReason {
        let left = self.limited.unwrap_or(Duration::from_secs(1));
        SkipReason::NoUsableCredential {
            why: "every key is at its limits".to_owned(),
            left,
            spent: true,
            perhaps: false,
        }
    }

    /// A key that may be used; with none, and no other target to go to, one that might be served all the same.
    fn choose(&self, gateway: &ProxyState, draw: u64) -> NextKey {
        let choose = |desperate| {
            next_key(self.credentials, &self.tried, (self.tokens, desperate), gateway.now(), draw)
        };
        match choose(false) {
            NextKey::NoneLeft if self.last => choose(true),
            chosen => chosen,
        }
    }

    /// Gives up the key that signed last for this turn; whether one is left that was not tried.
    pub(super) fn has_more(&mut self, gateway: &ProxyState) -> bool {
        self.tried.extend(self.current.take().map(|key| key.id));
        let usable = |key: &Credential| key.state.usable(self.tokens, gateway.now()).is_ok();
        self.credentials.iter().any(|key| !self.tried.contains(&key.id) && usable(key))
    }

    /// Forgets which keys were tried: time has passed.
    pub(super) fn start_over(&mut self) {
        self.tried.clear();
    }

    /// What a failure says of the key that signed.
    pub(super) fn failed(&mut self, gateway: &ProxyState, failure: &AttemptError) {
        let Some(credential) = self.current.clone() else { return };
        match failure.outcome {
            AttemptOutcome::RateLimited => match failure.retry_after {
                Some(lasts) => credential.state.rest(lasts.max(Duration::from_millis(1)), gateway.now()),
                None => credential.state.spare(gateway.now()),
            },
            AttemptOutcome::BadCredential => {
                let Some(first) = credential.state.disable(gateway.now(), gateway.live.draw()) else {
                    return;
                };
                gateway.health.refused(&credential, failure.status.unwrap_or_default(), first);
            }
            _ => return,
        }
        self.tried.push(credential.id);
        gateway.health.changed();
    }
}
