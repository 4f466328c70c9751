//! 1,000 requests at once, each of at most $0.10, on a cap of $5: fifty are admitted, whatever happens meanwhile.

use std::time::{Duration, Instant};

use serde_json::{Value, json};
use testkit::eventually;

use crate::{
    asked::{Call, Sample},
    disturbance::Disturbance,
    load::{Caller, flood},
    sim::peak,
    stage::{PROXIES, Stage},
    table::{Table, cell, shown},
    world::{SOON, apply},
};

/// Requests of one burst, each by a client of its own.
const BURST: usize = 1_000;
/// What each costs, and what the cap allows, in tenths of a dollar.
const ALLOWED: usize = 50;
/// How long the provider takes: all of a burst have arrived by then.
const TAKES_MS: u64 = 3_000;
/// The disturbance comes when so many are with the provider.
const UNDER_WAY: usize = 10;

/// One burst under one disturbance, with a tenant of its own.
pub(crate) struct Scene {
    name: String,
}

/// What was measured.
struct Figures {
    admitted: usize,
    refused: usize,
    /// The budget is closed while its book is lost, beyond the authority in hand.
    unavailable: usize,
    others: Vec<String>,
    /// Most requests at the provider at once.
    at_once: usize,
    /// Requests that reached the provider, with those that filled the rest of the cap up.
    reached: usize,
    /// Of the tenant, by the ledger.
    booked: String,
    /// By the store of budgets' root, which has to be the same.
    spent: String,
}

pub(crate) fn play(stage: &mut Stage) -> Table {
    let figures: Vec<Figures> =
        Disturbance::ALL.into_iter().map(|disturbance| Scene::play(stage, disturbance)).collect();
    let title =
        "A. 1,000 requests at once of worst case $0.10 on a cap of $5: four proxies, and in the middle";
    let mut table = Table::new(title, Disturbance::ALL.map(Disturbance::title));
    table.row("admitted in the burst", figures.iter().map(|of| shown(of.admitted)));
    table.row("refused with 429 budget_exceeded", figures.iter().map(|of| shown(of.refused)));
    let of = || figures.iter().zip(Disturbance::ALL);
    table.row(
        "refused with 503 while the book was lost: only where it is",
        of().map(|(of, by)| cell(of.unavailable, of.unavailable == 0 || by.loses_the_book())),
    );
    table.row(
        "ended otherwise: only those of a killed proxy",
        of().map(|(of, by)| cell(of.others.len(), of.others.is_empty() || by.cuts_requests())),
    );
    table.row(
        "most at the provider at once: 50 at most",
        figures.iter().map(|of| cell(of.at_once, of.at_once <= ALLOWED)),
    );
    table.row(
        "reached the provider, until the cap was used up: 50 at most",
        figures.iter().map(|of| cell(of.reached, of.reached <= ALLOWED)),
    );
    table.row(
        "overspend: 0.000000000",
        figures.iter().map(|of| {
            let over = of.reached.saturating_sub(ALLOWED);
            cell(format!("{}.{}00000000", over / 10, over % 10), over == 0)
        }),
    );
    table.row(
        "phantom spend: what the ledger books at the end is the cap: 5",
        of().map(|(of, by)| {
            let whole = of.booked == "5" || by == Disturbance::CapLowered;
            cell(&of.booked, whole)
        }),
    );
    table.row(
        "the budget's own count is the ledger's",
        figures.iter().map(|of| cell(&of.spent, of.spent == of.booked)),
    );
    for (of, by) in of().filter(|(of, _)| !of.others.is_empty()) {
        table.note(format!("{}: {}", by.title(), of.others[0]));
    }
    table
}

impl Scene {
    fn play(stage: &mut Stage, disturbance: Disturbance) -> Figures {
        let scene = Self { name: format!("{disturbance:?}").to_lowercase() };
        stage.sim.reset();
        stage.sim.script(
            &scene.name,
            &json!({ "latency_ms": TAKES_MS, "prompt_tokens": 1, "completion_tokens": 1_000 }),
        );
        let caller = stage.install(&scene.document(stage, "$5"));
        let call = scene.call();
        let (burst_caller, burst_call) = (caller.clone(), call.clone());
        let samples: Vec<Sample> = std::thread::scope(|scope| {
            let runtime =
                tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build().unwrap();
            let burst = scope.spawn(move || flood(&runtime, &burst_caller, &burst_call, BURST, BURST));
            assert!(
                eventually(SOON, || stage.sim.arrivals(&scene.name).len() >= UNDER_WAY),
                "nothing reaches the provider"
            );
            disturbance.strike(stage, &scene);
            burst.join().unwrap()
        });
        let at_once = peak(&stage.sim.arrivals(&scene.name));
        scene.fill_up(stage, &caller, &call);
        let reached = stage.sim.arrivals(&scene.name).len();
        let booked = || scene.booked(stage);
        let settled = || {
            let first = booked();
            std::thread::sleep(Duration::from_millis(700));
            first == booked() && (first == "5" || disturbance == Disturbance::CapLowered)
        };
        // What does not settle is told by the figures.
        let _ = eventually(SOON, settled);
        let count = |status: u16| samples.iter().filter(|sample| sample.status == status).count();
        let is_closed = |sample: &&Sample| {
            sample.failure.as_ref().is_some_and(|failure| failure.contains("\"store_unavailable\""))
        };
        let others =
            samples.iter().filter(|sample| !matches!(sample.status, 200 | 429) && !is_closed(sample));
        Figures {
            admitted: count(200),
            refused: count(429),
            unavailable: samples.iter().filter(is_closed).count(),
            others: others
                .map(|sample| format!("{}: {}", sample.status, sample.failure.as_deref().unwrap_or_default()))
                .collect(),
            at_once,
            reached,
            booked: booked(),
            spent: scene.spent(stage),
        }
    }

    fn document(&self, stage: &Stage, cap: &str) -> Value {
        let name = &self.name;
        let target = format!("{name}/{name}");
        json!({
            "apiVersion": "portcullis/v1",
            "providers": { name: stage.provider() },
            "prices": [{ "model": target, "effective_from": "2026-01-01", "input": "$0", "output": "$100" }],
            "routes": { name: { "targets": [target] } },
            "tenants": { name: { "budgets": [{ "name": "all", "cap": cap, "window": "total" }], "keys": [{ "name": "key" }] } },
        })
    }

    /// Changes the cap.
    pub(crate) fn set_cap(&self, stage: &Stage, cap: &str) {
        apply(&stage.admin, &self.document(stage, cap));
    }

    /// A request of exactly $0.10.
    fn call(&self) -> Call {
        let mut call = Call::new(&self.name, false);
        call.body["max_tokens"] = json!(1_000);
        call
    }

    /// Uses up what is left, one request after the other: what nobody spent must be there for somebody.
    fn fill_up(&self, stage: &Stage, caller: &Caller, call: &Call) {
        stage.sim.script(&self.name, &json!({ "prompt_tokens": 1, "completion_tokens": 1_000 }));
        let (mut refusals, began) = (0, Instant::now());
        for number in 0.. {
            let sample = stage.runtime.block_on(caller.ask(number, call));
            match sample.status {
                200 => refusals = 0,
                429 => refusals += 1,
                // The book is rebuilt.
                _ => assert!(began.elapsed() < 2 * SOON, "the book is never open again"),
            }
            // Each proxy says no, and again when the others have given back what they had in hand.
            if refusals > 2 * PROXIES {
                return;
            }
            if sample.status != 200 {
                std::thread::sleep(Duration::from_millis(300));
            }
        }
    }

    fn booked(&self, stage: &Stage) -> String {
        let usage = stage.admin.get(&format!("/api/v1/usage?group_by=tenant&tenant={}", self.name)).unwrap();
        let usage = usage.json().unwrap();
        usage["items"][0]["cost_usd"].as_str().unwrap_or("0").to_owned()
    }

    /// What the root of budgets has booked for the tenant's budget.
    fn spent(&self, stage: &Stage) -> String {
        let nanos = stage.spent(&self.name);
        let (dollars, rest) = (nanos / 1_000_000_000, nanos % 1_000_000_000);
        match rest {
            0 => dollars.to_string(),
            rest => format!("{dollars}.{rest:09}").trim_end_matches('0').to_owned(),
        }
    }
}
