//! Addresses and databases that cannot work: one clear line, never the password, nothing changed.

use sqlx::Row;
use store::{Store, StoreError};
use testkit::{POSTGRES_PASSWORD, Postgres};

use crate::backend::{address, connect, run};

async fn refused(url: &str) -> StoreError {
    let error = Store::open(url).await.expect_err(url);
    let line = error.to_string();
    assert!(!line.contains('\n') && !format!("{error:?}{line}").contains(POSTGRES_PASSWORD), "{line}");
    error
}

/// Tables in a database.
async fn tables(url: &str) -> i64 {
    let count = "SELECT COUNT(*) AS tables FROM pg_class WHERE relkind IN ('r', 'p') \
                 AND relnamespace = 'public'::regnamespace";
    sqlx::query(count).fetch_one(&mut connect(url).await).await.unwrap().get("tables")
}

#[tokio::test]
async fn wrong_addresses() {
    let (url, _) = address().await;
    let server = url.rsplit_once('/').unwrap().0;
    let error = refused(&format!("{server}/nowhere")).await;
    assert!(matches!(&error, StoreError::Unreachable(why) if why.contains("nowhere")), "{error:?}");
    let error = refused(&url.replace("postgres:pg", "somebody:pg")).await;
    assert!(matches!(&error, StoreError::Unreachable(why) if why.contains("somebody")), "{error:?}");
    let error = refused(&format!("{url}?sslmode=perhaps")).await;
    assert!(matches!(error, StoreError::Bad(_)), "{error:?}");
    // A server without TLS, an address that insists on it.
    let error = refused(&format!("{url}?sslmode=require")).await;
    assert!(matches!(error, StoreError::Unreachable(_)), "{error:?}");
}

#[tokio::test]
async fn somebody_who_speaks_another_protocol() {
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let port = listener.local_addr().unwrap().port();
    tokio::spawn(async move {
        while let Ok((mut stream, _)) = listener.accept().await {
            let answer = b"HTTP/1.1 400 Bad Request\r\nconnection: close\r\n\r\n";
            tokio::io::AsyncWriteExt::write_all(&mut stream, answer).await.unwrap();
        }
    });
    let error = refused(&format!("postgres://app:{POSTGRES_PASSWORD}@127.0.0.1:{port}/x")).await;
    assert!(matches!(error, StoreError::Unreachable(_)), "{error:?}");
}

#[tokio::test]
async fn somebody_who_never_answers() {
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let port = listener.local_addr().unwrap().port();
    let error = refused(&format!("postgres://app:{POSTGRES_PASSWORD}@127.0.0.1:{port}/x")).await;
    assert!(matches!(error, StoreError::Unreachable(_)), "{error:?}");
}

#[tokio::test]
async fn a_read_only_database() {
    let (url, _) = address().await;
    let name = url.rsplit_once('/').unwrap().1;
    run(&url, &format!("ALTER DATABASE {name} SET default_transaction_read_only = on")).await;
    let error = refused(&url).await;
    assert!(matches!(&error, StoreError::Unreachable(why) if why.contains("read-only")), "{error:?}");
    assert_eq!(tables(&url).await, 0);
}

#[tokio::test]
async fn the_database_of_another_application() {
    let (url, _) = address().await;
    run(&url, "CREATE TABLE customers (id BIGINT); INSERT INTO customers VALUES (7)").await;
    let error = refused(&url).await;
    assert!(matches!(&error, StoreError::Schema(why) if why.contains("another application")), "{error:?}");
    assert_eq!(tables(&url).await, 1);
}

#[tokio::test]
async fn a_newer_schema_and_an_altered_one() {
    let (url, _) = address().await;
    Store::open(&url).await.unwrap().close().await;
    run(
        &url,
        "INSERT INTO _sqlx_migrations (version, description, success, checksum, execution_time) \
         VALUES (999, 'from the future', TRUE, '\\x00', 0)",
    )
    .await;
    let error = refused(&url).await;
    assert!(matches!(error, StoreError::NewerSchema { found: 999, known: 1..999 }), "{error:?}");
    run(
        &url,
        "DELETE FROM _sqlx_migrations WHERE version = 999; UPDATE _sqlx_migrations SET checksum = '\\x00'",
    )
    .await;
    assert!(matches!(refused(&url).await, StoreError::Schema(_)));
}

/// A certificate for `localhost`, and its key.
fn certificate() -> (String, String) {
    let made = rcgen::generate_simple_self_signed(["localhost".to_owned()]).unwrap();
    (made.cert.pem(), made.signing_key.serialize_pem())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn tls_is_checked_where_the_address_asks_for_it() {
    let (certificate, key) = certificate();
    let mut server = Postgres::start().unwrap();
    let file = server.add_file("server.crt", &certificate).unwrap();
    server.add_file("server.key", &key).unwrap();
    server.add_file("pg_hba.conf", "hostssl all all 127.0.0.1/32 scram-sha-256\n").unwrap();
    run(&server.url(), "ALTER SYSTEM SET ssl = on").await;
    server.stop().unwrap();
    server.restart().unwrap();
    let url = server.url().replace("127.0.0.1", "localhost");
    let trusting = format!("{url}?sslmode=verify-full&sslrootcert={}", file.display());
    let store = Store::open(&trusting).await.unwrap();
    let mut subscriber = store.subscribe();
    crate::fixture::write(&Store::open(&trusting).await.unwrap(), &[crate::fixture::tenant("t", "pro")])
        .await;
    subscriber.wait_for(|newest| *newest == 1).await.unwrap();
    let error = refused(&format!("{url}?sslmode=verify-full")).await;
    assert!(matches!(error, StoreError::Unreachable(_)), "{error:?}");
    let error = refused(&format!("{url}?sslmode=disable")).await;
    assert!(matches!(error, StoreError::Unreachable(_)), "{error:?}");
}
