//! Writing and reading rows: what a put does, what a name is, what a transaction takes back.

use domain::{Kind, ResourceId, Spec, TenantSpec};
use store::{PutOutcome, StoreError};

use crate::fixture::{ada, fresh, key, tenant, write};

#[tokio::test]
async fn a_row_comes_back_as_it_was_written() {
    let store = fresh().await;
    let acme = tenant("acme", "pro");
    let backend = key(acme.id, "backend");
    assert_eq!(
        write(&store, &[acme.clone(), backend.clone()]).await,
        [PutOutcome::Created, PutOutcome::Created]
    );
    let found = store.get(Kind::Key, Some(acme.id), "backend").await.unwrap().unwrap();
    assert_eq!(found.resource.id, backend.id);
    assert_eq!(found.resource.spec, backend.spec);
    assert_eq!(found.resource.sealed, backend.sealed);
    assert_eq!(found.resource.tenant, Some(acme.id));
    assert_eq!(found.resource.revision, 1);
    assert_eq!(found.created_at, found.updated_at);
    assert_eq!(store.get_by_id(backend.id).await.unwrap(), Some(found));
    assert_eq!(store.get_by_id(ResourceId::new()).await.unwrap(), None);
    let (version, rows) = store.load().await.unwrap();
    assert_eq!((version.store, version.revision, rows.len()), (store.id(), 1, 2));
}

#[tokio::test]
async fn a_put_of_the_same_writes_nothing() {
    let store = fresh().await;
    let acme = tenant("acme", "pro");
    let backend = key(acme.id, "backend");
    write(&store, &[acme.clone(), backend.clone()]).await;
    let mut again = backend.clone();
    again.sealed = None; // leaves what is there
    assert_eq!(write(&store, &[acme.clone(), again]).await, [PutOutcome::Unchanged, PutOutcome::Unchanged]);
    assert_eq!(store.version().await.unwrap().revision, 1, "no revision is burnt");
    let mut resealed = backend.clone();
    resealed.sealed = Some(vec![9]);
    assert_eq!(write(&store, &[acme, resealed]).await, [PutOutcome::Unchanged, PutOutcome::Updated]);
    let found = store.get_by_id(backend.id).await.unwrap().unwrap();
    assert_eq!((found.resource.sealed, found.resource.revision), (Some(vec![9]), 2));
}

#[tokio::test]
async fn names_are_taken_per_kind_and_owner() {
    let store = fresh().await;
    let (acme, zeta) = (tenant("acme", "pro"), tenant("zeta", "free"));
    // A tenant's own row shadows another owner's of the same name: both exist.
    write(&store, &[acme.clone(), zeta.clone(), key(acme.id, "app"), key(zeta.id, "app")]).await;
    let mut tx = store.begin(&ada()).await.unwrap();
    for (draft, kind) in [(tenant("acme", "free"), Kind::Tenant), (key(acme.id, "app"), Kind::Key)] {
        let name = draft.name.clone();
        assert_eq!(tx.put(draft).await, Err(StoreError::Taken { kind, name }));
    }
    // The transaction survives a refusal, and a name is free again once its row is gone.
    assert!(tx.delete(acme.id).await.unwrap());
    let heir = tenant("acme", "free");
    assert_eq!(tx.put(heir.clone()).await.unwrap(), PutOutcome::Created);
    tx.commit().await.unwrap();
    let found = store.get(Kind::Tenant, None, "acme").await.unwrap().unwrap();
    assert_eq!(found.resource.id, heir.id);
}

#[tokio::test]
async fn what_a_row_is_never_changes() {
    let store = fresh().await;
    let acme = tenant("acme", "pro");
    write(&store, std::slice::from_ref(&acme)).await;
    let mut renamed = acme.clone();
    renamed.name = "other".to_owned();
    let mut turned = key(acme.id, "acme");
    turned.id = acme.id;
    let mut nameless = tenant("", "pro");
    let orphan = key(ResourceId::new(), "app");
    for draft in [renamed, turned, nameless.clone(), orphan] {
        let mut tx = store.begin(&ada()).await.unwrap();
        let refused = tx.put(draft).await;
        assert!(matches!(refused, Err(StoreError::Bad(_))), "{refused:?}");
    }
    nameless.name = "n".repeat(2_000);
    let mut tx = store.begin(&ada()).await.unwrap();
    assert!(matches!(tx.put(nameless).await, Err(StoreError::Bad(_))));
    assert!(tx.delete(acme.id).await.unwrap());
    assert!(!tx.delete(acme.id).await.unwrap(), "it is gone already");
    assert!(matches!(tx.put(acme).await, Err(StoreError::Bad(_))), "a deleted id does not come back");
}

#[tokio::test]
async fn what_is_not_committed_never_was() {
    let store = fresh().await;
    let acme = tenant("acme", "pro");
    let mut subscriber = store.subscribe();
    {
        let mut tx = store.begin(&ada()).await.unwrap();
        tx.put(acme.clone()).await.unwrap();
        tx.audit("import", &serde_json::json!({"rows": 1})).await.unwrap();
        assert_eq!(tx.load().await.unwrap().len(), 1, "a transaction sees its own writes");
        assert!(tx.get(Kind::Tenant, None, "acme").await.unwrap().is_some());
        assert_eq!(store.get_by_id(acme.id).await.unwrap(), None, "and nobody else does");
    }
    let mut tx = store.begin(&ada()).await.unwrap();
    assert_eq!(tx.revision(), 1, "the dropped one's revision is free again");
    tx.put(acme.clone()).await.unwrap();
    tx.rollback().await.unwrap();
    let (version, rows) = store.load().await.unwrap();
    assert_eq!((version.revision, rows.len()), (0, 0));
    assert_eq!(store.audit(None, 10).await.unwrap().items, []);
    assert!(!subscriber.has_changed().unwrap());
    write(&store, &[acme]).await;
    assert_eq!(*subscriber.borrow_and_update(), 1);
}

#[tokio::test]
async fn a_store_keeps_its_id_and_rows() {
    let first = fresh().await;
    let acme = tenant("acme", "pro");
    write(&first, std::slice::from_ref(&acme)).await;
    let again = store::Store::open(&first.url).await.unwrap();
    assert_eq!(again.load().await.unwrap(), first.load().await.unwrap());
    assert_eq!(*again.subscribe().borrow(), 1);
    let spec = Spec::Tenant(TenantSpec { tier: Some("pro".to_owned()), ..TenantSpec::default() });
    assert_eq!(again.get_by_id(acme.id).await.unwrap().unwrap().resource.spec, spec);
    assert_ne!(fresh().await.id(), first.id());
}
