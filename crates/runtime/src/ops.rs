//! The ops port: liveness, readiness, metrics and telemetry's switches, apart from traffic so that neither can starve
//! the other.

use std::{fmt, sync::Arc};

use axum::{Json, Router, extract::State, http::StatusCode, routing::get};
use tokio::net::TcpListener;
use tokio_util::sync::CancellationToken;

use crate::{
    Readiness, http,
    metrics::{Collect, Exposition, Metrics, READY},
    telemetry::{self, Sampling},
};

impl Collect for Readiness {
    fn collect(&self, to: &mut Exposition<'_>) -> fmt::Result {
        to.gauge(&READY)?.put([], f64::from(u8::from(self.is_ready())))
    }
}

/// Serves `/healthz`, `/readyz`, `/telemetry` and `/metrics` until the token is cancelled. `sampling` is what
/// requests are traced by, in a process that traces.
///
/// # Errors
/// When the listener fails.
pub async fn serve(
    listener: TcpListener,
    readiness: Readiness,
    metrics: Metrics,
    sampling: Option<Sampling>,
    shutdown: CancellationToken,
) -> std::io::Result<()> {
    metrics.register(Arc::new(readiness.clone()));
    let router = Router::new()
        .route("/healthz", get(|| async { "ok\n" }))
        .route("/readyz", get(ready))
        .with_state(readiness)
        .merge(metrics.routes())
        .merge(telemetry::routes(sampling));
    http::serve(listener, router, shutdown).await
}

async fn ready(State(readiness): State<Readiness>) -> (StatusCode, Json<serde_json::Value>) {
    let pending = readiness.pending();
    let status = if pending.is_empty() { StatusCode::OK } else { StatusCode::SERVICE_UNAVAILABLE };
    (status, Json(serde_json::json!({ "ready": pending.is_empty(), "waiting_for": pending })))
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use tokio::{io::AsyncWriteExt as _, net::TcpStream, time::timeout};

    use super::*;

    #[tokio::test(start_paused = true)]
    async fn half_a_head_does_not_hold_up_the_end() {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let (address, stop) = (listener.local_addr().unwrap(), CancellationToken::new());
        let serving = tokio::spawn(serve(listener, Readiness::new(), Metrics::default(), None, stop.clone()));
        let mut half = TcpStream::connect(address).await.unwrap();
        half.write_all(b"GET /healthz HT").await.unwrap();
        tokio::time::sleep(Duration::from_millis(1)).await; // virtual: lets it be accepted
        stop.cancel();
        timeout(Duration::from_secs(20), serving).await.unwrap().unwrap().unwrap();
    }
}
