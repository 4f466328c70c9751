//! Name resolution and connecting behind the outbound filter: the checked address is the one connected to.

use std::{
    future::Future,
    io,
    net::{IpAddr, SocketAddr, ToSocketAddrs as _},
    pin::Pin,
    task::{Context, Poll},
    time::Duration,
};

use http::Uri;
use hyper_util::client::legacy::connect::dns::Name;
use runtime::outbound::Filter;
use tower::Service;

type BoxFuture<T> = Pin<Box<dyn Future<Output = T> + Send>>;
type BoxError = Box<dyn std::error::Error + Send + Sync>;

fn refused(address: IpAddr) -> io::Error {
    let text = format!("{address} is a private or special address (see --allow-private-networks)");
    io::Error::new(io::ErrorKind::PermissionDenied, text)
}

/// The system's resolver; drops addresses that the filter refuses.
#[derive(Clone)]
pub(crate) struct Resolver {
    filter: Filter,
}

impl Resolver {
    pub(crate) const fn new(filter: Filter) -> Self {
        Self { filter }
    }
}

impl Service<Name> for Resolver {
    type Response = std::vec::IntoIter<SocketAddr>;
    type Error = io::Error;
    type Future = BoxFuture<io::Result<Self::Response>>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, name: Name) -> Self::Future {
        let filter = self.filter.clone();
        Box::pin(async move {
            let lookup = tokio::task::spawn_blocking(move || (name.as_str(), 0).to_socket_addrs());
            let found: Vec<SocketAddr> = lookup.await.map_err(io::Error::other)??.collect();
            let allowed: Vec<SocketAddr> =
                found.iter().copied().filter(|found| filter.allows(found.ip())).collect();
            match (allowed.is_empty(), found.first()) {
                (true, Some(first)) => Err(refused(first.ip())),
                _ => Ok(allowed.into_iter()),
            }
        })
    }
}

/// A connector that refuses forbidden addresses written into the URL, which no resolver ever sees, and bounds
/// the whole of connecting (the inner one bounds each address by itself).
#[derive(Clone)]
pub(crate) struct FilteredConnector<C> {
    inner: C,
    filter: Filter,
    timeout: Duration,
}

impl<C> FilteredConnector<C> {
    pub(crate) const fn new(inner: C, filter: Filter, timeout: Duration) -> Self {
        Self { inner, filter, timeout }
    }
}

impl<C> Service<Uri> for FilteredConnector<C>
where
    C: Service<Uri>,
    C::Future: Send + 'static,
    C::Response: Send + 'static,
    C::Error: Into<BoxError> + Send + 'static,
{
    type Response = C::Response;
    type Error = BoxError;
    type Future = BoxFuture<Result<C::Response, BoxError>>;

    fn poll_ready(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), BoxError>> {
        self.inner.poll_ready(cx).map_err(Into::into)
    }

    fn call(&mut self, uri: Uri) -> Self::Future {
        let host = uri.host().unwrap_or_default().trim_start_matches('[').trim_end_matches(']');
        if let Ok(address) = host.parse::<IpAddr>()
            && !self.filter.allows(address)
        {
            return Box::pin(async move { Err(refused(address).into()) });
        }
        let (connecting, timeout) = (self.inner.call(uri), self.timeout);
        Box::pin(async move {
            match tokio::time::timeout(timeout, connecting).await {
                Ok(connected) => connected.map_err(Into::into),
                Err(_) => Err(io::Error::new(io::ErrorKind::TimedOut, "connecting took too long").into()),
            }
        })
    }
}
