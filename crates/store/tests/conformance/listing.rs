//! Pages of rows by name.

use domain::Kind;
use store::{ListFilter, OwnerFilter, Store, StoreError};

use crate::fixture::{ada, fresh, key, tenant, write};

async fn names(store: &Store, owner: OwnerFilter, limit: u32) -> Vec<Vec<String>> {
    let mut filter = ListFilter { owner, after: None, limit };
    let mut pages = Vec::new();
    loop {
        let page = store.list(Kind::Key, &filter).await.unwrap();
        pages.push(page.items.into_iter().map(|row| row.name).collect());
        filter.after = page.next;
        if filter.after.is_none() {
            return pages;
        }
    }
}

#[tokio::test]
async fn pages_follow_names_by_their_bytes() {
    let store = fresh().await;
    let (acme, zeta) = (tenant("acme", "pro"), tenant("zeta", "free"));
    let mut drafts = vec![acme.clone(), zeta.clone()];
    drafts.extend(["b", "a:1", "B", "é", "c/d@e"].map(|name| key(acme.id, name)));
    drafts.extend(["b", "x"].map(|name| key(zeta.id, name)));
    write(&store, &drafts).await;
    let mut tx = store.begin(&ada()).await.unwrap();
    tx.delete(drafts[8].id).await.unwrap();
    tx.commit().await.unwrap();

    let everyone = names(&store, OwnerFilter::Any, 2).await;
    assert_eq!(everyone, [vec!["B", "a:1"], vec!["b", "b"], vec!["c/d@e", "é"]]);
    assert_eq!(names(&store, OwnerFilter::Tenant(zeta.id), 10).await, [["b"]]);
    assert_eq!(
        names(&store, OwnerFilter::Tenant(acme.id), 3).await,
        [vec!["B", "a:1", "b"], vec!["c/d@e", "é"]]
    );
    assert_eq!(names(&store, OwnerFilter::Operator, 10).await, [Vec::<String>::new()]);
}

#[tokio::test]
async fn a_foreign_cursor_is_refused() {
    let store = fresh().await;
    for cursor in ["", "x", "x:y", "'; DROP TABLE resources; --"] {
        let filter = ListFilter { after: Some(cursor.to_owned()), ..ListFilter::default() };
        let refused = store.list(Kind::Tenant, &filter).await;
        assert!(matches!(refused, Err(StoreError::Bad(_))), "{cursor}");
    }
}
