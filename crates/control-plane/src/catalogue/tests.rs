//! The file within the binary is one that can be imported, and is loaded once.

use std::collections::BTreeSet;

use domain::ModelRef;

use super::*;

async fn store(directory: &tempfile::TempDir) -> Store {
    Store::open(&format!("sqlite:{}/store.db", directory.path().display())).await.unwrap()
}

#[tokio::test]
async fn what_a_version_brings_along_is_loaded_once_and_never_over_something_newer() {
    let directory = tempfile::tempdir().unwrap();
    let store = store(&directory).await;
    load(&store).await.unwrap();
    let first = store.version().await.unwrap();
    assert_eq!(first.revision, 1);
    load(&store).await.unwrap();
    assert_eq!(store.version().await.unwrap(), first);
    assert_eq!(store.catalogue_versions().await.unwrap(), [built_in().unwrap().version]);
}

#[tokio::test]
async fn a_clock_that_is_behind_leaves_no_model_without_a_price() {
    let directory = tempfile::tempdir().unwrap();
    let store = store(&directory).await;
    let past: Timestamp = "2020-01-01".parse().unwrap();
    load_at(&store, built_in().unwrap(), past).await.unwrap();
    let model = store.catalogue_model(&"openai/gpt-4o-mini".parse().unwrap()).await.unwrap().unwrap();
    assert_eq!(model.prices[0].effective_from, past);
}

#[tokio::test]
async fn a_database_with_a_newer_file_keeps_it() {
    let directory = tempfile::tempdir().unwrap();
    let store = store(&directory).await;
    let newer = Catalogue { version: "9999-01-01".to_owned(), ..Catalogue::default() };
    let mut tx = store.begin(&Actor { name: "ada".to_owned() }).await.unwrap();
    tx.import_catalogue(&newer, Timestamp::now()).await.unwrap();
    tx.commit().await.unwrap();
    load(&store).await.unwrap();
    assert_eq!(store.catalogue_versions().await.unwrap(), ["9999-01-01"]);
}

#[test]
fn the_file_holds_the_kinds_of_the_provider_table_each_with_a_source_for_every_row() {
    let catalogue = built_in().unwrap();
    catalogue.check().unwrap();
    for kind in catalogue.models.keys().map(|model| model.provider.as_str()).collect::<BTreeSet<_>>() {
        assert!(
            wire::provider_kinds().any(|known| known == kind),
            "nobody can have a provider of kind {kind}"
        );
    }
    for (model, facts) in &catalogue.models {
        assert!(facts.source.is_some(), "{model} has no source");
    }
    for price in &catalogue.prices {
        assert!(price.source.is_some(), "the price of {} has no source", price.model);
        assert!(catalogue.models.contains_key(&price.model), "{} has no facts", price.model);
    }
    let model: ModelRef = "openai/gpt-4o-mini".parse().unwrap();
    let price = catalogue.prices.iter().find(|price| price.model == model).unwrap();
    assert_eq!((price.input.to_string(), price.output.to_string()), ("0.15".to_owned(), "0.6".to_owned()));
}
