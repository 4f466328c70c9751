//! The authenticated way to control plane and ledger: channels, the join, and the token that calls carry.

use std::{sync::Arc, time::Duration};

use http::{Uri, uri::PathAndQuery};
use proto::{
    EncodedReport, MAX_MESSAGE,
    v1::{
        BooksReply, BooksRequest, HealthReport, JoinRequest, ReportReply,
        control_plane_client::ControlPlaneClient, ledger_client::LedgerClient,
    },
};
use runtime::ConfigError;
use secrets::WeakSecret;
use tokio::{sync::Mutex, time::Instant};
use tonic::{
    Code, Request, Status,
    client::Grpc,
    metadata::{Ascii, MetadataValue},
    service::{Interceptor, interceptor::InterceptedService},
    transport::{Channel, Endpoint},
};
use tonic_prost::ProstCodec;

use crate::tls::PeerTls;

const CONNECT: Duration = Duration::from_secs(5);
const JOIN: Duration = Duration::from_secs(10);
const REPORT: Duration = Duration::from_secs(30);
const HEALTH: Duration = Duration::from_secs(5);
const BOOKS: Duration = Duration::from_secs(5);
const REPORT_PATH: PathAndQuery = PathAndQuery::from_static("/portcullis.v1.Ledger/Report");
const KEEP_ALIVE: Duration = Duration::from_secs(10);
/// How soon a renewal that failed is tried again while the old token is still good.
const RENEW_AGAIN: Duration = Duration::from_secs(5);

/// A client of the control plane that adds the token to its calls.
pub type ControlPlane = ControlPlaneClient<InterceptedService<Channel, Bearer>>;

/// The identity of the proxy, and the addresses of the other planes.
pub struct SessionSettings {
    /// The control plane's gRPC address, `http` or `https`.
    pub control_plane: Uri,
    /// The ledger's, where it is another.
    pub ledger: Option<Uri>,
    /// The proxy's name, stable over restarts.
    pub proxy: String,
    /// Exchanged for short-lived tokens; not needed with a client certificate.
    pub join_token: Option<String>,
    /// For `https`.
    pub tls: Option<PeerTls>,
}

/// Adds the proxy's token, if it needs one, to a call.
#[derive(Clone, Debug)]
pub struct Bearer(Option<MetadataValue<Ascii>>);

impl Interceptor for Bearer {
    fn call(&mut self, mut request: Request<()>) -> Result<Request<()>, Status> {
        if let Some(bearer) = &self.0 {
            request.metadata_mut().insert("authorization", bearer.clone());
        }
        Ok(request)
    }
}

/// The channels and the token of one proxy; cheap to clone, shared by Watch and Report.
#[derive(Clone)]
pub struct Session(Arc<Inner>);

struct Inner {
    proxy: String,
    join_token: Option<String>,
    control_plane: Channel,
    ledger: Channel,
    /// Held across the join, so that many callers cause one.
    token: Mutex<Option<Token>>,
}

#[derive(Clone)]
struct Token {
    bearer: MetadataValue<Ascii>,
    renew: Instant,
    expires: Instant,
}

impl Session {
    /// Prepares the channels; connects on first use.
    ///
    /// # Errors
    /// When an address or certificate is unusable, or there is neither a join token nor a client certificate.
    pub fn new(settings: SessionSettings) -> Result<Self, ConfigError> {
        let SessionSettings { control_plane, ledger, proxy, join_token, tls } = settings;
        check_proxy_name(&proxy)?;
        match &join_token {
            Some(token) => secrets::check_token_strength(token)
                .map_err(|weak: WeakSecret| ConfigError::new("--join-token", weak))?,
            None if tls.as_ref().is_some_and(PeerTls::has_identity) => {}
            None => {
                let hint = "a join token, or a client certificate (--grpc-cert), is needed to join";
                return Err(ConfigError::new("--join-token", hint));
            }
        }
        let ledger = match ledger {
            Some(uri) => Some(channel("--ledger", &uri, tls.as_ref())?),
            None => None,
        };
        let control_plane = channel("--control-plane", &control_plane, tls.as_ref())?;
        let ledger = ledger.unwrap_or_else(|| control_plane.clone());
        Ok(Self(Arc::new(Inner { proxy, join_token, control_plane, ledger, token: Mutex::new(None) })))
    }

    /// The name the proxy joins by.
    #[must_use]
    pub fn proxy(&self) -> &str {
        &self.0.proxy
    }

    /// A client of the control plane, joined.
    ///
    /// # Errors
    /// When joining failed.
    pub async fn control_plane(&self) -> Result<ControlPlane, Status> {
        let channel = InterceptedService::new(self.0.control_plane.clone(), self.bearer().await?);
        let client = ControlPlaneClient::new(channel);
        Ok(client.max_decoding_message_size(MAX_MESSAGE).max_encoding_message_size(MAX_MESSAGE))
    }

    /// Reports usage, within 30 s; joins again once when the ledger no longer takes the token.
    ///
    /// # Errors
    /// When the batch is not known to be committed: report it again.
    pub async fn report(&self, report: &EncodedReport) -> Result<ReportReply, Status> {
        let mut rejoined = false;
        loop {
            // Boxed: the call is far larger than all that waits for it.
            match bounded(REPORT, Box::pin(self.try_report(report.clone()))).await {
                Ok(reply) => return Ok(reply),
                Err(status) if status.code() == Code::Unauthenticated && !rejoined => {
                    self.forget_token().await;
                    rejoined = true;
                }
                Err(status) => return Err(status),
            }
        }
    }

    /// Tells the control plane what this proxy sees, within 5 s; joins again before the next time when it no longer
    /// takes the token.
    ///
    /// # Errors
    /// When it was perhaps not heard; `Unimplemented` when the control plane is too old to listen.
    pub async fn report_health(&self, report: HealthReport) -> Result<(), Status> {
        let call = async {
            let mut client = self.control_plane().await?;
            client.report_health(report).await.map(drop)
        };
        let told = bounded(HEALTH, Box::pin(call)).await;
        if told.as_ref().is_err_and(|status| status.code() == Code::Unauthenticated) {
            self.forget_token().await;
        }
        told
    }

    /// Tells the ledger of the books of budgets, and hears of them, within 5 s; joins again before the next time when it
    /// no longer takes the token.
    ///
    /// # Errors
    /// When it was perhaps not heard; `Unimplemented` when the ledger is too old to know books.
    pub async fn books(&self, request: BooksRequest) -> Result<BooksReply, Status> {
        let call = async {
            let channel = InterceptedService::new(self.0.ledger.clone(), self.bearer().await?);
            let client = LedgerClient::new(channel).max_encoding_message_size(MAX_MESSAGE);
            let mut client = client.max_decoding_message_size(MAX_MESSAGE);
            client.books(request).await.map(tonic::Response::into_inner)
        };
        let told = bounded(BOOKS, Box::pin(call)).await;
        if told.as_ref().is_err_and(|status| status.code() == Code::Unauthenticated) {
            self.forget_token().await;
        }
        told
    }

    /// The generated client would take the events apart first.
    async fn try_report(&self, report: EncodedReport) -> Result<ReportReply, Status> {
        let channel = InterceptedService::new(self.0.ledger.clone(), self.bearer().await?);
        let mut client = Grpc::new(channel).max_encoding_message_size(MAX_MESSAGE);
        client.ready().await.map_err(|error| Status::unavailable(error.to_string()))?;
        let codec = ProstCodec::<EncodedReport, ReportReply>::default();
        Ok(client.unary(Request::new(report), REPORT_PATH, codec).await?.into_inner())
    }

    /// Drops a token that was refused; the next call joins again.
    pub async fn forget_token(&self) {
        *self.0.token.lock().await = None;
    }

    /// The current token, renewed at two thirds of its life.
    async fn bearer(&self) -> Result<Bearer, Status> {
        let Some(join_token) = &self.0.join_token else { return Ok(Bearer(None)) };
        let mut held = self.0.token.lock().await;
        let now = Instant::now();
        if let Some(token) = held.as_ref().filter(|token| now < token.renew) {
            return Ok(Bearer(Some(token.bearer.clone())));
        }
        match bounded(JOIN, self.join(join_token)).await {
            Ok(token) => *held = Some(token),
            Err(status) => match held.as_mut().filter(|token| now < token.expires) {
                Some(token) => {
                    tracing::warn!(code = ?status.code(), "cannot renew the token yet: {}", status.message());
                    token.renew = (now + RENEW_AGAIN).min(token.expires);
                }
                None => {
                    *held = None;
                    return Err(status);
                }
            },
        }
        Ok(Bearer(held.as_ref().map(|token| token.bearer.clone())))
    }

    async fn join(&self, join_token: &str) -> Result<Token, Status> {
        let request = JoinRequest { token: join_token.to_owned(), proxy: self.0.proxy.clone() };
        let started = Instant::now();
        let reply = ControlPlaneClient::new(self.0.control_plane.clone()).join(request).await?.into_inner();
        let mut bearer: MetadataValue<Ascii> = format!("Bearer {}", reply.jwt)
            .parse()
            .map_err(|_| Status::internal("the control plane's token is no header value"))?;
        bearer.set_sensitive(true);
        let life = Duration::from_secs(u64::from(reply.expires_in_seconds));
        Ok(Token { bearer, renew: started + life * 2 / 3, expires: started + life })
    }
}

/// A call that is given up after `limit`.
async fn bounded<T>(limit: Duration, call: impl Future<Output = Result<T, Status>>) -> Result<T, Status> {
    let late = || Status::deadline_exceeded(format!("no answer within {} s", limit.as_secs()));
    tokio::time::timeout(limit, call).await.unwrap_or_else(|_| Err(late()))
}

fn check_proxy_name(name: &str) -> Result<(), ConfigError> {
    let plain = |byte: u8| byte.is_ascii_graphic();
    match (1..=128).contains(&name.len()) && name.bytes().all(plain) {
        true => Ok(()),
        false => Err(ConfigError::new("--name", "a proxy's name is 1 to 128 printable ASCII characters")),
    }
}

fn channel(flag: &str, uri: &Uri, tls: Option<&PeerTls>) -> Result<Channel, ConfigError> {
    let refuse = |why: &str| ConfigError::new(flag, format!("{uri}: {why}"));
    let host = uri.host().ok_or_else(|| refuse("write http://HOST:PORT or https://HOST:PORT"))?;
    let endpoint = Endpoint::from(uri.clone())
        .connect_timeout(CONNECT)
        .tcp_nodelay(true)
        .http2_keep_alive_interval(KEEP_ALIVE)
        .keep_alive_timeout(CONNECT)
        .keep_alive_while_idle(true);
    let endpoint = match (uri.scheme_str(), tls) {
        (Some("https"), Some(tls)) => endpoint
            .tls_config(tls.config())
            .map_err(|error| refuse(&format!("certificates cannot be used: {}", sources(&error))))?,
        (Some("https"), None) => return Err(refuse("https needs --grpc-ca")),
        (Some("http"), Some(_)) => {
            return Err(refuse("certificates are given, but the address is not https"));
        }
        (Some("http"), None) => {
            if !matches!(host, "localhost" | "127.0.0.1" | "[::1]") {
                tracing::warn!(%uri, "the token travels unencrypted to another host; use https and --grpc-ca");
            }
            endpoint
        }
        _ => return Err(refuse("must begin with http:// or https://")),
    };
    Ok(endpoint.connect_lazy())
}

/// An error with its causes: tonic's own text names no cause.
fn sources(error: &dyn std::error::Error) -> String {
    let chain = std::iter::successors(Some(error), |error| error.source());
    chain.map(ToString::to_string).collect::<Vec<_>>().join(": ")
}
