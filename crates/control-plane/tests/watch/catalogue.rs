//! The catalogue reaches proxies that have a provider of the kind, and every change of it at once.

use domain::{Catalogue, ProviderSpec, ResourceId, Spec, Timestamp, Version};
use serde_json::json;
use store::{Actor, ResourceDraft};

use crate::fixture::{Plane, names};

fn ada() -> Actor {
    Actor { name: "ada".into() }
}

async fn import(plane: &Plane, version: &str, input: &str) -> Version {
    let price = |model: &str| json!({ "model": model, "effective_from": "2026-01-01", "input": input, "output": "2" });
    let file = json!({ "version": version, "prices": [price("openai/m"), price("cohere/m")] });
    let file: Catalogue = serde_json::from_value(file).unwrap();
    let mut tx = plane.store.begin(&ada()).await.unwrap();
    tx.import_catalogue(&file, Timestamp::now()).await.unwrap();
    tx.commit().await.unwrap()
}

async fn provider(plane: &Plane, name: &str, kind: &str) -> Version {
    let spec: ProviderSpec = serde_json::from_value(json!({ "kind": kind })).unwrap();
    let (id, spec) = (ResourceId::new(), Spec::Provider(spec));
    let mut tx = plane.store.begin(&ada()).await.unwrap();
    tx.put(ResourceDraft { id, tenant: None, name: name.into(), spec, sealed: None }).await.unwrap();
    tx.commit().await.unwrap()
}

#[tokio::test]
async fn a_proxy_gets_the_rows_of_the_kinds_that_there_are_providers_of() {
    let plane = Plane::start().await;
    import(&plane, "2026-06-01", "1").await;
    let first = provider(&plane, "east", "openai").await;
    let mut stream = plane.watch("p1", None).await;
    let (version, names_of_all) = stream.snapshot().await;
    assert_eq!(version, first);
    assert_eq!(names_of_all, ["east", "kind:openai/m", "kind:openai/m@2026-01-01T00:00:00Z"]);
    stream.ack(first).await;

    let second = provider(&plane, "co", "cohere").await;
    let delta = stream.delta().await;
    assert_eq!((delta.from, delta.to), (first, second));
    assert_eq!(names(&delta.upserts), ["co", "kind:cohere/m", "kind:cohere/m@2026-01-01T00:00:00Z"]);
    stream.ack(second).await;

    let third = import(&plane, "2026-07-01", "3").await;
    let delta = stream.delta().await;
    assert_eq!(
        (delta.from, delta.to, delta.upserts.len()),
        (second, third, 2),
        "{:?}",
        names(&delta.upserts)
    );
    for row in &delta.upserts {
        let row = proto::resource_from(row).unwrap();
        assert!(matches!(&row.spec, Spec::Price(price) if price.input.to_string() == "3"), "{}", row.name);
    }
    stream.ack(third).await;

    // The same once more is no news.
    assert_eq!(import(&plane, "2026-07-01", "3").await, third);
}
