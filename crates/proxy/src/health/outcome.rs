//! What one attempt tells of its target and its credential: held while it runs, reported once when it ends.

use std::sync::Arc;

use coordination::Permit;
use domain::AttemptOutcome;
use http::HeaderMap;
use policy::{
    Credential, Target,
    failover::ClientDeadline,
    health::{AccessState, ConcurrencyPermit, EndpointHealth, Marks, Micros, Observation, Quota, Sent},
};
use wire::RateLimitHeaders;

use super::{
    alerts::TransitionCause,
    monitor::{HealthMonitor, is_out},
};

/// A credential that is about to sign, with its slots under the limits it has.
pub(crate) struct CredentialLease {
    pub(crate) credential: Arc<Credential>,
    sent: Sent,
    /// Tokens that the attempt may take of an allowance.
    tokens: u64,
    _permit: Permit,
}

impl CredentialLease {
    pub(crate) fn new(credential: Arc<Credential>, tokens: u64, permit: Permit) -> Self {
        let sent = credential.state.begin(tokens);
        Self { credential, sent, tokens, _permit: permit }
    }
}

/// The right to be the one request that finds out whether a target is back. Dropped before its outcome is reported, it
/// goes to another request: clients hang up at any moment.
pub(crate) struct HalfOpenPermit(Option<Arc<Target>>);

impl HalfOpenPermit {
    pub(crate) fn new(target: &Arc<Target>) -> Self {
        Self(Some(Arc::clone(target)))
    }

    fn reported(mut self) {
        self.0 = None;
    }
}

impl Drop for HalfOpenPermit {
    fn drop(&mut self) {
        if let Some(target) = &self.0 {
            target.state.return_trial();
        }
    }
}

/// The right to send one attempt to a target.
pub(crate) struct AttemptPermit {
    pub(crate) in_flight: ConcurrencyPermit,
    /// The attempt finds out whether the target is back.
    pub(crate) trial: Option<HalfOpenPermit>,
    pub(crate) client_deadline: ClientDeadline,
    /// The attempt is the gateway's own probe: its sender reports what it found of the target.
    pub(crate) probe: bool,
}

/// Reports the outcome of one attempt; its target and credential count it as in flight until this is dropped.
pub(crate) struct OutcomeReporter {
    target: Arc<Target>,
    /// Its outcome decides whether the target is back.
    trial: bool,
    /// Held until that outcome is reported.
    half_open: Option<HalfOpenPermit>,
    signer: Option<CredentialLease>,
    /// The credential's allowance at the model, where the provider counts by model.
    allowance: Option<(Arc<AccessState>, Marks)>,
    began: Micros,
    /// Content arrived, and with it the endpoint had done its part.
    content: bool,
    client_deadline: ClientDeadline,
    probe: bool,
    _in_flight: ConcurrencyPermit,
}

impl OutcomeReporter {
    pub(crate) fn new(
        target: &Arc<Target>,
        signer: Option<CredentialLease>,
        permit: AttemptPermit,
        began: Micros,
    ) -> Self {
        let AttemptPermit { in_flight, trial: half_open, client_deadline, probe } = permit;
        let counted = signer.as_ref().filter(|_| target.endpoint.row.limits_per_model);
        let allowance = counted.map(|lease| {
            let access = target.state.access(&lease.credential.state);
            let marks = access.begin(lease.tokens);
            (access, marks)
        });
        Self {
            target: Arc::clone(target),
            trial: half_open.is_some(),
            half_open,
            signer,
            allowance,
            began,
            content: false,
            client_deadline,
            probe,
            _in_flight: in_flight,
        }
    }

    /// Whether its outcome decides if the target is back.
    pub(crate) const fn is_trial(&self) -> bool {
        self.trial
    }

    /// Notes what the headers of the response say of the credential's allowance.
    pub(crate) fn head(&self, headers: &HeaderMap, health: &HealthMonitor) {
        let Some(CredentialLease { credential, sent, .. }) = &self.signer else { return };
        let said = RateLimitHeaders::read(headers, domain::Timestamp::now());
        if said.remaining_requests.is_some() || said.remaining_tokens.is_some() {
            let quota = Quota {
                remaining_requests: said.remaining_requests,
                limit_requests: said.limit_requests,
                // A 429 may tell that nothing is left and when to come back, but no reset.
                reset_requests: said.reset_requests.or(said.retry_after),
                remaining_tokens: said.remaining_tokens,
                limit_tokens: said.limit_tokens,
                reset_tokens: said.reset_tokens.or(said.retry_after),
            };
            match &self.allowance {
                Some((access, marks)) => access.observe(*marks, &quota, health.now()),
                None => credential.state.observe(sent, &quota, health.now()),
            }
        }
    }

    /// The first content arrived.
    pub(crate) fn first_content(&mut self, health: &HealthMonitor) {
        if !std::mem::replace(&mut self.content, true) && !self.probe {
            let now = health.now();
            let took = std::time::Duration::from_micros(now.saturating_sub(self.began));
            self.target.state.observe_ttft(took, now);
            // Reported now and not at the stream's end: failures are known at once too, and a half-open target must not
            // have to wait for minutes.
            self.report(true, AttemptOutcome::Ok, health, now);
        }
    }

    /// It ended.
    pub(crate) fn end(mut self, outcome: AttemptOutcome, health: &HealthMonitor) {
        let now = health.now();
        if let Some(CredentialLease { credential, .. }) = &self.signer
            && matches!(outcome, AttemptOutcome::Ok | AttemptOutcome::Rejected)
        {
            if credential.state.succeeded(now) {
                tracing::warn!(
                    credential = credential.name,
                    "a credential that had been refused works again"
                );
                health.changed();
            }
            if self.target.state.accepted(&credential.state) {
                let (credential, model) = (&credential.name, &self.target.model);
                tracing::warn!(credential, %model, "a model that had been refused to a credential answers again");
                health.changed();
            }
        }
        if self.probe {
            return;
        }
        match self.endpoint_health(outcome) {
            // Its success was reported with the first content.
            EndpointHealth::Healthy if self.content => self.target.state.finished(),
            EndpointHealth::Healthy => self.report(true, outcome, health, now),
            EndpointHealth::Failing => self.report(false, outcome, health, now),
            EndpointHealth::Unknown => {}
        }
    }

    /// Counts for or against the target.
    fn report(&mut self, ok: bool, outcome: AttemptOutcome, health: &HealthMonitor, now: Micros) {
        let seen = Observation { ok, began: self.began, trial: self.trial };
        let Target { state, endpoint, .. } = &*self.target;
        let rules = &endpoint.outlier;
        let draw = health.draw();
        let again = is_out(state.admission(now));
        let change = match self.content && !ok {
            true => state.broke_off(seen, rules, now, draw),
            false => state.record(seen, rules, now, draw),
        };
        if let Some(change) = change {
            let cause = TransitionCause { outcome: outcome.as_str(), again };
            health.on_transition(&self.target, change, cause);
        }
        if let Some(permit) = self.half_open.take() {
            permit.reported();
        }
    }

    /// Whether a time-out is due to the client's own deadline.
    const fn is_hurried(&self) -> bool {
        if self.content { self.client_deadline.total } else { self.client_deadline.before_content }
    }

    /// What the outcome says of the endpoint, for this attempt.
    const fn endpoint_health(&self, outcome: AttemptOutcome) -> EndpointHealth {
        match outcome {
            AttemptOutcome::Timeout if self.is_hurried() => EndpointHealth::Unknown,
            outcome if self.trial => EndpointHealth::of_trial(outcome),
            outcome => EndpointHealth::of(outcome),
        }
    }
}
