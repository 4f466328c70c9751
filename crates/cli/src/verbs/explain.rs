//! `portcullis explain`: a dry run, told from the rules to the order of targets.

use std::{collections::BTreeMap, io::Write};

use admin_api::{ExplainBudget, ExplainReply, ExplainRequest, PlannedTarget, RuleVerdict};
use serde_json::{Value, json};

use crate::{CliError, Output, args::ExplainArgs, client::Client, local, render};

pub(super) fn run(arguments: ExplainArgs, out: &mut impl Write) -> Result<(), CliError> {
    let ExplainArgs { output, connection, body, tag, .. } = &arguments;
    let body = body.as_deref().map(local::read_body).transpose()?;
    let tags: BTreeMap<String, String> = tag.iter().cloned().collect();
    if tags.len() < tag.len() {
        return Err(CliError::Config("--tag: a name is given twice".to_owned()));
    }
    let client = Client::new(connection)?;
    let output = *output;
    let ExplainArgs { tenant, key, model, api, region, user, feature, session, prompt, .. } = arguments;
    let asked =
        ExplainRequest { tenant, key, model, api, region, user, feature, session, tags, body, prompt };
    let asked = serde_json::to_value(&asked).map_err(|error| CliError::Config(error.to_string()))?;
    let answer = client.post("/explain", Some(&asked))?;
    if output != Output::Table {
        return Ok(render::structured(out, &answer, output)?);
    }
    let reply = serde_json::from_value(answer)
        .map_err(|error| CliError::Failed(format!("unexpected answer: {error}")))?;
    Ok(story(out, &reply)?)
}

/// From the rules to the pool, its targets in order, and those that are passed over.
fn story(out: &mut impl Write, reply: &ExplainReply) -> std::io::Result<()> {
    let refusal = reply.refusal.as_ref().map(|refusal| format!("{}: {}", refusal.code, refusal.message));
    let rule = reply.rule.as_deref().unwrap_or("none matches");
    let facts = [
        ("request", Some(request(reply))),
        ("rule", reply.pool.as_ref().map(|_| rule.to_owned())),
        ("pool", pool(reply)),
        ("refused", refusal),
        ("health", Some(reply.health.basis.clone())),
    ];
    for (name, text) in facts {
        if let Some(text) = text {
            writeln!(out, "{name:<7}   {}", render::cell(&text.into()))?;
        }
    }
    section(out, &["rule", "of_route", "matches"], &verdicts(&reply.rules))?;
    let order: Vec<Value> =
        (1..).zip(&reply.attempts).map(|(number, planned)| attempt(number, planned)).collect();
    section(out, &["try", "target", "tier", "strategy", "because"], &order)?;
    let passed =
        |passed: &admin_api::PassedTarget| json!({ "passed_over": passed.target, "because": passed.why });
    section(out, &["passed_over", "because"], &reply.passed_over.iter().map(passed).collect::<Vec<_>>())?;
    let columns = ["budget", "of_tenant", "cap", "per", "value", "window", "ends", "enforced"];
    section(out, &columns, &reply.budgets.iter().map(budget).collect::<Vec<_>>())
}

fn budget(budget: &ExplainBudget) -> Value {
    let ExplainBudget { budget, tenant, cap, per, value, window, ends, observe } = budget;
    json!({
        "budget": budget, "of_tenant": tenant, "cap": format!("${cap}"), "per": per, "value": value,
        "window": window, "ends": ends, "enforced": if *observe { "no, observed" } else { "" },
    })
}

/// A table after a blank line, unless it is empty.
fn section(out: &mut impl Write, columns: &[&str], rows: &[Value]) -> std::io::Result<()> {
    if rows.is_empty() {
        return Ok(());
    }
    writeln!(out)?;
    let columns: Vec<String> = columns.iter().map(|column| (*column).to_owned()).collect();
    render::table(out, &columns, rows)
}

fn request(reply: &ExplainReply) -> String {
    let ExplainReply { tenant, key, api, route, region, input_tokens, version, .. } = reply;
    let key = key.as_ref().map(|key| format!("/{key}")).unwrap_or_default();
    let region = region.as_ref().map(|region| format!(", region {region}")).unwrap_or_default();
    let revision = version.revision;
    format!(
        "{api} to {route} by {tenant}{key}{region}, about {input_tokens} input tokens, revision {revision}"
    )
}

fn pool(reply: &ExplainReply) -> Option<String> {
    let of = reply.pool_of.as_ref().map(|route| format!(" of route {route}")).unwrap_or_default();
    reply.pool.as_ref().map(|pool| format!("{pool}{of}"))
}

/// What rules said; of each route the first that matches decides.
fn verdicts(rules: &[RuleVerdict]) -> Vec<Value> {
    let mut decided: Vec<&str> = Vec::new();
    let mut rows = Vec::with_capacity(rules.len());
    for RuleVerdict { route, rule, matched, error } in rules {
        let matches = match (matched, error) {
            (Some(true), _) if decided.contains(&route.as_str()) => "yes, too late".to_owned(),
            (Some(true), _) => {
                decided.push(route);
                "yes, decides".to_owned()
            }
            (_, Some(error)) => format!("cannot be evaluated: {error}"),
            _ => "no".to_owned(),
        };
        rows.push(json!({ "rule": rule, "of_route": route, "matches": matches }));
    }
    rows
}

fn attempt(number: usize, planned: &PlannedTarget) -> Value {
    let PlannedTarget { target, reason, tier, strategy } = planned;
    json!({ "try": number, "target": target, "tier": tier, "strategy": strategy, "because": reason })
}
