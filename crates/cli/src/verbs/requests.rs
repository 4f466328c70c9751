//! `portcullis get requests`: the newest of the request log, or one request with the story of its attempts.

use std::io::Write;

use serde_json::{Map, Value};

use crate::{
    CliError, Output,
    client::{Client, query},
    render,
};

/// Most requests that are shown; the log itself may be as long as the ledger.
const NEWEST: &str = "100";
/// What a table shows of a request.
const COLUMNS: [&str; 12] = [
    "request_id",
    "at",
    "tenant",
    "key",
    "route",
    "rule",
    "pool",
    "provider",
    "model",
    "fallback",
    "outcome",
    "cost_usd",
];
/// What it shows of an attempt.
const ATTEMPT: [&str; 11] = [
    "number",
    "provider",
    "model",
    "reason",
    "outcome",
    "status",
    "duration_us",
    "tokens_in",
    "tokens_out",
    "cost_usd",
    "estimated",
];

/// Which requests are shown.
pub(super) struct Selection<'a> {
    /// One request, with its attempts; without it the newest are listed.
    pub(super) id: Option<&'a str>,
    /// Only requests of this tenant.
    pub(super) tenant: Option<&'a str>,
}

pub(super) fn run(
    client: &Client,
    Selection { id, tenant }: Selection<'_>,
    output: Output,
    out: &mut impl Write,
) -> Result<(), CliError> {
    let query = query(&[("limit", Some(NEWEST)), ("tenant", tenant), ("request_id", id)]);
    let mut page = client.get(&format!("/requests{query}"))?;
    let Some(Value::Array(mut items)) = page.get_mut("items").map(Value::take) else {
        return Err(CliError::Failed("unexpected answer: no items".to_owned()));
    };
    let Some(id) = id else {
        if output == Output::Table && !items.is_empty() {
            return Ok(render::table(out, &COLUMNS.map(str::to_owned), &items)?);
        }
        return Ok(render::rows(out, items, output)?);
    };
    // What is in no record yet may come: proxies report what has ended, every second or so.
    let item = items.pop().ok_or_else(|| CliError::Failed(format!("there is no finished request {id}")))?;
    match output {
        Output::Table => Ok(story(out, &item)?),
        _ => Ok(render::structured(out, &item, output)?),
    }
}

/// Every field on its line, then the attempts in order.
fn story(out: &mut impl Write, item: &Value) -> std::io::Result<()> {
    let fields = item.as_object().into_iter().flatten();
    let fields: Vec<_> = fields.filter(|(name, value)| *name != "attempts" && !value.is_null()).collect();
    let width = fields.iter().map(|(name, _)| name.len()).max().unwrap_or_default();
    for (name, value) in fields {
        writeln!(out, "{name:<width$}   {}", render::cell(value))?;
    }
    writeln!(out)?;
    let attempts = item["attempts"].as_array().map_or(&[][..], Vec::as_slice);
    let rows: Vec<Value> = attempts.iter().map(|attempt| only(attempt, &ATTEMPT)).collect();
    render::table(out, &ATTEMPT.map(str::to_owned), &rows)
}

/// These fields, in this order.
fn only(item: &Value, names: &[&str]) -> Value {
    let field = |name: &&str| ((*name).to_owned(), item[*name].clone());
    Value::Object(names.iter().map(field).collect::<Map<_, _>>())
}
