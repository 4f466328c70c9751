//! Both folders of migrations lead to the same schema.

#![allow(clippy::unwrap_used, reason = "helpers of tests count as tests")]

use std::{
    collections::{BTreeMap, BTreeSet},
    path::PathBuf,
};

use sqlx::{AnyConnection, Connection, Row};
use store::Store;

/// File name and statements of each migration, in the words of PostgreSQL.
fn folder(name: &str) -> Vec<(String, Vec<String>)> {
    let folder = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../../migrations").join(name);
    let mut files: Vec<_> = std::fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path()).collect();
    files.sort();
    files
        .iter()
        .map(|file| (file.file_name().unwrap().to_str().unwrap().to_owned(), statements(file)))
        .collect()
}

fn statements(file: &PathBuf) -> Vec<String> {
    let text = std::fs::read_to_string(file).unwrap();
    let code: Vec<_> = text.lines().map(|line| line.split("--").next().unwrap()).collect();
    let signs = ["(", ")", ","];
    let words = signs.iter().fold(code.join(" "), |text, sign| text.replace(sign, &format!(" {sign} ")));
    // What only PostgreSQL has.
    let words = words.replace("COLLATE \"C\"", "").replace("PARTITION BY RANGE  ( day )", "");
    let all = words.split(';').map(|statement| {
        let same = |word| match word {
            "INTEGER" => "BIGINT",
            "BLOB" => "BYTEA",
            other => other,
        };
        let words = statement.split_whitespace().filter(|word| *word != "STRICT").map(same);
        words.collect::<Vec<_>>().join(" ")
    });
    all.filter(|statement| !statement.is_empty() && !statement.contains(" PARTITION OF ")).collect()
}

#[test]
fn both_folders_say_the_same() {
    let (sqlite, postgres) = (folder("sqlite"), folder("postgres"));
    assert!(!sqlite.is_empty());
    assert_eq!(sqlite, postgres);
}

/// Tables and indexes that the statements make, with the columns of the tables, those added later at the end.
fn declared() -> BTreeSet<(String, Vec<String>)> {
    let mut all: BTreeMap<String, Vec<String>> = BTreeMap::new();
    for statement in folder("postgres").into_iter().flat_map(|(_, statements)| statements) {
        let words: Vec<_> = statement.split(' ').collect();
        let what = words.iter().position(|word| ["TABLE", "INDEX"].contains(word)).unwrap();
        let types = ["BIGINT", "TEXT", "BYTEA"];
        let columns = words.windows(2).filter(|pair| words[what] == "TABLE" && types.contains(&pair[1]));
        let columns = columns.map(|pair| format!("{} {}", pair[0], pair[1]));
        all.entry(words[what + 1].to_owned()).or_default().extend(columns);
    }
    all.into_iter().collect()
}

#[tokio::test]
async fn a_new_sqlite_file_has_what_they_say() {
    let directory = tempfile::tempdir().unwrap();
    let url = format!("sqlite:{}/store.db", directory.path().display());
    Store::open(&url).await.unwrap().close().await;
    let mut connection = AnyConnection::connect(&url).await.unwrap();
    let objects = sqlx::query(
        "SELECT type, name FROM sqlite_master WHERE name NOT LIKE 'sqlite_%' AND name NOT LIKE '_sqlx_%'",
    )
    .fetch_all(&mut connection)
    .await
    .unwrap();
    let mut found = BTreeSet::new();
    for object in objects {
        let name: String = object.get("name");
        let mut columns = Vec::new();
        if object.get::<String, _>("type") == "table" {
            let rows = sqlx::query("SELECT name, type FROM pragma_table_info($1) ORDER BY cid")
                .bind(name.clone())
                .fetch_all(&mut connection)
                .await
                .unwrap();
            columns.extend(rows.iter().map(|row| {
                let kind = row.get::<String, _>("type").replace("INTEGER", "BIGINT").replace("BLOB", "BYTEA");
                format!("{} {kind}", row.get::<String, _>("name"))
            }));
        }
        found.insert((name, columns));
    }
    assert_eq!(found, declared());
}
