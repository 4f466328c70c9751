//! How every request ended, told exactly once to whoever counts, traces or logs it.

use std::{sync::Arc, time::Duration};

use domain::{Attribution, ErrorKind, RequestId, RequestOutcome, Timestamp, UsageEvent};
use http::{Method, Request};
use policy::{ApiKey, Credential, SelectionReason, Target};
use tokio::time::Instant;
use wire::Dialect;

use crate::{admission::QueueRejection, gateway::ProxyState, reply::GatewayError, trace::TraceContext};

/// HTTP status recorded for a client that hung up (nginx's convention).
pub(crate) const CLIENT_CLOSED: u16 = 499;

/// Learns how requests ended, on the request's own task: it must neither wait nor fail.
pub(crate) trait Observer: Send + Sync {
    /// A request ended whose attempts are in the usage spool by now.
    fn settled(&self, settled: &CompletedRequest<'_>);

    /// A request ended without an attempt.
    fn unmetered(&self, unmetered: &UnattemptedRequest<'_>);

    /// A request had to wait for a place at a target, or could not even wait.
    fn waited(&self, _wait: &QueueWait<'_>) {}
}

/// Everybody who learns it, in order.
pub(crate) type Observers = Vec<Arc<dyn Observer>>;

/// A request that had at least one attempt.
pub(crate) struct CompletedRequest<'a> {
    pub(crate) passage: &'a RequestContext,
    pub(crate) event: &'a UsageEvent,
    /// Where each of the event's attempts went, in the same order.
    pub(crate) tried: &'a [AttemptTarget],
    pub(crate) times: RequestTimings,
}

/// How a request waited for a place at a target that had no free one.
pub(crate) struct QueueWait<'a> {
    pub(crate) target: &'a Target,
    /// `None`: it was refused at once.
    pub(crate) lasted: Option<Duration>,
    /// `None`: it got its place, or its client hung up.
    pub(crate) turned_away: Option<QueueRejection>,
}

/// The durations of a settled request.
#[derive(Clone, Copy, Debug)]
pub(crate) struct RequestTimings {
    /// The whole request.
    pub(crate) duration: Duration,
    /// The gateway's own share.
    pub(crate) overhead: Duration,
    /// Up to the first content.
    pub(crate) ttft: Option<Duration>,
}

/// Where one attempt went.
#[derive(Clone, Debug)]
pub(crate) struct AttemptTarget {
    pub(crate) target: Arc<Target>,
    /// `None`: the provider needs none.
    pub(crate) credential: Option<Arc<Credential>>,
    /// Why it was chosen.
    pub(crate) reason: SelectionReason,
    /// Why its answer was not accepted, in a cascade.
    pub(crate) rejected: Option<String>,
}

impl AttemptTarget {
    /// Whether the provider says when it takes the model out of service.
    pub(crate) fn retires(&self) -> bool {
        self.target.spec.deprecation.is_some()
    }
}

/// A request that was refused, answered by the gateway itself, or given up by its client before any attempt.
pub(crate) struct UnattemptedRequest<'a> {
    pub(crate) passage: &'a RequestContext,
    /// The route, where it became known.
    pub(crate) route: Option<&'a str>,
    /// `Ok`: answered; `Error`: refused; `Cancelled`: the client hung up.
    pub(crate) outcome: RequestOutcome,
    /// Why it was refused.
    pub(crate) kind: Option<ErrorKind>,
    /// The kind of the limit that was reached.
    pub(crate) limit: Option<&'static str>,
    pub(crate) status: u16,
    pub(crate) elapsed: Duration,
}

/// A request's way through the gateway, from its head to its end. Whoever holds it says how it ended; dropped
/// untold, the client hung up.
pub(crate) struct RequestContext {
    pub(crate) gateway: Arc<ProxyState>,
    pub(crate) id: RequestId,
    pub(crate) at: Timestamp,
    pub(crate) started: Instant,
    /// `_OTHER`: a word that is no method of HTTP's.
    pub(crate) method: &'static str,
    pub(crate) trace: TraceContext,
    /// The client API, once the path was understood.
    pub(crate) api: Option<&'static str>,
    /// Whose words the client speaks.
    pub(crate) dialect: Dialect,
    /// The caller's key, and its tenant with it, once it was found good.
    pub(crate) key: Option<Arc<ApiKey>>,
    /// For whom it was, where it was refused after that was known.
    pub(crate) whose: Option<Attribution>,
    told: bool,
}

impl RequestContext {
    pub(crate) fn new<B>(gateway: Arc<ProxyState>, request: &Request<B>) -> Self {
        let (id, at, started) = (RequestId::new(), Timestamp::now(), Instant::now());
        let (method, trace) = (known(request.method()), gateway.head.context(id, request.headers()));
        let (api, dialect) = (None, Dialect::OpenAiChat);
        let (key, whose, told) = (None, None, false);
        Self { gateway, id, at, started, method, trace, api, dialect, key, whose, told }
    }

    /// Of a request of the gateway's own: nobody is told of it as of a client's.
    pub(crate) fn of_the_gateway(gateway: Arc<ProxyState>) -> Self {
        let mut request = Request::new(());
        *request.method_mut() = Method::POST;
        let mut passage = Self::new(gateway, &request);
        passage.told = true;
        passage
    }

    /// The tenant's name, once the key was found good.
    pub(crate) fn tenant(&self) -> Option<&str> {
        self.key.as_ref().map(|key| key.tenant.name.as_str())
    }

    /// Leaves it to another holder to say how the request ends.
    pub(crate) fn hand_over(&mut self) -> Self {
        let (id, at, started, method, api) = (self.id, self.at, self.started, self.method, self.api);
        let (trace, key, dialect) = (self.trace.clone(), self.key.take(), self.dialect);
        let (gateway, whose) = (Arc::clone(&self.gateway), self.whose.take());
        let told = std::mem::replace(&mut self.told, true);
        Self { gateway, id, at, started, method, trace, api, dialect, key, whose, told }
    }

    /// It had attempts.
    pub(crate) fn settled(&mut self, event: &UsageEvent, tried: &[AttemptTarget], times: RequestTimings) {
        if std::mem::replace(&mut self.told, true) {
            return;
        }
        let settled = CompletedRequest { passage: self, event, tried, times };
        for observer in &self.gateway.observers {
            observer.settled(&settled);
        }
    }

    /// It had none, and the client is told why.
    pub(crate) fn refused(&mut self, trouble: &GatewayError, route: Option<&str>) {
        let (route, status) = (route.or(trouble.route()), trouble.http_status().as_u16());
        self.unmetered(RequestOutcome::Error, Some(trouble), route, status);
    }

    /// It needed none.
    pub(crate) fn answered(&mut self, status: u16) {
        self.unmetered(RequestOutcome::Ok, None, None, status);
    }

    fn unmetered(
        &mut self,
        outcome: RequestOutcome,
        trouble: Option<&GatewayError>,
        route: Option<&str>,
        status: u16,
    ) {
        if std::mem::replace(&mut self.told, true) {
            return;
        }
        let (kind, limit) = (trouble.map(GatewayError::kind), trouble.and_then(GatewayError::limit));
        let elapsed = self.started.elapsed();
        let unmetered = UnattemptedRequest { passage: self, route, outcome, kind, limit, status, elapsed };
        for observer in &self.gateway.observers {
            observer.unmetered(&unmetered);
        }
    }
}

/// A method by its name; clients may send any word.
fn known(method: &Method) -> &'static str {
    match *method {
        Method::GET => "GET",
        Method::POST => "POST",
        Method::PUT => "PUT",
        Method::PATCH => "PATCH",
        Method::DELETE => "DELETE",
        Method::HEAD => "HEAD",
        Method::OPTIONS => "OPTIONS",
        Method::CONNECT => "CONNECT",
        Method::TRACE => "TRACE",
        _ => "_OTHER",
    }
}

impl Drop for RequestContext {
    fn drop(&mut self) {
        self.unmetered(RequestOutcome::Cancelled, None, None, CLIENT_CLOSED);
    }
}
