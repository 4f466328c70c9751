//! What the account tells the client while it is open: headers, and its attempts.

use policy::Target;
use serde_json::{Map, Value};

use super::Meter;
use crate::response::{ResponseMetadata, Retirement, active_attempt_line, attempt_line};

impl Meter {
    /// What the response headers say at this moment.
    pub(crate) fn metadata(&self) -> ResponseMetadata {
        let running = self.running.as_ref().map(|running| (&running.provider, &running.model));
        let answering = self.fallen_back.map_or(self.attempts.last(), |index| self.attempts.get(index));
        let last = running.or_else(|| answering.map(|attempt| (&attempt.provider, &attempt.model)));
        let attempts = self.attempts.len() + usize::from(self.running.is_some());
        let fallback = self.attempts.first().filter(|_| attempts > 1 || self.fallen_back.is_some());
        let tried = self.fallen_back.map_or(self.tried.last(), |index| self.tried.get(index));
        ResponseMetadata {
            request: self.context.id,
            dialect: self.context.dialect,
            dropped: self.dropped.clone(),
            rate_limits: self.rate_limits,
            output_limit: self.output_limit,
            route: Some(self.subject.route.clone()),
            provider: last.map(|(provider, _)| provider.clone()),
            model: last.map(|(_, model)| model.clone()),
            attempts,
            fallback: fallback.map(|first| first.outcome.as_str()),
            overhead: self.overhead(),
            retires: tried.and_then(|tried| retires(&tried.target)),
        }
    }

    /// Whether the client asks what decided over the request.
    pub(crate) const fn explains(&self) -> bool {
        self.subject.decided.is_some()
    }

    /// What decided over the request so far, where the client asks for it.
    pub(crate) fn explain(&self) -> Option<Map<String, Value>> {
        let decided = self.subject.decided.as_deref()?;
        let ended = self.attempts.iter().zip(&self.tried);
        let mut lines: Vec<Value> = ended.map(|(attempt, tried)| attempt_line(attempt, tried)).collect();
        if let (Some(now), Some(tried)) = (&self.running, self.tried.last()) {
            lines.push(active_attempt_line(now.number, tried));
        }
        Some(decided.object(lines, &self.passed_over))
    }
}

/// The announced end of a target's model, if its provider announced one.
fn retires(target: &Target) -> Option<Retirement> {
    let when = target.spec.deprecation?;
    let successor = match &target.spec.successor {
        Some(successor) => format!("; its provider names {successor} in its place"),
        None => String::new(),
    };
    let warning = format!("model {} is taken out of service on {}{successor}", target.model, when.date());
    Some(Retirement { when, warning })
}
