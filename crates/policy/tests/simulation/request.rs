//! One request on its way: its plan, where it stands in it, and its attempt.

use std::{sync::Arc, time::Duration};

use domain::{AttemptOutcome, ResourceId};
use policy::{
    Credential, NextKey, Plan, PlannedTarget,
    health::{ConcurrencyPermit, HealthRegistry, Micros, Sent},
    next_key,
};

use crate::provider::{Answer, MS};

/// The first wait before a repeat, and the longest that is waited for.
const FIRST_WAIT: Duration = Duration::from_millis(100);
const LONGEST_WAIT: Duration = Duration::from_secs(5);
/// How long a key rests after a 429 that does not say.
const REST: Duration = Duration::from_secs(1);
/// Tokens of every request.
pub(crate) const TOKENS: u64 = 100;

pub(crate) struct Request {
    pub(crate) number: usize,
    pub(crate) replica: usize,
    pub(crate) plan: Plan,
    pub(crate) began: Micros,
    pub(crate) deadline: Micros,
    pub(crate) attempts: u32,
    /// Whether the next attempt finds out if the target is back.
    pub(crate) trial: bool,
    pub(crate) turn: Turn,
    pub(crate) attempt: Option<Attempt>,
    pub(crate) said: String,
}

/// A target's turn.
#[derive(Default)]
pub(crate) struct Turn {
    pub(crate) position: usize,
    pub(crate) first_content: Micros,
    tried: Vec<ResourceId>,
    repeats: u32,
}

pub(crate) struct Attempt {
    pub(crate) began: Micros,
    pub(crate) trial: bool,
    pub(crate) answer: Answer,
    pub(crate) key: Option<Arc<Credential>>,
    pub(crate) _sent: Option<Sent>,
    pub(crate) _in_flight: ConcurrencyPermit,
}

impl Request {
    pub(crate) fn planned(&self) -> Option<&PlannedTarget> {
        self.plan.attempts.get(self.turn.position)
    }

    /// Goes to a target, which has so long to show content.
    pub(crate) fn begin_turn(&mut self, now: Micros) {
        let first_token = micros(self.plan.terms.timeouts.first_token.std());
        let first_content = self.deadline.min(now + first_token);
        self.turn = Turn { position: self.turn.position, first_content, ..Turn::default() };
    }

    pub(crate) fn is_last(&self) -> bool {
        self.turn.position + 1 >= self.plan.attempts.len()
    }

    /// The key for the next attempt; `Err`: there is none.
    pub(crate) fn key(&self, now: Micros, live: &HealthRegistry) -> Result<Option<Arc<Credential>>, ()> {
        let keys = &self.planned().ok_or(())?.target.endpoint.credentials;
        let draw = live.draw();
        let choose = |desperate| next_key(keys, &self.turn.tried, (TOKENS, desperate), now, draw);
        let chosen = match choose(false) {
            NextKey::NoneLeft if self.is_last() => choose(true),
            chosen => chosen,
        };
        match chosen {
            NextKey::NotNeeded => Ok(None),
            NextKey::Use(key) => Ok(Some(key)),
            NextKey::NoneLeft => Err(()),
        }
    }

    /// What a failure says of the key that signed.
    pub(crate) fn key_failed(&mut self, attempt: &Attempt, now: Micros, live: &HealthRegistry) {
        let Some(key) = &attempt.key else { return };
        match attempt.answer.outcome {
            AttemptOutcome::RateLimited => key.state.rest(attempt.answer.retry_after.unwrap_or(REST), now),
            AttemptOutcome::BadCredential => drop(key.state.disable(now, live.draw())),
            _ => return,
        }
        self.turn.tried.push(key.id);
    }

    pub(crate) fn has_more_keys(&self, now: Micros) -> bool {
        let keys = self.planned().map(|planned| &planned.target.endpoint.credentials);
        let left = |key: &&Arc<Credential>| {
            !self.turn.tried.contains(&key.id) && key.state.usable(TOKENS, now).is_ok()
        };
        keys.is_some_and(|keys| keys.iter().any(|key| left(&key)))
    }

    /// How long to wait before the same target is asked again; `None`: it is not.
    pub(crate) fn repeat(&mut self, answer: Answer, now: Micros, live: &HealthRegistry) -> Option<Micros> {
        self.turn.tried.clear();
        self.turn.repeats += 1;
        let retry = &self.plan.terms.retry;
        if self.turn.repeats >= retry.attempts {
            return None;
        }
        let wait = match answer.retry_after {
            Some(asked) if asked > LONGEST_WAIT => return None,
            Some(asked) if !asked.is_zero() => micros(asked),
            _ => {
                let half = micros(FIRST_WAIT.saturating_mul(1 << self.turn.repeats.min(6))) / 2;
                half + live.draw() % half.max(1)
            }
        };
        let planned = self.planned()?;
        let in_time = now + wait < self.turn.first_content;
        (in_time && planned.target.state.repeat(now, retry.budget)).then_some(wait)
    }

    /// When the attempt's answer is there, or its time is over, and whether it is in time.
    pub(crate) fn content_at(&self, answer: &Answer, now: Micros) -> (Micros, bool) {
        let at = now.saturating_add(answer.after.max(MS));
        (at.min(self.turn.first_content), at < self.turn.first_content)
    }
}

fn micros(duration: Duration) -> Micros {
    u64::try_from(duration.as_micros()).unwrap()
}
