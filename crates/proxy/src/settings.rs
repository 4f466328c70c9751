//! The data plane's settings: every one a flag, an environment variable and a line of `--help`.

mod trace;

use std::{net::SocketAddr, path::PathBuf, time::Duration};

use budget::BookStore;
use clap::Args;
use config_client::{PeerTls, Session, SessionSettings};
use coordination::{Clock, Coordinator};
use runtime::{ConfigError, outbound::AllowPrivate};

pub use self::trace::{ContextIn, ContextOut, OtlpHeaders, OtlpProtocol, TraceSettings};

/// Settings of one proxy.
#[derive(Args, Clone, Debug)]
pub struct Settings {
    /// Where applications connect.
    #[arg(long, env = "PORTCULLIS_LISTEN", default_value = "127.0.0.1:8080")]
    pub listen: SocketAddr,
    /// Where `/healthz`, `/readyz` and `/metrics` are served.
    #[arg(long, env = "PORTCULLIS_OPS_LISTEN", default_value = "127.0.0.1:8083")]
    pub ops_listen: SocketAddr,
    /// The proxy's own directory: last good snapshot and usage spool. Keep it over restarts; never share it.
    #[arg(long, env = "PORTCULLIS_DATA_DIR", default_value = "data-proxy")]
    pub data_dir: PathBuf,
    /// Bounds of what clients may do.
    #[command(flatten)]
    pub edge: EdgeSettings,
    /// The way to control plane and ledger.
    #[command(flatten)]
    pub link: LinkSettings,
    /// OpenTelemetry.
    #[command(flatten)]
    pub trace: TraceSettings,
}

/// Longest wait that a setting may ask for, in seconds. Moments that lie too far ahead cannot be told at all.
const MAX_WAIT: u64 = 24 * 3_600;

/// Bounds of what clients may do, and of what the proxy may connect to.
#[derive(Args, Clone, Debug)]
pub struct EdgeSettings {
    /// Largest request body, in bytes.
    #[arg(long, env = "PORTCULLIS_MAX_BODY_BYTES", default_value_t = 32 << 20)]
    pub max_body_bytes: u64,
    /// Longest wait for a request's body, in seconds.
    #[arg(long, env = "PORTCULLIS_BODY_TIMEOUT_SECONDS", default_value_t = 30)]
    pub body_timeout_seconds: u64,
    /// Longest wait for a request's head, in seconds.
    #[arg(long, env = "PORTCULLIS_HEADER_TIMEOUT_SECONDS", default_value_t = 15)]
    pub header_timeout_seconds: u64,
    /// How long a client connection may stay open without a request, in seconds.
    #[arg(long, env = "PORTCULLIS_IDLE_TIMEOUT_SECONDS", default_value_t = 75)]
    pub idle_timeout_seconds: u64,
    /// Longest that a client may leave unread what it was sent, in seconds.
    #[arg(long, env = "PORTCULLIS_WRITE_TIMEOUT_SECONDS", default_value_t = 60)]
    pub write_timeout_seconds: u64,
    /// Most client connections at once; more wait in the kernel's queue.
    #[arg(long, env = "PORTCULLIS_MAX_CONNECTIONS", default_value_t = 20_000)]
    pub max_connections: usize,
    /// Most requests in flight at once; more are refused with 503.
    #[arg(long, env = "PORTCULLIS_MAX_IN_FLIGHT", default_value_t = 10_000)]
    pub max_in_flight: usize,
    /// How long after SIGTERM the data plane still takes new connections, in seconds, while readiness is already
    /// false: as long as load balancers need to notice.
    #[arg(long, env = "PORTCULLIS_LAME_DUCK_SECONDS", default_value_t = 0)]
    pub lame_duck_seconds: u64,
    /// How long running requests may take to finish after that, in seconds.
    #[arg(long, env = "PORTCULLIS_DRAIN_SECONDS", default_value_t = 30)]
    pub drain_seconds: u64,
    /// Most bytes of unreported usage kept on disk; beyond it requests are refused with 503.
    #[arg(long, env = "PORTCULLIS_SPOOL_MAX_BYTES", default_value_t = 1 << 30)]
    pub spool_max_bytes: u64,
    /// Private addresses that providers may have: `true`, `false`, or networks (`10.0.0.0/8,127.0.0.1`).
    #[arg(
        long,
        env = "PORTCULLIS_ALLOW_PRIVATE_NETWORKS",
        default_value = "false",
        num_args = 0..=1,
        default_missing_value = "true"
    )]
    pub allow_private_networks: AllowPrivate,
    /// Origins of web pages that may use the data plane (`https://app.example.com,http://localhost:3000`, or `*`);
    /// without it browsers are not told that any may. Tenants, API keys and routes may allow fewer.
    #[arg(long, env = "PORTCULLIS_CORS_ORIGINS", value_delimiter = ',')]
    pub cors_origins: Vec<domain::Origin>,
}

impl EdgeSettings {
    /// Whether web pages may use the data plane at all.
    #[must_use]
    pub const fn serves_browsers(&self) -> bool {
        !self.cors_origins.is_empty()
    }

    /// How long a client connection may stay open without a request.
    #[must_use]
    pub const fn idle_timeout(&self) -> Duration {
        Duration::from_secs(self.idle_timeout_seconds)
    }

    /// Longest wait for a request's body.
    #[must_use]
    pub const fn body_timeout(&self) -> Duration {
        Duration::from_secs(self.body_timeout_seconds)
    }

    /// Longest wait for a request's head.
    #[must_use]
    pub const fn header_timeout(&self) -> Duration {
        Duration::from_secs(self.header_timeout_seconds)
    }

    /// Longest that a client may leave unread what it was sent.
    #[must_use]
    pub const fn write_timeout(&self) -> Duration {
        Duration::from_secs(self.write_timeout_seconds)
    }

    /// How long the data plane still takes new connections after SIGTERM.
    #[must_use]
    pub const fn lame_duck(&self) -> Duration {
        Duration::from_secs(self.lame_duck_seconds)
    }

    /// How long running requests may take to finish after the listener was closed.
    #[must_use]
    pub const fn drain(&self) -> Duration {
        Duration::from_secs(self.drain_seconds)
    }

    /// Refuses values that cannot work.
    ///
    /// # Errors
    /// Names the flag.
    pub fn check(&self) -> Result<(), ConfigError> {
        let waits = [
            ("--body-timeout-seconds", self.body_timeout_seconds),
            ("--header-timeout-seconds", self.header_timeout_seconds),
            ("--idle-timeout-seconds", self.idle_timeout_seconds),
            ("--write-timeout-seconds", self.write_timeout_seconds),
            ("--lame-duck-seconds", self.lame_duck_seconds),
            ("--drain-seconds", self.drain_seconds),
        ];
        if let Some((flag, _)) = waits.iter().find(|(_, seconds)| *seconds > MAX_WAIT) {
            return Err(ConfigError::new(*flag, format!("must be at most {MAX_WAIT}, which is a day")));
        }
        let at_least_one = [
            ("--max-body-bytes", self.max_body_bytes),
            ("--body-timeout-seconds", self.body_timeout_seconds),
            ("--header-timeout-seconds", self.header_timeout_seconds),
            ("--idle-timeout-seconds", self.idle_timeout_seconds),
            ("--write-timeout-seconds", self.write_timeout_seconds),
            ("--max-connections", self.max_connections as u64),
            ("--max-in-flight", self.max_in_flight as u64),
        ];
        match at_least_one.iter().find(|(_, value)| *value == 0) {
            Some((flag, _)) => Err(ConfigError::new(*flag, "must be at least 1")),
            None if self.max_connections > tokio::sync::Semaphore::MAX_PERMITS => {
                Err(ConfigError::new("--max-connections", "is too large"))
            }
            None => Ok(()),
        }
    }
}

/// How the proxy reaches its control plane and ledger.
#[derive(Args, Clone, Debug)]
pub struct LinkSettings {
    /// The control plane's gRPC address (`http://host:8082`).
    #[arg(long, env = "PORTCULLIS_CONTROL_PLANE", default_value = "http://127.0.0.1:8082")]
    pub control_plane: http::Uri,
    /// The ledger's gRPC address, where it is another one.
    #[arg(long, env = "PORTCULLIS_LEDGER")]
    pub ledger: Option<http::Uri>,
    /// Exchanged for short-lived tokens; not needed with a client certificate.
    #[arg(long, env = "PORTCULLIS_JOIN_TOKEN", hide_env_values = true)]
    pub join_token: Option<String>,
    /// Redis that all proxies share for limits and budgets (`redis://[USER][:PASSWORD@]HOST[:PORT][/DB]`); without it each
    /// proxy counts by itself.
    #[arg(long, env = "PORTCULLIS_REDIS_URL", hide_env_values = true)]
    pub redis_url: Option<String>,
    /// The proxy's name, stable over restarts.
    #[arg(long, env = "PORTCULLIS_NAME", default_value = "proxy")]
    pub name: String,
    /// The region of the proxy, a name of the operator's choice.
    #[arg(long, env = "PORTCULLIS_REGION", default_value = "local")]
    pub region: String,
    /// How long a proxy may serve without hearing from its control plane (`24h`).
    #[arg(long, env = "PORTCULLIS_MAX_SNAPSHOT_AGE", default_value = "24h")]
    pub max_snapshot_age: domain::Duration,
    /// Certificate authority of control plane and ledger, PEM; for `https` addresses.
    #[arg(long, env = "PORTCULLIS_GRPC_CA")]
    pub grpc_ca: Option<PathBuf>,
    /// The proxy's own certificate, PEM.
    #[arg(long, env = "PORTCULLIS_GRPC_CERT")]
    pub grpc_cert: Option<PathBuf>,
    /// Its private key, PEM.
    #[arg(long, env = "PORTCULLIS_GRPC_KEY")]
    pub grpc_key: Option<PathBuf>,
}

impl LinkSettings {
    /// The shared limits.
    ///
    /// # Errors
    /// When the store cannot serve as it is; one that is away is no error.
    pub async fn coordination(&self) -> Result<Coordinator, ConfigError> {
        match &self.redis_url {
            None => Ok(Coordinator::memory(Clock::monotonic())),
            Some(url) => {
                let coordination = Coordinator::redis(coordination::Settings::new(url.as_str())).await;
                coordination.map_err(|error| ConfigError::new(error.field, error.message))
            }
        }
    }

    /// The books of budgets.
    ///
    /// # Errors
    /// When the address of the store is none.
    pub fn book_store(&self) -> Result<BookStore, ConfigError> {
        let Some(url) = &self.redis_url else { return Ok(BookStore::Absent) };
        BookStore::redis(url).map_err(|error| ConfigError::new("--redis-url", error))
    }

    /// The authenticated way to the other planes.
    ///
    /// # Errors
    /// Names the flag that cannot work.
    pub fn session(&self) -> Result<Session, ConfigError> {
        let tls = match &self.grpc_ca {
            Some(ca) => Some(PeerTls::read(ca, self.grpc_cert.as_deref(), self.grpc_key.as_deref())?),
            None => None,
        };
        Session::new(SessionSettings {
            control_plane: self.control_plane.clone(),
            ledger: self.ledger.clone(),
            proxy: self.name.clone(),
            join_token: self.join_token.clone(),
            tls,
        })
    }
}

#[cfg(test)]
mod tests {
    use clap::{Command, FromArgMatches as _};

    use super::*;

    #[test]
    fn waits_that_no_clock_can_tell_are_refused() {
        let parse = |arguments: &[&str]| {
            let command = EdgeSettings::augment_args(Command::new("proxy"));
            EdgeSettings::from_arg_matches(&command.try_get_matches_from(arguments).unwrap()).unwrap()
        };
        parse(&["proxy", "--drain-seconds", "86400", "--lame-duck-seconds", "0"]).check().unwrap();
        for wait in ["body-timeout", "header-timeout", "idle-timeout", "write-timeout", "lame-duck", "drain"]
        {
            let flag = format!("--{wait}-seconds");
            for seconds in ["86401", "18446744073709551615"] {
                assert_eq!(parse(&["proxy", &flag, seconds]).check().unwrap_err().field, flag);
            }
        }
    }
}
