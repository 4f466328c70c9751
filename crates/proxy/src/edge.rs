//! The edge: client connections, and the paths and methods that they may ask for.

mod cors;
mod dispatch;
mod listener;
mod write_timeout;

pub(crate) use self::listener::run;
