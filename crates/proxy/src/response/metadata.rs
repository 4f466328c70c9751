//! What the contract's headers say of every response.

use std::time::Duration;

use domain::{RequestId, Timestamp};
use http::{HeaderMap, HeaderName, HeaderValue};
use wire::Dialect;

use crate::rate_limits::RateLimits;

/// What the contract's response headers say of a request.
#[derive(Clone, Debug)]
pub(crate) struct ResponseMetadata {
    pub(crate) request: RequestId,
    /// The dialect of the client.
    pub(crate) dialect: Dialect,
    /// Fields that the target could not express and the client let go.
    pub(crate) dropped: Vec<String>,
    /// How full the limits are that the request was charged to.
    pub(crate) rate_limits: RateLimits,
    /// The output limit that the gateway set where the client set none, in tokens.
    pub(crate) output_limit: Option<u64>,
    pub(crate) route: Option<String>,
    pub(crate) provider: Option<String>,
    pub(crate) model: Option<String>,
    pub(crate) attempts: usize,
    pub(crate) fallback: Option<&'static str>,
    pub(crate) overhead: Duration,
    /// Where the model is to be taken out of service.
    pub(crate) retires: Option<Retirement>,
}

/// The announced end of a model.
#[derive(Clone, Debug)]
pub(crate) struct Retirement {
    pub(crate) when: Timestamp,
    /// What the client is told of it.
    pub(crate) warning: String,
}

impl ResponseMetadata {
    /// Of a request for which nothing was sent.
    pub(crate) const fn new(request: RequestId, dialect: Dialect, overhead: Duration) -> Self {
        Self {
            request,
            dialect,
            dropped: Vec::new(),
            rate_limits: RateLimits::NONE,
            output_limit: None,
            route: None,
            provider: None,
            model: None,
            attempts: 0,
            fallback: None,
            overhead,
            retires: None,
        }
    }

    /// Writes the headers that every answer carries.
    pub(crate) fn write(&self, headers: &mut HeaderMap) {
        let text = |value: &Option<String>| {
            value
                .as_deref()
                .and_then(|value| HeaderValue::from_str(value).ok())
                .unwrap_or(HeaderValue::from_static("none"))
        };
        let mut buffer = uuid::Uuid::encode_buffer();
        let request = self.request.0.hyphenated().encode_lower(&mut buffer);
        let request = HeaderValue::from_str(request).unwrap_or(HeaderValue::from_static("none"));
        let overhead = u64::try_from(self.overhead.as_micros()).unwrap_or(u64::MAX);
        headers.insert(HeaderName::from_static("x-portcullis-request-id"), request);
        headers.insert(HeaderName::from_static("x-portcullis-route"), text(&self.route));
        headers.insert(HeaderName::from_static("x-portcullis-provider"), text(&self.provider));
        headers.insert(HeaderName::from_static("x-portcullis-model"), text(&self.model));
        headers.insert(HeaderName::from_static("x-portcullis-attempts"), HeaderValue::from(self.attempts));
        let fallback = HeaderValue::from_static(self.fallback.unwrap_or("none"));
        headers.insert(HeaderName::from_static("x-portcullis-fallback"), fallback);
        headers.insert(HeaderName::from_static("x-portcullis-cache"), HeaderValue::from_static("off"));
        headers.insert(HeaderName::from_static("x-portcullis-overhead-us"), HeaderValue::from(overhead));
        if let Some(Retirement { when, warning }) = &self.retires {
            // RFC 8594.
            if let Ok(when) = HeaderValue::from_str(&when.http_date()) {
                headers.insert(HeaderName::from_static("sunset"), when);
            }
            if let Ok(warning) = HeaderValue::from_str(warning) {
                headers.insert(HeaderName::from_static("x-portcullis-warning"), warning);
            }
        }
        self.rate_limits.write(headers, self.dialect, Timestamp::now());
        if let Some(limit) = self.output_limit {
            headers.insert(HeaderName::from_static("x-portcullis-output-limit"), HeaderValue::from(limit));
        }
        if !self.dropped.is_empty()
            && let Ok(dropped) = HeaderValue::from_str(&self.dropped.join(", "))
        {
            headers.insert(HeaderName::from_static("x-portcullis-dropped"), dropped);
        }
    }
}
