//! What the account tells the client while it is open: headers, and its attempts.

use domain::Timestamp;
use policy::Target;

use super::Meter;
use crate::reply::{Notes, explain};

impl Meter {
    /// What the response headers say at this moment.
    pub(crate) fn notes(&self) -> Notes {
        let running = self.running.as_ref().map(|running| (&running.provider, &running.model));
        let answering = self.fallen_back.map_or(self.attempts.last(), |index| self.attempts.get(index));
        let last = running.or_else(|| answering.map(|attempt| (&attempt.provider, &attempt.model)));
        let attempts = self.attempts.len() + usize::from(self.running.is_some());
        let fallback = self.attempts.first().filter(|_| attempts > 1 || self.fallen_back.is_some());
        let tried = self.fallen_back.map_or(self.tried.last(), |index| self.tried.get(index));
        Notes {
            request: self.passage.id,
            dialect: self.passage.dialect,
            dropped: self.dropped.clone(),
            route: Some(self.opening.route.clone()),
            provider: last.map(|(provider, _)| provider.clone()),
            model: last.map(|(_, model)| model.clone()),
            attempts,
            fallback: fallback.map(|first| first.outcome.as_str()),
            overhead: self.overhead(),
            retires: tried.and_then(|tried| retires(&tried.target)),
        }
    }

    /// The attempts as people read them, and why answers were not accepted.
    pub(crate) fn explain(&self) -> serde_json::Value {
        let mut lines = explain(&self.attempts);
        for (line, tried) in lines.as_array_mut().into_iter().flatten().zip(&self.tried) {
            if let Some(why) = &tried.rejected {
                line["why"] = why.as_str().into();
            }
        }
        lines
    }
}

/// What the client is warned of, where the provider says when it takes the model out of service.
fn retires(target: &Target) -> Option<(Timestamp, String)> {
    let when = target.spec.deprecation?;
    let heir = match &target.spec.successor {
        Some(heir) => format!("; its provider names {heir} in its place"),
        None => String::new(),
    };
    Some((when, format!("model {} is taken out of service on {}{heir}", target.model, when.date())))
}
