//! Connections to providers: pooled, opened only to addresses that the filter allows, and what authenticates a request.

mod auth;
mod client;
mod connect;
mod error;
mod tls;
mod tracked_body;

pub use auth::TokenCache;
pub use client::Upstream;
pub use error::{SendError, innermost};
pub use tls::tls_config;
pub use tracked_body::{SentFlag, TrackedBody};
