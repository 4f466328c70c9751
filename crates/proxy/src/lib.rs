//! The data plane: a disposable process that serves requests by one immutable snapshot and spools what they used.

mod admission;
mod app;
mod ask;
mod attempt;
mod body;
mod cloud;
pub mod config;
mod explain;
mod failover;
mod gateway;
mod health;
mod http;
mod ledger;
mod limits;
mod listener;
mod main_loop;
mod meter;
mod metrics;
mod models;
mod observe;
mod pipeline;
mod probe;
mod redact;
mod relay;
mod reply;
mod request_log;
mod router;
mod settings;
pub mod spool;
mod talk;
#[cfg(test)]
mod tests;
mod trace;
mod upstream;

pub use app::App;
pub use main_loop::{KeySettings, Output, run};
pub use settings::{EdgeSettings, LinkSettings, Settings};
pub use trace::{ContextIn, ContextOut, OtlpHeaders, OtlpProtocol, TraceSettings};
