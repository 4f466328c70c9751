//! What each verb does.

mod budgets;
mod catalogue;
mod explain;
mod health;
mod requests;

use std::{io::Write, path::Path};

use admin_api::ApplyReply;
use serde_json::Value;

use crate::{
    AdminCommand, CliError, Connection, Output,
    client::{Client, encode, query},
    local, render,
};

pub(crate) fn run(command: AdminCommand, out: &mut impl Write) -> Result<(), CliError> {
    match command {
        AdminCommand::Apply { file, dry_run, prune, output, connection } => {
            let (answer, reply) = submit(&connection, &file, dry_run, prune)?;
            match output {
                Output::Table => render::applied(out, &reply, dry_run)?,
                _ => render::structured(out, &answer, output)?,
            }
            Ok(())
        }
        AdminCommand::Diff { file, prune, connection } => diff(&connection, &file, prune, out),
        AdminCommand::Get { kind, name, tenant, output, connection } => {
            let client = Client::new(&connection)?;
            match name {
                _ if kind == "all" => all(&client, output, out),
                name if kind == "requests" || kind == "request" => {
                    let only = requests::Selection { id: name.as_deref(), tenant: tenant.as_deref() };
                    requests::run(&client, only, output, out)
                }
                Some(name) => one(&client, &item_path(&kind, &name, tenant.as_deref(), &[])?, output, out),
                None => list(&client, &kind, tenant.as_deref(), output, out),
            }
        }
        AdminCommand::Delete { kind, name, tenant, cascade, connection } => {
            let flags = [("cascade", cascade.then_some("true"))];
            let path = item_path(&kind, &name, tenant.as_deref(), &flags)?;
            Client::new(&connection)?.delete(&path)?;
            writeln!(out, "{} {name} deleted", plural(&kind)?.1)?;
            Ok(())
        }
        AdminCommand::Rotate { key, tenant, grace, output, connection } => {
            let query = query(&[("tenant", tenant.as_deref()), ("grace", Some(&grace))]);
            let path = format!("/keys/{}/rotate{query}", encode(&key));
            Ok(render::item(out, &Client::new(&connection)?.post(&path, None)?, output)?)
        }
        AdminCommand::Validate { file } => {
            let count = local::validate(&file)?;
            writeln!(out, "valid: {count} {}", if count == 1 { "resource" } else { "resources" })?;
            Ok(())
        }
        AdminCommand::Usage { group_by, from, to, tenant, subtree, output, connection } => {
            let query = query(&[
                ("group_by", Some(&group_by)),
                ("from", from.as_deref()),
                ("to", to.as_deref()),
                ("tenant", tenant.as_deref()),
                ("subtree", subtree.then_some("true")),
            ]);
            usage(&Client::new(&connection)?, &format!("/usage{query}"), output, out)
        }
        AdminCommand::Budgets { tenant, output, connection } => {
            budgets::run(&connection, tenant.as_deref(), output, out)
        }
        AdminCommand::Explain(arguments) => explain::run(*arguments, out),
        AdminCommand::Health { output, connection } => health::run(&connection, output, out),
        AdminCommand::Catalogue { command } => catalogue::run(command, out),
        AdminCommand::Schema => Ok(render::structured(out, &admin_api::schema(), Output::Json)?),
    }
}

fn submit(
    connection: &Connection,
    file: &Path,
    dry_run: bool,
    prune: bool,
) -> Result<(Value, ApplyReply), CliError> {
    let client = Client::new(connection)?;
    let document = local::read_resolved(file)?;
    let body = document.to_request_body().map_err(|error| CliError::Config(error.to_string()))?;
    let yes = |flag: bool| flag.then_some("true");
    let path = format!("/apply{}", query(&[("dry_run", yes(dry_run)), ("prune", yes(prune))]));
    let answer = client.post(&path, Some(&body))?;
    let reply = serde_json::from_value(answer.clone())
        .map_err(|error| CliError::Failed(format!("unexpected answer: {error}")))?;
    Ok((answer, reply))
}

/// kubectl's habit: 0 nothing, 1 something, more than 1 could not compare.
fn diff(connection: &Connection, file: &Path, prune: bool, out: &mut impl Write) -> Result<(), CliError> {
    let compared = submit(connection, file, true, prune).map_err(|error| match error {
        CliError::Failed(message) => CliError::DiffFailed(message),
        other => other,
    });
    if render::diff(out, &compared?.1.changes)? { Err(CliError::Differences) } else { Ok(()) }
}

fn all(client: &Client, output: Output, out: &mut impl Write) -> Result<(), CliError> {
    let output = if output == Output::Table { Output::Yaml } else { output };
    Ok(render::structured(out, &client.get("/export")?, output)?)
}

fn one(client: &Client, path: &str, output: Output, out: &mut impl Write) -> Result<(), CliError> {
    Ok(render::item(out, &client.get(path)?, output)?)
}

fn list(
    client: &Client,
    kind: &str,
    tenant: Option<&str>,
    output: Output,
    out: &mut impl Write,
) -> Result<(), CliError> {
    let (kind, _) = plural(kind)?;
    let rows = client.pages(kind, &[("tenant", tenant)])?;
    Ok(render::rows(out, rows, output)?)
}

fn usage(client: &Client, path: &str, output: Output, out: &mut impl Write) -> Result<(), CliError> {
    match client.get(path)?.get_mut("items").map(Value::take) {
        Some(Value::Array(mut rows)) => {
            if output == Output::Table {
                rows.iter_mut().for_each(blank_zeros);
            }
            Ok(render::rows(out, rows, output)?)
        }
        _ => Err(CliError::Failed("unexpected answer: no items".to_owned())),
    }
}

/// Most sorts of tokens are never used; a table shows a column only where one was.
fn blank_zeros(row: &mut Value) {
    for name in domain::Usage::NAMES {
        if row.get(name).is_some_and(|count| count == 0) {
            row[name] = Value::Null;
        }
    }
}

/// Plural and singular of a kind.
fn plural(kind: &str) -> Result<(&'static str, &'static str), CliError> {
    let known = || domain::Kind::ALL.map(domain::Kind::plural).join(", ");
    kind.parse::<domain::Kind>()
        .map(|kind| (kind.plural(), kind.as_str()))
        .map_err(|error| CliError::Config(format!("KIND: {error}; there are {}", known())))
}

fn item_path(
    kind: &str,
    name: &str,
    tenant: Option<&str>,
    flags: &[(&str, Option<&str>)],
) -> Result<String, CliError> {
    let parameters: Vec<_> = std::iter::once(("tenant", tenant)).chain(flags.iter().copied()).collect();
    Ok(format!("/{}/{}{}", plural(kind)?.0, encode(name), query(&parameters)))
}

#[cfg(test)]
mod tests;
