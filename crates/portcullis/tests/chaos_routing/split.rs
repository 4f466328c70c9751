//! A weighted split, counted over ten thousand requests.

use serde_json::json;

use crate::{
    asked::{Call, answered_by, errors_before_content},
    explained::Record,
    load::{Caller, flood},
    stage::{PROXIES, Stage},
    table::{Table, cell, shown},
};

const REQUESTS: usize = 10_000;
const CLIENTS: usize = 24;
/// Four standard deviations of a share of 70 % in so many: 4 × √(0.7 × 0.3 / 10,000). One run in 15,000 is beyond.
const BOUND: f64 = 0.0183;

pub(crate) fn play(stage: &Stage, caller: &Caller) -> Vec<Table> {
    stage.install(&json!({
        "providers": {
            "split-70": stage.provider(json!({})),
            "split-30": stage.provider(json!({})),
        },
        "routes": {
            "split": {
                "strategy": "weighted",
                "targets": [
                    { "model": "split-70/split-70", "weight": 70 },
                    { "model": "split-30/split-30", "weight": 30 },
                ],
            },
        },
    }));
    let samples = flood(&stage.runtime, caller, &Call::new("split", false), REQUESTS, CLIENTS);
    let title = "C. A split of 70 and 30: 10,000 requests";
    let columns = ["all"].into_iter().map(str::to_owned);
    let mut table = Table::new(title, columns.chain((1..=PROXIES).map(|n| format!("proxy {n}"))));
    let of_proxy = |proxy| samples.iter().filter(|sample| sample.proxy == proxy).cloned().collect::<Vec<_>>();
    let groups: Vec<_> = std::iter::once(samples.clone()).chain((0..PROXIES).map(of_proxy)).collect();
    table.row("requests", groups.iter().map(|group| shown(group.len())));
    let errors = |group: &Vec<_>| cell(errors_before_content(group), errors_before_content(group) == 0);
    table.row("client errors: 0", groups.iter().map(errors));
    #[allow(clippy::cast_precision_loss, reason = "counts of requests")]
    let shares = groups.iter().map(|group| {
        let share = answered_by(group, "split-70") as f64 / group.len() as f64;
        // Fewer requests, wider bounds.
        let bound = BOUND * (REQUESTS as f64 / group.len() as f64).sqrt();
        cell(format!("{:.2} % (± {:.2})", share * 100.0, bound * 100.0), (share - 0.7).abs() <= bound)
    });
    table.row("share of the target with weight 70: 70 % within 4 standard deviations", shares);
    let call = Call { explain: true, ..Call::new("split", false) };
    let explained = stage.runtime.block_on(caller.ask(0, &call));
    let record = Record::of(&explained);
    let drawn = record.as_ref().and_then(|record| record.reason(&explained.provider)).unwrap_or("not at all");
    table.row("explained", [cell(drawn, drawn.contains("drawn by weight"))]);
    vec![table]
}
