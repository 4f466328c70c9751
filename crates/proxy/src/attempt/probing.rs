//! An attempt of the gateway's own: it goes the way of a client's, to one target with one key, and is read to its end.

use std::{sync::Arc, time::Duration};

use domain::{AttemptOutcome, RequestOutcome};
use http_body_util::BodyExt as _;
use tokio::time::{Instant, timeout_at};

use super::{
    AttemptPermit, ClientDeadline, TargetTurn, UpstreamBody, UpstreamResponse,
    keys::{CredentialSelector, Selection},
    send::try_once,
    was_stale,
};
use crate::{meter::Meter, request::LlmRequest, state::ProxyState};

/// Longest answer that is read to its end, in bytes: a few tokens were asked for.
const MOST: usize = 1 << 20;

/// How a probe ended.
pub(crate) struct ProbeResult {
    pub(crate) outcome: AttemptOutcome,
    /// Until the first content, where there was any.
    pub(crate) ttft: Option<Duration>,
}

/// Sends the only call of a plan; its usage is in the spool when this returns.
///
/// `None`: nothing was sent, because no key may be used or the gateway itself could not.
pub(crate) async fn probe(
    gateway: &Arc<ProxyState>,
    ask: &LlmRequest,
    mut meter: Meter,
    deadline: Instant,
) -> Option<ProbeResult> {
    let planned = ask.plan.attempts.first()?;
    let mut keys = CredentialSelector::new(planned, ask, false);
    let mut fresh = false;
    loop {
        let Selection::Sign(signer) = keys.next(gateway, meter.request()).await else { return None };
        let in_flight = planned.target.state.begin();
        let seat =
            AttemptPermit { in_flight, trial: None, client_deadline: ClientDeadline::default(), probe: true };
        let turn = TargetTurn { planned, deadline, first_content: deadline, last: true, trial: None };
        let begun = Instant::now();
        let failure = match try_once(gateway, ask, &mut meter, (&turn, signer, seat)).await {
            Ok(Ok(answer)) => {
                let ttft = Some(begun.elapsed());
                let outcome = read(answer, &mut meter).await;
                meter.end(outcome);
                meter.settle(ended(outcome), 200);
                return Some(ProbeResult { outcome, ttft });
            }
            Ok(Err(failure)) => failure,
            Err(_) => return None,
        };
        keys.failed(gateway, &failure);
        // As for clients: a pooled connection that the provider had closed says nothing of it.
        if !std::mem::replace(&mut fresh, true) && was_stale(&failure, begun.elapsed()) {
            continue;
        }
        meter.settle(RequestOutcome::Error, failure.status.map_or(0, u32::from));
        let sent = failure.outcome != AttemptOutcome::NotSent;
        return sent.then_some(ProbeResult { outcome: failure.outcome, ttft: None });
    }
}

const fn ended(outcome: AttemptOutcome) -> RequestOutcome {
    match outcome {
        AttemptOutcome::Ok => RequestOutcome::Ok,
        _ => RequestOutcome::Cut,
    }
}

/// Reads an answer to its end: what it used is said there.
async fn read(answer: UpstreamResponse, meter: &mut Meter) -> AttemptOutcome {
    use AttemptOutcome as O;
    let (mut tap, mut pieces, mut rest) = match answer.kind {
        UpstreamBody::Plain(_) => return O::Ok,
        UpstreamBody::Long(..) => return O::Protocol,
        UpstreamBody::Stream(tap, pieces, rest) => (tap, pieces, rest),
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
    // Behind the terminal event nothing is missed.
    let whole = seen.error.is_none() && (seen.done || (over == O::Cut && seen.finish));
    if whole { O::Ok } else { over }
}
