//! An OTLP collector, gRPC and HTTP on one port, that shows what it was sent.

use std::{
    net::SocketAddr,
    sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use axum::{
    Router,
    body::Bytes,
    extract::State,
    http::{HeaderMap, StatusCode},
    routing::post,
};
use opentelemetry_proto::tonic::{
    collector::{
        metrics::v1::{
            ExportMetricsServiceRequest, ExportMetricsServiceResponse,
            metrics_service_server::{MetricsService, MetricsServiceServer},
        },
        trace::v1::{
            ExportTraceServiceRequest, ExportTraceServiceResponse,
            trace_service_server::{TraceService, TraceServiceServer},
        },
    },
    common::v1::{KeyValue, any_value::Value},
    metrics::v1::Metric,
    trace::v1::Span,
};
use prost::Message as _;
use tonic::{
    Request, Response, Status,
    transport::{Identity, Server, ServerTlsConfig, server::TcpIncoming},
};

/// A running collector; it ends when it is dropped.
pub struct Collector {
    /// Where it listens.
    pub addr: SocketAddr,
    inbox: Inbox,
    runtime: Option<tokio::runtime::Runtime>,
}

/// What a collector was sent.
#[derive(Clone, Default)]
struct Inbox(Arc<(Mutex<Mail>, Condvar)>);

#[derive(Default)]
struct Mail {
    spans: Vec<Span>,
    /// Of the last export that was taken.
    metrics: Vec<Metric>,
    resource: Vec<KeyValue>,
    exports: usize,
    /// Of the last export.
    authorization: Option<String>,
    refusal: Option<Refusal>,
    discards: bool,
}

/// How a collector refuses.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Refusal {
    /// For now.
    Busy,
    /// For good.
    Never,
}

impl Collector {
    /// Starts one that keeps everything.
    ///
    /// # Errors
    /// When it cannot listen.
    pub fn start() -> anyhow::Result<Self> {
        let (runtime, listener, addr) = listen()?;
        let inbox = Inbox::default();
        let grpc = tonic::service::Routes::new(TraceServiceServer::new(inbox.clone()))
            .add_service(MetricsServiceServer::new(inbox.clone()))
            .prepare();
        let http = Router::new()
            .route("/v1/traces", post(take))
            .route("/v1/metrics", post(take_metrics))
            .with_state(inbox.clone());
        runtime.spawn(async move {
            let listener = tokio::net::TcpListener::from_std(listener)?;
            axum::serve(listener, grpc.into_axum_router().merge(http)).await
        });
        Ok(Self { addr, inbox, runtime: Some(runtime) })
    }

    /// Starts one that speaks gRPC over TLS only, by this certificate and key (PEM).
    ///
    /// # Errors
    /// When it cannot listen, or the certificate is of no use.
    pub fn start_tls(certificate: &str, key: &str) -> anyhow::Result<Self> {
        let (runtime, listener, addr) = listen()?;
        let inbox = Inbox::default();
        let tls = ServerTlsConfig::new().identity(Identity::from_pem(certificate, key));
        let router = Server::builder().tls_config(tls)?.add_service(TraceServiceServer::new(inbox.clone()));
        runtime.spawn(async move {
            let listener = tokio::net::TcpListener::from_std(listener)?;
            let serving = router.serve_with_incoming(TcpIncoming::from(listener)).await;
            serving.map_err(std::io::Error::other)
        });
        Ok(Self { addr, inbox, runtime: Some(runtime) })
    }

    /// From now on counts exports and throws them away.
    pub fn discard(&self) {
        self.inbox.mail().discards = true;
    }

    /// Its address as a URL, for either protocol.
    #[must_use]
    pub fn url(&self) -> String {
        format!("http://{}", self.addr)
    }

    /// Refuses all exports from now on, or takes them again.
    pub fn refuse(&self, how: Option<Refusal>) {
        self.inbox.mail().refusal = how;
    }

    /// All spans so far.
    #[must_use]
    pub fn spans(&self) -> Vec<Span> {
        self.inbox.mail().spans.clone()
    }

    /// The metrics of the last export.
    #[must_use]
    pub fn metrics(&self) -> Vec<Metric> {
        self.inbox.mail().metrics.clone()
    }

    /// The resource of the last spans.
    #[must_use]
    pub fn resource(&self) -> Vec<KeyValue> {
        self.inbox.mail().resource.clone()
    }

    /// Exports so far, refused ones included.
    #[must_use]
    pub fn exports(&self) -> usize {
        self.inbox.mail().exports
    }

    /// The `authorization` of the last export.
    #[must_use]
    pub fn authorization(&self) -> Option<String> {
        self.inbox.mail().authorization.clone()
    }

    /// Waits until as many exports came, refused ones included; says whether they did in time.
    #[must_use]
    pub fn wait_for_exports(&self, exports: usize, deadline: Duration) -> bool {
        self.wait(deadline, |mail| mail.exports >= exports)
    }

    /// Waits until as many spans of this trace came, or gives up; all of that trace.
    #[must_use]
    pub fn trace(&self, trace_id: &[u8], spans: usize, deadline: Duration) -> Vec<Span> {
        let of_trace = |mail: &Mail| -> Vec<Span> {
            mail.spans.iter().filter(|span| span.trace_id == trace_id).cloned().collect()
        };
        let _ = self.wait(deadline, |mail| of_trace(mail).len() >= spans);
        of_trace(&self.inbox.mail())
    }

    fn wait(&self, deadline: Duration, enough: impl Fn(&Mail) -> bool) -> bool {
        let (_, arrived) = &*self.inbox.0;
        let waited = arrived.wait_timeout_while(self.inbox.mail(), deadline, |mail| !enough(mail));
        enough(&waited.unwrap_or_else(PoisonError::into_inner).0)
    }
}

fn listen() -> anyhow::Result<(tokio::runtime::Runtime, std::net::TcpListener, SocketAddr)> {
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build()?;
    let listener = std::net::TcpListener::bind("127.0.0.1:0")?;
    listener.set_nonblocking(true)?;
    let addr = listener.local_addr()?;
    Ok((runtime, listener, addr))
}

impl Drop for Collector {
    fn drop(&mut self) {
        if let Some(runtime) = self.runtime.take() {
            runtime.shutdown_background();
        }
    }
}

impl Inbox {
    fn mail(&self) -> MutexGuard<'_, Mail> {
        self.0.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn take(&self, export: ExportTraceServiceRequest, authorization: Option<&str>) -> Result<(), Refusal> {
        let mut mail = self.mail();
        mail.exports += 1;
        mail.authorization = authorization.map(str::to_owned);
        if mail.refusal.is_none() && !mail.discards {
            for of_resource in export.resource_spans {
                mail.resource = of_resource.resource.map(|resource| resource.attributes).unwrap_or_default();
                mail.spans.extend(of_resource.scope_spans.into_iter().flat_map(|scope| scope.spans));
            }
        }
        self.0.1.notify_all();
        mail.refusal.map_or(Ok(()), Err)
    }
}

impl Inbox {
    fn take_metrics(&self, export: ExportMetricsServiceRequest) {
        let scopes = export.resource_metrics.into_iter().flat_map(|of_resource| of_resource.scope_metrics);
        self.mail().metrics = scopes.flat_map(|scope| scope.metrics).collect();
    }
}

#[tonic::async_trait]
impl TraceService for Inbox {
    async fn export(
        &self,
        request: Request<ExportTraceServiceRequest>,
    ) -> Result<Response<ExportTraceServiceResponse>, Status> {
        let (metadata, _, export) = request.into_parts();
        let authorization = metadata.get("authorization").and_then(|value| value.to_str().ok());
        match self.take(export, authorization) {
            Ok(()) => Ok(Response::new(ExportTraceServiceResponse::default())),
            Err(Refusal::Busy) => Err(Status::unavailable("busy")),
            Err(Refusal::Never) => Err(Status::permission_denied("never")),
        }
    }
}

#[tonic::async_trait]
impl MetricsService for Inbox {
    async fn export(
        &self,
        request: Request<ExportMetricsServiceRequest>,
    ) -> Result<Response<ExportMetricsServiceResponse>, Status> {
        self.take_metrics(request.into_inner());
        Ok(Response::new(ExportMetricsServiceResponse::default()))
    }
}

async fn take_metrics(State(inbox): State<Inbox>, body: Bytes) -> StatusCode {
    match ExportMetricsServiceRequest::decode(body) {
        Ok(export) => inbox.take_metrics(export),
        Err(_) => return StatusCode::BAD_REQUEST,
    }
    StatusCode::OK
}

async fn take(State(inbox): State<Inbox>, headers: HeaderMap, body: Bytes) -> (StatusCode, Vec<u8>) {
    let Ok(export) = ExportTraceServiceRequest::decode(body) else {
        return (StatusCode::BAD_REQUEST, Vec::new());
    };
    let authorization = headers.get("authorization").and_then(|value| value.to_str().ok());
    let status = match inbox.take(export, authorization) {
        Ok(()) => StatusCode::OK,
        Err(Refusal::Busy) => StatusCode::SERVICE_UNAVAILABLE,
        Err(Refusal::Never) => StatusCode::FORBIDDEN,
    };
    (status, ExportTraceServiceResponse::default().encode_to_vec())
}

/// A span's attribute as text, whatever its type.
#[must_use]
pub fn attribute(of: &[KeyValue], key: &str) -> Option<String> {
    let value = of.iter().find(|attribute| attribute.key == key)?.value.as_ref()?.value.as_ref()?;
    Some(match value {
        Value::StringValue(text) => text.clone(),
        Value::IntValue(number) => number.to_string(),
        Value::BoolValue(flag) => flag.to_string(),
        Value::DoubleValue(number) => number.to_string(),
        other => format!("{other:?}"),
    })
}
