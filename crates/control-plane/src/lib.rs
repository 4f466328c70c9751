//! The control plane: the REST admin API with its OpenAPI document, and Watch, which feeds the proxies.

mod catalogue;
pub mod health;
mod metrics;
pub mod node;
mod plan;
pub mod rest;
pub mod watch;

pub use metrics::METRICS;
