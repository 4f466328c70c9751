//! What the admin API counts for Prometheus.

use std::{
    fmt,
    sync::atomic::{AtomicU64, Ordering},
    time::Duration,
};

use axum::http::{Method, StatusCode};
use runtime::metrics::{Collect, Exposition, Family, Histogram, SeriesKey};

use crate::metrics::{ADMIN_REQUEST_DURATION, ADMIN_REQUESTS};

/// Since the process started.
#[derive(Debug)]
pub(super) struct Counts {
    requests: Family<Answered, AtomicU64>,
    duration: Histogram,
}

/// A request's labels.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
struct Answered {
    method: &'static str,
    status: StatusCode,
}

impl SeriesKey for Answered {
    fn overflow(self) -> Self {
        Self { method: "other", ..self }
    }
}

impl Default for Counts {
    fn default() -> Self {
        let requests = ADMIN_REQUESTS.family(AtomicU64::default);
        Self { requests, duration: ADMIN_REQUEST_DURATION.histogram() }
    }
}

impl Counts {
    pub(super) fn answered(&self, method: &Method, status: StatusCode, took: Duration) {
        const METHODS: [&str; 5] = ["GET", "POST", "PUT", "PATCH", "DELETE"];
        // Clients may invent methods.
        let method = METHODS.into_iter().find(|known| *known == method.as_str()).unwrap_or("other");
        self.requests.record(Answered { method, status }, |count| {
            count.fetch_add(1, Ordering::Relaxed);
        });
        self.duration.observe(took);
    }
}

impl Collect for Counts {
    fn collect(&self, to: &mut Exposition<'_>) -> fmt::Result {
        let mut requests = to.counter(&ADMIN_REQUESTS)?;
        self.requests.each(|key, count| {
            requests.put([key.method, key.status.as_str()], count.load(Ordering::Relaxed))
        })?;
        to.histogram(&ADMIN_REQUEST_DURATION)?.put([], &self.duration)
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use runtime::metrics::Metrics;

    use super::*;

    #[test]
    fn methods_that_clients_invent_are_one() {
        let counts = Arc::new(Counts::default());
        for method in ["GET", "get", "BREW", "X\u{21}"] {
            let method = Method::from_bytes(method.as_bytes()).unwrap();
            counts.answered(&method, StatusCode::METHOD_NOT_ALLOWED, Duration::from_millis(2));
        }
        let metrics = Metrics::default();
        metrics.register(counts);
        let text = metrics.render().unwrap();
        let line = |method, count| format!("{{method=\"{method}\",status=\"405\"}} {count}\n");
        assert!(text.contains(&line("GET", 1)) && text.contains(&line("other", 3)), "{text}");
        assert!(text.contains("portcullis_admin_request_duration_seconds_count 4\n"), "{text}");
    }
}
