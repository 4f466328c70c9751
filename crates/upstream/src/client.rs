//! The connection pools of a proxy.

use std::time::Duration;

use arc_swap::ArcSwap;
use http::{Request, Response};
use hyper::body::Incoming;
use hyper_rustls::HttpsConnector;
use hyper_util::{
    client::legacy::{Client, connect::HttpConnector},
    rt::{TokioExecutor, TokioTimer},
};
use runtime::outbound::{AllowPrivate, Filter};

use crate::{
    connect::{FilteredConnector, Resolver},
    error::SendError,
    tls::tls_config,
    tracked_body::TrackedBody,
};

type Pool = Client<HttpsConnector<FilteredConnector<HttpConnector<Resolver>>>, TrackedBody>;

/// Below what providers and load balancers close at (60 s and more), so that a pooled connection is rarely dead.
const POOL_IDLE: Duration = Duration::from_secs(45);
const POOL_PER_HOST: usize = 256;

/// Connection pools, one per connect timeout that routes use.
pub struct Upstream {
    filter: Filter,
    tls: rustls::ClientConfig,
    pools: ArcSwap<Vec<(Duration, Pool)>>,
}

impl Upstream {
    /// Without any connection yet; `allow` lists the private networks that may be connected to.
    #[must_use]
    pub fn new(allow: AllowPrivate) -> Self {
        let tls = tls_config(rustls::RootCertStore { roots: webpki_roots::TLS_SERVER_ROOTS.to_vec() });
        Self { filter: Filter::new(allow), tls, pools: ArcSwap::from_pointee(Vec::new()) }
    }

    /// Sends a request; returns once the response's head is there. The caller bounds the wait.
    ///
    /// # Errors
    /// When no response head came: whether connecting, TLS or the exchange failed, and the text of its cause.
    pub async fn send(
        &self,
        connect_timeout: Duration,
        request: Request<TrackedBody>,
    ) -> Result<Response<Incoming>, SendError> {
        let sent = self.pool(connect_timeout).request(request).await;
        sent.map_err(|error| SendError::of(&error))
    }

    fn pool(&self, connect_timeout: Duration) -> Pool {
        let find = |pools: &[(Duration, Pool)]| {
            pools.iter().find(|(timeout, _)| *timeout == connect_timeout).map(|(_, pool)| pool.clone())
        };
        if let Some(pool) = find(&self.pools.load()) {
            return pool;
        }
        let pool = self.build(connect_timeout);
        self.pools.rcu(|pools| {
            let mut pools = pools.to_vec();
            if find(&pools).is_none() {
                // Routes with dozens of different timeouts are no use; the oldest pool makes room.
                if pools.len() >= 16 {
                    pools.remove(0);
                }
                pools.push((connect_timeout, pool.clone()));
            }
            pools
        });
        pool
    }

    fn build(&self, connect_timeout: Duration) -> Pool {
        let mut http = HttpConnector::new_with_resolver(Resolver::new(self.filter.clone()));
        http.set_connect_timeout(Some(connect_timeout));
        http.set_nodelay(true);
        http.enforce_http(false);
        http.set_keepalive(Some(Duration::from_secs(30)));
        let https = hyper_rustls::HttpsConnectorBuilder::new()
            .with_tls_config(self.tls.clone())
            .https_or_http()
            .enable_all_versions()
            .wrap_connector(FilteredConnector::new(http, self.filter.clone(), connect_timeout));
        Client::builder(TokioExecutor::new())
            .pool_timer(TokioTimer::new())
            .timer(TokioTimer::new())
            .pool_idle_timeout(POOL_IDLE)
            .pool_max_idle_per_host(POOL_PER_HOST)
            .http2_keep_alive_interval(Duration::from_secs(20))
            .http2_keep_alive_timeout(Duration::from_secs(10))
            .build(https)
    }
}
