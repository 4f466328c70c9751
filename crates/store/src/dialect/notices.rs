//! LISTEN and NOTIFY: what one process commits wakes the others within milliseconds.
//!
//! A notice is a hint. It may be late or lost with the connection, so readers also look by the clock.

use std::time::Duration;

use sqlx::{Row, pool::CloseEvent, postgres::PgListener};

use super::{Dialect, PATIENCE};
use crate::StoreError;

const CHANNEL: &str = "portcullis_revision";
/// Between attempts to listen again.
const AGAIN: Duration = Duration::from_millis(500);
/// After so long without a notice the connection is tried: TCP does not notice a peer that is gone without a word.
const QUIET: Duration = Duration::from_secs(30);

impl Dialect {
    /// The statement by which a transaction tells other processes of its commit.
    pub(crate) fn notice(&self, revision: u64) -> Option<String> {
        match self {
            Self::Sqlite(_) => None,
            Self::Postgres(_) => Some(format!("NOTIFY {CHANNEL}, '{revision}'")),
        }
    }
}

/// Calls `announce` with every revision heard of, until the pool is closed.
pub(crate) async fn follow(url: String, mut closed: CloseEvent, announce: impl Fn(u64) + Send) {
    let listening = Box::pin(async {
        let mut told = false;
        loop {
            if let Err(error) = listen(&url, &announce, &mut told).await
                && !told
            {
                tracing::warn!("not told of other processes' commits, only looking for them: {error}");
                told = true;
            }
            tokio::time::sleep(AGAIN).await;
        }
    });
    // Its error says that the pool was closed, which is the end.
    let _: Result<(), _> = closed.do_until(listening).await;
}

/// Listens over one connection until it breaks.
async fn listen(url: &str, announce: impl Fn(u64), failing: &mut bool) -> Result<(), StoreError> {
    let mut listener = within(async {
        let mut listener = PgListener::connect(url).await?;
        listener.eager_reconnect(false);
        listener.listen(CHANNEL).await?;
        Ok(listener)
    })
    .await?;
    // What was committed before anybody listened.
    announce(revision(&mut listener).await?);
    if std::mem::take(failing) {
        tracing::info!("told of other processes' commits again");
    }
    loop {
        match tokio::time::timeout(QUIET, listener.try_recv()).await {
            Ok(Ok(Some(notice))) => notice.payload().parse().map(&announce).unwrap_or_default(),
            Ok(Ok(None)) => return Err(StoreError::Unreachable("the connection was lost".to_owned())),
            Ok(Err(error)) => return Err(error.into()),
            Err(_) => announce(revision(&mut listener).await?),
        }
    }
}

async fn revision(listener: &mut PgListener) -> Result<u64, StoreError> {
    let found =
        within(sqlx::query("SELECT revision FROM store_meta WHERE id = 1").fetch_one(listener)).await?;
    Ok(u64::try_from(found.try_get::<i64, _>("revision")?).unwrap_or_default())
}

async fn within<T>(answer: impl Future<Output = sqlx::Result<T>>) -> Result<T, StoreError> {
    let late = |_| StoreError::Unreachable("no answer in time".to_owned());
    Ok(tokio::time::timeout(PATIENCE, answer).await.map_err(late)??)
}
