//! The model catalogue: what is known of models and prices by kind of provider, imported as files, read by the fleet.

mod import;
mod merge;

use std::collections::{BTreeMap, BTreeSet};

use domain::{Kind, ModelRef, ModelSpec, PriceSpec, Resource, ResourceId, Spec, Timestamp};
use sqlx::{AnyConnection, Row, any::AnyRow};

use crate::{
    Page, Result, Store,
    connect::with_timeout,
    page::bounded,
    row::{self, bigint, parsed, unreadable},
};

pub use import::Imported;

/// One model of the catalogue.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CatalogueModel {
    /// `kind/model`.
    pub model: ModelRef,
    /// What is known of it.
    pub facts: ModelSpec,
    /// Its prices, the newest first, those that are not in force any more included.
    pub prices: Vec<PriceSpec>,
}

/// Which models of the catalogue, and which page of them.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct CatalogueQuery {
    /// Of this kind of provider only.
    pub provider_kind: Option<String>,
    /// [`Page::next`] of the page before.
    pub after: Option<String>,
    /// Most models of the page, 1 to 1,000.
    pub limit: u32,
}

/// A row as the table has it.
pub(crate) struct CatalogueRow {
    id: ResourceId,
    model: ModelRef,
    revision: u64,
    fact: Fact,
}

/// What a row says of its model.
#[derive(Clone, PartialEq, Eq)]
pub(crate) enum Fact {
    Model(ModelSpec),
    Price(Box<PriceSpec>),
}

impl Fact {
    const fn part(&self) -> &'static str {
        match self {
            Self::Model(_) => "model",
            Self::Price(_) => "price",
        }
    }

    fn name(&self, model: &ModelRef) -> String {
        match self {
            Self::Model(_) => model.to_string(),
            Self::Price(price) => format!("{model}@{}", price.effective_from),
        }
    }

    fn json(&self) -> String {
        match self {
            Self::Model(spec) => serde_json::json!(spec),
            Self::Price(spec) => serde_json::json!(spec),
        }
        .to_string()
    }
}

impl CatalogueRow {
    /// As a resource of the operator's, under the name that no provider can have.
    fn into_resource(self) -> Resource {
        let model = ModelRef::of_kind(&self.model.provider, &self.model.model);
        let name = self.fact.name(&model);
        let spec = match self.fact {
            Fact::Model(spec) => Spec::Model(spec),
            Fact::Price(price) => Spec::Price(Box::new(PriceSpec { model, ..*price })),
        };
        Resource { id: self.id, tenant: None, name, spec, revision: self.revision, sealed: None }
    }
}

impl Store {
    /// What proxies need of the catalogue that they do not have since `revision` (0: all of it): rows of the kinds
    /// that providers are of, without prices that later ones have replaced. As resources, see [`ModelRef::of_kind`].
    ///
    /// # Errors
    /// When the database cannot be read.
    pub async fn catalogue_since(&self, revision: u64, now: Timestamp) -> Result<Vec<Resource>> {
        with_timeout(async {
            let mut tx = self.read().await?;
            let kinds = provider_kinds(&mut tx).await?;
            let mut needed = Vec::new();
            for (kind, newest_provider) in kinds {
                // A provider that is new may be the first of its kind: then nothing of the kind is there yet.
                let since = if newest_provider > revision { 0 } else { revision };
                needed.extend(of_kind(&mut tx, &kind, since).await?);
            }
            tx.commit().await?;
            drop_replaced(&mut needed, now);
            Ok(needed.into_iter().map(CatalogueRow::into_resource).collect())
        })
        .await
    }

    /// Models of the catalogue by name.
    ///
    /// # Errors
    /// When the database cannot be read.
    pub async fn catalogue(&self, query: &CatalogueQuery) -> Result<Page<CatalogueModel>> {
        with_timeout(async {
            let limit = bounded(query.limit);
            let rows = sqlx::query(
                "SELECT id, part, model, spec, revision FROM catalogue \
                 WHERE part = 'model' AND name > $1 AND ($2 = '' OR provider_kind = $2) ORDER BY name LIMIT $3",
            )
            .bind(query.after.clone().unwrap_or_default())
            .bind(query.provider_kind.clone().unwrap_or_default())
            .bind(bigint(limit as u64 + 1))
            .fetch_all(self.pool())
            .await?;
            let models = self.with_prices(&rows).await?;
            Ok(Page::new(models, limit, |last| last.model.to_string()))
        })
        .await
    }

    /// One model of the catalogue.
    ///
    /// # Errors
    /// When the database cannot be read.
    pub async fn catalogue_model(&self, model: &ModelRef) -> Result<Option<CatalogueModel>> {
        with_timeout(async {
            let rows = sqlx::query(
                "SELECT id, part, model, spec, revision FROM catalogue WHERE part = 'model' AND name = $1",
            )
            .bind(model.to_string())
            .fetch_all(self.pool())
            .await?;
            Ok(self.with_prices(&rows).await?.pop())
        })
        .await
    }

    /// The versions of the catalogue files that were imported.
    ///
    /// # Errors
    /// When the database cannot be read.
    pub async fn catalogue_versions(&self) -> Result<Vec<String>> {
        with_timeout(async {
            let rows = sqlx::query("SELECT version FROM catalogue_imports ORDER BY version")
                .fetch_all(self.pool())
                .await?;
            rows.iter().map(|row| Ok(row.try_get("version")?)).collect()
        })
        .await
    }

    /// Rows of models, in the order of their names, with their prices.
    async fn with_prices(&self, rows: &[AnyRow]) -> Result<Vec<CatalogueModel>> {
        let mut models = Vec::with_capacity(rows.len());
        for found in rows {
            let CatalogueRow { model, fact, .. } = read(found)?;
            if let Fact::Model(facts) = fact {
                models.push(CatalogueModel { model, facts, prices: Vec::new() });
            }
        }
        let Some((first, last)) = models.first().zip(models.last()) else { return Ok(models) };
        let prices = sqlx::query(
            "SELECT id, part, model, spec, revision FROM catalogue \
             WHERE part = 'price' AND model >= $1 AND model <= $2",
        )
        .bind(first.model.to_string())
        .bind(last.model.to_string())
        .fetch_all(self.pool())
        .await?;
        let mut by_model: BTreeMap<ModelRef, Vec<PriceSpec>> = BTreeMap::new();
        for found in &prices {
            let row = read(found)?;
            if let Fact::Price(price) = row.fact {
                by_model.entry(row.model).or_default().push(*price);
            }
        }
        for model in &mut models {
            model.prices = by_model.remove(&model.model).unwrap_or_default();
            model.prices.sort_by_key(|price| std::cmp::Reverse(price.effective_from));
        }
        Ok(models)
    }
}

/// The kinds that live providers are of, each with the newest revision of one of them.
async fn provider_kinds(connection: &mut AnyConnection) -> Result<BTreeMap<String, u64>> {
    let rows = sqlx::query(
        "SELECT spec, revision FROM resources WHERE deleted_at IS NULL AND kind = $1 ORDER BY name, id",
    )
    .bind(Kind::Provider.as_str())
    .fetch_all(connection)
    .await?;
    let mut kinds = BTreeMap::new();
    for found in &rows {
        let spec = Spec::from_json(Kind::Provider, found.try_get::<&str, _>("spec")?.as_bytes());
        if let Spec::Provider(spec) = spec.map_err(unreadable)? {
            let newest = kinds.entry(spec.kind).or_default();
            *newest = row::count(found, "revision")?.max(*newest);
        }
    }
    Ok(kinds)
}

/// Rows of a kind that were written after a revision.
async fn of_kind(connection: &mut AnyConnection, kind: &str, revision: u64) -> Result<Vec<CatalogueRow>> {
    let rows = sqlx::query(
        "SELECT id, part, model, spec, revision FROM catalogue \
         WHERE provider_kind = $1 AND revision > $2 ORDER BY model, part, name",
    )
    .bind(kind)
    .bind(bigint(revision))
    .fetch_all(connection)
    .await?;
    rows.iter().map(read).collect()
}

fn read(found: &AnyRow) -> Result<CatalogueRow> {
    let json: &str = found.try_get("spec")?;
    let fact = match found.try_get::<&str, _>("part")? {
        "model" => Fact::Model(serde_json::from_str(json).map_err(unreadable)?),
        _ => Fact::Price(serde_json::from_str(json).map_err(unreadable)?),
    };
    Ok(CatalogueRow {
        id: parsed(found, "id")?,
        model: parsed(found, "model")?,
        revision: row::count(found, "revision")?,
        fact,
    })
}

/// Leaves out prices that a later one has replaced by now; they will not be charged again.
fn drop_replaced(rows: &mut Vec<CatalogueRow>, now: Timestamp) {
    let mut in_force: BTreeMap<ModelRef, Timestamp> = BTreeMap::new();
    for row in rows.iter() {
        if let Fact::Price(price) = &row.fact
            && price.effective_from <= now
        {
            let newest = in_force.entry(row.model.clone()).or_insert(price.effective_from);
            *newest = price.effective_from.max(*newest);
        }
    }
    let replaced: BTreeSet<ResourceId> = rows
        .iter()
        .filter(|row| match &row.fact {
            Fact::Price(price) => {
                in_force.get(&row.model).is_some_and(|newest| price.effective_from < *newest)
            }
            Fact::Model(_) => false,
        })
        .map(|row| row.id)
        .collect();
    rows.retain(|row| !replaced.contains(&row.id));
}
