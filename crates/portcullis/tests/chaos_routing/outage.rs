//! The primary of a chain of two fails in seven ways at once, each on a route of its own, and heals.

mod fault;
mod figures;

use std::time::Duration;

use serde_json::{Value, json};
use testkit::{FaultProxy, eventually};

use self::{
    fault::{FAULTS, Fault},
    figures::{Figures, fill},
};
use crate::{
    asked::Sample,
    explained::Record,
    load::{Caller, Load, Traffic},
    stage::{Stage, ms},
    table::Table,
    world::SOON,
};

/// Requests a second to each route.
const RATE: u32 = 30;
/// Requests that are answered before the fault, during it, and again by the primary after it.
const BEFORE: usize = 45;
const DURING: usize = 120;
const AFTER: usize = 30;
/// How long a healthy target takes.
const LATENCY_MS: u64 = 20;
/// How long the primary's share takes to grow back.
const WARM_UP: Duration = ms(3_000);
/// How long it is out of use the first time.
const EJECT: Duration = ms(500);

/// One fault's route while the scene plays.
struct Play {
    fault: &'static Fault,
    load: Load,
    /// When the fault began and ended.
    from: Duration,
    to: Duration,
    /// What the control plane would do, at the end of the fault.
    dry_run: String,
}

pub(crate) fn play(stage: &Stage, caller: &Caller) -> Vec<Table> {
    let relay = FaultProxy::to(stage.provider_address()).unwrap();
    stage.install(&document(stage, &relay));
    for fault in &FAULTS {
        stage.sim.healthy(&fault.first(), LATENCY_MS);
        stage.sim.healthy(&fault.second(), LATENCY_MS);
    }
    let mut plays: Vec<Play> = FAULTS.iter().map(|fault| Play::start(stage, caller, fault)).collect();
    all(&plays, "requests before the fault", |play| play.answered_by(&play.fault.first()) >= BEFORE);
    for play in &mut plays {
        play.from = caller.now();
        play.fault.strike(&stage.sim, &relay);
    }
    all(&plays, "requests during the fault", |play| play.answered_by(&play.fault.second()) >= DURING);
    for play in &mut plays {
        play.dry_run = Record::dry_run(stage, play.fault.name).line();
        play.to = caller.now();
        play.fault.heal(&stage.sim, &relay, LATENCY_MS);
    }
    all(&plays, "the primary after the fault", Play::is_back);
    let figures: Vec<Figures> = plays.into_iter().map(|play| Figures::of(stage, play)).collect();
    let title = "A. Outage of the primary of a chain of two: three proxies, 30 requests/s on each route";
    let mut table = Table::new(title, FAULTS.iter().map(|fault| fault.title));
    fill(&mut table, &figures);
    table.note(
        "* not claimed of 429s, after which keys return at once, and of stalls, which outlive the fault",
    );
    for (fault, of) in FAULTS.iter().zip(&figures) {
        table.note(format!(
            "{}, explained: {}",
            fault.title,
            of.explained.as_deref().unwrap_or("not at all")
        ));
    }
    table.note(format!("{}, dry run: {}", FAULTS[0].title, figures[0].dry_run));
    vec![table]
}

/// Waits until something holds for every route.
fn all(plays: &[Play], what: &str, holds: impl Fn(&Play) -> bool) {
    let missing =
        || plays.iter().filter(|play| !holds(play)).map(|play| play.fault.title).collect::<Vec<_>>();
    assert!(eventually(SOON, || missing().is_empty()), "{what}: not with {:?}", missing());
}

impl Play {
    fn start(stage: &Stage, caller: &Caller, fault: &'static Fault) -> Self {
        let route = fault.name.to_owned();
        let seed = 7 + fault.name.len() as u64;
        let traffic = Traffic { route, rate: RATE, streamed: fault.streamed, seed };
        let load = Load::start(&stage.runtime, caller, traffic);
        Self { fault, load, from: Duration::ZERO, to: Duration::ZERO, dry_run: String::new() }
    }

    fn answered_by(&self, provider: &str) -> usize {
        let since = self.from;
        self.load.look(|samples| {
            samples.iter().filter(|sample| sample.at >= since && sample.provider == provider).count()
        })
    }

    /// Whether the primary has nearly all of the newest requests.
    fn is_back(&self) -> bool {
        self.load.look(|samples| {
            let newest = &samples[samples.len().saturating_sub(AFTER)..];
            let back = |sample: &&Sample| sample.at >= self.to && sample.provider == self.fault.first();
            newest.iter().filter(back).count() * 10 >= AFTER * 9
        })
    }
}

fn document(stage: &Stage, relay: &FaultProxy) -> Value {
    let mut document = json!({ "providers": {}, "routes": {} });
    let health = json!({
        "window": "2s", "consecutive": 3, "eject": "500ms", "max_eject": "2s", "warm_up": "3s",
    });
    for fault in &FAULTS {
        let mut first = stage.provider(json!({ "health": health }));
        if fault.relayed {
            first["base_url"] = json!(format!("{}/v1", relay.url("http")));
        }
        let (one, two) = (fault.first(), fault.second());
        document["providers"][&one] = first;
        document["providers"][&two] = stage.provider(json!({ "health": health }));
        document["routes"][fault.name] = json!({
            "targets": [format!("{one}/{one}"), format!("{two}/{two}")],
            "timeouts": { "connect": "1s", "first_token": "800ms", "between_tokens": "800ms", "total": "6s" },
        });
    }
    document
}
