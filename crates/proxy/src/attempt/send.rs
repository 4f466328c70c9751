//! One attempt: intent, request, response head, and the answer as far as it must be seen before it is believed.

use std::{sync::Arc, time::Duration};

use domain::{AttemptOutcome, ModelRef};
use http::{Request, response::Parts};
use policy::{Credential, SelectionReason, bound};
use tokio::time::{Instant, timeout_at};
use upstream::TrackedBody;
use zeroize::Zeroizing;

use super::{
    AttemptPermit, CredentialLease, OutcomeReporter, TargetTurn,
    cascade::{self, Verdict},
    failure::{AttemptError, by_status},
    opening::{self, UpstreamBody},
    prepare::{UpstreamRequest, prepare},
    walk::sends_on,
};

use crate::{
    codec::{EncodeError, ResponseCodec},
    context::{AttemptTarget, TRACEPARENT},
    error::GatewayError,
    meter::Meter,
    redact::redact,
    request::LlmRequest,
    state::ProxyState,
};

/// A provider's answer, believed.
pub(crate) struct UpstreamResponse {
    pub(crate) head: Parts,
    pub(crate) kind: UpstreamBody,
    pub(crate) deadline: Instant,
    /// Kept to blot it out of what the provider says later.
    pub(crate) secret: Option<Arc<Zeroizing<String>>>,
    /// A cascade's condition did not accept it: its attempt has ended, and only when no other step answers is it used.
    pub(crate) rejected: bool,
}

/// Tries once. The outer error is the gateway's own trouble and ends the request.
pub(crate) async fn try_once(
    gateway: &Arc<ProxyState>,
    ask: &LlmRequest,
    meter: &mut Meter,
    (turn, signer, seat): (&TargetTurn<'_>, Option<CredentialLease>, AttemptPermit),
) -> Result<Result<UpstreamResponse, AttemptError>, GatewayError> {
    let target = &turn.planned.target;
    let input = wire::input_bound(&ask.facts, ask.body.len());
    let bound = bound(target, meter.priced_at(), input, ask.facts.max_output, ask.facts.choices);
    let credential = signer.as_ref().map(|signer| Arc::clone(&signer.credential));
    let watch = OutcomeReporter::new(target, signer, seat, gateway.now());
    let UpstreamRequest { mut request, talk } = match prepare(gateway, ask, meter, turn.planned) {
        Ok(prepared) => prepared,
        Err(unspeakable) => {
            watch.end(AttemptOutcome::NotSent, &gateway.health);
            return match unspeakable {
                EncodeError::GatewayError(trouble) => Err(trouble),
                EncodeError::Field(field) => Ok(Err(AttemptError::unsupported(field))),
            };
        }
    };
    if let Some(credential) = &credential {
        let region = target.endpoint.region.as_deref();
        let signed = gateway.tokens.sign(&mut request, credential, region, turn.first_content).await;
        if let Err(why) = signed {
            watch.end(AttemptOutcome::NotSent, &gateway.health);
            return Ok(Err(AttemptError::new(AttemptOutcome::NotSent, why)));
        }
    }
    if let Some(place) = meter.trace_out() {
        request.headers_mut().insert(TRACEPARENT, place);
    }
    let reason = if watch.is_trial() { SelectionReason::Trial } else { turn.planned.reason };
    let tried =
        AttemptTarget { target: Arc::clone(target), credential: credential.clone(), reason, rejected: None };
    let sent = meter.begin(tried, bound, watch)?;
    meter.observe(ask.usage(), 0);
    let waiting = Instant::now();
    let connect = ask.plan.terms.timeouts.connect.std();
    let request = request.map(|body| TrackedBody::new(body, sent));
    let exchange = exchange(gateway, (ask, &talk, turn), meter, request, connect);
    let mut got = timeout_at(turn.first_content, exchange)
        .await
        .unwrap_or_else(|_| Err(AttemptError::new(AttemptOutcome::Timeout, "no content in time")));
    meter.wait(waiting.elapsed());
    if let Err(failure) = &mut got {
        blot(failure, credential.as_ref());
    }
    let secret = credential.map(|credential| Arc::clone(&credential.secret));
    let got = got.map(|(head, kind, verdict)| {
        (UpstreamResponse { head, kind, deadline: turn.deadline, secret, rejected: false }, verdict)
    });
    Ok(conclude(got, meter, &target.model))
}

/// Ends an attempt, unless its answer goes to the client as it comes.
fn conclude(
    got: Result<(UpstreamResponse, Verdict), AttemptError>,
    meter: &mut Meter,
    target: &ModelRef,
) -> Result<UpstreamResponse, AttemptError> {
    let (mut failure, blocked) = match got {
        Ok((answer, Verdict::Unjudged)) => return Ok(answer),
        Ok((answer, Verdict::Accepted)) => {
            meter.record_verdict(None);
            return Ok(answer);
        }
        Ok((answer, Verdict::Rejected(why))) => {
            tracing::debug!(request = %meter.request(), %target, why, "an answer is not accepted");
            meter.record_verdict(Some(why));
            return Ok(UpstreamResponse { rejected: true, ..answer });
        }
        Ok((answer, Verdict::Blocked)) => {
            let detail = "a filter refused the prompt in an answer of status 200";
            (AttemptError::new(AttemptOutcome::ContentFilter, detail), Some(answer))
        }
        Err(failure) => (failure, None),
    };
    meter.end(failure.outcome);
    tracing::debug!(request = %meter.request(), %target, outcome = failure.outcome.as_str(), detail = failure.detail, "attempt failed");
    failure.answer = blocked.map(|answer| Box::new((answer, meter.last_attempt())));
    Err(failure)
}

/// Sends, and reads as much as it takes to know that the target answered, and what becomes of the answer.
async fn exchange(
    gateway: &ProxyState,
    (ask, talk, turn): (&LlmRequest, &ResponseCodec, &TargetTurn<'_>),
    meter: &mut Meter,
    request: Request<TrackedBody>,
    connect: Duration,
) -> Result<(Parts, UpstreamBody, Verdict), AttemptError> {
    let sent = gateway.upstream.send(connect, request).await;
    let response = sent.map_err(|error| AttemptError {
        before_head: true,
        ..AttemptError::new(error.outcome, error.detail)
    })?;
    let status = response.status().as_u16();
    meter.head(response.status(), response.headers());
    if let Some(outcome) = by_status(status) {
        return Err(opening::refusal(outcome, talk, response).await);
    }
    let (head, body) = response.into_parts();
    let sends_on = sends_on(ask, turn);
    if let Some(condition) = cascade::condition(ask, turn.planned) {
        let judge = (condition, sends_on);
        let (kind, verdict) = cascade::open((ask, talk), &head.headers, body, meter, judge).await?;
        return Ok((head, kind, verdict));
    }
    let opened = opening::open((ask, talk), &head.headers, body, (meter, None), sends_on).await?;
    if opened.blocked {
        return Ok((head, opened.kind, Verdict::Blocked));
    }
    meter.first_content();
    Ok((head, opened.kind, Verdict::Unjudged))
}

/// Takes the credential out of everything the provider said.
fn blot(failure: &mut AttemptError, credential: Option<&Arc<Credential>>) {
    let (Some(credential), Some(said)) = (credential, &mut failure.said) else { return };
    said.message = redact(&said.message, &credential.secret);
    for text in [&mut said.kind, &mut said.code, &mut said.param].into_iter().flatten() {
        *text = redact(text, &credential.secret);
    }
}
