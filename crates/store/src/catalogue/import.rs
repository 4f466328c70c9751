//! Importing a catalogue file: one revision, one line in the audit log, nothing for what is there already.

use std::collections::BTreeSet;

use domain::{Catalogue, Timestamp};
use sqlx::AssertSqlSafe;

use super::{
    Fact,
    merge::{Write, merge},
    of_kind,
};
use crate::{Result, StoreError, Tx, connect::with_timeout, row::bigint, usage::placeholders};

/// Rows of one statement.
const CHUNK: usize = 200;
const COLUMNS: usize = 8;

/// What an import changed.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Imported {
    /// Models that are new or of which something else is known now.
    pub models: usize,
    /// Prices that begin.
    pub prices: usize,
}

impl Tx {
    /// Makes the catalogue say what a file says; what the file does not name stays. Prices that differ from those in
    /// force begin at `now`, or when the file says if that is later. A file that changes nothing leaves no trace but
    /// its version.
    ///
    /// # Errors
    /// [`StoreError::Bad`] when the file contradicts itself; else what the database met.
    pub async fn import_catalogue(&mut self, file: &Catalogue, now: Timestamp) -> Result<Imported> {
        with_timeout(async {
            file.check().map_err(|error| StoreError::Bad(error.to_string()))?;
            let models = file.models.keys().chain(file.prices.iter().map(|price| &price.model));
            let kinds: BTreeSet<&str> = models.map(|model| model.provider.as_str()).collect();
            let mut there = Vec::new();
            for kind in kinds {
                there.extend(of_kind(self.connection(), kind, 0).await?);
            }
            let writes = merge(there, file, now);
            for chunk in writes.chunks(CHUNK) {
                self.write_catalogue(chunk, now).await?;
            }
            let new_version = self.note_version(&file.version, now).await?;
            let prices = writes.iter().filter(|write| matches!(write.fact, Fact::Price(_))).count();
            let imported = Imported { models: writes.len() - prices, prices };
            if new_version || !writes.is_empty() {
                let detail = serde_json::json!({
                    "version": file.version, "models": imported.models, "prices": imported.prices,
                });
                self.audit("import_catalogue", &detail).await?;
            }
            Ok(imported)
        })
        .await
    }

    async fn write_catalogue(&mut self, rows: &[Write], now: Timestamp) -> Result<()> {
        let statement = format!(
            "INSERT INTO catalogue (id, part, name, provider_kind, model, spec, revision, updated_at) VALUES {} \
             ON CONFLICT (part, name) DO UPDATE SET spec = excluded.spec, revision = excluded.revision, \
             updated_at = excluded.updated_at",
            placeholders(rows.len(), COLUMNS)
        );
        let revision = bigint(self.revision());
        let mut query = sqlx::query(AssertSqlSafe(statement)).persistent(false);
        for Write { id, model, fact } in rows {
            query = query
                .bind(id.to_string())
                .bind(fact.part())
                .bind(fact.name(model))
                .bind(model.provider.clone())
                .bind(model.to_string())
                .bind(fact.json())
                .bind(revision)
                .bind(now.micros());
        }
        query.execute(self.connection()).await?;
        Ok(())
    }

    /// Notes that a file was imported; false: it had been before.
    async fn note_version(&mut self, version: &str, now: Timestamp) -> Result<bool> {
        let revision = bigint(self.revision());
        let done = sqlx::query(
            "INSERT INTO catalogue_imports (version, at, revision) VALUES ($1, $2, $3) \
             ON CONFLICT (version) DO NOTHING",
        )
        .bind(version)
        .bind(now.micros())
        .bind(revision)
        .execute(self.connection())
        .await?;
        Ok(done.rows_affected() > 0)
    }
}
