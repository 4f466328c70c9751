//! Providers that answer by a script, and the one source of chance of a run.

use std::time::Duration;

use domain::AttemptOutcome;
use policy::health::Micros;

pub(crate) const MS: Micros = 1_000;
pub(crate) const SECOND: Micros = 1_000_000;

/// How a provider answers for a while.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Mode {
    Well,
    /// 500, at once.
    Errors,
    /// Nothing, ever.
    Silent,
    /// 429, and to come back after so many seconds.
    Throttled(u64),
    /// So many of a hundred answers are 429 without a time to come back.
    ThrottledAtTimes(u64),
    /// So many times as slow.
    Slow(u64),
    /// So many of a hundred answers are 500.
    Failing(u64),
    /// 401 to the first of its keys.
    Refusing,
}

/// A provider with one model.
#[derive(Clone, Debug)]
pub(crate) struct Provider {
    pub(crate) name: String,
    /// Mean time to the first token.
    pub(crate) ttft: Micros,
    /// From when until when it is anything but well; of two that hold the later one counts.
    pub(crate) script: Vec<(Micros, Micros, Mode)>,
}

/// What it does with one attempt.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Answer {
    /// Until the first token, or until it fails.
    pub(crate) after: Micros,
    pub(crate) outcome: AttemptOutcome,
    pub(crate) retry_after: Option<Duration>,
    /// From the first token to the end.
    pub(crate) lasts: Micros,
}

impl Provider {
    pub(crate) fn new(number: usize, ttft: Micros) -> Self {
        Self { name: format!("p{number}"), ttft, script: Vec::new() }
    }

    pub(crate) fn during(mut self, from: Micros, until: Micros, mode: Mode) -> Self {
        self.script.push((from, until, mode));
        self
    }

    pub(crate) fn mode(&self, now: Micros) -> Mode {
        let holds = |(from, until, _): &&(Micros, Micros, Mode)| (*from..*until).contains(&now);
        self.script.iter().rfind(holds).map_or(Mode::Well, |(_, _, mode)| *mode)
    }

    /// Answers a request that is signed with one of its keys, by number.
    pub(crate) fn answer(&self, key: usize, now: Micros, chance: &mut Chance) -> Answer {
        use AttemptOutcome as O;
        let ttft = self.ttft * (80 + chance.below(41)) / 100;
        let fast = 20 * MS;
        let (outcome, after, retry_after) = match self.mode(now) {
            Mode::Silent => (O::Timeout, Micros::MAX, None),
            Mode::Errors => (O::ServerError, fast, None),
            Mode::Throttled(seconds) => (O::RateLimited, fast, Some(Duration::from_secs(seconds))),
            Mode::ThrottledAtTimes(share) if chance.below(100) < share => (O::RateLimited, fast, None),
            Mode::Failing(share) if chance.below(100) < share => (O::ServerError, fast, None),
            Mode::Refusing if key == 0 => (O::BadCredential, fast, None),
            Mode::Slow(factor) => (O::Ok, ttft * factor, None),
            Mode::Well | Mode::ThrottledAtTimes(_) | Mode::Failing(_) | Mode::Refusing => (O::Ok, ttft, None),
        };
        Answer { after, outcome, retry_after, lasts: chance.below(SECOND) }
    }
}

/// Drawn numbers: the same for the same seed (`SplitMix64`).
#[derive(Clone, Debug)]
pub(crate) struct Chance(pub(crate) u64);

impl Chance {
    pub(crate) fn draw(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mixed = (self.0 ^ (self.0 >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        let mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        mixed ^ (mixed >> 31)
    }

    pub(crate) fn below(&mut self, most: u64) -> u64 {
        self.draw() % most
    }

    /// The time to the next of so many arrivals per second, as independent ones come.
    pub(crate) fn gap(&mut self, rate: u64) -> Micros {
        let unit = (self.below(1 << 53) + 1) as f64 / (1_u64 << 53) as f64;
        (-unit.ln() * SECOND as f64 / rate as f64) as Micros
    }
}
