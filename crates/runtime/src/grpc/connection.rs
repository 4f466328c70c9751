//! Connections of the gRPC port, bounded: strangers in number and time, known peers in number.

use std::{
    future::Future as _,
    io,
    net::SocketAddr,
    pin::Pin,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    task::{Context, Poll},
    time::Duration,
};

use tokio::{
    io::{AsyncRead, AsyncWrite, ReadBuf},
    net::{TcpListener, TcpStream},
    sync::{OwnedSemaphorePermit, Semaphore, mpsc},
    time::Sleep,
};
use tonic::transport::server::{Connected, TcpConnectInfo};

/// Connections in all: each proxy of a fleet has one or two.
const MAX_CONNECTIONS: usize = 4_096;
/// Connections that have not shown who they are; fewer than the file descriptors that a process usually has.
const MAX_STRANGERS: usize = 256;
/// How long a connection may take to its first request that is let in: TLS, HTTP/2, joining, and that.
const INTRODUCTION: Duration = Duration::from_secs(10);
/// How long accepting pauses when the process is out of file descriptors.
const EXHAUSTED: Duration = Duration::from_millis(50);

/// What a request knows of its connection.
#[derive(Clone, Debug)]
pub struct Caller {
    /// Where it comes from.
    pub tcp: TcpConnectInfo,
    introduced: Arc<AtomicBool>,
}

impl Caller {
    /// The connection belongs to a known peer, and may stay.
    pub fn introduce(&self) {
        self.introduced.store(true, Ordering::Relaxed);
    }
}

/// An accepted connection; it is cut when its peer does not introduce itself in time.
pub(super) struct Connection {
    stream: TcpStream,
    remote: SocketAddr,
    introduced: Arc<AtomicBool>,
    /// The stranger's place and its end; gone once the peer is known.
    stranger: Option<(Pin<Box<Sleep>>, OwnedSemaphorePermit)>,
    _place: OwnedSemaphorePermit,
}

/// Hands connections on until they are no longer taken; a flood waits in the kernel's queue.
pub(super) async fn accept(listener: TcpListener, connections: mpsc::Sender<io::Result<Connection>>) {
    let places = Arc::new(Semaphore::new(MAX_CONNECTIONS));
    let strangers = Arc::new(Semaphore::new(MAX_STRANGERS));
    loop {
        // Neither semaphore is ever closed.
        let Ok(place) = Arc::clone(&places).acquire_owned().await else { return };
        let Ok(stranger) = Arc::clone(&strangers).acquire_owned().await else { return };
        let (stream, remote) = match listener.accept().await {
            Ok(accepted) => accepted,
            Err(error) => {
                tracing::warn!(%error, "cannot accept gRPC connections for a moment");
                tokio::time::sleep(EXHAUSTED).await;
                continue;
            }
        };
        // Without it small messages wait for acknowledgements; they arrive all the same.
        let _ = stream.set_nodelay(true);
        let connection = Connection {
            stream,
            remote,
            introduced: Arc::default(),
            stranger: Some((Box::pin(tokio::time::sleep(INTRODUCTION)), stranger)),
            _place: place,
        };
        if connections.send(Ok(connection)).await.is_err() {
            return;
        }
    }
}

impl Connection {
    fn check(&mut self, cx: &mut Context<'_>) -> io::Result<()> {
        let Some((end, _)) = &mut self.stranger else { return Ok(()) };
        if self.introduced.load(Ordering::Relaxed) {
            self.stranger = None;
            return Ok(());
        }
        match end.as_mut().poll(cx) {
            Poll::Pending => Ok(()),
            Poll::Ready(()) => {
                Err(io::Error::new(io::ErrorKind::TimedOut, "the peer did not introduce itself"))
            }
        }
    }
}

impl Connected for Connection {
    type ConnectInfo = Caller;

    fn connect_info(&self) -> Caller {
        let tcp =
            TcpConnectInfo { local_addr: self.stream.local_addr().ok(), remote_addr: Some(self.remote) };
        Caller { tcp, introduced: Arc::clone(&self.introduced) }
    }
}

impl AsyncRead for Connection {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        self.check(cx)?;
        Pin::new(&mut self.stream).poll_read(cx, buf)
    }
}

impl AsyncWrite for Connection {
    fn poll_write(mut self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &[u8]) -> Poll<io::Result<usize>> {
        self.check(cx)?;
        Pin::new(&mut self.stream).poll_write(cx, buf)
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bufs: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        self.check(cx)?;
        Pin::new(&mut self.stream).poll_write_vectored(cx, bufs)
    }

    fn is_write_vectored(&self) -> bool {
        self.stream.is_write_vectored()
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_shutdown(cx)
    }
}

#[cfg(test)]
mod tests {
    use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};

    use super::*;

    #[tokio::test(start_paused = true)]
    async fn only_who_introduced_itself_stays() {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let (sender, mut connections) = mpsc::channel(1);
        tokio::spawn(accept(listener, sender));
        for known in [true, false] {
            let mut client = TcpStream::connect(address).await.unwrap();
            let mut connection = connections.recv().await.unwrap().unwrap();
            if known {
                connection.connect_info().introduce();
            }
            tokio::time::sleep(INTRODUCTION * 2).await;
            client.write_all(b"x").await.unwrap();
            assert_eq!(connection.read_u8().await.is_ok(), known);
            assert_eq!(connection.stranger.is_none(), known, "a known peer takes no stranger's place");
        }
    }
}
