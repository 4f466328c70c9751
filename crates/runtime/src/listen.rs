//! Binding listeners, with an error that names the setting at fault.

use std::net::SocketAddr;

use tokio::net::TcpListener;

use crate::ConfigError;

/// Binds a TCP listener; port 0 takes a free one.
///
/// # Errors
/// When the address cannot be bound; names `field` and, for a port in use, how to choose another.
pub async fn bind(addr: SocketAddr, field: &'static str) -> Result<TcpListener, ConfigError> {
    TcpListener::bind(addr).await.map_err(|error| {
        let hint = match error.kind() {
            std::io::ErrorKind::AddrInUse => {
                " (stop the other process, or choose another port; 0 takes a free one)"
            }
            _ => "",
        };
        ConfigError::new(field, format!("cannot listen on {addr}: {error}{hint}"))
    })
}

/// The bound address of a listener.
///
/// # Errors
/// When the kernel does not know it any more.
pub fn bound(listener: &TcpListener, field: &'static str) -> Result<SocketAddr, ConfigError> {
    listener.local_addr().map_err(|error| ConfigError::new(field, error))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_port_in_use_names_the_setting() {
        let first = bind(SocketAddr::from(([127, 0, 0, 1], 0)), "--listen").await.unwrap();
        let taken = bind(bound(&first, "--listen").unwrap(), "--listen").await.unwrap_err();
        assert_eq!(taken.field, "--listen");
        assert!(taken.message.contains("choose another port"), "{taken}");
    }
}
