//! The fastest of two regions slows down and recovers: traffic leaves it, and comes back, once each.

use std::time::Duration;

use serde_json::{Value, json};
use testkit::eventually;

use crate::{
    asked::{Sample, errors_before_content},
    explained::{Record, first},
    load::{Caller, Load, Traffic},
    stage::{PROXIES, Stage, ms},
    table::{Cell, Table, cell, shown, timely},
    world::SOON,
};

/// Requests a second.
const RATE: u32 = 60;
/// How often the fastest is determined.
const INTERVAL: Duration = ms(2_000);
/// How long the regions take, and the first one while it is slow.
const FAST_MS: u64 = 30;
const OTHER_MS: u64 = 120;
const SLOW_MS: u64 = 400;
/// So many requests in a row at one region, or nearly all of them, are a move.
const SETTLED: usize = 20;

pub(crate) fn play(stage: &Stage, caller: &Caller) -> Vec<Table> {
    stage.install(&document(stage));
    stage.sim.healthy("near", FAST_MS);
    stage.sim.healthy("far", OTHER_MS);
    let traffic = Traffic { route: "fastest".to_owned(), rate: RATE, streamed: 100, seed: 5 };
    let load = Load::start(&stage.runtime, caller, traffic);
    let settled = |provider: &str, since: Duration| {
        eventually(SOON, || load.look(|samples| is_settled(samples, provider, since)))
    };
    assert!(settled("near", ms(0)), "the fast region is never found");
    let slowed = caller.now();
    stage.sim.healthy("near", SLOW_MS);
    let left = settled("far", slowed);
    let healed = caller.now();
    stage.sim.healthy("near", FAST_MS);
    let returned = left && settled("near", healed);
    let samples = load.finish(&stage.runtime);
    let leaving = moves(&samples, "near", slowed, healed);
    let coming = moves(&samples, "far", healed, Duration::MAX);

    let mut table = Table::new(
        "D. Lowest latency over two regions, judged every 2 s: three proxies, 60 streams/s",
        (1..=PROXIES).map(|number| format!("proxy {number}")),
    );
    let of = |proxy: usize| samples.iter().filter(move |sample| sample.proxy == proxy);
    table.row("streams", (0..PROXIES).map(|proxy| shown(of(proxy).count())));
    let errors = errors_before_content(&samples);
    table.row("client errors: 0", (0..PROXIES).map(|_| cell(errors, errors == 0)));
    table.row(
        "the slowed region is left: within 2 intervals",
        leaving.iter().map(|time| told(time, slowed, INTERVAL * 2)),
    );
    table.row(
        "it is used again once it is fast: within 20 s",
        coming.iter().map(|time| told(time, healed, SOON)),
    );
    let changes = (0..PROXIES).map(|proxy| changes(of(proxy), slowed));
    table.row("moves between the regions: 2", changes.map(|moves| cell(moves, returned && moves == 2)));
    let led = |provider: &'static str, from: Duration, to: Duration| {
        let mine: Vec<Sample> =
            samples.iter().filter(|sample| (from..to).contains(&sample.at)).cloned().collect();
        let fastest = |record: &Record| record.reason(provider).is_some_and(|reason| reason.contains("p95"));
        first(&mine, fastest)
    };
    let records =
        [led("near", ms(0), slowed), led("far", slowed, healed), led("near", healed, Duration::MAX)];
    let told = records.iter().flatten().count();
    table.row("explained: the p95 of who led, before, slowed, healed", [cell(told, told == 3)]);
    records.into_iter().flatten().for_each(|line| table.note(format!("explained: {line}")));
    vec![table]
}

fn document(stage: &Stage) -> Value {
    // What is not used would not be measured otherwise.
    let probe = json!({ "every": "500ms", "timeout": "2s" });
    json!({
        "providers": {
            "near": stage.provider(json!({ "region": "eu-west", "probe": probe })),
            "far": stage.provider(json!({ "region": "us-east", "probe": probe })),
        },
        "routes": {
            "fastest": {
                "strategy": "lowest_latency",
                "interval": format!("{}ms", INTERVAL.as_millis()),
                "targets": ["far/far", "near/near"],
            },
        },
    })
}

fn told(time: &Option<Duration>, since: Duration, bound: Duration) -> Cell {
    timely(time.map(|time| time.saturating_sub(since)), bound)
}

/// Whether each proxy's newest requests went to a region, but for one in fifty that measures the other.
fn is_settled(samples: &[Sample], provider: &str, since: Duration) -> bool {
    (0..PROXIES).all(|proxy| {
        let newest = samples.iter().rev().filter(|sample| sample.proxy == proxy && sample.at >= since);
        let newest: Vec<_> = newest.take(SETTLED).collect();
        let there = newest.iter().filter(|sample| sample.provider == provider).count();
        newest.len() == SETTLED && there * 10 >= SETTLED * 9
    })
}

/// For each proxy, when the other region began to get most of it: the first of five requests in a row there.
fn moves(samples: &[Sample], away_from: &str, since: Duration, until: Duration) -> Vec<Option<Duration>> {
    let of = |proxy| {
        let mut mine =
            samples.iter().filter(|sample| sample.proxy == proxy && (since..until).contains(&sample.at));
        let mine: Vec<_> = mine.by_ref().collect();
        mine.windows(5).find(|run| run.iter().all(|sample| sample.provider != away_from)).map(|run| run[0].at)
    };
    (0..PROXIES).map(of).collect()
}

/// How often most of the requests changed their region; a single one that measures is no move.
fn changes<'a>(samples: impl Iterator<Item = &'a Sample>, since: Duration) -> usize {
    let mine: Vec<&str> =
        samples.filter(|sample| sample.at >= since).map(|sample| &*sample.provider).collect();
    let mut leaders = vec!["near"];
    for run in mine.windows(5) {
        let same = run.iter().all(|provider| *provider == run[0]);
        if same && leaders.last() != Some(&run[0]) {
            leaders.push(run[0]);
        }
    }
    leaders.len() - 1
}
