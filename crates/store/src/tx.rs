//! Writing configuration: one transaction, one revision, with its change log and audit log.

mod draft;
mod log;

use domain::{Kind, Resource, ResourceId, Timestamp, Version};
use sqlx::{Any, AnyConnection, AssertSqlSafe, Executor, Transaction};
use tokio::sync::OwnedSemaphorePermit;

use crate::{
    Result, Store, StoreError, Stored,
    connect::with_timeout,
    resources,
    row::{self, bigint},
};
use log::{ChangeRecord, LogEntry};

pub use draft::ResourceDraft;

/// Longest name of a resource, in bytes: an index entry of PostgreSQL must fit a third of a page.
const MAX_NAME: usize = 1_024;

/// Who writes, for the audit log.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Actor {
    /// The name they signed in with.
    pub name: String,
}

/// What a put did.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum PutOutcome {
    /// There was no such row.
    Created,
    /// The row differs from before.
    Updated,
    /// The row was like that already; nothing was written.
    Unchanged,
}

/// A configuration write under way. Dropping it takes everything back.
///
/// From [`Store::begin`] on it holds the lock that all writers need, so what it reads cannot change under it:
/// keep it short, and do nothing slow while it lives.
pub struct Tx {
    // Declared before the permit: the next writer's turn comes after this transaction's end.
    inner: Transaction<'static, Any>,
    _turn: OwnedSemaphorePermit,
    store: Store,
    actor: Actor,
    now: Timestamp,
    revision: u64,
    writes: i64,
}

impl Store {
    /// Begins a configuration write; waits for the writers before it, at most a few seconds.
    ///
    /// # Errors
    /// [`StoreError::Busy`] when the others take too long; else what the database met.
    pub async fn begin(&self, actor: &Actor) -> Result<Tx> {
        with_timeout(async {
            let (mut inner, turn) = self.write().await?;
            // The first statement locks the one row, so that commits come in the order of revisions.
            let bumped =
                sqlx::query("UPDATE store_meta SET revision = revision + 1 WHERE id = 1 RETURNING revision")
                    .fetch_one(&mut *inner)
                    .await?;
            let revision = row::count(&bumped, "revision")?;
            Ok(Tx {
                inner,
                _turn: turn,
                store: self.clone(),
                actor: actor.clone(),
                now: Timestamp::now(),
                revision,
                writes: 0,
            })
        })
        .await
    }
}

impl Tx {
    /// The revision that this transaction becomes.
    #[must_use]
    pub const fn revision(&self) -> u64 {
        self.revision
    }

    /// Every live row, this transaction's own writes included.
    ///
    /// # Errors
    /// When the database cannot be read.
    pub async fn load(&mut self) -> Result<Vec<Resource>> {
        with_timeout(async { resources::live(&mut self.inner).await }).await
    }

    /// One live row by its name, this transaction's own writes included.
    ///
    /// # Errors
    /// When the database cannot be read.
    pub async fn get(
        &mut self,
        kind: Kind,
        tenant: Option<ResourceId>,
        name: &str,
    ) -> Result<Option<Stored>> {
        with_timeout(async { resources::named(&mut self.inner, kind, tenant, name).await }).await
    }

    /// One live row by its id, this transaction's own writes included.
    ///
    /// # Errors
    /// When the database cannot be read.
    pub async fn get_by_id(&mut self, id: ResourceId) -> Result<Option<Stored>> {
        with_timeout(async {
            let found = resources::by_id(&mut self.inner, id).await?;
            Ok(found.filter(|(_, deleted)| !deleted).map(|(stored, _)| stored))
        })
        .await
    }

    /// Creates or replaces a row, and logs it.
    ///
    /// # Errors
    /// [`StoreError::Taken`] when another live row has the name; [`StoreError::Bad`] when the draft would
    /// change kind, owner or name of its id, bring back a deleted one, or belong to a tenant that is not there.
    pub async fn put(&mut self, draft: ResourceDraft) -> Result<PutOutcome> {
        with_timeout(async {
            if draft.name.is_empty() || draft.name.len() > MAX_NAME || draft.name.contains('\0') {
                let what = format!("a name has 1 to {MAX_NAME} bytes, none of them zero");
                return Err(StoreError::Bad(what));
            }
            match resources::by_id(&mut self.inner, draft.id).await? {
                None => self.create(&draft).await.map(|()| PutOutcome::Created),
                Some((_, true)) => Err(StoreError::Bad(format!("{} was deleted; take a new id", draft.id))),
                Some((before, false)) => self.replace(&draft, &before.resource).await,
            }
        })
        .await
    }

    async fn create(&mut self, draft: &ResourceDraft) -> Result<()> {
        let kind = draft.spec.kind();
        if resources::named(&mut self.inner, kind, draft.tenant, &draft.name).await?.is_some() {
            return Err(StoreError::Taken { kind, name: draft.name.clone() });
        }
        sqlx::query(
            "INSERT INTO resources (id, kind, tenant_id, name, spec, sealed, revision, created_at, updated_at) \
             VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $8)",
        )
        .bind(draft.id.to_string())
        .bind(kind.as_str())
        .bind(draft.tenant.map(|id| id.to_string()))
        .bind(draft.name.as_str())
        .bind(draft.spec.to_json().to_string())
        .bind(draft.sealed.clone())
        .bind(bigint(self.revision))
        .bind(self.now.micros())
        .execute(&mut *self.inner)
        .await?;
        self.log(&ChangeRecord::created(draft)).await
    }

    async fn replace(&mut self, draft: &ResourceDraft, before: &Resource) -> Result<PutOutcome> {
        let same = (draft.spec.kind(), draft.tenant, draft.name.as_str());
        if same != (before.kind(), before.tenant, before.name.as_str()) {
            let what = format!("kind, owner and name of {} {:?} cannot change", before.kind(), before.name);
            return Err(StoreError::Bad(what));
        }
        let resealed = draft.sealed.is_some() && draft.sealed != before.sealed;
        if draft.spec == before.spec && !resealed {
            return Ok(PutOutcome::Unchanged);
        }
        sqlx::query(
            "UPDATE resources SET spec = $1, sealed = COALESCE($2, sealed), revision = $3, updated_at = $4 \
             WHERE id = $5",
        )
        .bind(draft.spec.to_json().to_string())
        .bind(draft.sealed.clone())
        .bind(bigint(self.revision))
        .bind(self.now.micros())
        .bind(draft.id.to_string())
        .execute(&mut *self.inner)
        .await?;
        self.log(&ChangeRecord::updated(before, draft, resealed)).await?;
        Ok(PutOutcome::Updated)
    }

    /// Deletes a live row, and logs it; false: there is none. What belongs to it or refers to it stays: that is
    /// the caller's to decide. Sealed material is destroyed, so that nothing brings a revoked key back.
    ///
    /// # Errors
    /// When the database cannot be written.
    pub async fn delete(&mut self, id: ResourceId) -> Result<bool> {
        with_timeout(async {
            let Some(before) = self.get_by_id(id).await? else { return Ok(false) };
            sqlx::query(
                "UPDATE resources SET sealed = NULL, revision = $1, updated_at = $2, deleted_at = $2 \
                 WHERE id = $3",
            )
            .bind(bigint(self.revision))
            .bind(self.now.micros())
            .bind(id.to_string())
            .execute(&mut *self.inner)
            .await?;
            self.log(&ChangeRecord::deleted(&before.resource)).await?;
            Ok(true)
        })
        .await
    }

    /// Appends to the audit log something that puts and deletes do not say by themselves. It counts as a write:
    /// what somebody did is kept even where it changed no row.
    ///
    /// # Errors
    /// When the database cannot be written.
    pub async fn audit(&mut self, action: &str, detail: &serde_json::Value) -> Result<()> {
        with_timeout(async {
            self.writes += 1;
            let entry = self.log_entry();
            log::append_audit(&mut self.inner, &entry, action, None, &detail.to_string()).await
        })
        .await
    }

    /// Makes it last, then tells subscribers. Without any write the old version stays.
    ///
    /// # Errors
    /// When the database cannot be written. After [`StoreError::Unreachable`] it may have lasted all the same.
    pub async fn commit(self) -> Result<Version> {
        let store = self.store.id();
        if self.writes == 0 {
            let revision = self.revision - 1;
            self.rollback().await?;
            return Ok(Version { store, revision });
        }
        let Self { mut inner, _turn: turn, store: subscribers, revision, .. } = self;
        // A task of its own: a caller that goes away in the middle must not leave subscribers in the dark.
        let task = tokio::spawn(with_timeout(async move {
            if let Some(notice) = subscribers.dialect().notice(revision) {
                inner.execute(sqlx::raw_sql(AssertSqlSafe(notice))).await?;
            }
            inner.commit().await?;
            subscribers.announce(revision);
            drop(turn);
            Ok::<_, StoreError>(())
        }));
        task.await.map_err(|error| StoreError::Failed(StoreError::line(error)))??;
        Ok(Version { store, revision })
    }

    /// Takes everything back.
    ///
    /// # Errors
    /// When the connection broke, in which case the database takes it back.
    pub async fn rollback(self) -> Result<()> {
        with_timeout(async { Ok(self.inner.rollback().await?) }).await
    }

    async fn log(&mut self, change: &ChangeRecord) -> Result<()> {
        self.writes += 1;
        let entry = self.log_entry();
        change.append(&mut self.inner, &entry).await
    }

    fn log_entry(&self) -> LogEntry {
        LogEntry {
            actor: self.actor.name.clone(),
            at: self.now,
            revision: self.revision,
            sequence: self.writes,
        }
    }

    pub(crate) fn connection(&mut self) -> &mut AnyConnection {
        &mut self.inner
    }
}
