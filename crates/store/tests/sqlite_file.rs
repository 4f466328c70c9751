//! The file itself: who may read it, odd paths, damage, a newer schema, another process that holds it.

#![allow(clippy::unwrap_used, reason = "helpers of tests count as tests")]

use std::path::Path;

use domain::{ResourceId, Spec, TenantSpec};
use sqlx::{AnyConnection, Connection, Executor, Row};
use store::{Actor, ResourceDraft, Store, StoreError};

fn url(path: &Path) -> String {
    format!("sqlite:{}", path.display())
}

/// A store with enough rows that the file has more than a few pages, closed again.
async fn filled(path: &Path) {
    let store = Store::open(&url(path)).await.unwrap();
    let mut tx = store.begin(&Actor { name: "ada".to_owned() }).await.unwrap();
    for number in 0..100 {
        let spec = Spec::Tenant(TenantSpec { tier: Some("x".repeat(500)), ..TenantSpec::default() });
        let name = format!("t{number}");
        tx.put(ResourceDraft { id: ResourceId::new(), tenant: None, name, spec, sealed: None })
            .await
            .unwrap();
    }
    tx.commit().await.unwrap();
    store.close().await;
}

async fn refused(path: &Path) -> StoreError {
    let before = std::fs::read(path).unwrap();
    let error = Store::open(&url(path)).await.unwrap_err();
    assert_eq!(std::fs::read(path).unwrap(), before, "a refused file is left as it was");
    error
}

#[tokio::test]
async fn a_damaged_file_is_named_and_left_alone() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("store.db");
    filled(&path).await;
    let whole = std::fs::read(&path).unwrap();
    let mut scribbled = whole.clone();
    let middle = scribbled.len() / 2;
    scribbled[middle..middle + 9_000].fill(0xa5);
    let mut no_header = whole.clone();
    no_header[..16].fill(0);
    for bytes in [scribbled, no_header, whole[..whole.len() / 2].to_vec(), b"hello".to_vec()] {
        std::fs::write(&path, bytes).unwrap();
        let error = refused(&path).await;
        assert!(matches!(error, StoreError::Damaged { .. }), "{error:?}");
        let line = error.to_string();
        assert!(line.contains(path.to_str().unwrap()) && !line.contains('\n'), "{line}");
        assert!(!error.is_transient());
    }
    std::fs::write(&path, whole).unwrap();
    assert_eq!(Store::open(&url(&path)).await.unwrap().load().await.unwrap().1.len(), 100);
}

#[tokio::test]
async fn a_newer_schema_is_refused() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("store.db");
    filled(&path).await;
    let tamper = async |statement: &'static str| {
        let mut connection = AnyConnection::connect(&url(&path)).await.unwrap();
        connection.execute(statement).await.unwrap();
        connection.close().await.unwrap();
    };
    tamper(
        "INSERT INTO _sqlx_migrations (version, description, success, checksum, execution_time) \
         VALUES (999, 'from the future', TRUE, x'00', 0)",
    )
    .await;
    let error = refused(&path).await;
    assert!(matches!(error, StoreError::NewerSchema { found: 999, known: 1..999 }), "{error:?}");
    tamper("DELETE FROM _sqlx_migrations WHERE version = 999").await;
    tamper("UPDATE _sqlx_migrations SET checksum = x'00'").await;
    assert!(matches!(refused(&path).await, StoreError::Schema(_)));
}

#[tokio::test]
async fn addresses_that_cannot_work_are_refused_without_repeating_them() {
    let directory = tempfile::tempdir().unwrap();
    for address in ["", "mysql://u:hunter2@h/d", "u:hunter2@h", "sqlite:", "sqlite::memory:"] {
        let error = Store::open(address).await.unwrap_err();
        assert!(matches!(error, StoreError::Bad(_)), "{address}: {error:?}");
        assert!(!format!("{error:?}{error}").contains("hunter2"));
    }
    for path in [directory.path().to_owned(), directory.path().join("no/such/directory.db")] {
        let error = Store::open(&url(&path)).await.unwrap_err();
        assert!(
            matches!(&error, StoreError::Unreachable(why) if why.contains(path.to_str().unwrap())),
            "{error}"
        );
    }
}

#[tokio::test]
async fn an_unreachable_server_does_not_show_the_password() {
    let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let port = listener.local_addr().unwrap().port();
    drop(listener);
    let error = Store::open(&format!("postgres://app:hunter2@127.0.0.1:{port}/x")).await.unwrap_err();
    assert!(matches!(error, StoreError::Unreachable(_)), "{error:?}");
    assert!(!format!("{error:?}{error}").contains("hunter2"));
}

#[tokio::test]
async fn a_path_is_taken_literally() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("a b?mode=ro#1 100%41é.db");
    filled(&path).await;
    assert!(path.is_file());
    let store = Store::open(&url(&path)).await.unwrap();
    assert_eq!(store.load().await.unwrap().1.len(), 100);
}

#[cfg(unix)]
#[tokio::test]
async fn only_the_owner_may_read_the_file() {
    use std::os::unix::fs::PermissionsExt;

    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("store.db");
    let _store = Store::open(&url(&path)).await.unwrap();
    for entry in std::fs::read_dir(directory.path()).unwrap() {
        let entry = entry.unwrap();
        let mode = entry.metadata().unwrap().permissions().mode();
        assert_eq!(mode & 0o077, 0, "{:?}", entry.file_name());
    }
}

#[tokio::test]
async fn a_lock_held_by_another_process_is_a_clear_error() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("store.db");
    let store = Store::open(&url(&path)).await.unwrap();
    let mut stranger = AnyConnection::connect(&url(&path)).await.unwrap();
    stranger.execute("BEGIN IMMEDIATE").await.unwrap();
    let error = store.begin(&Actor { name: "ada".to_owned() }).await.map(|_| ()).unwrap_err();
    assert_eq!(error.to_string(), "the database is busy: another process holds its lock");
    assert!(error.is_transient());
    stranger.execute("ROLLBACK").await.unwrap();
    store.begin(&Actor { name: "ada".to_owned() }).await.unwrap().rollback().await.unwrap();
}

#[tokio::test]
async fn the_file_keeps_a_write_ahead_log() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("store.db");
    filled(&path).await;
    let mut connection = AnyConnection::connect(&url(&path)).await.unwrap();
    let mode = connection.fetch_one("PRAGMA journal_mode").await.unwrap();
    assert_eq!(mode.get::<String, _>(0), "wal");
}
