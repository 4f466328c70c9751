//! Outages by script: what clients notice, how soon traffic moves, and how it returns.

use crate::{
    engine::{Scenario, TIMEOUTS},
    for_seeds,
    journal::{Journal, Kind, at_most},
    provider::{MS, Mode, Provider, SECOND},
};

const DOWN: u64 = 20 * SECOND;
const UP: u64 = 50 * SECOND;

fn scenario(seed: u64, providers: Vec<Provider>, keys: usize, pools: &str) -> Scenario {
    Scenario {
        seed,
        replicas: 3,
        providers,
        keys,
        health: "",
        route: format!("{pools},{TIMEOUTS}"),
        rate: 40,
        lasts: 120 * SECOND,
        interval: 30 * SECOND,
        cut_off: None,
    }
}

fn pair(mode: Mode) -> Vec<Provider> {
    vec![Provider::new(0, 200 * MS).during(DOWN, UP, mode), Provider::new(1, 250 * MS)]
}

const CHAIN: &str = r#""targets":["p0/m","p1/m"]"#;
const TIERS: &str = r#""pools":{"p":{"tiers":[{"targets":["p0/m"]},{"targets":["p1/m"]}]}}"#;

/// When the primary answered first after the outage, at any replica.
fn returned(journal: &Journal) -> u64 {
    journal.recovered("p0").unwrap()
}

#[test]
fn an_outage_of_the_primary_is_nobodys_business_and_it_returns_without_a_herd() {
    for_seeds(0..2, |seed| {
        for (mode, pools) in
            [(Mode::Errors, CHAIN), (Mode::Silent, TIERS), (Mode::Errors, TIERS), (Mode::Slow(100), CHAIN)]
        {
            let journal = scenario(seed, pair(mode), 1, pools).run();
            journal.check_no_errors();
            let (all, at_primary) = journal.leads("p0", DOWN + 6 * SECOND, UP);
            assert!(at_primary * 50 <= all, "{mode:?}: still {at_primary} of {all} after six seconds");
            let back = returned(&journal);
            assert!(
                (UP..UP + 30 * SECOND).contains(&back),
                "{mode:?}: back after {} s",
                back.saturating_sub(UP) / SECOND
            );
            // From a tenth to 40 % in the first third of the warm-up.
            let (all, at_primary) = journal.leads("p0", back, back + 5 * SECOND);
            assert!(at_most(at_primary, all, 0.25), "{mode:?}: a herd of {at_primary} of {all}");
            let (all, at_primary) = journal.leads("p0", back + 16 * SECOND, u64::MAX);
            assert_eq!(at_primary, all, "{mode:?}: all of it is back");
        }
    });
}

#[test]
fn an_outage_is_left_at_once_after_a_few_failures() {
    for_seeds(0..2, |seed| {
        let journal = scenario(seed, pair(Mode::Errors), 1, CHAIN).run();
        let failing =
            journal.sent.iter().filter(|sent| sent.provider == "p0" && (DOWN..UP).contains(&sent.at));
        let failing: Vec<_> = failing.filter(|sent| !sent.trial).collect();
        // Five in a row at each replica; answers that began before and end well within the next second break a row.
        assert!(failing.len() <= 15 + 60, "{} attempts", failing.len());
        assert!(failing.iter().all(|sent| sent.at < DOWN + 2 * SECOND));
        assert_eq!(journal.ejections("p1"), 0);
    });
}

#[test]
fn the_backup_that_failed_long_ago_was_tried_before_it_is_needed() {
    for_seeds(0..2, |seed| {
        let primary = Provider::new(0, 200 * MS).during(80 * SECOND, 100 * SECOND, Mode::Errors);
        let backup = Provider::new(1, 250 * MS).during(10 * SECOND, 30 * SECOND, Mode::Errors);
        let both_tiers = r#""pools":{"p":{"tiers":[{"strategy":"weighted","targets":["p0/m","p1/m"]}]}}"#;
        for pools in [CHAIN, TIERS, both_tiers] {
            // A first hiccup of the primary ejects the backup as well.
            let primary = primary.clone().during(12 * SECOND, 13 * SECOND, Mode::Failing(50));
            let journal = scenario(seed, vec![primary, backup.clone()], 1, pools).run();
            let late =
                journal.ended.iter().filter(|ended| ended.began >= 60 * SECOND && ended.answer.is_err());
            assert_eq!(late.count(), 0, "{pools}");
        }
    });
}

#[test]
fn throttling_rests_the_keys_and_takes_nobody_out_of_use() {
    for_seeds(0..2, |seed| {
        let journal = scenario(seed, pair(Mode::Throttled(7)), 2, CHAIN).run();
        journal.check_no_errors();
        assert_eq!(journal.changes, []);
        let asked = journal
            .sent
            .iter()
            .filter(|sent| sent.provider == "p0" && (DOWN + SECOND..UP).contains(&sent.at));
        let asked = asked.count();
        assert!(asked <= 2 * 3 * (30 / 7 + 1) * 4, "{asked} attempts at keys that rest");
        let (all, at_primary) = journal.leads("p0", UP + 8 * SECOND, u64::MAX);
        assert_eq!(at_primary, all, "back when the keys have rested");
    });
}

/// Were the only key not used for a second after each of them, few requests would be answered.
#[test]
fn a_429_without_a_time_leaves_the_only_key_in_use() {
    for_seeds(0..2, |seed| {
        let only = vec![Provider::new(0, 100 * MS).during(0, u64::MAX, Mode::ThrottledAtTimes(30))];
        let journal = scenario(seed, only, 1, r#""targets":["p0/m"]"#).run();
        assert_eq!(journal.changes, []);
        let answered = journal.ended.iter().filter(|ended| ended.answer.is_ok()).count();
        assert!(answered * 10 > journal.arrived * 7, "{answered} of {}", journal.arrived);
    });
}

#[test]
fn one_bad_key_of_three_benches_only_itself() {
    for_seeds(0..2, |seed| {
        let journal = scenario(seed, pair(Mode::Refusing), 3, CHAIN).run();
        journal.check_no_errors();
        assert_eq!(journal.changes, []);
        let with = |key| {
            journal
                .sent
                .iter()
                .filter(|sent| sent.at > DOWN + SECOND && sent.provider == "p0" && sent.key == key)
                .count()
        };
        assert_eq!(with(0), 0, "refused once, known everywhere");
        assert!(with(1) > 500 && with(2) > 500);
        let moved = journal.sent.iter().filter(|sent| sent.provider == "p1").count();
        assert_eq!(moved, 0);
    });
}

#[test]
fn a_full_outage_is_amplified_by_the_budget_and_no_more() {
    for_seeds(0..2, |seed| {
        for mode in [Mode::Errors, Mode::Failing(80), Mode::Failing(45)] {
            let only = vec![Provider::new(0, 100 * MS).during(0, u64::MAX, mode)];
            let journal = scenario(seed, only, 1, r#""targets":["p0/m"]"#).run();
            let of = |kind| journal.sent.iter().filter(|sent| sent.kind == kind).count();
            // [`Journal::check`] has the bound itself. Where nothing succeeds, nothing is sent there to be repeated.
            let answered = journal.ended.iter().filter(|ended| ended.answer.is_ok()).count();
            if mode == Mode::Failing(45) {
                assert!(
                    of(Kind::Repeat) * 10 > of(Kind::First),
                    "{} repeats: it is there to be used",
                    of(Kind::Repeat)
                );
                assert!(
                    answered * 2 > journal.arrived,
                    "{answered} of {}: in panic it is used",
                    journal.arrived
                );
            }
        }
    });
}

#[test]
fn a_flapping_provider_is_out_for_longer_each_time() {
    for_seeds(0..2, |seed| {
        let mut flapping = Provider::new(0, 100 * MS);
        for second in (10..110).step_by(4) {
            flapping = flapping.during(second * SECOND, (second + 2) * SECOND, Mode::Errors);
        }
        let journal = scenario(seed, vec![flapping, Provider::new(1, 200 * MS)], 1, CHAIN).run();
        journal.check_no_errors();
        // 5, 10, 20, 40 and 80 s, give or take a fifth, found out by each of three replicas at most.
        assert!((1..=5 * 3).contains(&journal.ejections("p0")), "{} ejections", journal.ejections("p0"));
    });
}
