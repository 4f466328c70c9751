//! An attempt of the gateway's own: it goes the way of a client's, to one target with one credential, and is read to its
//! end.

use std::{sync::Arc, time::Duration};

use domain::{AttemptOutcome, RequestOutcome};
use http_body_util::BodyExt as _;
use policy::{
    CredentialChoice,
    failover::{ClientDeadline, CredentialSelector},
    health::Moment,
};
use tokio::time::{Instant, timeout_at};

use crate::{
    attempt::{
        Attempt, AttemptError, AttemptResources, Deadlines, Response, TargetTurn, UpstreamBody,
        UpstreamResponse, lease_credential, needed_tokens, report_change,
    },
    health::{AttemptPermit, CredentialLease},
    meter::Meter,
    request::LlmRequest,
    state::ProxyState,
};

/// Longest response that is read to its end, in bytes: a few tokens were asked for.
const MOST: usize = 1 << 20;

/// How a probe ended.
pub(super) struct ProbeResult {
    pub(super) outcome: AttemptOutcome,
    /// Until the first content, where there was any.
    pub(super) ttft: Option<Duration>,
}

/// Sends the only call of a plan; its usage is in the spool when this returns. `None` if nothing was sent, because no
/// credential may be used or the gateway itself could not.
pub(super) async fn probe(
    proxy: &Arc<ProxyState>,
    request: &LlmRequest,
    mut meter: Meter,
    deadline: Instant,
) -> Option<ProbeResult> {
    let planned = request.plan.attempts.first()?;
    let mut credentials = CredentialSelector::new(needed_tokens(request));
    let mut reconnected = false;
    loop {
        let credential = match select(proxy, request, &meter, &mut credentials).await {
            Selection::NoneLeft => return None,
            Selection::Unsigned => None,
            Selection::Lease(lease) => Some(lease),
        };
        let permit = AttemptPermit {
            in_flight: planned.target.state.begin(),
            trial: None,
            client_deadline: ClientDeadline::default(),
            probe: true,
        };
        let turn = TargetTurn {
            planned,
            deadlines: Deadlines { total: deadline, first_content: deadline },
            reroute_blocked_until: None,
        };
        let begun = Instant::now();
        let attempt = Attempt { proxy, request, meter: &mut meter, turn };
        let error = match attempt.send(AttemptResources { credential, permit }).await {
            Ok(Response::Answer(answer)) => {
                let ttft = Some(begun.elapsed());
                let outcome = read(answer, &mut meter).await;
                meter.end(outcome);
                meter.settle(ended(outcome), 200);
                return Some(ProbeResult { outcome, ttft });
            }
            Ok(Response::Rejected(_)) | Err(AttemptError::Gateway(_)) => return None,
            Err(error) => error,
        };
        let target = &planned.target;
        let failure = error.failure(target.endpoint.row);
        if let Some((credential, change)) = credentials.on_failure(&failure, &target.state, moment(proxy)) {
            report_change(proxy, &credential, change, error.status());
        }
        // As for clients: a pooled connection that the provider had closed says nothing of the target.
        if !std::mem::replace(&mut reconnected, true) && failure.is_stale_connection(begun.elapsed()) {
            continue;
        }
        meter.settle(RequestOutcome::Error, error.status().map_or(0, u32::from));
        let sent = failure.outcome != AttemptOutcome::NotSent;
        return sent.then_some(ProbeResult { outcome: failure.outcome, ttft: None });
    }
}

/// What signs a probe.
enum Selection {
    /// Nothing: the provider wants no credential.
    Unsigned,
    Lease(CredentialLease),
    NoneLeft,
}

async fn select(
    proxy: &Arc<ProxyState>,
    request: &LlmRequest,
    meter: &Meter,
    credentials: &mut CredentialSelector,
) -> Selection {
    let Some(planned) = request.plan.attempts.first() else { return Selection::NoneLeft };
    loop {
        match credentials.select(planned.target.credentials(), false, moment(proxy)) {
            CredentialChoice::NotNeeded => return Selection::Unsigned,
            CredentialChoice::NoneLeft => return Selection::NoneLeft,
            CredentialChoice::Use(credential) => {
                match lease_credential(proxy, credential, meter.request(), needed_tokens(request)).await {
                    Ok(lease) => return Selection::Lease(lease),
                    Err(retry_after) => credentials.limited(retry_after),
                }
            }
        }
    }
}

fn moment(proxy: &ProxyState) -> Moment {
    Moment { now: proxy.now(), draw: proxy.live.draw() }
}

const fn ended(outcome: AttemptOutcome) -> RequestOutcome {
    match outcome {
        AttemptOutcome::Ok => RequestOutcome::Ok,
        _ => RequestOutcome::Cut,
    }
}

/// Reads a response to its end, where the usage is reported.
async fn read(answer: UpstreamResponse, meter: &mut Meter) -> AttemptOutcome {
    use AttemptOutcome as O;
    let (mut tap, mut pieces, mut rest) = match answer.kind {
        UpstreamBody::Buffered(_) => return O::Ok,
        UpstreamBody::Passthrough(..) => return O::Protocol,
        UpstreamBody::Streaming(tap, pieces, rest) => (tap, pieces, rest),
    };
    let mut read = 0;
    let over = loop {
        pieces.clear();
        let Ok(frame) = timeout_at(answer.deadline, rest.frame()).await else { break O::Timeout };
        match frame {
            Some(Ok(frame)) => {
                let Ok(data) = frame.into_data() else { continue };
                read += data.len();
                let fed = tap.feed(data, &mut pieces);
                meter.observe_stream(tap.seen());
                if fed.is_err() || read > MOST {
                    break O::Protocol;
                }
            }
            Some(Err(_)) => break O::Cut,
            None => {
                tap.finish(&mut pieces);
                meter.observe_stream(tap.seen());
                break O::Cut;
            }
        }
        if tap.seen().error.is_some() {
            break O::StreamError;
        }
    };
    let seen = tap.seen();
    // After the terminal event nothing is missing.
    let whole = seen.error.is_none() && (seen.done || (over == O::Cut && seen.finish));
    if whole { O::Ok } else { over }
}
