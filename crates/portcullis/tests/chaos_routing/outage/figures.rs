//! What is measured of one fault, and what is claimed of it.

use std::time::Duration;

use super::{EJECT, Fault, Play, WARM_UP};
use crate::{
    asked::{Sample, errors_before_content},
    explained::first,
    sim::{Arrival, burst, peak, within},
    stage::{Stage, ms},
    table::{Cell, Table, cell, shown, steady, timely},
};

/// How long the primary may go on being asked: time to fail (0.8 s here), three failures at each proxy, noise.
const SHIFT: Duration = ms(4_000);
/// Requests at the primary after that, until it heals: trials; where it begins well, also what comes until the trial
/// has broken off; after 429s, whatever comes when they said so until the next one.
const TRIALS: usize = 10;
const ASKED_AGAIN: usize = 40;
/// How long after it healed the primary may be asked for the first time: the longest ejection, jitter, noise.
const RETURN: Duration = ms(6_000);

/// What was measured.
pub(super) struct Figures {
    fault: &'static Fault,
    requests: usize,
    before_content: usize,
    after_content: usize,
    said_twice: usize,
    repeated_after_content: usize,
    to_shift: Duration,
    at_primary: usize,
    trials: usize,
    to_return: Option<Duration>,
    /// The primary's share in percent in the first and the last quarter of the warm-up.
    shares: (usize, usize),
    /// Most requests at the primary at once, before the fault and while it returned.
    peaks: (usize, usize),
    /// A record of the time of the fault that tells why the primary was not asked.
    pub(super) explained: Option<String>,
    /// What the control plane would have done.
    pub(super) dry_run: String,
}

impl Figures {
    pub(super) fn of(stage: &Stage, play: Play) -> Self {
        let Play { fault, load, from, to, dry_run } = play;
        let samples = load.finish(&stage.runtime);
        let arrivals = reached(stage, fault, &samples);
        let outage = within(&arrivals, from, to);
        let (first_burst, trials) = burst(&outage, EJECT * 7 / 10);
        let returned = samples.iter().find(|sample| sample.at >= to && sample.provider == fault.first());
        let back = returned.map_or(Duration::MAX, |sample| sample.at);
        let quarter = |number| share(&samples, fault, back + WARM_UP * number / 4, WARM_UP / 4);
        let during: Vec<Sample> =
            samples.iter().filter(|sample| (from..to).contains(&sample.at)).cloned().collect();
        let explained = first(&during, |record| record.passed_over(&fault.first()).is_some());
        let count = |holds: fn(&Sample) -> bool| samples.iter().filter(|sample| holds(sample)).count();
        Self {
            fault,
            requests: samples.len(),
            before_content: errors_before_content(&samples),
            after_content: count(Sample::failed_after_content),
            said_twice: count(|sample| !sample.says_nothing_twice()),
            repeated_after_content: count(|sample| sample.failed_after_content() && sample.attempts > 1),
            to_shift: first_burst.last().map_or(Duration::ZERO, |last| last.at.saturating_sub(from)),
            at_primary: outage.len(),
            trials: trials.len(),
            to_return: returned.map(|sample| sample.at.saturating_sub(to)),
            shares: (quarter(0), quarter(3)),
            peaks: (peak(&within(&arrivals, ms(0), from)), peak(&within(&arrivals, back, back + ms(1_000)))),
            explained,
            dry_run,
        }
    }
}

/// What reached the primary. Of a relay that cuts it off nothing arrives: then its clients tell.
fn reached(stage: &Stage, fault: &Fault, samples: &[Sample]) -> Vec<Arrival> {
    let mut arrivals = stage.sim.arrivals(&fault.first());
    if fault.relayed {
        let failed = samples.iter().filter(|sample| matches!(&*sample.fallback, "cut" | "connect"));
        arrivals.extend(failed.map(|sample| Arrival { at: sample.at, end: Some(sample.at) }));
        arrivals.sort_by_key(|arrival| arrival.at);
    }
    arrivals
}

/// The primary's share of the requests of some time, in percent.
fn share(samples: &[Sample], fault: &Fault, from: Duration, time: Duration) -> usize {
    let all: Vec<&Sample> =
        samples.iter().filter(|sample| (from..from + time).contains(&sample.at)).collect();
    let primary = all.iter().filter(|sample| sample.provider == fault.first()).count();
    primary * 100 / all.len().max(1)
}

/// The claims.
pub(super) fn fill(table: &mut Table, figures: &[Figures]) {
    let mut row = |claim: &str, of: &dyn Fn(&Figures) -> Cell| table.row(claim, figures.iter().map(of));
    row("requests", &|of| shown(of.requests));
    row("client errors before content: 0", &|of| cell(of.before_content, of.before_content == 0));
    row("client errors after content: only where it stalls then", &|of| {
        cell(of.after_content, of.after_content == 0 || of.fault.is_after_content())
    });
    row("answers in which something is said twice: 0", &|of| cell(of.said_twice, of.said_twice == 0));
    row("attempts after content was relayed: 0", &|of| {
        cell(of.repeated_after_content, of.repeated_after_content == 0)
    });
    row("time to shift: within 4 s", &|of| timely(Some(of.to_shift), SHIFT));
    row("requests at the primary while it is out", &|of| shown(of.at_primary));
    row("of those after the shift: 10 trials at most; 429, stall: 40", &|of| {
        steady(
            of.trials,
            of.trials <= if of.fault.rests || of.fault.is_after_content() { ASKED_AGAIN } else { TRIALS },
        )
    });
    row("time to return: within 6 s", &|of| timely(of.to_return, RETURN));
    row("its share, first quarter of the 3 s warm-up: 50 % at most *", &|of| {
        steady(format!("{} %", of.shares.0), !of.fault.returns_once() || of.shares.0 <= 50)
    });
    row("its share, last quarter: larger *", &|of| {
        steady(format!("{} %", of.shares.1), !of.fault.returns_once() || of.shares.1 > of.shares.0)
    });
    row("explained: why the primary was not asked", &|of| {
        cell(if of.explained.is_some() { "yes" } else { "no" }, of.explained.is_some())
    });
    row("most at once there, before the fault", &|of| shown(of.peaks.0));
    row("most at once there, first second back: 4 more at most", &|of| {
        steady(of.peaks.1, of.peaks.1 <= of.peaks.0 + 4)
    });
}
