//! One bad key of three: it alone is benched, its provider stays in use.

use std::time::Duration;

use serde_json::{Value, json};
use testkit::eventually;

use crate::{
    asked::{Sample, answered_by, errors_before_content},
    explained::first,
    load::{Caller, Load, Traffic},
    sim::{Arrival, within},
    stage::{PROXIES, Stage, ms},
    table::{Cell, Table, cell, shown, steady},
    world::SOON,
};

/// Requests a second.
const RATE: u32 = 60;
/// Requests that are answered before the key goes bad, and while it is.
const BEFORE: usize = 60;
const DURING: usize = 200;
/// What the 429s ask for.
const RETRY_AFTER: Duration = Duration::from_secs(2);
/// Each proxy may have a few requests under way with the key when it goes bad, and asks again when it may.
const WITH_BAD_KEY: usize = PROXIES * 10;

/// One way for a key to be bad.
struct Case {
    name: &'static str,
    title: &'static str,
    script: Value,
}

/// What was measured.
struct Figures {
    requests: usize,
    errors: usize,
    elsewhere: usize,
    bad: usize,
    /// Those that came before the 429s allowed it, after the first ones.
    too_soon: usize,
    good: [usize; 2],
    back: bool,
    /// A record that tells of the bad key.
    explained: Option<String>,
}

pub(crate) fn play(stage: &Stage, caller: &Caller) -> Vec<Table> {
    let cases = [
        Case { name: "refused", title: "key revoked (401)", script: json!({ "status": 401 }) },
        Case {
            name: "throttled",
            title: "key throttled (429, retry-after 2 s)",
            script: json!({ "status": 429, "retry_after": RETRY_AFTER.as_secs() }),
        },
    ];
    let title = "B. One bad key of three: three proxies, 60 requests/s";
    let mut table = Table::new(title, cases.iter().map(|case| case.title));
    let figures: Vec<Figures> = std::thread::scope(|scope| {
        let playing: Vec<_> =
            cases.iter().map(|case| scope.spawn(move || case.play(stage, caller))).collect();
        playing.into_iter().map(|case| case.join().unwrap()).collect()
    });
    fill(&mut table, &figures);
    for (case, of) in cases.iter().zip(&figures) {
        table.note(format!("{}, explained: {}", case.title, of.explained.as_deref().unwrap_or("not at all")));
    }
    vec![table]
}

impl Case {
    fn key(&self, number: usize) -> String {
        format!("{}-secret-{number}-0123456789", self.name)
    }

    fn document(&self, stage: &Stage) -> Value {
        let name = self.name;
        let key =
            |number| json!({ "name": format!("key-{number}"), "secret": { "value": self.key(number) } });
        json!({
            "providers": {
                name: stage.provider(json!({ "credentials": [key(0), key(1), key(2)] })),
                format!("{name}-spare"): stage.provider(json!({})),
            },
            "routes": { name: { "targets": [format!("{name}/{name}"), format!("{name}-spare/{name}-spare")] } },
        })
    }

    fn play(&self, stage: &Stage, caller: &Caller) -> Figures {
        let name = self.name;
        stage.install(&self.document(stage));
        let traffic = Traffic { route: name.to_owned(), rate: RATE, streamed: 50, seed: 11 };
        let load = Load::start(&stage.runtime, caller, traffic);
        let answered =
            |since: Duration| load.look(|samples| samples.iter().filter(|sample| sample.at >= since).count());
        assert!(eventually(SOON, || answered(ms(0)) >= BEFORE), "no requests before the key goes bad");
        let from = caller.now();
        stage.sim.script_for(name, &self.key(2), &self.script);
        assert!(eventually(SOON, || answered(from) >= DURING), "no requests while the key is bad");
        let to = caller.now();
        stage.sim.script_for(name, &self.key(2), &json!({}));
        let arrivals = |number| stage.sim.arrivals_with(name, &self.key(number));
        let again = || !within(&arrivals(2), to, Duration::MAX).is_empty();
        // A key that was refused rests for minutes; one that was throttled as long as it was told.
        let back = self.name == "throttled" && eventually(SOON, again);
        let samples = load.finish(&stage.runtime);
        self.figures(&samples, [0, 1, 2].map(|number| within(&arrivals(number), from, to)), back)
    }

    fn figures(&self, samples: &[Sample], arrivals: [Vec<Arrival>; 3], back: bool) -> Figures {
        let [one, other, bad] = arrivals;
        Figures {
            requests: samples.len(),
            errors: errors_before_content(samples),
            elsewhere: samples.len() - answered_by(samples, self.name),
            bad: bad.len(),
            too_soon: too_soon(&bad),
            good: [one.len(), other.len()],
            explained: first(samples, |record| record.outcomes(self.name).len() > 1),
            back: back || self.name != "throttled",
        }
    }
}

/// Requests that came while the key was to rest, leaving out those that were under way when it was first told so.
fn too_soon(bad: &[Arrival]) -> usize {
    let Some(first) = bad.first() else { return 0 };
    let told = first.at + ms(300);
    bad.iter().filter(|arrival| arrival.at > told && arrival.at < first.at + RETRY_AFTER - ms(100)).count()
}

fn fill(table: &mut Table, figures: &[Figures]) {
    let mut row = |claim: &str, of: &dyn Fn(&Figures) -> Cell| table.row(claim, figures.iter().map(of));
    row("requests", &|of| shown(of.requests));
    row("client errors: 0", &|of| cell(of.errors, of.errors == 0));
    row("answered by another provider: 0", &|of| cell(of.elsewhere, of.elsewhere == 0));
    row("requests with the bad key: 30 at most", &|of| cell(of.bad, (1..=WITH_BAD_KEY).contains(&of.bad)));
    row("of those after the first 0.3 s, while it was to rest: 9 at most", &|of| {
        steady(of.too_soon, of.too_soon <= 3 * PROXIES)
    });
    row("requests with the others meanwhile: a third each at least", &|of| {
        let sum = of.good[0] + of.good[1];
        let third = of.good.iter().all(|good| good * 3 >= sum);
        cell(format!("{} + {}", of.good[0], of.good[1]), third && sum >= DURING - 20)
    });
    row("explained: one attempt refused, the next with another key", &|of| {
        cell(if of.explained.is_some() { "yes" } else { "no" }, of.explained.is_some())
    });
    row("the throttled key is used again", &|of| cell(if of.back { "yes" } else { "no" }, of.back));
}
