//! The catalogue of a new PostgreSQL database says the same as that of a new SQLite file.

use std::collections::{BTreeMap, BTreeSet};

use sqlx::{AnyConnection, Connection, Row};
use store::Store;

use crate::{backend, fixture::fresh};

/// Of each table: columns with type and whether they may be null, in order.
type Columns = BTreeMap<String, Vec<(String, String, bool)>>;

async fn sqlite_columns(connection: &mut AnyConnection) -> Columns {
    let rows = sqlx::query(
        "SELECT m.name AS tab, c.name AS col, c.type AS kind, c.\"notnull\" AS needed \
         FROM sqlite_master m, pragma_table_info(m.name) c \
         WHERE m.type = 'table' AND m.name NOT LIKE 'sqlite_%' AND m.name NOT LIKE '_sqlx_%' ORDER BY m.name, c.cid",
    );
    let mut columns = Columns::new();
    for row in rows.fetch_all(connection).await.unwrap() {
        let kind = match row.get::<String, _>("kind").as_str() {
            "INTEGER" => "bigint",
            "TEXT" => "text",
            "BLOB" => "bytea",
            other => panic!("{other}"),
        };
        let column = (row.get("col"), kind.to_owned(), row.get::<i64, _>("needed") == 0);
        columns.entry(row.get("tab")).or_default().push(column);
    }
    columns
}

async fn postgres_columns(connection: &mut AnyConnection) -> Columns {
    // Partitions are part of their table.
    let rows = sqlx::query(
        "SELECT t.relname::text AS tab, a.attname::text AS col, a.atttypid::regtype::text AS kind, \
         NOT a.attnotnull AS optional, COALESCE(c.collname::text, 'C') AS collation \
         FROM pg_class t JOIN pg_attribute a ON a.attrelid = t.oid \
         LEFT JOIN pg_collation c ON c.oid = a.attcollation \
         WHERE t.relnamespace = 'public'::regnamespace AND t.relkind IN ('r', 'p') AND NOT t.relispartition \
         AND t.relname NOT LIKE '\\_sqlx\\_%' AND a.attnum > 0 AND NOT a.attisdropped ORDER BY t.relname, a.attnum",
    );
    let mut columns = Columns::new();
    for row in rows.fetch_all(connection).await.unwrap() {
        assert_eq!(row.get::<String, _>("collation"), "C", "text is ordered by its bytes");
        columns.entry(row.get("tab")).or_default().push((
            row.get("col"),
            row.get("kind"),
            row.get("optional"),
        ));
    }
    columns
}

/// Table, columns, and whether they must be unique; expressions have no name.
type Indexes = BTreeSet<(String, Vec<Option<String>>, bool)>;

async fn sqlite_indexes(connection: &mut AnyConnection) -> Indexes {
    let rows = sqlx::query(
        "SELECT m.name AS tab, i.name AS idx, i.\"unique\" AS single, c.name AS col \
         FROM sqlite_master m, pragma_index_list(m.name) i, pragma_index_info(i.name) c \
         WHERE m.type = 'table' AND m.name NOT LIKE '_sqlx_%' ORDER BY i.name, c.seqno",
    );
    let mut indexes = BTreeMap::<String, (String, Vec<Option<String>>, bool)>::new();
    for row in rows.fetch_all(connection).await.unwrap() {
        let single = row.get::<i64, _>("single") == 1;
        let index = indexes.entry(row.get("idx")).or_insert((row.get("tab"), Vec::new(), single));
        index.1.push(row.get("col"));
    }
    indexes.into_values().collect()
}

async fn postgres_indexes(connection: &mut AnyConnection) -> Indexes {
    let rows = sqlx::query(
        "SELECT t.relname::text AS tab, x.indexrelid::regclass::text AS idx, x.indisunique AS single, \
         (SELECT a.attname::text FROM pg_attribute a WHERE a.attrelid = t.oid AND a.attnum = k.column) AS col \
         FROM pg_index x JOIN pg_class t ON t.oid = x.indrelid, \
         unnest(x.indkey::int2[]) WITH ORDINALITY AS k (\"column\", place) \
         WHERE t.relnamespace = 'public'::regnamespace AND NOT t.relispartition AND t.relname NOT LIKE '\\_sqlx\\_%' \
         ORDER BY idx, k.place",
    );
    let mut indexes = BTreeMap::<String, (String, Vec<Option<String>>, bool)>::new();
    for row in rows.fetch_all(connection).await.unwrap() {
        let index = indexes.entry(row.get("idx")).or_insert((row.get("tab"), Vec::new(), row.get("single")));
        index.1.push(row.get("col"));
    }
    indexes.into_values().collect()
}

#[tokio::test]
async fn both_databases_have_the_same_tables_and_indexes() {
    let directory = tempfile::tempdir().unwrap();
    let file = format!("sqlite:{}/store.db", directory.path().display());
    Store::open(&file).await.unwrap().close().await;
    let mut sqlite = AnyConnection::connect(&file).await.unwrap();
    let store = fresh().await;
    let mut postgres = backend::connect(&store.url).await;
    let tables = sqlite_columns(&mut sqlite).await;
    assert!(tables.len() >= 6, "{tables:?}");
    assert_eq!(tables, postgres_columns(&mut postgres).await);
    let mut expected = sqlite_indexes(&mut sqlite).await;
    // SQLite keeps the table of an INTEGER PRIMARY KEY in that order, and needs no index for it.
    expected.insert(("store_meta".to_owned(), vec![Some("id".to_owned())], true));
    assert!(expected.len() >= 8, "{expected:?}");
    assert_eq!(expected, postgres_indexes(&mut postgres).await);
}
