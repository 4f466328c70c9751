//! What one attempt tells of its target and its key: held while it runs, told once when it ends.

use std::sync::Arc;

use coordination::Permit;
use domain::AttemptOutcome;
use http::HeaderMap;
use policy::{
    Credential, Target,
    failover::ClientDeadline,
    health::{ConcurrencyPermit, EndpointHealth, Micros, Observation, Quota, Sent},
};
use wire::RateLimitHeaders;

use crate::{
    gateway::ProxyState,
    health::{TransitionCause, is_out},
};

/// A key that is about to sign, with its places under the limits it has.
pub(crate) struct CredentialLease {
    pub(crate) credential: Arc<Credential>,
    sent: Sent,
    _grant: Permit,
}

impl CredentialLease {
    pub(crate) fn new(credential: Arc<Credential>, tokens: u64, grant: Permit) -> Self {
        let sent = credential.state.begin(tokens);
        Self { credential, sent, _grant: grant }
    }
}

/// A trial that was taken. Dropped before its outcome was told it is another request's: clients hang up at any moment.
pub(crate) struct HalfOpenPermit(Option<Arc<Target>>);

impl HalfOpenPermit {
    pub(crate) fn new(target: &Arc<Target>) -> Self {
        Self(Some(Arc::clone(target)))
    }

    fn told(mut self) {
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

/// A place at a target.
pub(crate) struct AttemptPermit {
    pub(crate) in_flight: ConcurrencyPermit,
    /// The attempt is the target's trial.
    pub(crate) trial: Option<HalfOpenPermit>,
    pub(crate) client_deadline: ClientDeadline,
    /// The attempt is the gateway's own probe: whoever sent it says what it found of the target.
    pub(crate) probe: bool,
}

/// One attempt under watch; its target and key count it as in flight until this is dropped.
pub(crate) struct OutcomeReporter {
    target: Arc<Target>,
    /// Its outcome decides whether the target is back.
    trial: bool,
    /// Until that was told.
    untold: Option<HalfOpenPermit>,
    signer: Option<CredentialLease>,
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
        seat: AttemptPermit,
        began: Micros,
    ) -> Self {
        let AttemptPermit { in_flight, trial: untold, client_deadline, probe } = seat;
        let (target, trial, content) = (Arc::clone(target), untold.is_some(), false);
        Self { target, trial, untold, signer, began, content, client_deadline, probe, _in_flight: in_flight }
    }

    /// Whether its outcome decides if the target is back.
    pub(crate) const fn is_trial(&self) -> bool {
        self.trial
    }

    /// What the answer's head says of the key's allowance.
    pub(crate) fn head(&self, headers: &HeaderMap, gateway: &ProxyState) {
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
            credential.state.observe(sent, &quota, gateway.now());
        }
    }

    /// The first content arrived.
    pub(crate) fn first_content(&mut self, gateway: &ProxyState) {
        if !std::mem::replace(&mut self.content, true) && !self.probe {
            let now = gateway.now();
            let took = std::time::Duration::from_micros(now.saturating_sub(self.began));
            self.target.state.observe_ttft(took, now);
            // Now and not at the stream's end: failures are known at once too, and a trial must not take minutes.
            self.tell(true, AttemptOutcome::Ok, (gateway, now));
        }
    }

    /// It ended.
    pub(crate) fn end(mut self, outcome: AttemptOutcome, gateway: &ProxyState) {
        let now = gateway.now();
        if let Some(CredentialLease { credential, .. }) = &self.signer
            && matches!(outcome, AttemptOutcome::Ok | AttemptOutcome::Rejected)
            && credential.state.succeeded(now)
        {
            tracing::warn!(credential = credential.name, "a key that had been refused works again");
            gateway.health.changed();
        }
        if self.probe {
            return;
        }
        match self.endpoint_health(outcome) {
            // That it began was told with the first content.
            EndpointHealth::Healthy if self.content => self.target.state.finished(),
            EndpointHealth::Healthy => self.tell(true, outcome, (gateway, now)),
            EndpointHealth::Failing => self.tell(false, outcome, (gateway, now)),
            EndpointHealth::Unknown => {}
        }
    }

    /// Counts for or against the target.
    fn tell(&mut self, ok: bool, outcome: AttemptOutcome, (gateway, now): (&ProxyState, Micros)) {
        let seen = Observation { ok, began: self.began, trial: self.trial };
        let Target { state, endpoint, .. } = &*self.target;
        let (rules, draw) = (&endpoint.outlier, gateway.live.draw());
        let again = is_out(state.admission(now));
        let change = match self.content && !ok {
            true => state.broke_off(seen, rules, now, draw),
            false => state.record(seen, rules, now, draw),
        };
        if let Some(change) = change {
            gateway.health.told(&self.target, change, TransitionCause { outcome: outcome.as_str(), again });
        }
        if let Some(trial) = self.untold.take() {
            trial.told();
        }
    }

    /// Whether a time-out is the client's own doing.
    const fn is_hurried(&self) -> bool {
        if self.content { self.client_deadline.total } else { self.client_deadline.before_content }
    }

    /// What the outcome says of the endpoint.
    const fn endpoint_health(&self, outcome: AttemptOutcome) -> EndpointHealth {
        match outcome {
            AttemptOutcome::Timeout if self.is_hurried() => EndpointHealth::Unknown,
            outcome if self.trial => EndpointHealth::of_trial(outcome),
            outcome => EndpointHealth::of(outcome),
        }
    }
}

/// Whether the endpoint did its part, where an outcome says so.
pub(crate) const fn verdict(outcome: AttemptOutcome) -> Option<bool> {
    EndpointHealth::of(outcome).is_ok()
}
