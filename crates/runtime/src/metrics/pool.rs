//! A database's connection pool.

use std::fmt;

use super::{
    collect::Collect,
    exposition::Exposition,
    table::{CONNECTIONS, CONNECTIONS_LIMIT},
};

/// The state of a connection pool.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Connections {
    /// Open connections that are not in use.
    pub idle: usize,
    /// All open connections.
    pub open: usize,
    /// Most that may be open; beyond it, callers wait.
    pub most: usize,
}

/// A pool, given by how to ask for its state.
pub struct Pool<F>(pub F);

impl<F: Fn() -> Connections + Send + Sync + 'static> Collect for Pool<F> {
    fn collect(&self, to: &mut Exposition<'_>) -> fmt::Result {
        let Connections { idle, open, most } = (self.0)();
        let mut connections = to.gauge(&CONNECTIONS)?;
        connections.put(["used"], open.saturating_sub(idle) as f64)?;
        connections.put(["idle"], idle as f64)?;
        to.gauge(&CONNECTIONS_LIMIT)?.put([], most as f64)
    }
}
