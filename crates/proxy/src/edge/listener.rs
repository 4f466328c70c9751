//! Accepting client connections: bounded in number and in every wait, and drained in order.

use std::{convert::Infallible, io, sync::Arc, time::Duration};

use http::{HeaderValue, Request, Version, header};
use hyper::{body::Incoming, service::service_fn};
use hyper_util::{
    rt::{TokioExecutor, TokioIo, TokioTimer},
    server::conn::auto,
};
use tokio::{
    net::{TcpListener, TcpStream},
    sync::{OwnedSemaphorePermit, Semaphore},
    time::{MissedTickBehavior, interval, timeout},
};
use tokio_util::sync::CancellationToken;

use super::{dispatch::serve, write_timeout::WriteTimeoutStream};
use crate::{activity::ConnectionActivity, settings::EdgeSettings, state::ProxyState};

/// How long accepting pauses when the process is out of file descriptors.
const EXHAUSTED: Duration = Duration::from_millis(50);
/// How long aborted connections may take to account for their requests.
const AFTER_THE_CUT: Duration = Duration::from_secs(1);
/// Largest request head, in bytes; at most 100 headers, which is the parser's default.
const MAX_HEAD: usize = 64 << 10;

/// What every connection is served with.
struct Server {
    proxy: Arc<ProxyState>,
    builder: auto::Builder<TokioExecutor>,
    /// The lame-duck time has begun.
    leaving: CancellationToken,
    /// No more requests, on no connection.
    drain: CancellationToken,
    /// The end of the drain time.
    cut: CancellationToken,
}

/// Serves until the token is cancelled and for the lame-duck time after it, then lets running requests finish within
/// the drain time.
pub(crate) async fn run(proxy: Arc<ProxyState>, listener: TcpListener, shutdown: CancellationToken) {
    let places = Arc::new(Semaphore::new(proxy.edge.max_connections));
    let builder = connection_builder(&proxy);
    let mut closing = std::pin::pin!(after(shutdown.clone(), proxy.edge.lame_duck()));
    let drain = CancellationToken::new();
    let cut = CancellationToken::new();
    let server = Server { proxy, builder, leaving: shutdown, drain, cut };
    loop {
        let accepted = tokio::select! {
            biased;
            () = &mut closing => break,
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

/// Returns so long after the signal. Readiness goes false with the signal: until load balancers have seen that, they
/// send new connections, which must find a listener.
async fn after(signal: CancellationToken, lame_duck: Duration) {
    signal.cancelled().await;
    tokio::time::sleep(lame_duck).await;
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

fn connection_builder(proxy: &ProxyState) -> auto::Builder<TokioExecutor> {
    let mut builder = auto::Builder::new(TokioExecutor::new());
    builder
        .http1()
        .timer(TokioTimer::new())
        // It runs between requests as well. The first head has a bound of its own.
        .header_read_timeout(proxy.edge.idle_timeout())
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
        let activity = Arc::new(ConnectionActivity::new());
        let stream = WriteTimeoutStream::new(stream, self.proxy.edge.write_timeout(), Arc::clone(&activity));
        let proxy = Arc::clone(&self.proxy);
        let active = Arc::clone(&activity);
        let leaving = self.leaving.clone();
        let service = service_fn(move |request: Request<Incoming>| {
            let leaving = (request.version() <= Version::HTTP_11).then(|| leaving.clone());
            let running = active.begin();
            let proxy = Arc::clone(&proxy);
            // The future takes kilobytes, and hyper moves what it gets. Its place is allocated before it is made: then
            // the compiler writes the few captured values there, instead of copying the whole from the stack.
            let place = Box::new_uninit();
            let served = Box::write(place, async move {
                let mut response = serve(proxy, request).await?.map(|body| body.with_active_request(running));
                // The next request would come to a connection that is about to end; HTTP/2 says so by itself.
                if leaving.is_some_and(|leaving| leaving.is_cancelled()) {
                    response.headers_mut().insert(header::CONNECTION, HeaderValue::from_static("close"));
                }
                Ok::<_, Infallible>(response)
            });
            Box::into_pin(served)
        });
        let connection = self.builder.serve_connection(TokioIo::new(stream), service).into_owned();
        let proxy = Arc::clone(&self.proxy);
        let drain = self.drain.clone();
        let cut = self.cut.clone();
        tokio::spawn(async move {
            let mut connection = std::pin::pin!(connection);
            let mut retired = false;
            let served = loop {
                tokio::select! {
                    served = &mut connection => break served,
                    () = cut.cancelled() => break Err("the drain time is over".into()),
                    () = drain.cancelled(), if !retired => {}
                    why = bounded(&proxy.edge, &activity, retired) => if let Some(why) = why {
                        break Err(why.into());
                    },
                }
                // Requests that run may finish.
                retired = true;
                connection.as_mut().graceful_shutdown();
            };
            // Clients break off all the time: what matters of that is in the usage event.
            if let Err(error) = served {
                tracing::debug!(error, "a client connection ended in an error");
            }
            drop(place);
        });
    }

    async fn drain(self, places: &Semaphore) {
        self.drain.cancel();
        let all = u32::try_from(self.proxy.edge.max_connections).unwrap_or(u32::MAX);
        if timeout(self.proxy.edge.drain(), places.acquire_many(all)).await.is_ok() {
            return;
        }
        tracing::warn!(
            left = self.proxy.activity.in_flight(),
            "the drain time is over; aborting the remaining requests"
        );
        self.proxy.activity.begin_abort();
        self.cut.cancel();
        // The meters of aborted requests account for them; the spool is reported after this.
        let _ = timeout(AFTER_THE_CUT, places.acquire_many(all)).await;
    }
}

/// Returns when a connection has to go: at once, where that says why, or after what still runs on it.
async fn bounded(edge: &EdgeSettings, activity: &ConnectionActivity, retired: bool) -> Option<&'static str> {
    let idle = edge.idle_timeout();
    let patience = edge.write_timeout();
    if !activity.has_begun() && !retired {
        tokio::time::sleep(edge.header_timeout()).await;
        if !activity.has_begun() {
            return Some("no request came in time");
        }
    }
    // Looking now and then spares every request a timer of its own.
    let mut look = interval(idle.min(patience) / 4);
    look.set_missed_tick_behavior(MissedTickBehavior::Delay);
    look.tick().await;
    loop {
        look.tick().await;
        if retired && activity.is_over(patience) {
            return Some("the client does not read its response, or sends nothing");
        }
        if !retired && activity.should_retire(idle, patience) {
            return None;
        }
    }
}

/// Errors of `accept(2)` that concern the one connection and not the listener.
fn is_about_one_connection(error: &io::Error) -> bool {
    use io::ErrorKind as K;
    matches!(error.kind(), K::ConnectionAborted | K::ConnectionReset | K::ConnectionRefused | K::InvalidInput)
}

#[cfg(test)]
mod tests {
    use tokio::time::Instant;

    use super::*;

    #[tokio::test(start_paused = true)]
    async fn the_listener_stays_for_the_lame_duck_time_after_the_signal() {
        let signal = CancellationToken::new();
        let lame_duck = Duration::from_secs(5);
        let mut closing = std::pin::pin!(after(signal.clone(), lame_duck));
        assert!(timeout(Duration::from_secs(3_600), &mut closing).await.is_err(), "closed without a signal");
        signal.cancel();
        let signalled = Instant::now();
        closing.await;
        assert_eq!(signalled.elapsed(), lame_duck);
        after(signal, Duration::ZERO).await;
        assert_eq!(signalled.elapsed(), lame_duck, "none was asked for");
    }
}
