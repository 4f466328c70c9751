//! A provider fails while it serves no requests; probes see it, and the first user request goes elsewhere.

use std::time::Duration;

use serde_json::json;
use testkit::eventually;

use crate::{
    asked::{Call, Sample},
    explained::{Record, first},
    load::Caller,
    sim::within,
    stage::{PROXIES, Stage, ms},
    table::{Table, cell, shown, steady},
    world::SOON,
};

/// Time between two probes.
const EVERY: Duration = ms(500);
/// Probes that are waited for while all is well.
const PROBES: usize = 8;
/// Probes that fail before the first user request.
const ENOUGH: usize = 6;

pub(crate) fn play(stage: &Stage, caller: &Caller) -> Vec<Table> {
    stage.sim.healthy("watched", 10);
    stage.install(&json!({
        "providers": {
            "watched": stage.provider(json!({
                "region": "eu-west",
                "probe": { "every": "500ms", "prompt": "ping", "max_tokens": 1, "timeout": "400ms" },
                "health": { "window": "5s", "consecutive": 3, "eject": "20s", "max_eject": "60s" },
            })),
            "reserve": stage.provider(json!({})),
        },
        "prices": [{ "model": "watched/watched", "effective_from": "2026-01-01", "input": "$1000", "output": "$2000" }],
        "routes": { "calm": { "targets": ["watched/watched", "reserve/reserve"] } },
    }));
    let probes = || stage.sim.arrivals("watched");
    assert!(eventually(SOON, || probes().len() >= PROBES), "no probes are sent");
    let healthy = probes();
    let took = healthy[healthy.len() - 1].at - healthy[0].at;
    stage.sim.script("watched", &json!({ "status": 500 }));
    let failing = caller.now();
    let refused = || within(&probes(), failing, Duration::MAX).len();
    // Three take it out of use; with the next ones the other replicas have had time to hear of it.
    assert!(eventually(SOON, || refused() >= ENOUGH), "it is probed no more");
    let noticed = caller.now() - failing;

    let call = Call { explain: true, ..Call::new("calm", false) };
    let ask = |proxy| stage.runtime.block_on(caller.ask(proxy, &call));
    let samples: Vec<Sample> = (0..PROXIES).map(ask).collect();
    let title =
        "F. A provider fails while only probes use it: three proxies of one region, a probe every 0.5 s";
    let mut table = Table::new(title, ["measured"]);
    let intervals = took.as_secs_f64() / EVERY.as_secs_f64();
    #[allow(clippy::cast_precision_loss, reason = "a handful of probes")]
    let rate = (healthy.len() - 1) as f64 / intervals;
    // Three replicas of their own would send three.
    let holds = (0.5..=1.5).contains(&rate);
    table.row(
        "probes an interval, of all proxies together: 0.5 to 1.5",
        [steady(format!("{rate:.2}"), holds)],
    );
    let text = format!("{:.2} s", noticed.as_secs_f64());
    table.row(
        format!("time from its failure to the first user request, {ENOUGH} probes later"),
        [shown(text)],
    );
    let errors = samples.iter().filter(|sample| sample.failure.is_some()).count();
    table.row("first user requests that failed, one at each proxy: 0", [cell(errors, errors == 0)]);
    let attempts =
        samples.iter().filter(|sample| sample.attempts != 1 || sample.provider != "reserve").count();
    table.row("first user requests that tried it: 0", [cell(attempts, attempts == 0)]);
    let explained = first(&samples, |record| record.passed_over("watched").is_some());
    let told = if explained.is_some() { "yes" } else { "no" };
    table.row("explained: why it was not asked", [cell(told, explained.is_some())]);
    table.note(format!("explained: {}", explained.unwrap_or_default()));
    table.note(format!("dry run: {}", Record::dry_run(stage, "calm").line()));
    let cost = eventually(SOON, || operator_cost(stage).is_some());
    let text = operator_cost(stage).unwrap_or_default();
    table.row("cost of probes on the operator's account: above $0", [cell(format!("${text}"), cost)]);
    vec![table]
}

/// What the operator's own requests cost, once the ledger has them.
fn operator_cost(stage: &Stage) -> Option<String> {
    let usage = stage.admin.get("/api/v1/usage?group_by=provider&tenant=operator").ok()?.json().ok()?;
    let items = usage["items"].as_array()?;
    let probes =
        items.iter().find(|item| item["provider"] == json!("watched") && item["tenant"].is_null())?;
    probes["cost_usd"].as_str().filter(|cost| *cost != "0").map(str::to_owned)
}
