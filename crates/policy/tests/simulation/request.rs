//! One request on its way: its plan, the state of its failover, and the attempt that runs.

use std::sync::Arc;

use policy::{
    Credential, Plan, Target,
    failover::Failover,
    health::{ConcurrencyPermit, Micros, Sent},
};

use crate::{
    journal::Kind,
    provider::{Answer, MS},
};

/// Tokens of every request.
pub(crate) const TOKENS: u64 = 100;

pub(crate) struct Request {
    pub(crate) number: usize,
    pub(crate) replica: usize,
    pub(crate) plan: Arc<Plan>,
    pub(crate) failover: Failover,
    pub(crate) began: Micros,
    pub(crate) deadline: Micros,
    pub(crate) attempts: u32,
    /// What the next attempt has, once it is about to be sent.
    pub(crate) next: Next,
    pub(crate) attempt: Option<Attempt>,
    pub(crate) said: String,
}

/// The next attempt.
#[derive(Default)]
pub(crate) struct Next {
    pub(crate) target: Option<Arc<Target>>,
    pub(crate) kind: Option<Kind>,
    /// Whether it finds out if the target is back.
    pub(crate) trial: bool,
    pub(crate) credential: Option<Arc<Credential>>,
}

pub(crate) struct Attempt {
    pub(crate) target: Arc<Target>,
    pub(crate) began: Micros,
    /// When it must have shown content.
    pub(crate) first_content: Micros,
    pub(crate) trial: bool,
    pub(crate) answer: Answer,
    pub(crate) credential: Option<Arc<Credential>>,
    pub(crate) _sent: Option<Sent>,
    pub(crate) _in_flight: ConcurrencyPermit,
}

impl Request {
    /// Goes to a target, perhaps once more.
    pub(crate) fn approach(&mut self, target: &Arc<Target>, trial: bool) {
        self.return_trial();
        let same = self.next.target.as_ref().is_some_and(|before| Arc::ptr_eq(before, target));
        let kind = match self.next.kind {
            Some(Kind::Repeat) if same => Kind::Repeat,
            _ if same => Kind::NextKey,
            _ => Kind::First,
        };
        self.next = Next { target: Some(Arc::clone(target)), kind: Some(kind), trial, credential: None };
    }

    /// A trial that was taken and not made is another request's.
    pub(crate) fn return_trial(&mut self) {
        if let (true, Some(target)) = (std::mem::take(&mut self.next.trial), &self.next.target) {
            target.state.return_trial();
        }
    }
}

impl Attempt {
    /// When the attempt's answer is there, or its time is over, and whether it is in time.
    pub(crate) fn content_at(&self) -> (Micros, bool) {
        let at = self.began.saturating_add(self.answer.after.max(MS));
        (at.min(self.first_content), at < self.first_content)
    }
}
