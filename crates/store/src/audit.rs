//! Reading the audit log: who did what, newest first.

use std::str::FromStr;

use domain::{Kind, ResourceId, Timestamp};
use serde_json::Value;
use sqlx::{Row, any::AnyRow};
use uuid::Uuid;

use crate::{
    Page, Result, Store, StoreError,
    connect::with_timeout,
    page::bounded,
    row::{self, bigint, maybe, parsed, unreadable},
};

/// One line of the audit log.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AuditEntry {
    /// UUIDv7, so by time.
    pub id: Uuid,
    /// When.
    pub at: Timestamp,
    /// Who.
    pub actor: String,
    /// What: `create`, `update`, `delete`, or a word of the caller's.
    pub action: String,
    /// The kind of the resource, where it was one.
    pub kind: Option<Kind>,
    /// The resource.
    pub resource: Option<ResourceId>,
    /// Its owner.
    pub tenant: Option<ResourceId>,
    /// Its name.
    pub name: Option<String>,
    /// The revision it was part of.
    pub revision: u64,
    /// More about it; never a secret.
    pub detail: Value,
}

impl Store {
    /// The audit log, newest first; `after` is [`Page::next`] of the page before.
    ///
    /// # Errors
    /// When the cursor is not one of this listing's, or the database cannot be read.
    pub async fn audit(&self, after: Option<&str>, limit: u32) -> Result<Page<AuditEntry>> {
        with_timeout(async {
            let limit = bounded(limit);
            let before = match after {
                Some(cursor) => Uuid::from_str(cursor)
                    .map_err(|_| StoreError::Bad("the cursor is not one of this listing's".to_owned()))?,
                None => Uuid::max(),
            };
            let rows = sqlx::query(
                "SELECT id, at, actor, action, kind, resource_id, tenant_id, name, revision, detail \
             FROM audit_log WHERE id < $1 ORDER BY id DESC LIMIT $2",
            )
            .bind(before.to_string())
            .bind(bigint(limit as u64 + 1))
            .fetch_all(self.pool())
            .await?;
            let items = rows.iter().map(entry).collect::<Result<Vec<_>>>()?;
            Ok(Page::new(items, limit, |last| last.id.to_string()))
        })
        .await
    }
}

fn entry(found: &AnyRow) -> Result<AuditEntry> {
    Ok(AuditEntry {
        id: parsed(found, "id")?,
        at: Timestamp::from_micros(found.try_get("at")?),
        actor: found.try_get("actor")?,
        action: found.try_get("action")?,
        kind: maybe(found, "kind")?,
        resource: maybe(found, "resource_id")?,
        tenant: maybe(found, "tenant_id")?,
        name: found.try_get("name")?,
        revision: row::count(found, "revision")?,
        detail: serde_json::from_str(found.try_get("detail")?).map_err(unreadable)?,
    })
}
