//! What the admin API counts for Prometheus.

use std::{
    fmt,
    sync::atomic::{AtomicU64, Ordering},
    time::Duration,
};

use axum::http::{Method, StatusCode};
use runtime::metrics::{Buckets, Collect, Exposition, Family, Histogram, SeriesKey};

/// In µs.
const DURATION: Buckets = &[
    1_000, 2_500, 5_000, 10_000, 25_000, 50_000, 100_000, 250_000, 500_000, 1_000_000, 5_000_000, 30_000_000,
];
/// Methods times statuses that the API has.
const MOST_SERIES: usize = 200;

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
        let requests = Family::new(MOST_SERIES, AtomicU64::default);
        Self { requests, duration: Histogram::new(DURATION) }
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
        let mut requests = to.counter("portcullis_admin_requests_total", "Requests to the admin API.")?;
        self.requests.each(|key, count| {
            let labels = [("method", key.method), ("status", key.status.as_str())];
            requests.put(&labels, count.load(Ordering::Relaxed))
        })?;
        to.histogram("portcullis_admin_request_duration_seconds", "Of requests to the admin API.")?
            .put(&[], &self.duration)
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
