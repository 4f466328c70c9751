//! `health`: what the proxies see of targets and keys.

use std::io::Write;

use serde_json::{Map, Value};

use crate::{CliError, Connection, Output, client::Client, render};

const TARGET_COLUMNS: [&str; 10] =
    ["target", "tenant", "region", "state", "left", "share", "p95", "in_flight", "errors", "proxies"];
const KEY_COLUMNS: [&str; 9] =
    ["key", "tenant", "region", "state", "left", "in_flight", "requests_left", "tokens_left", "proxies"];

pub(super) fn run(connection: &Connection, output: Output, out: &mut impl Write) -> Result<(), CliError> {
    let answer = Client::new(connection)?.get("/health/targets")?;
    if output != Output::Table {
        return Ok(render::structured(out, &answer, output)?);
    }
    let rows = |field: &str, line: fn(&Value) -> Value| {
        let rows = answer[field].as_array().map(|rows| rows.iter().map(line).collect::<Vec<_>>());
        rows.ok_or_else(|| CliError::Failed(format!("unexpected answer: no {field}")))
    };
    let targets = rows("items", target)?;
    let keys = rows("keys", key)?;
    if targets.is_empty() && keys.is_empty() {
        writeln!(out, "no proxy is connected, or there are no routes and no keys")?;
        return Ok(());
    }
    render::table(out, &TARGET_COLUMNS.map(str::to_owned), &targets)?;
    writeln!(out)?;
    render::table(out, &KEY_COLUMNS.map(str::to_owned), &keys)?;
    for proxy in answer["truncated"].as_array().into_iter().flatten().filter_map(Value::as_str) {
        writeln!(out, "{} has more targets and keys than fit into its report", proxy.escape_debug())?;
    }
    Ok(())
}

fn target(item: &Value) -> Value {
    let number = |field: &str| item[field].as_f64();
    let dead = if item["dead"] == true { ", dead" } else { "" };
    line(
        &TARGET_COLUMNS,
        [
            item["target"].clone(),
            item["tenant"].clone(),
            item["region"].clone(),
            format!("{}{dead}", item["state"].as_str().unwrap_or_default()).into(),
            number("left_seconds").map(|left| format!("{left:.0}s")).into(),
            number("share").map(|share| format!("{:.0}%", share * 100.0)).into(),
            number("ttft_p95_ms").map(|p95| format!("{p95:.0}ms")).into(),
            item["in_flight"].clone(),
            format!("{}/{}", item["failures"], item["requests"]).into(),
            count(&item["proxies"]),
        ],
    )
}

fn key(item: &Value) -> Value {
    line(
        &KEY_COLUMNS,
        [
            item["credential"].clone(),
            item["tenant"].clone(),
            item["region"].clone(),
            item["state"].clone(),
            item["left_seconds"].as_f64().map(|left| format!("{left:.0}s")).into(),
            item["in_flight"].clone(),
            item["remaining_requests"].clone(),
            item["remaining_tokens"].clone(),
            count(&item["proxies"]),
        ],
    )
}

fn count(list: &Value) -> Value {
    list.as_array().map(Vec::len).into()
}

fn line<const N: usize>(columns: &[&str; N], cells: [Value; N]) -> Value {
    Value::Object(columns.iter().map(|column| (*column).to_owned()).zip(cells).collect::<Map<_, _>>())
}
