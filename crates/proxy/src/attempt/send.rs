//! One attempt: intent, request, response head, and the response as far as it must be seen before it is believed.

use std::{sync::Arc, time::Duration};

use domain::AttemptOutcome;
use http::{Request, response::Parts};
use policy::{Credential, SelectionReason};
use tokio::time::{Instant, timeout_at};
use upstream::TrackedBody;

use super::{
    cascade::{CascadeStep, JudgedResponse, Verdict, accept_condition},
    error::{AttemptError, classify_status},
    first_content::{ResponseReader, ValidatedResponse, read_refusal},
    prepare::{UpstreamRequest, prepare},
    response::{KeptResponse, UpstreamResponse},
    turn::TargetTurn,
};
use crate::{
    codec::{EncodeError, Outbound, ResponseCodec},
    context::{AttemptTarget, TRACEPARENT},
    health::{AttemptPermit, CredentialLease, OutcomeReporter},
    meter::Meter,
    redact::redact,
    request::LlmRequest,
    state::ProxyState,
};

/// One attempt at a target.
pub(crate) struct Attempt<'a> {
    pub(crate) proxy: &'a Arc<ProxyState>,
    pub(crate) request: &'a LlmRequest,
    pub(crate) meter: &'a mut Meter,
    pub(crate) turn: TargetTurn<'a>,
}

/// What an attempt takes.
pub(crate) struct AttemptResources {
    /// The credential, if the provider wants one.
    pub(crate) credential: Option<CredentialLease>,
    pub(crate) permit: AttemptPermit,
}

/// The response of an attempt.
pub(crate) enum Response {
    /// It goes to the client.
    Answer(UpstreamResponse),
    /// The condition of a cascade step rejected it. Its attempt has ended, and it is used only if no other step answers.
    Rejected(KeptResponse),
}

impl Attempt<'_> {
    /// Sends once, and reads as much of the response as it takes to believe it.
    ///
    /// # Errors
    /// Why it failed; the attempt has ended then.
    pub(crate) async fn send(mut self, resources: AttemptResources) -> Result<Response, AttemptError> {
        let AttemptResources { credential: lease, permit } = resources;
        let target = &self.turn.planned.target;
        let credential = lease.as_ref().map(|lease| Arc::clone(&lease.credential));
        let reporter = OutcomeReporter::new(target, lease, permit, self.proxy.now());
        let limit = self.output_limit();
        let prepared = self.prepare(credential.as_deref(), limit).await;
        let UpstreamRequest { mut request, response_codec: codec } = match prepared {
            Ok(prepared) => prepared,
            Err(error) => {
                reporter.end(AttemptOutcome::NotSent, &self.proxy.health);
                return Err(error);
            }
        };
        if let Some(parent) = self.meter.trace_out() {
            request.headers_mut().insert(TRACEPARENT, parent);
        }
        let reason = if reporter.is_trial() { SelectionReason::Trial } else { self.turn.planned.reason };
        let tried = AttemptTarget {
            target: Arc::clone(target),
            credential: credential.clone(),
            reason,
            rejected: None,
        };
        let bound = self.bound(limit);
        let waiting = Instant::now();
        let hold = self.reserve(bound.cost).await;
        self.meter.wait(waiting.elapsed());
        let hold = match hold {
            Ok(hold) => hold,
            Err(error) => {
                reporter.end(AttemptOutcome::NotSent, &self.proxy.health);
                return Err(AttemptError::Gateway(error));
            }
        };
        let sent = self.meter.begin(tried, bound, hold, reporter).map_err(AttemptError::Gateway)?;
        self.meter.observe(self.request.usage(), 0);
        let waiting = Instant::now();
        let request = request.map(|body| TrackedBody::new(body, sent));
        let deadline = self.turn.deadlines.first_content;
        let mut response = timeout_at(deadline, self.send_and_validate(request, &codec))
            .await
            .unwrap_or_else(|_| Err(AttemptError::response(AttemptOutcome::Timeout, "no content in time")));
        self.meter.wait(waiting.elapsed());
        if let (Err(error), Some(credential)) = (&mut response, &credential) {
            redact_error(error, credential);
        }
        let secret = credential.map(|credential| Arc::clone(&credential.secret));
        self.finish(response, secret)
    }

    /// The request for the target, signed.
    async fn prepare(
        &mut self,
        credential: Option<&Credential>,
        limit: Option<u64>,
    ) -> Result<UpstreamRequest, AttemptError> {
        let planned = self.turn.planned;
        let prepared = prepare(self.proxy, self.request, self.meter, Outbound { planned, limit });
        let mut prepared = prepared.map_err(|error| match error {
            EncodeError::GatewayError(error) => AttemptError::Gateway(error),
            EncodeError::Field(field) => AttemptError::Unsupported(Box::new(field)),
        })?;
        if let Some(credential) = credential {
            let region = planned.target.endpoint.region.as_deref();
            let deadline = self.turn.deadlines.first_content;
            let signed = self.proxy.tokens.sign(&mut prepared.request, credential, region, deadline).await;
            signed.map_err(|detail| AttemptError::Unsigned { detail })?;
        }
        Ok(prepared)
    }

    /// Sends, and reads as much as it takes to know that the target answered, and what becomes of the response.
    async fn send_and_validate(
        &mut self,
        request: Request<TrackedBody>,
        codec: &ResponseCodec,
    ) -> Result<Judged, AttemptError> {
        let connect: Duration = self.request.plan.terms.timeouts.connect.std();
        let sent = self.proxy.upstream.send(connect, request).await;
        let response =
            sent.map_err(|error| AttemptError::Transport { outcome: error.outcome, detail: error.detail })?;
        let status = response.status();
        self.meter.head(status, response.headers());
        if let Some(outcome) = classify_status(status.as_u16()) {
            return Err(read_refusal(outcome, codec, response).await);
        }
        let (head, body) = response.into_parts();
        let reroute_blocked_until = self.turn.reroute_blocked_until;
        if let Some(condition) = accept_condition(self.request, self.turn.planned) {
            let step = CascadeStep { request: self.request, codec, condition, reroute_blocked_until };
            let judged = step.read(&head.headers, body, self.meter).await?;
            return Ok(Judged { head, response: judged });
        }
        let mut reader = ResponseReader {
            request: self.request,
            codec,
            meter: &mut *self.meter,
            buffer: None,
            reroute_blocked_until,
        };
        let ValidatedResponse { kind, blocked } = reader.read(&head.headers, body).await?;
        if blocked {
            return Ok(Judged { head, response: JudgedResponse { kind, verdict: Verdict::Blocked } });
        }
        self.meter.first_content();
        Ok(Judged { head, response: JudgedResponse { kind, verdict: Verdict::Unjudged } })
    }

    /// Ends the attempt, unless its response goes to the client as it comes.
    fn finish(self, judged: Result<Judged, AttemptError>, secret: Secret) -> Result<Response, AttemptError> {
        let Self { meter, turn, .. } = self;
        let target = &turn.planned.target.model;
        let request = meter.request();
        let error = match judged {
            Ok(Judged { head, response: JudgedResponse { kind, verdict } }) => {
                let response = UpstreamResponse { head, kind, deadline: turn.deadlines.total, secret };
                match verdict {
                    Verdict::Unjudged => return Ok(Response::Answer(response)),
                    Verdict::Accepted => {
                        meter.record_verdict(None);
                        return Ok(Response::Answer(response));
                    }
                    Verdict::Rejected(why) => {
                        tracing::debug!(%request, %target, why, "an answer is not accepted");
                        meter.record_verdict(Some(why));
                        return Ok(Response::Rejected(KeptResponse {
                            response,
                            attempt: meter.last_attempt(),
                        }));
                    }
                    Verdict::Blocked => {
                        meter.end(AttemptOutcome::ContentFilter);
                        AttemptError::Blocked(Box::new(KeptResponse {
                            response,
                            attempt: meter.last_attempt(),
                        }))
                    }
                }
            }
            Err(error) => {
                meter.end(error.outcome());
                error
            }
        };
        let outcome = error.outcome().as_str();
        tracing::debug!(%request, %target, outcome, detail = error.detail(), "attempt failed");
        Err(error)
    }
}

/// A credential's secret, to be redacted from what the provider sends.
type Secret = Option<Arc<zeroize::Zeroizing<String>>>;

/// The head of a response, and what becomes of the rest.
struct Judged {
    head: Parts,
    response: JudgedResponse,
}

/// Takes the credential out of everything the provider said.
fn redact_error(error: &mut AttemptError, credential: &Credential) {
    let AttemptError::Upstream(error) = error else { return };
    let Some(said) = &mut error.provider_error else { return };
    said.message = redact(&said.message, &credential.secret);
    for text in [&mut said.kind, &mut said.code, &mut said.param].into_iter().flatten() {
        *text = redact(text, &credential.secret);
    }
}
