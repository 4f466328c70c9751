//! What a collector is told over OTLP: spans of requests, and OpenTelemetry's metrics of generative AI.

mod export;
mod measures;
mod names;
mod send;
mod span;
mod tracer;

#[cfg(test)]
pub(crate) use self::export::{Counters, Dropped};
pub(crate) use self::tracer::{Tracing, start};
