//! Accepting client connections: bounded in number, in the time a head may take, and drained in order.

use std::{io, sync::Arc, time::Duration};

use hyper::service::service_fn;
use hyper_util::{
    rt::{TokioExecutor, TokioIo, TokioTimer},
    server::{conn::auto, graceful::GracefulShutdown},
};
use tokio::{
    net::{TcpListener, TcpStream},
    sync::{OwnedSemaphorePermit, Semaphore},
};
use tokio_util::sync::CancellationToken;

use crate::{gateway::Gateway, http::serve};

/// How long accepting pauses when the process is out of file descriptors.
const EXHAUSTED: Duration = Duration::from_millis(50);
/// Largest request head, in bytes, and most headers.
const MAX_HEAD: usize = 64 << 10;
const MAX_HEADERS: usize = 128;

/// Serves until the token is cancelled, then lets running requests finish within the drain time.
pub(crate) async fn run(gateway: Arc<Gateway>, listener: TcpListener, shutdown: CancellationToken) {
    let builder = Arc::new(connection_builder(&gateway));
    let graceful = GracefulShutdown::new();
    let places = Arc::new(Semaphore::new(gateway.edge.max_connections));
    loop {
        let accepted = tokio::select! {
            biased;
            () = shutdown.cancelled() => break,
            accepted = accept(&listener, &places) => accepted,
        };
        match accepted {
            Ok((stream, place)) => spawn(&gateway, &builder, &graceful, stream, place),
            Err(error) if is_about_one_connection(&error) => {}
            Err(error) => {
                tracing::warn!(%error, "cannot accept connections for a moment");
                tokio::time::sleep(EXHAUSTED).await;
            }
        }
    }
    drop(listener);
    if tokio::time::timeout(gateway.edge.drain(), graceful.shutdown()).await.is_err() {
        tracing::warn!(left = gateway.in_flight(), "the drain time is over; cutting the remaining requests");
    }
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
        .max_headers(MAX_HEADERS)
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

fn spawn(
    gateway: &Arc<Gateway>,
    builder: &Arc<auto::Builder<TokioExecutor>>,
    graceful: &GracefulShutdown,
    stream: TcpStream,
    place: OwnedSemaphorePermit,
) {
    let gateway = Arc::clone(gateway);
    let service = service_fn(move |request| serve(Arc::clone(&gateway), request));
    let connection = builder.serve_connection(TokioIo::new(stream), service).into_owned();
    let watched = graceful.watch(connection);
    tokio::spawn(async move {
        // Broken clients are no news: what matters of them is in the usage event.
        if let Err(error) = watched.await {
            tracing::debug!(error, "a client connection ended in an error");
        }
        drop(place);
    });
}

/// Errors of `accept(2)` that concern the one connection and not the listener.
fn is_about_one_connection(error: &io::Error) -> bool {
    use io::ErrorKind as K;
    matches!(error.kind(), K::ConnectionAborted | K::ConnectionReset | K::ConnectionRefused | K::InvalidInput)
}
