//! The lead among targets whose times are spread as those of real ones are: far to one side.

use super::*;

const INTERVAL: Micros = 30 * SECOND;

/// Some targets under the strategy of the lowest latency, and chance.
struct Race {
    targets: Vec<TargetState>,
    leader: Leader,
    chance: HealthRegistry,
    /// How far times spread: the deviation of their logarithm.
    spread: f64,
    /// Requests in a second.
    rate: u64,
    /// Time between two probes; 0: none, one request in fifty is sent to another one.
    every: Micros,
}

impl Race {
    fn of(targets: usize, rate: u64, spread: f64, every: Micros) -> Self {
        let targets = (0..targets).map(|_| TargetState::default()).collect();
        Self { targets, leader: Leader::default(), chance: HealthRegistry::new(9), spread, rate, every }
    }

    /// A time of so many ms in the middle.
    #[allow(clippy::cast_precision_loss, reason = "of chance no digit matters")]
    fn time(&self, median: f64) -> Duration {
        let unit = || (self.chance.draw() >> 11) as f64 / (1_u64 << 53) as f64;
        let normal = (0..12).map(|_| unit()).sum::<f64>() - 6.0;
        Duration::from_secs_f64(median / 1_000.0 * (self.spread * normal).exp())
    }

    /// One interval from `start`; requests take three times as long as probes, whose prompt is short.
    #[allow(clippy::cast_possible_truncation, reason = "a few targets")]
    fn interval(&self, start: Micros, medians: &[f64]) -> Option<Move> {
        for request in 0..self.rate * 30 {
            let mut place = self.leader.current();
            if self.every == 0 && self.chance.draw().is_multiple_of(50) {
                let step = 1 + self.chance.draw() % (self.targets.len() as u64 - 1);
                place = (place + step as usize) % self.targets.len();
            }
            self.targets[place]
                .observe_ttft(self.time(3.0 * medians[place]), start + request * SECOND / self.rate);
        }
        for (target, median) in self.targets.iter().zip(medians).filter(|_| self.every > 0) {
            for probe in 0..INTERVAL / self.every {
                let ttft = Some(self.time(*median));
                let began = start + probe * self.every;
                target.probed(ProbeObservation { ok: true, ttft, began }, &rules(), began, MIDDLE);
            }
        }
        let (now, window) = (start + INTERVAL, 2 * INTERVAL);
        let p95s: Vec<_> = self.targets.iter().map(|target| target.ttft_p95(now, window)).collect();
        let faster =
            |one: usize, other: usize| self.targets[one].is_faster(&self.targets[other], now, window);
        self.leader.judge(&p95s, &vec![true; self.targets.len()], faster)
    }
}

/// When percentiles of a few samples were compared with those of many, the lead went round in half of all intervals.
#[test]
fn the_lead_stays_where_it_is_among_those_that_are_alike() {
    for targets in [2, 3, 5] {
        for (rate, spread) in [(5, 0.3), (10, 0.8), (30, 0.5)] {
            for every in [0, 5 * SECOND, 10 * SECOND, 30 * SECOND] {
                let race = Race::of(targets, rate, spread, every);
                let medians = vec![200.0; targets];
                let moves = (0..100).filter_map(|number| race.interval(number * INTERVAL, &medians)).count();
                // Of two or three probes in a window chance makes a difference at times.
                let most = if every == INTERVAL { 15 } else { 4 };
                assert!(
                    moves <= most,
                    "{moves} moves in 100 intervals: {targets} targets, {rate}/s, {spread}, {every}"
                );
            }
        }
    }
}

#[test]
fn one_that_becomes_slow_is_left_within_two_intervals_and_comes_back() {
    for (spread, every) in [(0.3, 0), (0.5, 0), (0.3, 10 * SECOND), (0.5, 10 * SECOND), (0.3, 30 * SECOND)] {
        let race = Race::of(2, 30, spread, every);
        let run = |from: u64, until: u64, medians: &[f64]| {
            (from..until).find_map(|number| Some((number, race.interval(number * INTERVAL, medians)?.to)))
        };
        assert_eq!(run(0, 4, &[200.0, 300.0]), None, "{spread} {every}");
        let left = run(4, 6, &[1_200.0, 300.0]);
        assert_eq!(left.map(|(_, to)| to), Some(1), "{spread} {every}: not left in two intervals");
        let _longer = run(6, 10, &[1_200.0, 300.0]);
        let back = run(10, 20, &[100.0, 300.0]);
        assert_eq!(back.map(|(_, to)| to), Some(0), "{spread} {every}: it did not come back");
    }
}

/// The first of the probes that see it are too few to say so.
#[test]
fn what_clients_see_of_a_leader_that_became_slow_counts_at_once() {
    for seed in 0..20 {
        let race = Race { chance: HealthRegistry::new(seed), ..Race::of(2, 30, 0.3, 10 * SECOND) };
        let calm = (0..4).find_map(|number| race.interval(number * INTERVAL, &[200.0, 300.0]));
        assert_eq!(calm, None);
        let moved = race.interval(4 * INTERVAL, &[1_200.0, 300.0]);
        assert_eq!(moved, Some(Move { from: 0, to: 1 }), "within one interval of all that it answers");
    }
}

#[test]
fn one_that_is_faster_by_a_third_or_by_half_gets_the_lead() {
    for (spread, every, slower) in
        [(0.3, 0, 300.0), (0.5, 0, 400.0), (0.3, 10 * SECOND, 300.0), (0.3, INTERVAL, 400.0)]
    {
        let race = Race::of(2, 30, spread, every);
        let found = (0..20).any(|number| race.interval(number * INTERVAL, &[slower, 200.0]).is_some());
        assert!(found && race.leader.current() == 1, "{spread} {every}");
    }
}
