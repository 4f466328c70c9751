//! The server that all tests of this binary share, and a database per test.

use std::sync::OnceLock;

use sqlx::{AnyConnection, AssertSqlSafe, Connection, Executor};
use testkit::Postgres;

fn server() -> &'static Postgres {
    static SERVER: OnceLock<Postgres> = OnceLock::new();
    SERVER.get_or_init(|| Postgres::start().unwrap())
}

/// A database of its own that has not been opened yet.
pub(crate) async fn address() -> (String, Option<tempfile::TempDir>) {
    (new_database(server()).await, None)
}

/// An empty database on a server.
pub(crate) async fn new_database(server: &Postgres) -> String {
    let name = format!("t{}", uuid::Uuid::now_v7().simple());
    run(&server.url(), &format!("CREATE DATABASE {name}")).await;
    server.url_of(&name)
}

/// Runs statements over a connection of their own.
pub(crate) async fn run(url: &str, statements: &str) {
    let mut connection = connect(url).await;
    connection.execute(sqlx::raw_sql(AssertSqlSafe(statements.to_owned()))).await.unwrap();
    connection.close().await.unwrap();
}

pub(crate) async fn connect(url: &str) -> AnyConnection {
    sqlx::any::install_default_drivers();
    AnyConnection::connect(url).await.unwrap()
}
