//! The tables of module layers of `proxy` and `wire`, lowest row first.

use crate::modules::order::ModuleOrder;

/// The crates that have an order of modules.
pub(crate) const TABLES: [ModuleOrder; 2] = [
    ModuleOrder {
        crate_name: "proxy",
        rows: &[
            &["metrics::table", "rate_limits"],
            &["activity", "clock", "error", "redact"],
            &["budgets", "health", "ledger", "observed_limits", "settings"],
            &["context", "request"],
            &["codec", "otel", "request_log", "response", "state"],
            &["auth", "health_tasks", "limits", "metrics"],
            &["meter", "models"],
            &["admission"],
            &["attempt"],
            &["failover", "probe", "relay"],
            &["pipeline"],
            &["edge"],
            &["app"],
            &["run"],
        ],
    },
    ModuleOrder {
        crate_name: "wire",
        rows: &[
            &["dialect", "facts", "json", "percent", "quirks", "ratelimit", "sse"],
            &["api", "bound", "error", "logprobs", "provider", "splice"],
            &["canonical", "error_phrases", "models", "scan"],
            &["codec", "embed", "multipart", "read", "tokens"],
            &["claude", "openai", "path"],
            &["dialects", "tap"],
            &["answer", "registry"],
            &["shape"],
        ],
    },
];
