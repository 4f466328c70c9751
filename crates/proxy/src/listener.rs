//! Accepting client connections: bounded in number and in every wait, and drained in order.

mod impatient;

use std::{
    io,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    time::Duration,
};

use hyper::service::service_fn;
use hyper_util::{
    rt::{TokioExecutor, TokioIo, TokioTimer},
    server::{conn::auto, graceful::GracefulShutdown},
};
use tokio::{
    net::{TcpListener, TcpStream},
    sync::{OwnedSemaphorePermit, Semaphore},
    time::timeout,
};
use tokio_util::sync::CancellationToken;

use self::impatient::Impatient;
use crate::{gateway::Gateway, http::serve};

/// How long accepting pauses when the process is out of file descriptors.
const EXHAUSTED: Duration = Duration::from_millis(50);
/// How long connections that were cut may take to book what they had.
const AFTER_THE_CUT: Duration = Duration::from_secs(1);
/// Largest request head, in bytes; at most 100 headers, which is the parser's default.
const MAX_HEAD: usize = 64 << 10;

/// What every connection is served with.
struct Server {
    gateway: Arc<Gateway>,
    builder: auto::Builder<TokioExecutor>,
    graceful: GracefulShutdown,
    /// The end of the drain time.
    cut: CancellationToken,
}

/// Serves until the token is cancelled, then lets running requests finish within the drain time.
pub(crate) async fn run(gateway: Arc<Gateway>, listener: TcpListener, shutdown: CancellationToken) {
    let places = Arc::new(Semaphore::new(gateway.edge.max_connections));
    let builder = connection_builder(&gateway);
    let server =
        Server { gateway, builder, graceful: GracefulShutdown::new(), cut: CancellationToken::new() };
    loop {
        let accepted = tokio::select! {
            biased;
            () = shutdown.cancelled() => break,
            accepted = accept(&listener, &places) => accepted,
        };
        match accepted {
            Ok((stream, place)) => server.spawn(stream, place),
            Err(error) if is_about_one_connection(&error) => {}
            Err(error) => {
                tracing::warn!(%error, "cannot accept connections for a moment");
                tokio::time::sleep(EXHAUSTED).await;
            }
        }
    }
    drop(listener);
    server.drain(&places).await;
}

/// A connection with a place for it; while none is free, new ones wait in the kernel's queue.
async fn accept(
    listener: &TcpListener,
    places: &Arc<Semaphore>,
) -> io::Result<(TcpStream, OwnedSemaphorePermit)> {
    let place = Arc::clone(places).acquire_owned().await.map_err(io::Error::other)?;
    let (stream, _) = listener.accept().await?;
    stream.set_nodelay(true)?;
    Ok((stream, place))
}

fn connection_builder(gateway: &Gateway) -> auto::Builder<TokioExecutor> {
    let mut builder = auto::Builder::new(TokioExecutor::new());
    builder
        .http1()
        .timer(TokioTimer::new())
        .header_read_timeout(gateway.edge.header_timeout())
        .max_buf_size(MAX_HEAD)
        .pipeline_flush(false);
    builder
        .http2()
        .timer(TokioTimer::new())
        .max_concurrent_streams(250)
        .max_header_list_size(64 << 10)
        .max_pending_accept_reset_streams(20)
        .keep_alive_interval(Duration::from_secs(30))
        .keep_alive_timeout(Duration::from_secs(20));
    builder
}

impl Server {
    fn spawn(&self, stream: TcpStream, place: OwnedSemaphorePermit) {
        let edge = &self.gateway.edge;
        let (first_within, cut) = (edge.header_timeout(), self.cut.clone());
        let stream = Impatient::new(stream, edge.write_timeout());
        let begun = Arc::new(AtomicBool::new(false));
        let (gateway, begins) = (Arc::clone(&self.gateway), Arc::clone(&begun));
        let service = service_fn(move |request| {
            begins.store(true, Ordering::Relaxed);
            serve(Arc::clone(&gateway), request)
        });
        let connection = self.builder.serve_connection(TokioIo::new(stream), service).into_owned();
        let watched = self.graceful.watch(connection);
        tokio::spawn(async move {
            let serving = async {
                let mut watched = std::pin::pin!(watched);
                match timeout(first_within, &mut watched).await {
                    Ok(served) => served,
                    Err(_) if begun.load(Ordering::Relaxed) => watched.await,
                    // The parser's own bound starts only when it knows which HTTP this is.
                    Err(_) => Err("no request came in time".into()),
                }
            };
            let served = tokio::select! {
                served = serving => served,
                () = cut.cancelled() => Err("the drain time is over".into()),
            };
            // Broken clients are no news: what matters of them is in the usage event.
            if let Err(error) = served {
                tracing::debug!(error, "a client connection ended in an error");
            }
            drop(place);
        });
    }

    async fn drain(self, places: &Semaphore) {
        if timeout(self.gateway.edge.drain(), self.graceful.shutdown()).await.is_ok() {
            return;
        }
        tracing::warn!(
            left = self.gateway.in_flight(),
            "the drain time is over; cutting the remaining requests"
        );
        self.cut.cancel();
        // Cut requests are booked by their meters; the spool is reported after this.
        let all = u32::try_from(self.gateway.edge.max_connections).unwrap_or(u32::MAX);
        let _ = timeout(AFTER_THE_CUT, places.acquire_many(all)).await;
    }
}

/// Errors of `accept(2)` that concern the one connection and not the listener.
fn is_about_one_connection(error: &io::Error) -> bool {
    use io::ErrorKind as K;
    matches!(error.kind(), K::ConnectionAborted | K::ConnectionReset | K::ConnectionRefused | K::InvalidInput)
}
