//! Asking a running service's ops port whether it is ready: images have neither a shell nor `curl` for it.

use std::{
    env,
    io::{Read as _, Write as _},
    net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr, TcpStream},
    time::Duration,
};

use anyhow::{Context as _, bail};

use crate::ConfigError;

const VARIABLE: &str = "PORTCULLIS_OPS_LISTEN";
const DEFAULT: &str = "127.0.0.1:8083";
/// Longest wait for the connection, and for each piece of the answer.
const WAIT: Duration = Duration::from_secs(2);
/// More than the names of all latches.
const MAX_ANSWER: u64 = 16 << 10;

/// Asks the service of this environment.
///
/// # Errors
/// What it is not ready for.
pub(crate) fn check() -> anyhow::Result<()> {
    let text = env::var(VARIABLE).unwrap_or_else(|_| DEFAULT.to_owned());
    let listen: SocketAddr = text.parse().map_err(|error| ConfigError::new(VARIABLE, error))?;
    ask(reachable(listen))
}

/// Where a listener on any address is reached from the same machine.
fn reachable(listen: SocketAddr) -> SocketAddr {
    let ip = match listen.ip() {
        IpAddr::V4(ip) if ip.is_unspecified() => Ipv4Addr::LOCALHOST.into(),
        IpAddr::V6(ip) if ip.is_unspecified() => Ipv6Addr::LOCALHOST.into(),
        ip => ip,
    };
    SocketAddr::new(ip, listen.port())
}

fn ask(ops: SocketAddr) -> anyhow::Result<()> {
    let unreachable = || format!("no answer from {ops}");
    let mut stream = TcpStream::connect_timeout(&ops, WAIT).with_context(unreachable)?;
    stream.set_read_timeout(Some(WAIT)).with_context(unreachable)?;
    stream.set_write_timeout(Some(WAIT)).with_context(unreachable)?;
    let request = format!("GET /readyz HTTP/1.1\r\nhost: {ops}\r\nconnection: close\r\n\r\n");
    stream.write_all(request.as_bytes()).with_context(unreachable)?;
    let mut answer = String::new();
    stream.take(MAX_ANSWER).read_to_string(&mut answer).with_context(unreachable)?;
    if answer.starts_with("HTTP/1.1 200 ") {
        return Ok(());
    }
    let (_, body) = answer.split_once("\r\n\r\n").unwrap_or_default();
    bail!("not ready: {body}")
}

#[cfg(test)]
mod tests {
    use tokio::task::spawn_blocking;
    use tokio_util::sync::CancellationToken;

    use super::*;
    use crate::{Readiness, listen, metrics::Metrics, ops};

    #[tokio::test]
    async fn a_service_is_asked_what_it_waits_for() {
        let listener = listen::bind(SocketAddr::from(([0, 0, 0, 0], 0)), "--ops-listen").await.unwrap();
        let address = reachable(listen::bound(&listener, "--ops-listen").unwrap());
        let (readiness, stop) = (Readiness::new(), CancellationToken::new());
        let latch = readiness.latch("configuration");
        let serving = tokio::spawn(ops::serve(listener, readiness, Metrics::default(), None, stop.clone()));
        let closed = spawn_blocking(move || ask(address)).await.unwrap().unwrap_err();
        assert!(format!("{closed:#}").contains("configuration"), "{closed:#}");
        latch.set(true);
        spawn_blocking(move || ask(address)).await.unwrap().unwrap();
        stop.cancel();
        serving.await.unwrap().unwrap();
        let gone = spawn_blocking(move || ask(address)).await.unwrap().unwrap_err();
        assert!(format!("{gone:#}").contains(&address.to_string()), "{gone:#}");
    }
}
