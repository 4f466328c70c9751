//! Revisions, changes since one, change log and audit log.

use domain::{Spec, TenantSpec};
use sqlx::{AnyConnection, Connection, Row};

use crate::fixture::{ada, fresh, key, tenant, write};

#[tokio::test]
async fn changes_say_what_was_written_and_what_is_gone() {
    let store = fresh().await;
    let (acme, zeta) = (tenant("acme", "pro"), tenant("zeta", "free"));
    write(&store, &[acme.clone(), zeta.clone()]).await;
    let mut changed = acme.clone();
    changed.spec = Spec::Tenant(TenantSpec { disabled: true, ..TenantSpec::default() });
    write(&store, &[changed.clone()]).await;
    let mut tx = store.begin(&ada()).await.unwrap();
    tx.delete(zeta.id).await.unwrap();
    tx.commit().await.unwrap();

    let all = store.changes_since(0).await.unwrap();
    assert_eq!((all.to.revision, all.removed.as_slice()), (3, [zeta.id].as_slice()));
    assert_eq!(all.upserts, store.load().await.unwrap().1);
    assert_eq!(all.upserts[0].spec, changed.spec);
    let last = store.changes_since(2).await.unwrap();
    assert_eq!((last.upserts.len(), last.removed.len()), (0, 1));
    let none = store.changes_since(3).await.unwrap();
    assert_eq!((none.upserts.len(), none.removed.len()), (0, 0));
    // A watcher that knows more than the database has met a restored backup.
    assert!(store.changes_since(9).await.unwrap().to.revision < 9);
}

#[tokio::test]
async fn every_write_is_audited_without_secrets() {
    let store = fresh().await;
    let acme = tenant("acme", "pro");
    let mut backend = key(acme.id, "backend");
    backend.sealed = Some(b"canary-material".to_vec());
    write(&store, &[acme.clone(), backend.clone()]).await;
    let mut changed = acme.clone();
    changed.spec =
        Spec::Tenant(TenantSpec { tier: Some("pro".to_owned()), disabled: true, ..TenantSpec::default() });
    backend.sealed = Some(b"canary-renewed".to_vec());
    write(&store, &[changed, backend.clone()]).await;
    let mut tx = store.begin(&ada()).await.unwrap();
    tx.delete(backend.id).await.unwrap();
    tx.audit("revoke", &serde_json::json!({"why": "leaked"})).await.unwrap();
    tx.commit().await.unwrap();

    let log = store.audit(None, 100).await.unwrap();
    let told: Vec<_> = log
        .items
        .iter()
        .map(|entry| (entry.revision, entry.action.as_str(), entry.name.as_deref(), entry.detail.to_string()))
        .collect();
    assert_eq!(
        told,
        [
            (3, "revoke", None, r#"{"why":"leaked"}"#.to_owned()),
            (3, "delete", Some("backend"), "{}".to_owned()),
            (2, "update", Some("backend"), r#"{"changed":[],"sealed":true}"#.to_owned()),
            (2, "update", Some("acme"), r#"{"changed":["disabled"]}"#.to_owned()),
            (1, "create", Some("backend"), r#"{"sealed":true}"#.to_owned()),
            (1, "create", Some("acme"), "{}".to_owned()),
        ]
    );
    assert!(log.items.iter().all(|entry| entry.actor == "ada"));
    assert_eq!(log.items[1].resource, Some(backend.id));
    assert_eq!(log.items[1].tenant, Some(acme.id));
    assert!(!format!("{log:?}").contains("canary"));

    let first = store.audit(None, 4).await.unwrap();
    let rest = store.audit(first.next.as_deref(), 4).await.unwrap();
    assert_eq!((first.items.len(), rest.items.len(), rest.next), (4, 2, None));
    assert_eq!([first.items, rest.items].concat(), log.items);
    assert!(store.audit(Some("nonsense"), 4).await.is_err());
}

#[tokio::test]
async fn the_change_log_holds_before_and_after() {
    let store = fresh().await;
    let acme = tenant("acme", "pro");
    let backend = key(acme.id, "backend");
    write(&store, &[acme.clone(), backend.clone()]).await;
    write(
        &store,
        &[{
            let mut changed = acme.clone();
            changed.spec =
                Spec::Tenant(TenantSpec { tier: Some("free".to_owned()), ..TenantSpec::default() });
            changed
        }],
    )
    .await;
    let mut tx = store.begin(&ada()).await.unwrap();
    tx.delete(backend.id).await.unwrap();
    tx.commit().await.unwrap();

    let mut connection = AnyConnection::connect(&store.url).await.unwrap();
    let rows = sqlx::query(
        "SELECT revision, op, name, spec_before, spec_after, resealed FROM change_log ORDER BY revision, seq",
    )
    .fetch_all(&mut connection)
    .await
    .unwrap();
    let told: Vec<_> = rows
        .iter()
        .map(|row| {
            let text = |column| row.get::<Option<String>, _>(column).unwrap_or_default();
            (row.get::<i64, _>("revision"), text("op"), text("spec_before"), text("spec_after"))
        })
        .collect();
    let user = r#"{"user":"ü"}"#;
    let row =
        |revision, op: &str, before: &str, after: &str| (revision, op.into(), before.into(), after.into());
    assert_eq!(
        told,
        [
            row(1, "create", "", r#"{"tier":"pro"}"#),
            row(1, "create", "", user),
            row(2, "update", r#"{"tier":"pro"}"#, r#"{"tier":"free"}"#),
            row(3, "delete", user, ""),
        ]
    );
    let sealed = sqlx::query("SELECT sealed FROM resources WHERE id = $1")
        .bind(backend.id.to_string())
        .fetch_one(&mut connection)
        .await
        .unwrap();
    assert_eq!(sealed.get::<Option<Vec<u8>>, _>("sealed"), None, "a revoked key cannot come back");
}
