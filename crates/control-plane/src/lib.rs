//! control-plane
pub mod watch;
