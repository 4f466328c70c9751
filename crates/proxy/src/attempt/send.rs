//! One attempt: intent, request, response head, and the answer as far as it must be seen before it is believed.

use std::{sync::Arc, time::Duration};

use domain::{AttemptOutcome, ModelRef};
use http::{Request, response::Parts};
use policy::{Credential, Reason, bound};
use tokio::time::{Instant, timeout_at};
use zeroize::Zeroizing;

use super::{
    Seat, Signer, Turn, Watch,
    cascade::{self, Verdict},
    failure::{Failure, by_status},
    opening::{self, Kind},
    prepare::{Prepared, prepare},
    walk::sends_on,
};
use crate::{
    gateway::Gateway,
    meter::Meter,
    observe::Tried,
    pipeline::Ask,
    redact::redact,
    reply::Trouble,
    talk::{Talk, Unspeakable},
    trace::TRACEPARENT,
    upstream::Outgoing,
};

/// A provider's answer, believed.
pub(crate) struct Answer {
    pub(crate) head: Parts,
    pub(crate) kind: Kind,
    pub(crate) deadline: Instant,
    /// Kept to blot it out of what the provider says later.
    pub(crate) secret: Option<Arc<Zeroizing<String>>>,
    /// A cascade's condition did not accept it: its attempt has ended, and only when no other step answers is it used.
    pub(crate) rejected: bool,
}

/// Tries once. The outer error is the gateway's own trouble and ends the request.
pub(crate) async fn try_once(
    gateway: &Arc<Gateway>,
    ask: &Ask,
    meter: &mut Meter,
    (turn, signer, seat): (&Turn<'_>, Option<Signer>, Seat),
) -> Result<Result<Answer, Failure>, Trouble> {
    let target = &turn.planned.target;
    let input = wire::input_bound(&ask.facts, ask.body.len());
    let bound = bound(target, meter.priced_at(), input, ask.facts.max_output, ask.facts.choices);
    let credential = signer.as_ref().map(|signer| Arc::clone(&signer.credential));
    let watch = Watch::new(target, signer, seat, gateway.now());
    let Prepared { mut request, talk } = match prepare(gateway, ask, meter, turn.planned) {
        Ok(prepared) => prepared,
        Err(unspeakable) => {
            watch.end(AttemptOutcome::NotSent, gateway);
            return match unspeakable {
                Unspeakable::Trouble(trouble) => Err(trouble),
                Unspeakable::Field(field) => Ok(Err(Failure::unsupported(field))),
            };
        }
    };
    if let Some(credential) = &credential {
        let region = target.endpoint.region.as_deref();
        let signed = gateway.tokens.sign(&mut request, credential, region, turn.first_content).await;
        if let Err(why) = signed {
            watch.end(AttemptOutcome::NotSent, gateway);
            return Ok(Err(Failure::new(AttemptOutcome::NotSent, why)));
        }
    }
    if let Some(place) = meter.trace_out() {
        request.headers_mut().insert(TRACEPARENT, place);
    }
    let reason = if watch.is_trial() { Reason::Trial } else { turn.planned.reason };
    let tried = Tried { target: Arc::clone(target), credential: credential.clone(), reason, rejected: None };
    let sent = meter.begin(tried, bound, watch)?;
    meter.observe(ask.usage(), 0);
    let waiting = Instant::now();
    let connect = ask.plan.terms.timeouts.connect.std();
    let request = request.map(|body| Outgoing::new(body, sent));
    let exchange = exchange(gateway, (ask, &talk, turn), meter, request, connect);
    let mut got = timeout_at(turn.first_content, exchange)
        .await
        .unwrap_or_else(|_| Err(Failure::new(AttemptOutcome::Timeout, "no content in time")));
    meter.wait(waiting.elapsed());
    if let Err(failure) = &mut got {
        blot(failure, credential.as_ref());
    }
    let secret = credential.map(|credential| Arc::clone(&credential.secret));
    let got = got.map(|(head, kind, verdict)| {
        (Answer { head, kind, deadline: turn.deadline, secret, rejected: false }, verdict)
    });
    Ok(conclude(got, meter, &target.model))
}

/// Ends an attempt, unless its answer goes to the client as it comes.
fn conclude(
    got: Result<(Answer, Verdict), Failure>,
    meter: &mut Meter,
    target: &ModelRef,
) -> Result<Answer, Failure> {
    let (mut failure, blocked) = match got {
        Ok((answer, Verdict::Unjudged)) => return Ok(answer),
        Ok((answer, Verdict::Accepted)) => {
            meter.judged(None);
            return Ok(answer);
        }
        Ok((answer, Verdict::Rejected(why))) => {
            tracing::debug!(request = %meter.request(), %target, why, "an answer is not accepted");
            meter.judged(Some(why));
            return Ok(Answer { rejected: true, ..answer });
        }
        Ok((answer, Verdict::Blocked)) => {
            let detail = "a filter refused the prompt in an answer of status 200";
            (Failure::new(AttemptOutcome::ContentFilter, detail), Some(answer))
        }
        Err(failure) => (failure, None),
    };
    meter.end(failure.outcome);
    tracing::debug!(request = %meter.request(), %target, outcome = failure.outcome.as_str(), detail = failure.detail, "attempt failed");
    failure.answer = blocked.map(|answer| Box::new((answer, meter.kept())));
    Err(failure)
}

/// Sends, and reads as much as it takes to know that the target answered, and what becomes of the answer.
async fn exchange(
    gateway: &Gateway,
    (ask, talk, turn): (&Ask, &Talk, &Turn<'_>),
    meter: &mut Meter,
    request: Request<Outgoing>,
    connect: Duration,
) -> Result<(Parts, Kind, Verdict), Failure> {
    let sent = gateway.upstream.send(connect, request).await;
    let response =
        sent.map_err(|error| Failure { before_head: true, ..Failure::new(error.outcome, error.detail) })?;
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
fn blot(failure: &mut Failure, credential: Option<&Arc<Credential>>) {
    let (Some(credential), Some(said)) = (credential, &mut failure.said) else { return };
    said.message = redact(&said.message, &credential.secret);
    for text in [&mut said.kind, &mut said.code, &mut said.param].into_iter().flatten() {
        *text = redact(text, &credential.secret);
    }
}
