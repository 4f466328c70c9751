//! The model catalogue: importing files, and what proxies get of it.

use domain::{Catalogue, Kind, ProviderSpec, Resource, ResourceId, Spec, Timestamp};
use serde_json::json;
use store::{CatalogueQuery, Imported, ResourceDraft, StoreError};

use crate::fixture::{Fresh, ada, fresh, write};

fn moment(text: &str) -> Timestamp {
    text.parse().unwrap()
}

fn file(version: &str, models: &[&str], input: &str) -> Catalogue {
    let prices: Vec<_> = models
        .iter()
        .map(|model| {
            json!({ "model": model, "effective_from": "2026-01-01", "input": input, "output": "2", "source": "s" })
        })
        .collect();
    let facts = json!({ "context": 1000, "capabilities": { "tools": true } });
    let models: serde_json::Map<_, _> =
        models.iter().map(|model| ((*model).to_owned(), facts.clone())).collect();
    serde_json::from_value(json!({ "version": version, "models": models, "prices": prices })).unwrap()
}

async fn import(store: &Fresh, file: &Catalogue, now: &str) -> Imported {
    let mut tx = store.begin(&ada()).await.unwrap();
    let imported = tx.import_catalogue(file, moment(now)).await.unwrap();
    tx.commit().await.unwrap();
    imported
}

async fn provider(store: &Fresh, name: &str, kind: &str) -> ResourceId {
    let spec =
        ProviderSpec { kind: kind.to_owned(), ..serde_json::from_value(json!({ "kind": "x" })).unwrap() };
    let id = ResourceId::new();
    let draft =
        ResourceDraft { id, tenant: None, name: name.to_owned(), spec: Spec::Provider(spec), sealed: None };
    write(store, &[draft]).await;
    id
}

fn names(rows: &[Resource]) -> Vec<&str> {
    rows.iter().map(|row| row.name.as_str()).collect()
}

#[tokio::test]
async fn an_import_is_one_revision_one_line_of_the_audit_log_and_nothing_the_second_time() {
    let store = fresh().await;
    let catalogue = file("2026-06-01", &["openai/a", "openai/b/c", "gemini/d"], "1");
    let first = import(&store, &catalogue, "2026-06-02").await;
    assert_eq!(first, Imported { models: 3, prices: 3 });
    assert_eq!(store.version().await.unwrap().revision, 1);
    let audit = store.audit(None, 10).await.unwrap().items;
    assert_eq!(
        (audit.len(), audit[0].action.as_str(), audit[0].actor.as_str()),
        (1, "import_catalogue", "ada")
    );
    assert_eq!(audit[0].detail, json!({ "version": "2026-06-01", "models": 3, "prices": 3 }));
    assert_eq!(import(&store, &catalogue, "2026-07-01").await, Imported::default());
    assert_eq!(store.version().await.unwrap().revision, 1, "no revision is burnt");
    assert_eq!(store.catalogue_versions().await.unwrap(), ["2026-06-01"]);
    assert!(store.load().await.unwrap().1.is_empty(), "it is no configuration of an admin's");
}

#[tokio::test]
async fn a_changed_price_begins_at_the_import_and_the_old_one_stays_written() {
    let store = fresh().await;
    import(&store, &file("2026-06-01", &["openai/a"], "1"), "2026-06-02").await;
    let changed = import(&store, &file("2026-08-01", &["openai/a"], "3"), "2026-08-02").await;
    assert_eq!(changed, Imported { models: 0, prices: 1 });
    let model = "openai/a".parse().unwrap();
    let found = store.catalogue_model(&model).await.unwrap().unwrap();
    let prices: Vec<_> = found
        .prices
        .iter()
        .map(|price| (price.effective_from.to_string(), price.input.to_string()))
        .collect();
    let expected = [("2026-08-02T00:00:00Z", "3"), ("2026-01-01T00:00:00Z", "1")];
    assert_eq!(prices, expected.map(|(from, input)| (from.to_owned(), input.to_owned())));
    assert_eq!(found.facts.context, Some(1000));
    assert_eq!(store.catalogue_versions().await.unwrap(), ["2026-06-01", "2026-08-01"]);
}

#[tokio::test]
async fn a_file_that_contradicts_itself_is_refused_whole() {
    let store = fresh().await;
    let mut twice = file("2026-06-01", &["openai/a"], "1");
    twice.prices.push(twice.prices[0].clone());
    let mut tx = store.begin(&ada()).await.unwrap();
    let refused = tx.import_catalogue(&twice, moment("2026-06-02")).await;
    assert!(matches!(&refused, Err(StoreError::Bad(why)) if why.starts_with("prices[1]: ")), "{refused:?}");
    tx.rollback().await.unwrap();
    assert!(store.catalogue_versions().await.unwrap().is_empty());
}

#[tokio::test]
async fn proxies_get_the_kinds_that_providers_are_of_and_what_changed_since() {
    let store = fresh().await;
    let now = moment("2026-07-01");
    import(&store, &file("2026-06-01", &["openai/a", "gemini/d"], "1"), "2026-06-02").await;
    assert!(store.catalogue_since(0, now).await.unwrap().is_empty(), "nobody needs any");
    provider(&store, "east", "openai").await;
    let rows = store.catalogue_since(0, now).await.unwrap();
    assert_eq!(names(&rows), ["kind:openai/a", "kind:openai/a@2026-01-01T00:00:00Z"]);
    assert_eq!((rows[0].kind(), rows[1].kind(), rows[0].tenant), (Kind::Model, Kind::Price, None));
    let Spec::Price(price) = &rows[1].spec else { panic!("a price") };
    assert_eq!(price.model.to_string(), "kind:openai/a");
    assert_eq!(rows, store.catalogue_since(1, now).await.unwrap(), "its first provider is newer than they");
    assert!(store.catalogue_since(2, now).await.unwrap().is_empty());
    provider(&store, "google", "gemini").await;
    let since = store.catalogue_since(2, now).await.unwrap();
    assert_eq!(names(&since), ["kind:gemini/d", "kind:gemini/d@2026-01-01T00:00:00Z"]);
    import(&store, &file("2026-06-30", &["openai/a"], "3"), "2026-06-30").await;
    let since = store.catalogue_since(3, now).await.unwrap();
    assert_eq!(names(&since), ["kind:openai/a@2026-06-30T00:00:00Z"]);
    let all = store.catalogue_since(0, now).await.unwrap();
    assert_eq!(all.len(), 4, "a price that another has replaced is not sent: {:?}", names(&all));
}

#[tokio::test]
async fn it_is_listed_by_name_and_by_kind_page_by_page() {
    let store = fresh().await;
    let models = ["openai/b", "gemini/z", "openai/a", "openai/c"];
    import(&store, &file("2026-06-01", &models, "1"), "2026-06-02").await;
    let page = |kind: Option<&str>, after: Option<&str>| CatalogueQuery {
        provider_kind: kind.map(str::to_owned),
        after: after.map(str::to_owned),
        limit: 2,
    };
    let listed = async |query: CatalogueQuery| {
        let page = store.catalogue(&query).await.unwrap();
        let names: Vec<_> = page.items.iter().map(|item| item.model.to_string()).collect();
        assert!(page.items.iter().all(|item| item.prices.len() == 1));
        (names, page.next)
    };
    let (names, next) = listed(page(None, None)).await;
    assert_eq!((names.join(" ").as_str(), next.as_deref()), ("gemini/z openai/a", Some("openai/a")));
    let (names, next) = listed(page(None, next.as_deref())).await;
    assert_eq!((names.join(" ").as_str(), next), ("openai/b openai/c", None));
    let (names, _) = listed(page(Some("gemini"), None)).await;
    assert_eq!(names, ["gemini/z"]);
    assert!(store.catalogue_model(&"openai/x".parse().unwrap()).await.unwrap().is_none());
}
