//! Every metric of a proxy, each declared once; `docs/metrics.md` says the same to operators.

use runtime::metrics::Buckets;

// Most values of a label that are told apart. Together with the bounds of the metrics below they keep a proxy below
// 20,000 lines, whatever its configuration held over time.
pub(super) const MOST_ROUTES: usize = 500;
pub(super) const MOST_PROVIDERS: usize = 200;
pub(super) const MOST_MODELS: usize = 1_000;
pub(super) const MOST_TENANTS: usize = 100;

/// Most targets that requests are counted by.
const MOST_TARGETS: usize = 200;

/// In µs. A reasoning model may think for minutes; 20 of them are the longest that a client waits.
const DURATION: Buckets = &[
    10_000,
    25_000,
    50_000,
    100_000,
    250_000,
    500_000,
    1_000_000,
    2_500_000,
    5_000_000,
    10_000_000,
    20_000_000,
    30_000_000,
    60_000_000,
    120_000_000,
    300_000_000,
    600_000_000,
    1_200_000_000,
];
/// In µs: doubling from 10 ms up to what hardly any route waits for a first token.
const TO_FIRST_TOKEN: Buckets = &[
    10_000,
    20_000,
    40_000,
    80_000,
    160_000,
    320_000,
    640_000,
    1_280_000,
    2_560_000,
    5_120_000,
    10_240_000,
    20_480_000,
    40_960_000,
    81_920_000,
    163_840_000,
];
/// In µs: the gateway's own share is tens of them, and milliseconds on a busy machine.
const OWN_SHARE: Buckets =
    &[25, 50, 100, 200, 400, 800, 1_600, 3_200, 6_400, 12_800, 25_600, 51_200, 102_400, 1_000_000];

/// In µs: doubling from 1 ms up to longer than most routes let a request wait.
const WAIT: Buckets = &[
    1_000, 2_000, 4_000, 8_000, 16_000, 32_000, 64_000, 128_000, 256_000, 512_000, 1_024_000, 2_048_000,
    4_096_000, 8_192_000, 16_384_000, 32_768_000,
];

runtime::metric_table! {
    /// Every metric of a proxy.
    pub static METRICS;

    // What requests count.
    REQUESTS: Counter = "portcullis_requests_total"
        ["route", "provider", "model", "api", "outcome", "fallback", "cache"] at most 3_000,
        "Requests that ended, each one once, whatever ended it.";
    REQUEST_DURATION: Durations(DURATION) = "portcullis_request_duration_seconds"
        ["provider", "model"] at most MOST_TARGETS,
        "From a request's headers to the last byte of its response, by the target that gave it.";
    FIRST_TOKEN: Durations(TO_FIRST_TOKEN) = "portcullis_time_to_first_token_seconds"
        ["provider", "model"] at most MOST_TARGETS,
        "From a request's headers to the first content, by the target that gave it.";
    OVERHEAD: Durations(OWN_SHARE) = "portcullis_overhead_seconds" [],
        "The gateway's own share of a request.";
    ATTEMPTS: Counter = "portcullis_attempts_total" ["provider", "model", "outcome"] at most MOST_TARGETS,
        "Attempts at targets.";
    TOKENS: Counter = "portcullis_tokens_total" ["provider", "model", "kind"] at most MOST_TARGETS,
        "Tokens used; the kinds are disjoint and sum up to all.";
    COST: Counter = "portcullis_cost_usd_total" ["provider", "model", "tenant"] at most 2_000,
        "Cost of attempts, failed ones included.";
    UNPRICED_ATTEMPTS: Counter = "portcullis_unpriced_attempts_total" ["provider", "model"] at most MOST_TARGETS,
        "Attempts that used something without a known price.";
    RETIRING_ATTEMPTS: Counter = "portcullis_deprecated_model_attempts_total"
        ["provider", "model"] at most MOST_TARGETS,
        "Attempts at models that their provider takes out of service.";
    LIMIT_REJECTIONS: Counter = "portcullis_limit_rejections_total" ["kind"], "Requests refused by a limit.";
    LIMITS_OBSERVED: Counter = "portcullis_limit_observed_total" ["kind"],
        "Requests that a limit which only observes would have refused.";
    LIMIT_CORRECTIONS_DROPPED: Counter = "portcullis_limit_corrections_dropped_total" [],
        "Estimates of tokens that stayed because the shared store did not get their correction.";
    REFUSALS: Counter = "portcullis_refusals_total" ["kind"],
        "Requests refused before any attempt, by error code.";
    QUEUE_WAIT: Durations(WAIT) = "portcullis_queue_wait_seconds" [],
        "How long requests waited for a place at a target.";
    QUEUE_REJECTIONS: Counter = "portcullis_queue_rejections_total"
        ["provider", "model", "reason"] at most MOST_TARGETS,
        "Requests that got no place at a target that had none free, by reason.";
    OVERFLOW: Counter = "portcullis_metrics_overflow_total" ["of"],
        "Observations counted under the label value \"other\", because their series would be too many.";

    // What the proxy is at the moment of a scrape.
    IN_FLIGHT: Gauge = "portcullis_requests_in_flight" [], "Requests in progress.";
    IN_FLIGHT_LIMIT: Gauge = "portcullis_requests_in_flight_limit" [], "Most requests in progress; more are refused.";
    ACTIVE_STREAMS: Gauge = "portcullis_active_streams" [], "Streams in progress.";
    QUEUE_WAITING: Gauge = "portcullis_queue_waiting" ["provider", "model"] at most 200,
        "Requests that wait for a place at a target.";
    SNAPSHOT_VERSION: Gauge = "portcullis_snapshot_version" [],
        "Revision of the configuration that serves.";
    SNAPSHOT_AGE: Gauge = "portcullis_snapshot_age_seconds" [],
        "Since a control plane said that it is the newest.";
    CONFIG_CONNECTED: Gauge = "portcullis_config_connected" [], "Whether a control plane is connected.";
    CONFIG_REFUSED: Gauge = "portcullis_config_refused" [],
        "Whether this proxy refused the newest configuration.";
    SPOOL_EVENTS: Gauge = "portcullis_usage_spool_events" [],
        "Usage events that the ledger has not acknowledged.";
    SPOOL_BYTES: Gauge = "portcullis_usage_spool_bytes" [], "Size of the usage spool on disk.";
    SPOOL_LIMIT: Gauge = "portcullis_usage_spool_limit_bytes" [], "From 7/8 of it on, requests are refused.";
    SPOOL_OLDEST: Gauge = "portcullis_usage_spool_oldest_seconds" [],
        "Age of the oldest usage event in the spool.";
    LIMIT_STORE_UP: Gauge = "portcullis_limit_store_up" [],
        "Whether the store of shared limits answers; 1 without one.";
    LIMIT_STORE_LOSSES: Counter = "portcullis_limit_store_losses_total" [], "How often the store of shared limits was lost.";
    LIMIT_STORE_LOST_DECISIONS: Counter = "portcullis_limit_store_lost_decisions_total" ["decision"],
        "Decisions made without the store of shared limits.";
    LIMIT_SLOTS_HELD: Gauge = "portcullis_limit_slots_held" [],
        "Concurrency slots that this proxy holds.";

    // Budgets.
    RESERVES: Counter = "portcullis_reserve_total" ["path"],
        "Attempts under budgets, by how it was decided about them: from authority in hand, by a lease, refused.";
    LEASE_COMMANDS: Counter = "portcullis_lease_commands_total" ["result"],
        "Commands to the store of budgets, by how they ended.";
    BUDGET_OVERRUN: Counter = "portcullis_budget_overrun_usd_total" [],
        "What providers took beyond what was reserved.";
    BUDGET_USED: Gauge = "portcullis_budget_used_ratio" ["tenant", "budget"] at most 500,
        "Share of a cap that was granted to proxies when this one last asked; budgets without a dimension.";
    BOOKS: Gauge = "portcullis_budget_books" ["state"],
        "Books of budgets, by whether they grant; one that is closed is rebuilt, or its store is away.";

    // Health of targets and credentials.
    TARGET_HEALTHY: Gauge = "portcullis_target_healthy" ["provider", "model", "region"] at most 1_000,
        "Whether requests may go to a target.";
    TARGET_IN_FLIGHT: Gauge = "portcullis_target_in_flight" ["provider", "model"] at most 1_000,
        "Requests under way at a target.";
    CREDENTIALS: Gauge = "portcullis_credentials" ["provider", "state"] at most 200,
        "Credentials by state.";
    PROBES: Counter = "portcullis_probes_total" ["provider", "model", "outcome"] at most 1_000,
        "Probes that this proxy sent.";
    EJECTIONS: Counter = "portcullis_ejections_total" ["provider", "model"] at most 500,
        "How often this proxy took a target out of use.";
    ALERT_EVENTS: Counter = "portcullis_alert_events_total" ["event"], "Alerts that this proxy raised.";

    // Traces on their way to the collector.
    SPANS_EXPORTED: Counter = "portcullis_spans_exported_total" [], "Spans that the OTLP collector took.";
    SPANS_DROPPED: Counter = "portcullis_spans_dropped_total" ["reason"], "Spans that never arrived at the OTLP collector.";
}
