//! A SQLite file per test.

/// The address of a database of its own that does not exist yet.
pub(crate) async fn address() -> (String, Option<tempfile::TempDir>) {
    let directory = tempfile::tempdir().unwrap();
    (format!("sqlite:{}/store.db", directory.path().display()), Some(directory))
}
