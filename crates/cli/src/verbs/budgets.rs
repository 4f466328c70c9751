//! `portcullis budgets`: the budgets of all tenants, or those that a tenant's requests are under, with their windows.

use std::io::Write;

use domain::{Kind, Spec, TenantSpec, Timestamp};
use serde_json::{Map, Value};

use crate::{
    CliError, Connection, Output,
    client::{Client, encode},
    render,
};

const COLUMNS: [&str; 14] = [
    "tenant",
    "name",
    "cap",
    "spent",
    "used",
    "per",
    "for",
    "window",
    "time_zone",
    "begins",
    "ends",
    "at_cap",
    "observe",
    "on_store_loss",
];
/// What an item has besides its specification.
const BESIDE: [&str; 6] = ["id", "name", "tenant", "revision", "created_at", "updated_at"];

pub(super) fn run(
    connection: &Connection,
    tenant: Option<&str>,
    output: Output,
    out: &mut impl Write,
) -> Result<(), CliError> {
    let client = Client::new(connection)?;
    let mut rows = match tenant {
        None => all(&client)?,
        Some(tenant) => of_line(&client, tenant)?,
    };
    let now = Timestamp::now();
    rows.iter_mut().filter_map(Value::as_object_mut).for_each(|row| add_window(row, now));
    let usage = client.get("/usage/budgets")?;
    add_usage(&mut rows, usage["items"].as_array().map_or(&[], Vec::as_slice));
    if output != Output::Table || rows.is_empty() {
        return Ok(render::rows(out, rows, output)?);
    }
    Ok(render::table(out, &COLUMNS.map(str::to_owned), &rows)?)
}

/// The budgets of every tenant, by owner.
fn all(client: &Client) -> Result<Vec<Value>, CliError> {
    let mut rows = client.pages("budgets", &[])?;
    rows.sort_by(|a, b| a["tenant"].as_str().cmp(&b["tenant"].as_str()));
    Ok(rows)
}

/// The budgets of a tenant and of those above it, which count its requests too.
fn of_line(client: &Client, tenant: &str) -> Result<Vec<Value>, CliError> {
    let (mut rows, mut next) = (Vec::new(), Some(tenant.to_owned()));
    for _ in 0..TenantSpec::DEEPEST {
        let Some(name) = next else { break };
        let item = client.get(&format!("/tenants/{}", encode(&name)))?;
        rows.extend(client.pages("budgets", &[("tenant", Some(&name))])?);
        next = item["parent"].as_str().map(str::to_owned);
    }
    Ok(rows)
}

/// Adds what is spent in the window that is in force; of a budget with a dimension, by its fullest account.
fn add_usage(rows: &mut [Value], accounts: &[Value]) {
    for row in rows.iter_mut() {
        let of_it = accounts
            .iter()
            .filter(|account| account["tenant"] == row["tenant"] && account["budget"] == row["name"]);
        let used = |account: &&Value| account["used"].as_f64().unwrap_or(0.0);
        let Some(fullest) = of_it.max_by(|a, b| used(a).total_cmp(&used(b))) else { continue };
        let (spent, used) = (fullest["spent_usd"].clone(), format!("{:.1}%", used(&fullest) * 100.0));
        if let Some(row) = row.as_object_mut() {
            row.insert("spent".to_owned(), spent);
            row.insert("used".to_owned(), used.into());
        }
    }
}

/// Adds the window that is in force, with its moments. Of a budget that this version cannot read it stays unsaid.
fn add_window(row: &mut Map<String, Value>, now: Timestamp) {
    let mut fields = row.clone();
    fields.retain(|name, _| !BESIDE.contains(&name.as_str()));
    let read = Spec::from_json(Kind::Budget, Value::Object(fields).to_string().as_bytes());
    let Ok(Spec::Budget(spec)) = read else { return };
    let span = spec.window().at(now, &spec.time_zone);
    row.insert("window".to_owned(), spec.window().as_str().into());
    let moment = |second: i64| Timestamp::from_micros(second * 1_000_000).to_string();
    if let Some(end) = span.end {
        row.insert("begins".to_owned(), moment(span.start).into());
        row.insert("ends".to_owned(), moment(end).into());
    }
}
