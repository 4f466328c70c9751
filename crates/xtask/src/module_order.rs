//! The tables of module layers of `proxy` and `wire`, lowest row first.

use crate::modules::order::ModuleOrder;

/// The crates that have an order of modules.
pub(crate) const TABLES: [ModuleOrder; 2] = [
    ModuleOrder {
        crate_name: "proxy",
        rows: &[
            &["clock", "error", "redact"],
            &["context", "request"],
            &["otel", "request_log", "response"],
            &["health::state"],
            &["codec"],
            &["state"],
            &["auth", "limits", "meter", "metrics"],
            &["admission"],
            &["attempt"],
            &["failover", "relay"],
            &["models", "pipeline"],
            &["probe"],
            &["health"],
            &["edge"],
            &["ledger", "settings"],
            &["app"],
            &["run"],
        ],
    },
    ModuleOrder {
        crate_name: "wire",
        rows: &[
            &["json", "quirks", "sse"],
            &["dialect::name"],
            &["dialect::error", "openai::error", "scan::facts"],
            &["api", "bound", "splice"],
            &["scan"],
            &["canonical", "error_phrases", "multipart"],
            &["read"],
            &["dialect", "ratelimit"],
            &["logprobs", "provider"],
            &["models", "path"],
            &["embed"],
            &["openai"],
            &["anthropic", "cohere", "gemini", "responses"],
            &["bedrock"],
            &["registry", "tap"],
            &["answer", "shape"],
            &["tokens"],
        ],
    },
];
