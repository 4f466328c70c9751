//! One OTLP export over the wire, by gRPC or by HTTP: the same bytes in another envelope.

use std::time::Duration;

use bytes::{BufMut as _, Bytes, BytesMut};
use http::{HeaderMap, HeaderValue, Method, Request, Response, StatusCode, Uri, header};
use http_body_util::{BodyExt as _, Full, Limited};
use hyper::body::Incoming;
use hyper_rustls::HttpsConnector;
use hyper_util::{
    client::legacy::{Client, connect::HttpConnector},
    rt::{TokioExecutor, TokioTimer},
};
use opentelemetry_proto::tonic::collector::trace::v1::ExportTraceServiceResponse;
use prost::Message as _;
use runtime::ConfigError;
use rustls::pki_types::{CertificateDer, pem::PemObject as _};
use upstream::{innermost, tls_config};

use crate::settings::{OtlpProtocol, TraceSettings};

/// Longest wait for a connection to the collector.
const CONNECT: Duration = Duration::from_secs(5);
/// Longest wait for the collector's answer, connecting included.
pub(super) const ANSWER: Duration = Duration::from_secs(10);
/// Largest answer that is read, in bytes.
const MAX_ANSWER: usize = 64 << 10;
/// Longest pause that a collector may ask for.
const MAX_PAUSE: Duration = Duration::from_secs(30);
/// gRPC's status codes after which the same export may be sent again, by the OTLP specification.
const TRANSIENT: [u32; 7] = [1, 4, 8, 10, 11, 14, 15];

/// What is sent.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Signal {
    Traces,
    Metrics,
}

impl Signal {
    /// The gRPC method and the HTTP path.
    const fn paths(self) -> (&'static str, &'static str) {
        match self {
            Self::Traces => ("/opentelemetry.proto.collector.trace.v1.TraceService/Export", "/v1/traces"),
            Self::Metrics => {
                ("/opentelemetry.proto.collector.metrics.v1.MetricsService/Export", "/v1/metrics")
            }
        }
    }
}

/// The way to the collector.
pub(super) struct Sender {
    client: Client<HttpsConnector<HttpConnector>, Full<Bytes>>,
    protocol: OtlpProtocol,
    uri: Uri,
    headers: HeaderMap,
}

/// An export that did not arrive.
#[derive(Debug)]
pub(super) struct SendError {
    pub(super) detail: String,
    /// How long the collector wants to be left alone, unless the same export would be refused again.
    pub(super) again: Option<Duration>,
}

impl SendError {
    fn transient(detail: impl Into<String>) -> Self {
        Self { detail: detail.into(), again: Some(Duration::ZERO) }
    }

    fn refused(detail: impl Into<String>) -> Self {
        Self { detail: detail.into(), again: None }
    }
}

impl Sender {
    /// # Errors
    /// Names the setting that cannot work.
    pub(super) fn new(endpoint: &Uri, settings: &TraceSettings, signal: Signal) -> Result<Self, ConfigError> {
        let protocol = settings.otlp_protocol;
        let path = endpoint.path().trim_end_matches('/');
        // Vendors print their address in both forms.
        let path = path.strip_suffix("/v1/traces").unwrap_or(path);
        let path = match protocol {
            OtlpProtocol::Grpc => format!("{path}{}", signal.paths().0),
            OtlpProtocol::Http => format!("{path}{}", signal.paths().1),
        };
        let mut parts = endpoint.clone().into_parts();
        parts.path_and_query =
            Some(path.parse().map_err(|error| ConfigError::new("--otlp-endpoint", error))?);
        let uri = Uri::from_parts(parts).map_err(|error| ConfigError::new("--otlp-endpoint", error))?;
        let mut http = HttpConnector::new();
        http.set_connect_timeout(Some(CONNECT));
        http.set_nodelay(true);
        http.enforce_http(false);
        let builder = hyper_rustls::HttpsConnectorBuilder::new()
            .with_tls_config(tls_config(roots(settings)?))
            .https_or_http();
        let mut client = Client::builder(TokioExecutor::new());
        client
            .pool_timer(TokioTimer::new())
            .timer(TokioTimer::new())
            .pool_idle_timeout(Duration::from_secs(45));
        let client = match protocol {
            OtlpProtocol::Grpc => client.http2_only(true).build(builder.enable_http2().wrap_connector(http)),
            OtlpProtocol::Http => client.build(builder.enable_all_versions().wrap_connector(http)),
        };
        Ok(Self { client, protocol, uri, headers: settings.headers()? })
    }

    /// Sends an encoded `ExportTraceServiceRequest` or `ExportMetricsServiceRequest`; gives how many spans or data
    /// points the collector turned down, which both answers say in the same place.
    pub(super) async fn send(&self, export: &Bytes) -> Result<u64, SendError> {
        let answer = async {
            let response = self.client.request(self.request(export)).await;
            let response = response.map_err(|error| SendError::transient(innermost(&error)))?;
            match self.protocol {
                OtlpProtocol::Grpc => grpc_answer(response).await,
                OtlpProtocol::Http => http_answer(response).await,
            }
        };
        let answered = tokio::time::timeout(ANSWER, answer).await;
        let body = answered.unwrap_or_else(|_| Err(SendError::transient("no answer in time")))?;
        // An answer that cannot be read is an answer of success all the same.
        let partial = ExportTraceServiceResponse::decode(body).ok().and_then(|answer| answer.partial_success);
        Ok(partial.and_then(|partial| u64::try_from(partial.rejected_spans).ok()).unwrap_or_default())
    }

    fn request(&self, export: &Bytes) -> Request<Full<Bytes>> {
        let (body, media) = match self.protocol {
            OtlpProtocol::Grpc => (framed(export), "application/grpc"),
            OtlpProtocol::Http => (export.clone(), "application/x-protobuf"),
        };
        let mut request = Request::new(Full::new(body));
        *request.method_mut() = Method::POST;
        *request.uri_mut() = self.uri.clone();
        let headers = request.headers_mut();
        headers.clone_from(&self.headers);
        headers.insert(header::CONTENT_TYPE, HeaderValue::from_static(media));
        headers.insert(header::TE, HeaderValue::from_static("trailers"));
        let agent = concat!("OTel-OTLP-Exporter-portcullis/", env!("CARGO_PKG_VERSION"));
        headers.insert(header::USER_AGENT, HeaderValue::from_static(agent));
        request
    }
}

/// gRPC's frame around a message that is not compressed.
fn framed(message: &Bytes) -> Bytes {
    let mut frame = BytesMut::with_capacity(message.len() + 5);
    frame.put_u8(0);
    frame.put_u32(u32::try_from(message.len()).unwrap_or(u32::MAX));
    frame.put_slice(message);
    frame.freeze()
}

async fn grpc_answer(response: Response<Incoming>) -> Result<Bytes, SendError> {
    let (head, body) = response.into_parts();
    if head.status != StatusCode::OK {
        return Err(by_http_status(head.status, &head.headers));
    }
    let body = Limited::new(body, MAX_ANSWER).collect().await;
    let body = body.map_err(|error| SendError::transient(error.to_string()))?;
    // A call without an answer has its status in the head.
    let trailers = body.trailers().cloned().unwrap_or(head.headers);
    let code = trailers.get("grpc-status").and_then(|code| code.to_str().ok()?.parse::<u32>().ok());
    match code {
        Some(0) => {
            let mut message = body.to_bytes();
            Ok(message.split_off(message.len().min(5)))
        }
        Some(code) if TRANSIENT.contains(&code) => Err(SendError::transient(format!("gRPC status {code}"))),
        Some(code) => Err(SendError::refused(format!("gRPC status {code}"))),
        None => Err(SendError::transient("an answer without a gRPC status")),
    }
}

async fn http_answer(response: Response<Incoming>) -> Result<Bytes, SendError> {
    let (head, body) = response.into_parts();
    if !head.status.is_success() {
        return Err(by_http_status(head.status, &head.headers));
    }
    let body = Limited::new(body, MAX_ANSWER).collect().await;
    Ok(body.map_err(|error| SendError::transient(error.to_string()))?.to_bytes())
}

fn by_http_status(status: StatusCode, headers: &HeaderMap) -> SendError {
    let detail = format!("HTTP {}", status.as_u16());
    if !matches!(status.as_u16(), 429 | 502..=504) {
        return SendError::refused(detail);
    }
    let seconds = headers.get(header::RETRY_AFTER).and_then(|value| value.to_str().ok()?.parse().ok());
    SendError { detail, again: Some(Duration::from_secs(seconds.unwrap_or(0)).min(MAX_PAUSE)) }
}

/// The authorities that a collector's certificate may come from.
fn roots(settings: &TraceSettings) -> Result<rustls::RootCertStore, ConfigError> {
    let Some(path) = &settings.otlp_ca else {
        return Ok(rustls::RootCertStore { roots: webpki_roots::TLS_SERVER_ROOTS.to_vec() });
    };
    let bad =
        |error: &dyn std::fmt::Display| ConfigError::new("--otlp-ca", format!("{}: {error}", path.display()));
    let mut roots = rustls::RootCertStore::empty();
    for certificate in CertificateDer::pem_file_iter(path).map_err(|error| bad(&error))? {
        roots.add(certificate.map_err(|error| bad(&error))?).map_err(|error| bad(&error))?;
    }
    if roots.is_empty() { Err(bad(&"holds no certificate")) } else { Ok(roots) }
}
