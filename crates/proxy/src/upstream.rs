//! The client side: pooled connections to providers, opened only to addresses that the filter allows.

mod connect;
mod outgoing;

use std::{error::Error as _, sync::Arc, time::Duration};

use arc_swap::ArcSwap;
use domain::AttemptOutcome;
use http::{Request, Response};
use hyper::body::Incoming;
use hyper_rustls::HttpsConnector;
use hyper_util::{
    client::legacy::{Client, Error, connect::HttpConnector},
    rt::{TokioExecutor, TokioTimer},
};
use runtime::outbound::{AllowPrivate, Filter};

use self::connect::{FilteredConnector, Resolver};
pub(crate) use self::outgoing::{SentFlag, TrackedBody};

type Pool = Client<HttpsConnector<FilteredConnector<HttpConnector<Resolver>>>, TrackedBody>;

/// Below what providers and load balancers close at (60 s and more), so that a pooled connection is rarely dead.
const POOL_IDLE: Duration = Duration::from_secs(45);
const POOL_PER_HOST: usize = 256;

/// Connection pools, one per connect timeout that routes use.
pub(crate) struct Upstream {
    filter: Filter,
    tls: rustls::ClientConfig,
    pools: ArcSwap<Vec<(Duration, Pool)>>,
}

/// A request that brought no response head.
#[derive(Debug)]
pub(crate) struct SendError {
    pub(crate) outcome: AttemptOutcome,
    pub(crate) detail: String,
}

impl Upstream {
    pub(crate) fn new(allow: AllowPrivate) -> Self {
        let tls = tls_config(rustls::RootCertStore { roots: webpki_roots::TLS_SERVER_ROOTS.to_vec() });
        Self { filter: Filter::new(allow), tls, pools: ArcSwap::from_pointee(Vec::new()) }
    }

    /// Sends a request; returns once the response's head is there. The caller bounds the wait.
    pub(crate) async fn send(
        &self,
        connect_timeout: Duration,
        request: Request<TrackedBody>,
    ) -> Result<Response<Incoming>, SendError> {
        let sent = self.pool(connect_timeout).request(request).await;
        sent.map_err(|error| SendError { outcome: classify(&error), detail: innermost(&error) })
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

/// TLS as a client, without a certificate of its own.
pub(crate) fn tls_config(roots: rustls::RootCertStore) -> rustls::ClientConfig {
    let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
    let builder = rustls::ClientConfig::builder_with_provider(provider);
    match builder.with_safe_default_protocol_versions() {
        Ok(builder) => builder.with_root_certificates(roots).with_no_client_auth(),
        // The provider is compiled in and offers both protocol versions.
        Err(_) => std::process::abort(),
    }
}

/// Whose fault a failed send is.
fn classify(error: &Error) -> AttemptOutcome {
    let mut source = error.source();
    while let Some(cause) = source {
        if cause.is::<rustls::Error>() {
            return AttemptOutcome::Tls;
        }
        if cause.downcast_ref::<hyper::Error>().is_some_and(hyper::Error::is_parse) {
            return AttemptOutcome::Protocol;
        }
        source = cause.source().or_else(|| {
            // An io::Error hides the error it wraps from `source`.
            cause.downcast_ref::<std::io::Error>().and_then(std::io::Error::get_ref).map(|inner| inner as _)
        });
    }
    if error.is_connect() { AttemptOutcome::Connect } else { AttemptOutcome::Cut }
}

/// The last error of the chain: the one that says what happened.
pub(crate) fn innermost(error: &(dyn std::error::Error + 'static)) -> String {
    let mut last = error;
    while let Some(source) = last.source() {
        last = source;
    }
    last.to_string()
}
