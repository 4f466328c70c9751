//! Both targets of a chain fail: what clients are told, and what the endpoints have to bear.

use serde_json::{Value, json};
use testkit::eventually;

use crate::{
    asked::Sample,
    explained::{Record, first},
    load::{Caller, Load, Traffic},
    sim::within,
    stage::{PROXIES, Stage},
    table::{Cell, Table, cell, shown, steady},
    world::SOON,
};

/// Requests a second, and those that are answered while both are down.
const RATE: u32 = 60;
const DURING: usize = 300;
/// Repeats are a fifth of the requests at most; each proxy may always repeat three in ten seconds.
const REPEATS: f64 = 1.2;
const ALWAYS: f64 = 3.0 * PROXIES as f64;

/// What was measured.
struct Figures {
    samples: Vec<Sample>,
    /// Requests at each of the two.
    reached: [usize; 2],
    recovers: bool,
}

pub(crate) fn play(stage: &Stage, caller: &Caller) -> Vec<Table> {
    // Without ejections the budget for repeats is all that protects them.
    let unending = json!({ "consecutive": 1_000_000, "min_requests": 1_000_000 });
    let quick =
        json!({ "window": "2s", "consecutive": 3, "eject": "500ms", "max_eject": "1s", "warm_up": "1s" });
    let cases = [("both-out", quick), ("both-kept", unending)];
    let figures = std::thread::scope(|scope| {
        let start = |(route, health)| scope.spawn(move || outage(stage, caller, route, &health));
        cases.map(start).map(|case| case.join().unwrap())
    });
    let title = "A. Outage of both targets of a chain: three proxies, 60 requests/s";
    let mut table = Table::new(title, ["ejected", "never ejected"]);
    fill(&mut table, &figures);
    for (name, of) in ["ejected", "never ejected"].into_iter().zip(&figures) {
        let told = of.samples.last().and_then(|sample| sample.failure.as_deref()).unwrap_or_default();
        let error: Value = serde_json::from_str(told).unwrap_or_default();
        let both = |record: &Record| ["-one", "-other"].iter().all(|which| record.line().contains(which));
        table.note(format!("{name}, explained: {}", first(&of.samples, both).unwrap_or_default()));
        table.note(format!("{name}: {}", error["error"]["message"].as_str().unwrap_or(told)));
    }
    vec![table]
}

fn outage(stage: &Stage, caller: &Caller, route: &str, health: &Value) -> Figures {
    let names = ["one", "other"].map(|which| format!("{route}-{which}"));
    let mut document = json!({ "providers": {}, "routes": {} });
    for name in &names {
        document["providers"][name] = stage.provider(json!({ "health": health }));
    }
    document["routes"][route] = json!({
        "targets": names.each_ref().map(|name| format!("{name}/{name}")),
        "timeouts": { "first_token": "1s", "total": "3s" },
    });
    stage.install(&document);
    names.iter().for_each(|name| stage.sim.script(name, &json!({ "status": 500 })));
    let traffic = Traffic { route: route.to_owned(), rate: RATE, streamed: 50, seed: 3 };
    let load = Load::start(&stage.runtime, caller, traffic);
    assert!(eventually(SOON, || load.look(<[Sample]>::len) >= DURING), "no answers while both are down");
    let healed = caller.now();
    names.iter().for_each(|name| stage.sim.healthy(name, 5));
    let served = |sample: &Sample| sample.at > healed && sample.failure.is_none();
    let recovers =
        eventually(SOON, || load.look(|samples| samples.iter().filter(|one| served(one)).count() >= 30));
    let mut samples = load.finish(&stage.runtime);
    // A repeat of those that ended later may have met a healthy target.
    samples.retain(|sample| sample.end < healed);
    let reached = names
        .each_ref()
        .map(|name| within(&stage.sim.arrivals(name), std::time::Duration::ZERO, healed).len());
    Figures { samples, reached, recovers }
}

fn fill(table: &mut Table, figures: &[Figures]) {
    let mut row = |claim: &str, of: &dyn Fn(&Figures) -> Cell| table.row(claim, figures.iter().map(of));
    let count = |of: &Figures, holds: fn(&Sample) -> bool| of.samples.iter().filter(|one| holds(one)).count();
    row("requests", &|of| shown(of.samples.len()));
    row("answered by anything but 502 or 503: 0", &|of| {
        let others = count(of, |one| !matches!(one.status, 502 | 503));
        steady(others, others == 0)
    });
    row("with neither attempts nor a word on each target: 0", &|of| {
        let silent = count(of, |one| !tells(one));
        cell(silent, silent == 0)
    });
    row("answers whose record leaves a target out: 0", &|of| {
        let whole = |one: &Sample| {
            let line = Record::of(one).map(|record| record.line()).unwrap_or_default();
            ["-one", "-other"].iter().all(|which| line.contains(which))
        };
        let silent = of.samples.iter().filter(|one| !whole(one)).count();
        cell(silent, silent == 0)
    });
    row("503s without retry-after: 0", &|of| {
        let silent = count(of, |one| one.status == 503 && one.retry_after.is_none());
        cell(silent, silent == 0)
    });
    for (index, name) in ["one", "other"].into_iter().enumerate() {
        #[allow(clippy::cast_precision_loss, reason = "counts of requests")]
        row(&format!("requests at the {name}: 1.2 of each client's at most, and 9"), &|of| {
            let (reached, asked) = (of.reached[index] as f64, of.samples.len() as f64);
            cell(format!("{reached} ({:.2})", reached / asked), reached <= asked * REPEATS + ALWAYS)
        });
    }
    row("answers come again once they are healthy", &|of| {
        cell(if of.recovers { "yes" } else { "no" }, of.recovers)
    });
}

/// Whether the error lists attempts, or where none was made says of both targets why.
fn tells(sample: &Sample) -> bool {
    let told = sample.failure.as_deref().unwrap_or_default();
    told.contains("\"attempts\":[{") || ["-one", "-other"].iter().all(|name| told.contains(name))
}
