//! The gRPC port that proxies connect to: its settings, its TLS, serving it.

mod connection;

use std::{net::SocketAddr, path::PathBuf, time::Duration};

use anyhow::Context as _;
use clap::Args;
use tokio::{net::TcpListener, sync::mpsc};
use tokio_stream::wrappers::ReceiverStream;
use tokio_util::sync::CancellationToken;
use tonic::{
    service::Routes,
    transport::{Certificate, Identity, Server, ServerTlsConfig},
};

use crate::{ConfigError, listen};
pub use connection::Caller;

/// Between pings on idle connections: below the idle timeouts of load balancers.
const KEEP_ALIVE: Duration = Duration::from_secs(20);
/// Requests at a time on one connection; a proxy has one or two.
const MAX_STREAMS: u32 = 64;
/// How long a call may take to its answer; of a stream, to its begin.
const PATIENCE: Duration = Duration::from_secs(30);
/// How long running calls may take to finish after the shutdown signal.
const DRAIN: Duration = Duration::from_secs(5);

/// Settings of the gRPC port.
#[derive(Args, Clone, Debug)]
pub struct GrpcSettings {
    /// Where proxies connect by gRPC.
    #[arg(long, env = "PORTCULLIS_GRPC_LISTEN", default_value = "127.0.0.1:8082")]
    grpc_listen: SocketAddr,
    /// Certificate of the gRPC port, PEM; without one it speaks plain HTTP/2.
    #[arg(long, env = "PORTCULLIS_GRPC_CERT", requires = "grpc_key")]
    grpc_cert: Option<PathBuf>,
    /// Its private key, PEM.
    #[arg(long, env = "PORTCULLIS_GRPC_KEY", requires = "grpc_cert")]
    grpc_key: Option<PathBuf>,
    /// Authority for client certificates that are accepted instead of a join token, PEM.
    #[arg(long, env = "PORTCULLIS_GRPC_CLIENT_CA", requires = "grpc_cert")]
    grpc_client_ca: Option<PathBuf>,
}

/// A bound gRPC port.
pub struct GrpcPort {
    listener: TcpListener,
    address: SocketAddr,
    tls: Option<ServerTlsConfig>,
}

impl GrpcSettings {
    /// Binds the port and reads the certificates.
    ///
    /// # Errors
    /// Names the flag that cannot work.
    pub async fn bind(&self) -> Result<GrpcPort, ConfigError> {
        let listener = listen::bind(self.grpc_listen, "--grpc-listen").await?;
        let address = listen::bound(&listener, "--grpc-listen")?;
        Ok(GrpcPort { listener, address, tls: self.tls()? })
    }

    fn tls(&self) -> Result<Option<ServerTlsConfig>, ConfigError> {
        let read = |flag: &str, path: &PathBuf| {
            std::fs::read(path)
                .map_err(|error| ConfigError::new(flag, format!("{}: {error}", path.display())))
        };
        let (Some(cert), Some(key)) = (&self.grpc_cert, &self.grpc_key) else { return Ok(None) };
        let identity = Identity::from_pem(read("--grpc-cert", cert)?, read("--grpc-key", key)?);
        let tls = ServerTlsConfig::new().identity(identity);
        Ok(Some(match &self.grpc_client_ca {
            None => tls,
            // Optional, so that proxies with a join token are served on the same port.
            Some(ca) => tls
                .client_ca_root(Certificate::from_pem(read("--grpc-client-ca", ca)?))
                .client_auth_optional(true),
        }))
    }
}

impl GrpcPort {
    /// A plain port on loopback, for a peer in the same process.
    ///
    /// # Errors
    /// When no port is free.
    pub async fn inside() -> Result<Self, ConfigError> {
        let listener = listen::bind(SocketAddr::from(([127, 0, 0, 1], 0)), "--grpc-listen").await?;
        let address = listen::bound(&listener, "--grpc-listen")?;
        Ok(Self { listener, address, tls: None })
    }

    /// Where it is.
    #[must_use]
    pub const fn address(&self) -> SocketAddr {
        self.address
    }

    /// The same as a URL, `https` where it speaks TLS.
    #[must_use]
    pub fn url(&self) -> String {
        let scheme = if self.tls.is_some() { "https" } else { "http" };
        format!("{scheme}://{}", self.address)
    }

    /// Serves until the token is cancelled, then lets running calls finish within five seconds.
    ///
    /// # Errors
    /// When the certificate cannot be used, or the listener breaks.
    pub async fn serve(self, routes: Routes, stop: CancellationToken) -> anyhow::Result<()> {
        let mut server = Server::builder()
            .http2_keepalive_interval(Some(KEEP_ALIVE))
            .max_concurrent_streams(MAX_STREAMS)
            .timeout(PATIENCE);
        if let Some(tls) = self.tls {
            server = server.tls_config(tls).map_err(|error| ConfigError::new("--grpc-cert", error))?;
        }
        let (connections, incoming) = mpsc::channel(1);
        tokio::spawn(stop.clone().run_until_cancelled_owned(connection::accept(self.listener, connections)));
        let serving = server
            .add_routes(routes)
            .serve_with_incoming_shutdown(ReceiverStream::new(incoming), stop.clone().cancelled_owned());
        let cut = async {
            stop.cancelled().await;
            tokio::time::sleep(DRAIN).await;
        };
        tokio::select! {
            served = serving => served.context("the gRPC port"),
            () = cut => {
                tracing::warn!("the drain time is over; cutting the remaining gRPC connections");
                Ok(())
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use tokio::{io::AsyncReadExt as _, net::TcpStream, time::timeout};

    use super::*;

    const FOREVER: Duration = Duration::from_secs(600);

    #[tokio::test(start_paused = true)]
    async fn a_connection_that_says_nothing_does_not_hold_up_the_end() {
        let port = GrpcPort::inside().await.unwrap();
        let (address, stop) = (port.address(), CancellationToken::new());
        let serving = tokio::spawn(port.serve(Routes::default(), stop.clone()));
        let _silent = TcpStream::connect(address).await.unwrap();
        tokio::time::sleep(Duration::from_millis(1)).await; // virtual: lets it be accepted
        stop.cancel();
        timeout(DRAIN * 2, serving).await.unwrap().unwrap().unwrap();
    }

    #[tokio::test(start_paused = true)]
    async fn a_connection_that_never_introduces_itself_is_cut() {
        let port = GrpcPort::inside().await.unwrap();
        let (address, stop) = (port.address(), CancellationToken::new());
        tokio::spawn(port.serve(Routes::default(), stop.clone()));
        let mut silent = TcpStream::connect(address).await.unwrap();
        let mut said = Vec::new();
        // Whether by a close or by a reset.
        let _ = timeout(FOREVER, silent.read_to_end(&mut said)).await.unwrap();
        stop.cancel();
    }
}
