//! A SQLite file per test.

/// Where a database of its own is to be, which nobody has opened yet.
pub(crate) async fn address() -> (String, Option<tempfile::TempDir>) {
    let directory = tempfile::tempdir().unwrap();
    (format!("sqlite:{}/store.db", directory.path().display()), Some(directory))
}
