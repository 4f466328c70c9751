//! Reading configuration: all of it, by kind, by name, by id, and what changed since a revision.

use std::str::FromStr;

use domain::{Kind, Resource, ResourceId, Spec, Timestamp, Version};
use sqlx::{AnyConnection, Row, any::AnyRow};

use crate::{
    Page, Result, Store, StoreError,
    connect::with_timeout,
    page::bounded,
    row::{self, bigint, maybe, parsed, unreadable},
};

/// A row with the times of its writing.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Stored {
    /// The row.
    pub resource: Resource,
    /// When it was made.
    pub created_at: Timestamp,
    /// When it was written last.
    pub updated_at: Timestamp,
}

/// What happened after a revision.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Changes {
    /// The version these changes lead to. A revision below the one asked for means that the database was
    /// restored from a backup: the changes are void and everything must be loaded anew.
    pub to: Version,
    /// Rows written, as they are now.
    pub upserts: Vec<Resource>,
    /// Rows deleted.
    pub removed: Vec<ResourceId>,
}

/// The owners to list rows of.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum OwnerFilter {
    /// Rows of every owner.
    #[default]
    Any,
    /// The operator's own rows.
    Operator,
    /// One tenant's own rows.
    Tenant(ResourceId),
}

/// Which rows of a kind, and which page of them.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ListFilter {
    /// The owners.
    pub owner: OwnerFilter,
    /// [`Page::next`] of the page before.
    pub after: Option<String>,
    /// Most rows of the page, 1 to 1,000.
    pub limit: u32,
}

macro_rules! select_resources {
    ($rest:literal) => {
        concat!(
            "SELECT id, kind, tenant_id, name, spec, sealed, revision, created_at, updated_at, deleted_at ",
            "FROM resources ",
            $rest
        )
    };
}

impl Store {
    /// Everything that lives, as of one moment.
    ///
    /// # Errors
    /// When the database cannot be read.
    pub async fn load(&self) -> Result<(Version, Vec<Resource>)> {
        with_timeout(async {
            let mut tx = self.read().await?;
            let version = self.version_in(&mut tx).await?;
            let rows = live(&mut tx).await?;
            tx.commit().await?;
            Ok((version, rows))
        })
        .await
    }

    /// What was written and deleted after `revision`, as of one moment.
    ///
    /// # Errors
    /// When the database cannot be read.
    pub async fn changes_since(&self, revision: u64) -> Result<Changes> {
        with_timeout(async {
            let mut tx = self.read().await?;
            let to = self.version_in(&mut tx).await?;
            let rows = sqlx::query(select_resources!("WHERE revision > $1 ORDER BY revision, id"))
                .bind(bigint(revision))
                .fetch_all(&mut *tx)
                .await?;
            tx.commit().await?;
            let mut changes = Changes { to, upserts: Vec::new(), removed: Vec::new() };
            for row in &rows {
                match row.try_get::<Option<i64>, _>("deleted_at")? {
                    None => changes.upserts.push(stored(row)?.resource),
                    Some(_) => changes.removed.push(parsed(row, "id")?),
                }
            }
            Ok(changes)
        })
        .await
    }

    /// The live rows of a kind, by name.
    ///
    /// # Errors
    /// When the cursor is not one of this listing's, or the database cannot be read.
    pub async fn list(&self, kind: Kind, filter: &ListFilter) -> Result<Page<Resource>> {
        with_timeout(async {
            let limit = bounded(filter.limit);
            let (id, name) = match &filter.after {
                Some(cursor) => read_cursor(cursor)?,
                None => (String::new(), String::new()),
            };
            let owner = match filter.owner {
                OwnerFilter::Any => None,
                OwnerFilter::Operator => Some(owner_text(None)),
                OwnerFilter::Tenant(tenant) => Some(owner_text(Some(tenant))),
            };
            let rows = sqlx::query(select_resources!(
                "WHERE deleted_at IS NULL AND kind = $1 AND (name, id) > ($2, $3) \
             AND ($4 = 0 OR COALESCE(tenant_id, '') = $5) ORDER BY name, id LIMIT $6"
            ))
            .bind(kind.as_str())
            .bind(name)
            .bind(id)
            .bind(i64::from(owner.is_some()))
            .bind(owner.unwrap_or_default())
            .bind(bigint(limit as u64 + 1))
            .fetch_all(self.pool())
            .await?;
            let items = rows.iter().map(|row| Ok(stored(row)?.resource)).collect::<Result<Vec<_>>>()?;
            Ok(Page::new(items, limit, |last| format!("{}:{}", last.id, last.name)))
        })
        .await
    }

    /// One live row by its name; `tenant` is its owner, there is no falling back to the operator's.
    ///
    /// # Errors
    /// When the database cannot be read.
    pub async fn get(&self, kind: Kind, tenant: Option<ResourceId>, name: &str) -> Result<Option<Stored>> {
        with_timeout(async {
            let mut connection = self.pool().acquire().await?;
            named(&mut connection, kind, tenant, name).await
        })
        .await
    }

    /// One live row by its id.
    ///
    /// # Errors
    /// When the database cannot be read.
    pub async fn get_by_id(&self, id: ResourceId) -> Result<Option<Stored>> {
        with_timeout(async {
            let mut connection = self.pool().acquire().await?;
            Ok(by_id(&mut connection, id).await?.filter(|(_, deleted)| !deleted).map(|(stored, _)| stored))
        })
        .await
    }
}

/// Every live row, oldest id first.
pub(crate) async fn live(connection: &mut AnyConnection) -> Result<Vec<Resource>> {
    let rows =
        sqlx::query(select_resources!("WHERE deleted_at IS NULL ORDER BY id")).fetch_all(connection).await?;
    rows.iter().map(|row| Ok(stored(row)?.resource)).collect()
}

/// The live row of a name.
pub(crate) async fn named(
    connection: &mut AnyConnection,
    kind: Kind,
    tenant: Option<ResourceId>,
    name: &str,
) -> Result<Option<Stored>> {
    let found = sqlx::query(select_resources!(
        "WHERE deleted_at IS NULL AND kind = $1 AND COALESCE(tenant_id, '') = $2 AND name = $3"
    ))
    .bind(kind.as_str())
    .bind(owner_text(tenant))
    .bind(name)
    .fetch_optional(connection)
    .await?;
    found.as_ref().map(stored).transpose()
}

/// The row of an id, and whether it was deleted.
pub(crate) async fn by_id(connection: &mut AnyConnection, id: ResourceId) -> Result<Option<(Stored, bool)>> {
    let found = sqlx::query(select_resources!("WHERE id = $1"))
        .bind(id.to_string())
        .fetch_optional(connection)
        .await?;
    let marked = |row: &AnyRow| Ok((stored(row)?, row.try_get::<Option<i64>, _>("deleted_at")?.is_some()));
    found.as_ref().map(marked).transpose()
}

fn owner_text(tenant: Option<ResourceId>) -> String {
    tenant.map(|id| id.to_string()).unwrap_or_default()
}

fn read_cursor(cursor: &str) -> Result<(String, String)> {
    let bad = || StoreError::Bad("the cursor is not one of this listing's".to_owned());
    let (id, name) = cursor.split_once(':').ok_or_else(bad)?;
    let id = ResourceId::from_str(id).map_err(|_| bad())?;
    Ok((id.to_string(), name.to_owned()))
}

fn stored(found: &AnyRow) -> Result<Stored> {
    let kind: Kind = parsed(found, "kind")?;
    let name: String = found.try_get("name")?;
    let spec: &str = found.try_get("spec")?;
    let spec = Spec::from_json(kind, spec.as_bytes())
        .map_err(|error| unreadable(format!("{kind} {name}: {}", error.source)))?;
    let resource = Resource {
        id: parsed(found, "id")?,
        tenant: maybe(found, "tenant_id")?,
        name,
        spec,
        revision: row::count(found, "revision")?,
        sealed: found.try_get("sealed")?,
    };
    let time = |column| Ok::<_, StoreError>(Timestamp::from_micros(found.try_get(column)?));
    Ok(Stored { resource, created_at: time("created_at")?, updated_at: time("updated_at")? })
}
