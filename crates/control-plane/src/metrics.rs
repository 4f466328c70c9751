//! Every metric of a control plane, each declared once; `docs/metrics.md` says the same to operators.

use runtime::metrics::Buckets;

/// In µs.
const ADMIN_DURATION: Buckets = &[
    1_000, 2_500, 5_000, 10_000, 25_000, 50_000, 100_000, 250_000, 500_000, 1_000_000, 5_000_000, 30_000_000,
];

runtime::metric_table! {
    /// Every metric of a control plane.
    pub static METRICS;

    // Methods times statuses that the API has are fewer.
    ADMIN_REQUESTS: Counter = "portcullis_admin_requests_total" ["method", "status"] at most 200,
        "Requests to the admin API.";
    ADMIN_REQUEST_DURATION: Durations(ADMIN_DURATION) = "portcullis_admin_request_duration_seconds" [],
        "Of requests to the admin API.";

    CONTROL_REVISION: Gauge = "portcullis_control_revision" [], "Newest revision of the configuration.";
    PROXIES_CONNECTED: Gauge = "portcullis_proxies_connected" [],
        "Proxies connected to this control plane.";
    PROXIES_BEHIND: Gauge = "portcullis_proxies_behind" [],
        "Those of them that do not serve the newest revision.";
    PROXIES_REFUSED: Gauge = "portcullis_proxies_refused" [], "Those of them that refused it.";
    PROXIES_OLDEST_REVISION: Gauge = "portcullis_proxies_oldest_revision" [],
        "Oldest revision that one of them serves.";
}
