//! The tables of module layers of `proxy` and `wire`, lowest row first.

use crate::modules::order::ModuleOrder;

/// The crates whose modules have an order.
pub(crate) const TABLES: [ModuleOrder; 2] = [
    ModuleOrder {
        crate_name: "proxy",
        rows: &[
            &["clock", "error", "redact"],
            &["context", "request"],
            &["response"],
            &["health::state"],
            &["codec"],
            &["state"],
            &["auth", "limits", "meter"],
            &["admission"],
            &["attempt"],
            &["failover", "relay"],
            &["models", "pipeline"],
            &["probe"],
            &["health"],
            &["edge"],
            &["metrics", "otel", "request_log"],
            &["app"],
            &["run"],
        ],
    },
    ModuleOrder {
        crate_name: "wire",
        rows: &[
            &["json", "logprobs", "models", "multipart", "path", "quirks", "ratelimit", "sse", "tap"],
            &["dialect", "embed"],
            &["api", "splice"],
            &["scan"],
            &["bound", "error_phrases", "provider"],
            &["canonical"],
            &["read"],
            &["openai"],
            &["anthropic", "cohere", "gemini", "responses"],
            &["bedrock"],
            &["registry"],
            &["answer", "shape"],
            &["tokens"],
        ],
    },
];
