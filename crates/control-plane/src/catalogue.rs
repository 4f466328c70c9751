//! The catalogue that this version brings along, and loading it into a database that has none as new.

use anyhow::Context as _;
use domain::{Catalogue, Timestamp};
use store::{Actor, Store};

/// Made by `tools/catalogue`; see docs/catalogue.md and the notice beside the file.
const BUILT_IN: &str = include_str!("../catalogue/models.json");

/// Who imports what a version brings along, in the audit log.
const ACTOR: &str = "portcullis";

/// The catalogue that this version brings along.
///
/// # Errors
/// When the file within the binary is malformed, which a test rules out.
fn built_in() -> anyhow::Result<Catalogue> {
    serde_json::from_str(BUILT_IN).context("the catalogue within this binary")
}

/// Imports the catalogue that this version brings along, unless one as new was imported before. Rows of admins
/// are elsewhere and go before it, so nothing of theirs changes.
///
/// # Errors
/// When the database cannot be read or written.
pub(crate) async fn load(store: &Store) -> anyhow::Result<()> {
    load_at(store, built_in()?, Timestamp::now()).await
}

async fn load_at(store: &Store, mut catalogue: Catalogue, now: Timestamp) -> anyhow::Result<()> {
    let there = store.catalogue_versions().await?;
    if !there.iter().all(|version| catalogue.is_newer_than(version)) {
        return Ok(());
    }
    // They were in force when the version was made; a clock that is behind must not make them prices of the future.
    for price in &mut catalogue.prices {
        price.effective_from = price.effective_from.min(now);
    }
    let mut tx = store.begin(&Actor { name: ACTOR.to_owned() }).await?;
    let imported = tx.import_catalogue(&catalogue, now).await?;
    let version = tx.commit().await?;
    tracing::info!(
        catalogue = catalogue.version, models = imported.models, prices = imported.prices, %version,
        "loaded the catalogue of this version"
    );
    Ok(())
}

#[cfg(test)]
mod tests;
