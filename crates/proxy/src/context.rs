//! The context of one request, and the observers that learn, exactly once, how it ended.

mod trace;

use std::{sync::Arc, time::Duration};

use domain::{Attribution, ErrorKind, RequestId, RequestOutcome, Timestamp, UsageEvent};
use http::{Method, Request};
use hyper::body::Incoming;
use policy::{ApiKey, Credential, SelectionReason, Target};
use tokio::time::Instant;
use wire::Dialect;

pub(crate) use self::trace::{TRACEPARENT, TraceContext, TracePropagation, span_id, to_hex};
use crate::error::GatewayError;

/// HTTP status recorded for a client that hung up (nginx's convention).
pub(crate) const CLIENT_CLOSED: u16 = 499;

/// Is told how requests ended, on the request's own task: it must neither wait nor fail.
pub(crate) trait Observer: Send + Sync {
    /// A request ended that had attempts, which are in the usage spool by now.
    fn settled(&self, settled: &CompletedRequest<'_>);

    /// A request ended without an attempt.
    fn unmetered(&self, unmetered: &UnattemptedRequest<'_>);

    /// A request found no free slot at a target: it waited for one, or could not even wait.
    fn waited(&self, _wait: &QueueWait<'_>) {}
}

/// The observers of all requests, in the order in which they are told.
pub(crate) type Observers = Arc<[Arc<dyn Observer>]>;

/// One request on its way in.
pub(crate) struct IncomingRequest {
    pub(crate) context: RequestContext,
    pub(crate) request: Request<Incoming>,
}

/// A request that had at least one attempt.
pub(crate) struct CompletedRequest<'a> {
    pub(crate) context: &'a RequestContext,
    pub(crate) event: &'a UsageEvent,
    /// Where each of the event's attempts went, in the same order.
    pub(crate) tried: &'a [AttemptTarget],
    pub(crate) times: RequestTimings,
}

/// How a request waited for a slot at a target that had no free one.
pub(crate) struct QueueWait<'a> {
    pub(crate) target: &'a Target,
    pub(crate) outcome: QueueOutcome,
}

/// How a wait for a slot ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum QueueOutcome {
    /// It got its slot.
    Admitted { waited: Duration },
    /// Its client hung up meanwhile.
    Abandoned { waited: Duration },
    /// It did not even begin to wait.
    NotQueued(QueueRejection),
    /// It waited in vain.
    Rejected { reason: QueueRejection, waited: Duration },
}

impl QueueOutcome {
    /// How long the request waited, if it did.
    pub(crate) const fn waited(self) -> Option<Duration> {
        match self {
            Self::Admitted { waited } | Self::Abandoned { waited } | Self::Rejected { waited, .. } => {
                Some(waited)
            }
            Self::NotQueued(_) => None,
        }
    }

    /// Why the request got no slot, if it was refused one.
    pub(crate) const fn rejection(self) -> Option<QueueRejection> {
        match self {
            Self::NotQueued(reason) | Self::Rejected { reason, .. } => Some(reason),
            Self::Admitted { .. } | Self::Abandoned { .. } => None,
        }
    }
}

/// Why a request got no slot at a target that it would have waited for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum QueueRejection {
    /// The queue was full.
    Full,
    /// Its turn would not have come in time.
    TooLate,
    /// It had to make room for a request of higher priority.
    Displaced,
    /// It waited for as long as the route allows.
    Timeout,
}

impl QueueRejection {
    pub(crate) const ALL: [Self; 4] = [Self::Full, Self::TooLate, Self::Displaced, Self::Timeout];

    /// The label in metrics.
    pub(crate) const fn as_str(self) -> &'static str {
        match self {
            Self::Full => "full",
            Self::TooLate => "too_late",
            Self::Displaced => "displaced",
            Self::Timeout => "timeout",
        }
    }
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
    /// The credential that signed it, where the provider needs one.
    pub(crate) credential: Option<Arc<Credential>>,
    /// Why it was chosen.
    pub(crate) reason: SelectionReason,
    /// Why its answer was not accepted, in a cascade.
    pub(crate) rejected: Option<String>,
}

impl AttemptTarget {
    /// Whether the provider has announced when it takes the model out of service.
    pub(crate) fn retires(&self) -> bool {
        self.target.spec.deprecation.is_some()
    }
}

/// A request that was refused, answered by the gateway itself, or given up by its client before any attempt.
pub(crate) struct UnattemptedRequest<'a> {
    pub(crate) context: &'a RequestContext,
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

/// What is known of a request from its head to its end. Its holder reports how it ended; where it is dropped
/// unreported, the client hung up.
pub(crate) struct RequestContext {
    observers: Observers,
    pub(crate) id: RequestId,
    pub(crate) at: Timestamp,
    pub(crate) started: Instant,
    /// `_OTHER` for a word that is no method of HTTP.
    pub(crate) method: &'static str,
    pub(crate) trace: TraceContext,
    /// The client API, once the path was understood.
    pub(crate) api: Option<&'static str>,
    /// The dialect of the client.
    pub(crate) dialect: Dialect,
    /// The API key, and its tenant with it, once the client is authenticated.
    pub(crate) key: Option<Arc<ApiKey>>,
    /// Tenant, user and feature of a request that was refused after they were known.
    pub(crate) attribution: Option<Attribution>,
    /// Whether the observers were told how it ended, or are not to be told here.
    reported: bool,
}

impl RequestContext {
    pub(crate) fn new<B>(observers: Observers, propagation: &TracePropagation, request: &Request<B>) -> Self {
        let id = RequestId::new();
        Self {
            observers,
            id,
            at: Timestamp::now(),
            started: Instant::now(),
            method: known(request.method()),
            trace: propagation.context(id, request.headers()),
            api: None,
            dialect: Dialect::OpenAiChat,
            key: None,
            attribution: None,
            reported: false,
        }
    }

    /// The context of a request of the gateway's own, which observers are not told of.
    pub(crate) fn internal(propagation: &TracePropagation) -> Self {
        let mut request = Request::new(());
        *request.method_mut() = Method::POST;
        let no_observers: [Arc<dyn Observer>; 0] = [];
        let mut context = Self::new(Arc::new(no_observers), propagation, &request);
        context.reported = true;
        context
    }

    /// The tenant's name, once the client is authenticated.
    pub(crate) fn tenant(&self) -> Option<&str> {
        self.key.as_ref().map(|key| key.tenant.name.as_str())
    }

    /// Moves the context to another holder, which reports how the request ends.
    pub(crate) fn take(&mut self) -> Self {
        Self {
            observers: Arc::clone(&self.observers),
            id: self.id,
            at: self.at,
            started: self.started,
            method: self.method,
            trace: self.trace.clone(),
            api: self.api,
            dialect: self.dialect,
            key: self.key.take(),
            attribution: self.attribution.take(),
            reported: std::mem::replace(&mut self.reported, true),
        }
    }

    /// Reports a request that had attempts.
    pub(crate) fn settled(&mut self, event: &UsageEvent, tried: &[AttemptTarget], times: RequestTimings) {
        if std::mem::replace(&mut self.reported, true) {
            return;
        }
        let settled = CompletedRequest { context: self, event, tried, times };
        for observer in &*self.observers {
            observer.settled(&settled);
        }
    }

    /// Reports a request that had no attempts, and that the client is told the reason of.
    pub(crate) fn refused(&mut self, error: &GatewayError, route: Option<&str>) {
        self.unmetered(Ending {
            outcome: RequestOutcome::Error,
            kind: Some(error.kind()),
            limit: error.limit(),
            route: route.or(error.route()),
            status: error.http_status().as_u16(),
        });
    }

    /// Reports a request that the gateway answered by itself.
    pub(crate) fn answered(&mut self, status: u16) {
        self.unmetered(Ending { outcome: RequestOutcome::Ok, kind: None, limit: None, route: None, status });
    }

    fn unmetered(&mut self, ending: Ending<'_>) {
        if std::mem::replace(&mut self.reported, true) {
            return;
        }
        let Ending { outcome, kind, limit, route, status } = ending;
        let elapsed = self.started.elapsed();
        let unmetered = UnattemptedRequest { context: self, route, outcome, kind, limit, status, elapsed };
        for observer in &*self.observers {
            observer.unmetered(&unmetered);
        }
    }
}

/// How a request without attempts ended.
#[derive(Clone, Copy)]
struct Ending<'a> {
    outcome: RequestOutcome,
    kind: Option<ErrorKind>,
    limit: Option<&'static str>,
    route: Option<&'a str>,
    status: u16,
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
        self.unmetered(Ending {
            outcome: RequestOutcome::Cancelled,
            kind: None,
            limit: None,
            route: None,
            status: CLIENT_CLOSED,
        });
    }
}
