//! proxy
pub mod config;
