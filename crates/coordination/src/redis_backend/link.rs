//! One checked connection to Redis; every question to it has a bound.

use std::time::Duration;

use redis::aio::MultiplexedConnection;
use redis::{AsyncConnectionConfig, Client, Cmd, ErrorKind, FromRedisValue, IntoConnectionInfo, Pipeline};
use redis::{RedisError, ServerErrorKind};
use tokio::time::timeout;
use tokio_util::sync::CancellationToken;

use super::script::{By, NEEDED, Scripts};
use crate::{CoordinationError, Settings};

/// Most commands queued before the connection; more wait, within their time-out.
const QUEUE: usize = 1024;

/// A connection that passed the check.
pub(super) struct Link {
    connection: MultiplexedConnection,
    /// Cancelled once the store is lost, so that no request waits for a second time-out.
    broken: CancellationToken,
    patience: Duration,
}

/// Why a question has no answer.
#[derive(Debug)]
pub(super) enum Failure {
    /// Nothing came within the bound.
    Silent,
    /// Somebody else found the store lost.
    Broken,
    /// The connection ended, or the store answered with an error.
    Redis(RedisError),
}

/// Why there is no connection.
#[derive(Debug)]
pub(super) enum Unopened {
    /// It may come by itself: not reachable, starting, failing over.
    Away(String),
    /// It takes somebody to change something.
    Unfit(CoordinationError),
}

impl std::fmt::Display for Failure {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Silent => f.write_str("no answer in time"),
            Self::Broken => f.write_str("the connection was given up"),
            Self::Redis(error) => error.fmt(f),
        }
    }
}

impl std::fmt::Display for Unopened {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Away(why) => f.write_str(why),
            Self::Unfit(error) => error.fmt(f),
        }
    }
}

/// Reads the address; nothing of it is quoted in an error.
pub(super) fn client(settings: &Settings) -> Result<Client, CoordinationError> {
    if settings.url.starts_with("rediss:") {
        return Err(CoordinationError::url(
            "TLS to Redis is not supported; use redis:// within a private network",
        ));
    }
    let wrong = |_| {
        CoordinationError::url("is not an address of Redis; write redis://[USER][:PASSWORD@]HOST[:PORT][/DB]")
    };
    let info = settings.url.as_str().into_connection_info().map_err(wrong)?;
    let tcp = info.tcp_settings().clone().set_nodelay(true);
    Client::open(info.set_tcp_settings(tcp)).map_err(wrong)
}

impl Link {
    /// Connects, and lets the store prove that it can do everything that requests will ask of it.
    pub(super) async fn open(
        client: &Client,
        scripts: &Scripts,
        settings: &Settings,
    ) -> Result<Self, Unopened> {
        let opening = async {
            // Bounded as a whole, and per command by `ask`.
            let config = AsyncConnectionConfig::new()
                .set_connection_timeout(None)
                .set_response_timeout(None)
                .set_pipeline_buffer_size(QUEUE);
            let connection = client.get_multiplexed_async_connection_with_config(&config).await?;
            check(connection.clone(), scripts).await?;
            Ok(connection)
        };
        match timeout(settings.connect_timeout, opening).await {
            Ok(Ok(connection)) => {
                Ok(Self { connection, broken: CancellationToken::new(), patience: settings.command_timeout })
            }
            Ok(Err(error)) => Err(Unopened::from(&error)),
            Err(_) => Err(Unopened::Away(format!("no answer in {:?}", settings.connect_timeout))),
        }
    }

    /// Sends one command.
    pub(super) async fn ask<T: FromRedisValue>(&self, command: &Cmd) -> Result<T, Failure> {
        let mut connection = self.connection.clone();
        self.bounded(command.query_async(&mut connection)).await
    }

    /// Runs a script; a store that does not know it yet is given its text, within the same bound.
    pub(super) async fn run<T: FromRedisValue>(&self, call: impl Fn(By) -> Cmd) -> Result<T, Failure> {
        let mut connection = self.connection.clone();
        let reply = async {
            match call(By::Digest).query_async(&mut connection).await {
                Err(error) if error.kind() == ErrorKind::Server(ServerErrorKind::NoScript) => {
                    call(By::Text).query_async(&mut connection).await
                }
                reply => reply,
            }
        };
        self.bounded(reply).await
    }

    /// Sends several commands at once; their answers do not matter as long as none is an error.
    pub(super) async fn ask_all(&self, commands: &Pipeline) -> Result<(), Failure> {
        let mut connection = self.connection.clone();
        self.bounded(commands.query_async(&mut connection)).await
    }

    async fn bounded<T>(&self, reply: impl Future<Output = Result<T, RedisError>>) -> Result<T, Failure> {
        tokio::select! {
            biased;
            reply = timeout(self.patience, reply) => match reply {
                Ok(reply) => reply.map_err(Failure::Redis),
                Err(_) => Err(Failure::Silent),
            },
            () = self.broken.cancelled() => Err(Failure::Broken),
        }
    }

    /// Lets everybody go who waits for an answer.
    pub(super) fn give_up(&self) {
        self.broken.cancel();
    }
}

impl From<&RedisError> for Unopened {
    fn from(error: &RedisError) -> Self {
        use ServerErrorKind as Kind;
        match (error.kind(), error.code()) {
            (ErrorKind::AuthenticationFailed, _) | (_, Some("WRONGPASS" | "NOAUTH")) => {
                Self::Unfit(CoordinationError::url("Redis refuses the user or password"))
            }
            (
                ErrorKind::Server(Kind::BusyLoading | Kind::MasterDown | Kind::ReadOnly | Kind::TryAgain),
                _,
            )
            | (_, Some("BUSY" | "OOM" | "MISCONF" | "NOREPLICAS")) => Self::Away(error.to_string()),
            (ErrorKind::Server(_) | ErrorKind::Extension, _) => Self::Unfit(CoordinationError::url(format!(
                "this Redis cannot serve: {error}; it must allow {NEEDED}"
            ))),
            _ => Self::Away(error.to_string()),
        }
    }
}

/// Runs every script and command once on keys that no tenant uses, so that a store that cannot run them is found out now.
async fn check(mut connection: MultiplexedConnection, scripts: &Scripts) -> Result<(), RedisError> {
    // Asked by itself, because an error inside a script does not name the command.
    for command in ["PING", "TIME"] {
        redis::cmd(command).query_async::<redis::Value>(&mut connection).await?;
    }
    let keys = ["{check}:ring", "{check}:gcra", "{check}:slots", "{check}:debt"];
    let health = ["{check}:order", "{check}:ends", "{check}:records"];
    let lease = "{check}:lease";
    let mut acquire = scripts.acquire.call(By::Text, keys.len());
    acquire.arg(&keys).arg("").arg("check");
    for kind in ["ring", "gcra", "slots", "debt"] {
        acquire.arg(kind).arg(1_000_000).arg(1_000_000).arg(1);
    }
    acquire.query_async::<redis::Value>(&mut connection).await?;
    let mut correct = scripts.correct.call(By::Text, 1);
    correct.arg(keys[3]).arg("").arg(1_000_000).arg(1_000_000).arg(0).arg(1);
    correct.query_async::<redis::Value>(&mut connection).await?;
    let mut renew = scripts.renew.call(By::Text, 1);
    renew.arg(keys[2]).arg("").arg(1_000_000).arg("check");
    renew.query_async::<redis::Value>(&mut connection).await?;
    let mut again = scripts.renew.call(By::Digest, 1);
    again.arg(keys[2]).arg("").arg(1_000_000);
    again.query_async::<redis::Value>(&mut connection).await?;
    for millis in ["1000", "0"] {
        let mut hold = scripts.lease.call(By::Text, 1);
        hold.arg(lease).arg("check").arg(millis);
        hold.query_async::<redis::Value>(&mut connection).await?;
    }
    let mut publish = scripts.publish.call(By::Text, health.len());
    publish.arg(&health).arg("").arg("check").arg(1).arg("key").arg("value").arg(1_000_000);
    publish.query_async::<redis::Value>(&mut connection).await?;
    let mut poll = scripts.poll.call(By::Text, health.len());
    poll.arg(&health).arg("").arg("other").arg(0);
    poll.query_async::<redis::Value>(&mut connection).await?;
    // What the scripts use only at times.
    redis::cmd("HDEL").arg(keys[0]).arg("none").query_async::<redis::Value>(&mut connection).await?;
    redis::cmd("ZREM").arg(keys[2]).arg("check").query_async::<redis::Value>(&mut connection).await?;
    redis::cmd("DEL").arg(&keys).arg(&health).query_async::<redis::Value>(&mut connection).await?;
    Ok(())
}
