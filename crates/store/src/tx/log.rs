//! What a write appends besides the row: one line of the change log and one of the audit log.

use std::collections::BTreeSet;

use domain::{Kind, Resource, ResourceId, Timestamp};
use serde_json::{Value, json};
use sqlx::AnyConnection;
use uuid::Uuid;

use super::draft::ResourceDraft;
use crate::{Result, row::bigint};

/// One change of one row. Holds specifications only, never sealed material.
pub(super) struct ChangeRecord {
    op: &'static str,
    kind: Kind,
    id: ResourceId,
    tenant: Option<ResourceId>,
    name: String,
    before: Option<Value>,
    after: Option<Value>,
    resealed: bool,
}

impl ChangeRecord {
    pub(super) fn created(draft: &ResourceDraft) -> Self {
        Self {
            op: "create",
            kind: draft.spec.kind(),
            id: draft.id,
            tenant: draft.tenant,
            name: draft.name.clone(),
            before: None,
            after: Some(draft.spec.to_json()),
            resealed: draft.sealed.is_some(),
        }
    }

    pub(super) fn updated(before: &Resource, draft: &ResourceDraft, resealed: bool) -> Self {
        let before = Some(before.spec.to_json());
        Self { op: "update", before, resealed, ..Self::created(draft) }
    }

    pub(super) fn deleted(before: &Resource) -> Self {
        Self {
            op: "delete",
            kind: before.kind(),
            id: before.id,
            tenant: before.tenant,
            name: before.name.clone(),
            before: Some(before.spec.to_json()),
            after: None,
            resealed: false,
        }
    }

    /// The names of the fields that an update changed.
    fn fields(&self) -> BTreeSet<&str> {
        let (Some(Value::Object(before)), Some(Value::Object(after))) = (&self.before, &self.after) else {
            return BTreeSet::new();
        };
        let names = before.keys().chain(after.keys());
        names.filter(|name| before.get(*name) != after.get(*name)).map(String::as_str).collect()
    }

    fn detail(&self) -> String {
        let mut detail = serde_json::Map::new();
        if self.op == "update" {
            detail.insert("changed".to_owned(), json!(self.fields()));
        }
        if self.resealed {
            detail.insert("sealed".to_owned(), json!(true));
        }
        Value::Object(detail).to_string()
    }

    /// Appends the change to both logs.
    pub(super) async fn append(&self, connection: &mut AnyConnection, entry: &LogEntry) -> Result<()> {
        sqlx::query(
            "INSERT INTO change_log \
             (revision, seq, at, kind, id, tenant_id, name, op, spec_before, spec_after, resealed) \
             VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11)",
        )
        .bind(bigint(entry.revision))
        .bind(entry.sequence)
        .bind(entry.at.micros())
        .bind(self.kind.as_str())
        .bind(self.id.to_string())
        .bind(self.tenant.map(|id| id.to_string()))
        .bind(self.name.as_str())
        .bind(self.op)
        .bind(self.before.as_ref().map(Value::to_string))
        .bind(self.after.as_ref().map(Value::to_string))
        .bind(i64::from(self.resealed))
        .execute(&mut *connection)
        .await?;
        append_audit(connection, entry, self.op, Some(self), &self.detail()).await
    }
}

/// The write that a line of the logs belongs to.
pub(super) struct LogEntry {
    /// Name of the one who writes.
    pub(super) actor: String,
    pub(super) at: Timestamp,
    pub(super) revision: u64,
    /// Position of the change within its revision, from 1.
    pub(super) sequence: i64,
}

/// Appends a line to the audit log; `change` is `None` for what changes no row by itself.
pub(super) async fn append_audit(
    connection: &mut AnyConnection,
    entry: &LogEntry,
    action: &str,
    change: Option<&ChangeRecord>,
    detail: &str,
) -> Result<()> {
    sqlx::query(
        "INSERT INTO audit_log \
         (id, at, actor, action, kind, resource_id, tenant_id, name, revision, detail) \
         VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10)",
    )
    .bind(Uuid::now_v7().to_string())
    .bind(entry.at.micros())
    .bind(entry.actor.clone())
    .bind(action)
    .bind(change.map(|change| change.kind.as_str()))
    .bind(change.map(|change| change.id.to_string()))
    .bind(change.and_then(|change| change.tenant).map(|id| id.to_string()))
    .bind(change.map(|change| change.name.clone()))
    .bind(bigint(entry.revision))
    .bind(detail)
    .execute(connection)
    .await?;
    Ok(())
}
