//! The data plane: a disposable process that serves requests by one immutable snapshot and spools what they used.

mod activity;
mod admission;
mod app;
mod attempt;
mod auth;
mod budgets;
mod clock;
mod codec;
mod context;
mod edge;
mod error;
mod failover;
mod health;
mod health_tasks;
mod ledger;
mod limits;
mod meter;
mod metrics;
mod models;
mod observed_limits;
mod otel;
mod pipeline;
mod probe;
mod rate_limits;
mod redact;
mod relay;
mod request;
mod request_log;
mod response;
mod run;
mod settings;
mod state;
#[cfg(test)]
mod tests;

pub use app::App;
pub use metrics::table::METRICS;
pub use run::{KeySettings, Output, run};
pub use settings::{
    ContextIn, ContextOut, EdgeSettings, LinkSettings, OtlpHeaders, OtlpProtocol, Settings, TraceSettings,
};
