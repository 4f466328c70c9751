//! Answers as tables, JSON, YAML, and diffs as lines.

use std::io::{self, Write};

use admin_api::{ApplyReply, Change, DiffEntry};
use serde_json::Value;

use crate::Output;

/// Any value as JSON or YAML.
pub(crate) fn structured(out: &mut impl Write, value: &Value, output: Output) -> io::Result<()> {
    match output {
        Output::Yaml => {
            let text = serde_saphyr::to_string(value).map_err(io::Error::other)?;
            writeln!(out, "{}", text.trim_end())
        }
        Output::Json | Output::Table => {
            serde_json::to_writer_pretty(&mut *out, value)?;
            writeln!(out)
        }
    }
}

/// One item: as a table of one row, JSON or YAML.
pub(crate) fn item(out: &mut impl Write, item: &Value, output: Output) -> io::Result<()> {
    match output {
        Output::Table => {
            let rows = std::slice::from_ref(item);
            table(out, &columns(rows), rows)
        }
        _ => structured(out, item, output),
    }
}

/// A listing: as a table, JSON or YAML.
pub(crate) fn rows(out: &mut impl Write, rows: Vec<Value>, output: Output) -> io::Result<()> {
    match output {
        Output::Table if rows.is_empty() => writeln!(out, "nothing found"),
        Output::Table => table(out, &columns(&rows), &rows),
        _ => structured(out, &Value::Array(rows), output),
    }
}

/// Rows as columns, as wide as their widest cell; columns that are empty in every row are left out.
pub(crate) fn table(out: &mut impl Write, columns: &[String], rows: &[Value]) -> io::Result<()> {
    let cells: Vec<Vec<String>> =
        rows.iter().map(|row| columns.iter().map(|column| cell(&row[column.as_str()])).collect()).collect();
    let shown: Vec<usize> =
        (0..columns.len()).filter(|index| cells.iter().any(|row| !row[*index].is_empty())).collect();
    let width = |index: usize| {
        let widest = cells.iter().map(|row| row[index].chars().count()).max().unwrap_or_default();
        widest.max(columns[index].len())
    };
    let widths: Vec<usize> = shown.iter().map(|index| width(*index)).collect();
    let line = |out: &mut dyn Write, texts: &mut dyn Iterator<Item = String>| {
        let mut text = String::new();
        for (cell, width) in texts.zip(&widths) {
            text += &format!("{cell:<width$}   ");
        }
        writeln!(out, "{}", text.trim_end())
    };
    line(out, &mut shown.iter().map(|index| columns[*index].to_uppercase().replace('_', "-")))?;
    for row in &cells {
        line(out, &mut shown.iter().map(|index| row[*index].clone()))?;
    }
    Ok(())
}

/// The columns of a list: what identifies a row first, then its own fields, ids and times left to JSON.
pub(crate) fn columns(rows: &[Value]) -> Vec<String> {
    const HIDDEN: [&str; 3] = ["id", "created_at", "updated_at"];
    let mut names: Vec<String> = ["name", "tenant"].map(str::to_owned).to_vec();
    for row in rows.iter().filter_map(Value::as_object) {
        for name in row.keys().filter(|name| !HIDDEN.contains(&name.as_str())) {
            if !names.contains(name) {
                names.push(name.clone());
            }
        }
    }
    names
}

/// One line; control characters, which a terminal would obey, are shown as text.
pub(crate) fn cell(value: &Value) -> String {
    let text = match value {
        Value::Null => String::new(),
        Value::String(text) => text.clone(),
        Value::Array(items) => items.iter().map(cell).collect::<Vec<_>>().join(","),
        Value::Object(fields) => {
            fields.iter().map(|(name, value)| format!("{name}={}", cell(value))).collect::<Vec<_>>().join(",")
        }
        other => other.to_string(),
    };
    text.chars().flat_map(|c| if c.is_control() { c.escape_default().collect() } else { vec![c] }).collect()
}

/// The lines of `diff`; resources that stay are left out. True: there was something to show.
pub(crate) fn diff(out: &mut impl Write, changes: &[DiffEntry]) -> io::Result<bool> {
    let mut any = false;
    for entry in changes {
        let sign = match entry.change {
            Change::Create => '+',
            Change::Update => '~',
            Change::Delete => '-',
            Change::Unchanged => continue,
        };
        any = true;
        let fields =
            if entry.fields.is_empty() { String::new() } else { format!(": {}", entry.fields.join(", ")) };
        writeln!(out, "{sign} {}{fields}", subject(entry))?;
    }
    Ok(any)
}

/// The lines of `apply`.
pub(crate) fn applied(out: &mut impl Write, reply: &ApplyReply, dry_run: bool) -> io::Result<()> {
    let suffix = if dry_run { " (dry run)" } else { "" };
    for entry in &reply.changes {
        let what = match entry.change {
            Change::Create => "created",
            Change::Update => "updated",
            Change::Delete => "deleted",
            Change::Unchanged => "unchanged",
        };
        writeln!(out, "{} {what}{suffix}", subject(entry))?;
    }
    for secret in &reply.secrets {
        writeln!(out, "key {}/{} (shown once): {}", secret.tenant, secret.key, secret.secret)?;
    }
    writeln!(out, "configuration revision {}{suffix}", reply.version.revision)
}

fn subject(entry: &DiffEntry) -> String {
    let owner = entry.tenant.as_ref().map(|tenant| format!(" of {tenant}")).unwrap_or_default();
    format!("{} {}{owner}", entry.kind, entry.name)
}

#[cfg(test)]
mod tests {
    use domain::Kind;
    use serde_json::json;

    use super::*;

    fn shown(write: impl FnOnce(&mut Vec<u8>) -> io::Result<()>) -> String {
        let mut out = Vec::new();
        write(&mut out).unwrap();
        String::from_utf8(out).unwrap()
    }

    #[test]
    fn tables_align_and_drop_empty_columns() {
        let rows = [
            json!({ "id": "1", "name": "chat", "revision": 3, "targets": ["a/b", "c/d"] }),
            json!({ "id": "2", "name": "a-longer-name", "revision": 12, "targets": ["a/b\u{1b}[2J"] }),
        ];
        let text = shown(|out| table(out, &columns(&rows), &rows));
        assert_eq!(
            text,
            "NAME            REVISION   TARGETS\n\
             chat            3          a/b,c/d\n\
             a-longer-name   12         a/b\\u{1b}[2J\n"
        );
        assert_eq!(shown(|out| table(out, &columns(&[]), &[])), "\n");
    }

    #[test]
    fn diffs_show_what_changes_only() {
        let entry = |change, fields: &[&str]| DiffEntry {
            kind: Kind::Route,
            name: "chat".into(),
            tenant: Some("acme".into()),
            change,
            fields: fields.iter().map(|field| (*field).to_owned()).collect(),
        };
        let changes = [
            entry(Change::Unchanged, &[]),
            entry(Change::Create, &[]),
            entry(Change::Update, &["targets", "x.y"]),
        ];
        let text = shown(|out| diff(out, &changes).map(|any| assert!(any)));
        assert_eq!(text, "+ route chat of acme\n~ route chat of acme: targets, x.y\n");
        assert_eq!(shown(|out| diff(out, &changes[..1]).map(|any| assert!(!any))), "");
    }

    #[test]
    fn yaml_and_json_read_back() {
        let value = json!({ "name": "no", "at": "2026-01-01", "list": [1, "x: y"] });
        let yaml = shown(|out| structured(out, &value, Output::Yaml));
        assert_eq!(admin_api::parse(&yaml, admin_api::Format::Yaml).unwrap(), value);
        let json = shown(|out| structured(out, &value, Output::Json));
        assert_eq!(serde_json::from_str::<Value>(&json).unwrap(), value);
    }
}
