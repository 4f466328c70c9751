//! One attempt: intent, request, response head, and the answer as far as it must be seen before it is believed.

use std::{sync::Arc, time::Duration};

use domain::AttemptOutcome;
use http::{Request, response::Parts};
use policy::bound;
use tokio::time::{Instant, timeout_at};
use zeroize::Zeroizing;

use super::{
    Try,
    failure::{Failure, by_status},
    opening::{self, Kind},
    prepare::{Prepared, prepare},
};
use crate::{
    gateway::Gateway,
    meter::Meter,
    observe::Tried,
    pipeline::Ask,
    redact::redact,
    reply::Trouble,
    talk::{Talk, Unspeakable},
    upstream::Outgoing,
};

/// A provider's answer, believed.
pub(crate) struct Answer {
    pub(crate) head: Parts,
    pub(crate) kind: Kind,
    pub(crate) deadline: Instant,
    /// Kept to blot it out of what the provider says later.
    pub(crate) secret: Option<Arc<Zeroizing<String>>>,
}

/// Tries once. The outer error is the gateway's own trouble and ends the request.
pub(crate) async fn try_once(
    gateway: &Arc<Gateway>,
    ask: &Ask,
    meter: &mut Meter,
    tried: &Try<'_>,
) -> Result<Result<Answer, Failure>, Trouble> {
    let target = &tried.planned.target;
    let input = wire::input_bound(&ask.facts, ask.body.len());
    let bound = bound(target, meter.priced_at(), input, ask.facts.max_output, ask.facts.choices);
    let Prepared { mut request, talk } = match prepare(gateway, ask, meter, tried) {
        Ok(prepared) => prepared,
        Err(Unspeakable::Trouble(trouble)) => return Err(trouble),
        Err(Unspeakable::Field(field)) => return Ok(Err(Failure::unsupported(field))),
    };
    if let Some(credential) = tried.credential {
        let region = target.endpoint.region.as_deref();
        let signed = gateway.tokens.sign(&mut request, credential, region, tried.first_content).await;
        if let Err(why) = signed {
            return Ok(Err(Failure::new(AttemptOutcome::NotSent, why)));
        }
    }
    if let Some(place) = meter.trace_out() {
        request.headers_mut().insert("traceparent", place);
    }
    let credential = tried.credential.map(Arc::clone);
    let sent = meter.begin(Tried { target: Arc::clone(target), credential }, bound)?;
    meter.observe(ask.usage(), 0);
    let waiting = Instant::now();
    let connect = ask.plan.timeouts.connect.std();
    let request = request.map(|body| Outgoing::new(body, sent));
    let exchange = exchange(gateway, (ask, &talk), meter, request, connect);
    let mut got = timeout_at(tried.first_content, exchange)
        .await
        .unwrap_or_else(|_| Err(Failure::new(AttemptOutcome::Timeout, "no content in time")));
    meter.wait(waiting.elapsed());
    if let Err(failure) = &mut got {
        blot(failure, tried);
        meter.end(failure.outcome);
        tracing::debug!(request = %meter.request(), target = %target.model, outcome = failure.outcome.as_str(), detail = failure.detail, "attempt failed");
    }
    let secret = tried.credential.map(|credential| Arc::clone(&credential.secret));
    Ok(got.map(|(head, kind)| Answer { head, kind, deadline: tried.deadline, secret }))
}

/// Sends, and reads as much as it takes to know that the target answered.
async fn exchange(
    gateway: &Gateway,
    (ask, talk): (&Ask, &Talk),
    meter: &mut Meter,
    request: Request<Outgoing>,
    connect: Duration,
) -> Result<(Parts, Kind), Failure> {
    let sent = gateway.upstream.send(connect, request).await;
    let response =
        sent.map_err(|error| Failure { before_head: true, ..Failure::new(error.outcome, error.detail) })?;
    let status = response.status().as_u16();
    meter.status(status);
    if let Some(outcome) = by_status(status) {
        return Err(opening::refusal(outcome, talk, response).await);
    }
    let (head, body) = response.into_parts();
    let kind = opening::open((ask, talk), &head.headers, body, meter).await?;
    meter.first_content();
    Ok((head, kind))
}

/// Takes the credential out of everything the provider said.
fn blot(failure: &mut Failure, tried: &Try<'_>) {
    let (Some(credential), Some(said)) = (tried.credential, &mut failure.said) else { return };
    said.message = redact(&said.message, &credential.secret);
    for text in [&mut said.kind, &mut said.code, &mut said.param].into_iter().flatten() {
        *text = redact(text, &credential.secret);
    }
}
