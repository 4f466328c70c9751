//! Opening a store: checks before anything is touched, migrations, the pool, the store's own id.

use std::{fmt, path::Path, str::FromStr, sync::Arc};

use domain::{StoreId, Timestamp, Version};
use sqlx::{
    Any, AnyConnection, AnyPool, ConnectOptions, Connection, Row, Transaction, any::AnyConnectOptions,
};
use tokio::{
    sync::{OwnedSemaphorePermit, Semaphore, watch},
    task::JoinSet,
};

use crate::{
    Result, StoreError,
    dialect::{self, ANSWER, Dialect, PATIENCE, notices},
    migrations, row,
};

/// A database; cheap to clone.
#[derive(Clone)]
pub struct Store {
    inner: Arc<Inner>,
}

struct Inner {
    id: StoreId,
    pool: AnyPool,
    dialect: Dialect,
    writers: Arc<Semaphore>,
    committed: watch::Sender<u64>,
    /// Ends with the store.
    _listener: JoinSet<()>,
}

impl fmt::Debug for Store {
    /// The id only: the address may hold a password.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Store").field("id", &self.inner.id).finish_non_exhaustive()
    }
}

impl Store {
    /// Opens `sqlite:PATH` (created if it is not there, readable by its owner only) or `postgres://…` and
    /// applies the migrations that are missing.
    ///
    /// # Errors
    /// [`StoreError::Damaged`] and [`StoreError::NewerSchema`] leave the database as it was;
    /// [`StoreError::Bad`] for an address that cannot work; else what connecting or migrating met.
    pub async fn open(url: &str) -> Result<Self> {
        sqlx::any::install_default_drivers();
        let dialect = Dialect::parse(url)?;
        if let Dialect::Sqlite(path) = &dialect {
            prepare_file(path, &dialect).await?;
        }
        let options = dialect.connect_options("rw")?;
        let (id, revision) = bring_up(&dialect, &options).await?;
        let pool = dialect.pool_options().connect_with(options).await?;
        let writers = Arc::new(Semaphore::new(dialect.writers()));
        let (committed, _) = watch::channel(revision);
        let mut listener = JoinSet::new();
        if let Dialect::Postgres(url) = &dialect {
            let url = url.clone();
            let committed = committed.clone();
            let closed = pool.close_event();
            listener.spawn(notices::follow(url, closed, move |revision| newest(&committed, revision)));
        }
        Ok(Self { inner: Arc::new(Inner { id, pool, dialect, writers, committed, _listener: listener }) })
    }

    /// The database's own id; a restored backup keeps it.
    #[must_use]
    pub fn id(&self) -> StoreId {
        self.inner.id
    }

    /// The newest revision that this process committed, and on PostgreSQL any other; those of others may be late or
    /// missed while the connection is away, so who must know them asks for the version now and then.
    #[must_use]
    pub fn subscribe(&self) -> watch::Receiver<u64> {
        self.inner.committed.subscribe()
    }

    /// The newest version.
    ///
    /// # Errors
    /// When the database cannot be read.
    pub async fn version(&self) -> Result<Version> {
        with_timeout(async {
            let mut connection = self.pool().acquire().await?;
            self.version_in(&mut connection).await
        })
        .await
    }

    /// Gives a database that was restored from a backup another id, so that every proxy takes a full snapshot.
    ///
    /// Proxies may hold revisions that the backup never saw, and the restored database will count up to the same
    /// numbers again. For a process that does nothing else: an open store goes on by the id it read.
    ///
    /// # Errors
    /// When the database cannot be written.
    pub async fn adopt_backup(&self) -> Result<StoreId> {
        let id = StoreId::new();
        with_timeout(async {
            let renamed =
                sqlx::query("UPDATE store_meta SET store_id = $1 WHERE id = 1").bind(id.to_string());
            renamed.execute(self.pool()).await?;
            Ok(id)
        })
        .await
    }

    /// Connections to the database: idle ones, all open ones, and how many there may be.
    #[must_use]
    pub fn connections(&self) -> [usize; 3] {
        let pool = self.pool();
        let count = |count: u32| usize::try_from(count).unwrap_or(usize::MAX);
        [pool.num_idle(), count(pool.size()), count(pool.options().get_max_connections())]
    }

    /// Ends all connections; calls that come later fail. A process that uses a file should end with it: only then
    /// is everything in the file itself and nothing in the log beside it.
    pub async fn close(&self) {
        // What does not end in time is not lost: it is in the log, and the next to open the file reads that.
        let _ = tokio::time::timeout(PATIENCE, self.inner.pool.close()).await;
    }

    pub(crate) fn pool(&self) -> &AnyPool {
        &self.inner.pool
    }

    pub(crate) async fn version_in(&self, connection: &mut AnyConnection) -> Result<Version> {
        let found = sqlx::query("SELECT revision FROM store_meta WHERE id = 1").fetch_one(connection).await?;
        Ok(Version { store: self.inner.id, revision: row::count(&found, "revision")? })
    }

    /// A transaction that sees one moment of the database.
    pub(crate) async fn read(&self) -> Result<Transaction<'static, Any>> {
        Ok(self.inner.pool.begin_with(self.inner.dialect.begin_read()).await?)
    }

    /// A transaction that may write, and its place in the queue of writers, to be given up after it.
    pub(crate) async fn write(&self) -> Result<(Transaction<'static, Any>, OwnedSemaphorePermit)> {
        let queue = Arc::clone(&self.inner.writers).acquire_owned();
        let busy = |_| StoreError::Busy("other writes took too long".to_owned());
        let permit = tokio::time::timeout(PATIENCE, queue).await.map_err(busy)?;
        let permit = permit.map_err(|_| StoreError::Unreachable("the store was closed".to_owned()))?;
        Ok((self.inner.pool.begin_with(self.inner.dialect.begin_write()).await?, permit))
    }

    /// Tells subscribers in this process.
    pub(crate) fn announce(&self, revision: u64) {
        newest(&self.inner.committed, revision);
    }

    pub(crate) fn dialect(&self) -> &Dialect {
        &self.inner.dialect
    }
}

/// Bounds a whole call: a server that was frozen, or a network that swallows everything, ends nothing by itself.
pub(crate) async fn with_timeout<T>(call: impl Future<Output = Result<T>>) -> Result<T> {
    let late = |_| StoreError::Unreachable("no answer in time".to_owned());
    // Boxed: the calls' futures are large, and every caller would carry them.
    tokio::time::timeout(ANSWER, Box::pin(call)).await.map_err(late)?
}

/// Commits may be reported out of order; the newest wins.
fn newest(committed: &watch::Sender<u64>, revision: u64) {
    committed.send_if_modified(|newest| {
        let newer = revision > *newest;
        *newest = revision.max(*newest);
        newer
    });
}

/// Migrates over a connection of its own and says id and revision.
async fn bring_up(dialect: &Dialect, options: &AnyConnectOptions) -> Result<(StoreId, u64)> {
    let unreachable = |_| StoreError::Unreachable("no answer in time".to_owned());
    let mut connection = tokio::time::timeout(PATIENCE, options.connect()).await.map_err(unreachable)??;
    dialect::run(&mut connection, dialect.before_migrating()).await?;
    match dialect {
        Dialect::Sqlite(_) => {
            // The lock that migrating takes by itself on PostgreSQL.
            let mut tx = connection.begin_with(dialect.begin_write()).await?;
            refuse_strangers(dialect, &mut tx).await?;
            migrations::run(dialect.migrations(), &mut tx).await?;
            tx.commit().await?;
        }
        Dialect::Postgres(_) => {
            refuse_strangers(dialect, &mut connection).await?;
            migrations::run(dialect.migrations(), &mut connection).await?;
        }
    }
    let found = meta(&mut connection).await?;
    connection.close().await?;
    Ok(found)
}

/// Makes no tables among those of another application.
async fn refuse_strangers(dialect: &Dialect, connection: &mut AnyConnection) -> Result<()> {
    let found = sqlx::query(dialect.count_tables()).fetch_one(connection).await?;
    if row::count(&found, "tables")? > 0 && row::count(&found, "ours")? == 0 {
        let what = "it holds tables of another application; give Portcullis a database of its own";
        return Err(StoreError::Schema(what.to_owned()));
    }
    Ok(())
}

/// Id and revision of the database, made up on its first day.
async fn meta(connection: &mut AnyConnection) -> Result<(StoreId, u64)> {
    sqlx::query(
        "INSERT INTO store_meta (id, store_id, revision, created_at) VALUES (1, $1, 0, $2) \
         ON CONFLICT (id) DO NOTHING",
    )
    .bind(StoreId::new().to_string())
    .bind(Timestamp::now().micros())
    .execute(&mut *connection)
    .await?;
    let found = sqlx::query("SELECT store_id, revision FROM store_meta WHERE id = 1")
        .fetch_one(&mut *connection)
        .await?;
    let id = StoreId::from_str(found.try_get("store_id")?).map_err(row::unreadable)?;
    Ok((id, row::count(&found, "revision")?))
}

/// Makes the file, or refuses one that is no whole database, before anything could write to it.
///
/// An existing file is opened by SQLite alone: closing it another way would drop the locks that
/// this process may hold on it.
async fn prepare_file(path: &Path, dialect: &Dialect) -> Result<()> {
    let named = |error: std::io::Error| StoreError::Unreachable(format!("{}: {error}", path.display()));
    let damaged = |detail: String| StoreError::Damaged { file: path.display().to_string(), detail };
    let mut options = tokio::fs::OpenOptions::new();
    options.write(true).create_new(true);
    #[cfg(unix)]
    options.mode(0o600);
    match options.open(path).await {
        Ok(_) => return Ok(()),
        Err(error) if error.kind() == std::io::ErrorKind::AlreadyExists => {}
        Err(error) => return Err(named(error)),
    }
    let found = tokio::fs::metadata(path).await.map_err(named)?;
    if !found.is_file() {
        return Err(StoreError::Unreachable(format!("{} is not a file", path.display())));
    }
    if found.len() == 0 {
        return Ok(());
    }
    // Read-only, so that not even the write-ahead log is folded into a file that is broken.
    match quick_check(dialect).await {
        Ok(verdict) if verdict == "ok" => Ok(()),
        Ok(verdict) => Err(damaged(verdict)),
        Err(StoreError::Damaged { detail, .. }) => Err(damaged(detail)),
        Err(StoreError::Unreachable(why)) => {
            Err(StoreError::Unreachable(format!("{}: {why}", path.display())))
        }
        Err(other) => Err(other),
    }
}

async fn quick_check(dialect: &Dialect) -> Result<String> {
    let mut connection = dialect.connect_options("ro")?.connect().await?;
    let found = sqlx::query("PRAGMA quick_check(1)").fetch_one(&mut connection).await;
    connection.close().await?;
    Ok(StoreError::line(found?.try_get::<String, _>(0)?))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A store may be opened in a spawned task.
    #[test]
    fn opening_can_be_spawned() {
        const fn spawnable<F: Future + Send + 'static>(_: fn(String) -> F) {}
        spawnable(|url| async move { Store::open(&url).await });
    }

    #[tokio::test]
    async fn every_session_waits_for_the_disk() {
        let directory = tempfile::tempdir().unwrap();
        let store = Store::open(&format!("sqlite:{}/store.db", directory.path().display())).await.unwrap();
        let mut sessions = Vec::new();
        for _ in 0..5 {
            let mut session = store.pool().acquire().await.unwrap();
            for (pragma, value) in [("PRAGMA synchronous", 2), ("PRAGMA foreign_keys", 1)] {
                let found = sqlx::query(pragma).fetch_one(&mut *session).await.unwrap();
                assert_eq!(found.get::<i64, _>(0), value, "{pragma}");
            }
            sessions.push(session);
        }
    }
}
