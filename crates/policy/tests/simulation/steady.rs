//! Nothing goes wrong for long: shares are kept, no target is ejected, the fastest leads and stays.

use crate::{
    engine::{Scenario, TIMEOUTS},
    for_seeds,
    journal::fits,
    provider::{MS, Mode, Provider, SECOND},
};

fn scenario(seed: u64, providers: Vec<Provider>, strategy: &str, targets: &str) -> Scenario {
    Scenario {
        seed,
        replicas: 3,
        providers,
        keys: 1,
        health: "",
        route: format!(r#""strategy":"{strategy}","targets":[{targets}],{TIMEOUTS}"#),
        rate: 50,
        lasts: 60 * SECOND,
        interval: 30 * SECOND,
        cut_off: None,
    }
}

fn alike(count: usize) -> Vec<Provider> {
    (0..count).map(|number| Provider::new(number, 200 * MS)).collect()
}

#[test]
fn a_run_is_the_same_for_a_seed() {
    let run = |seed| {
        let providers = vec![
            Provider::new(0, 200 * MS).during(0, 30 * SECOND, Mode::Failing(60)),
            Provider::new(1, 300 * MS),
        ];
        scenario(seed, providers, "least_loaded", r#""p0/m","p1/m""#).run()
    };
    assert_eq!(run(7), run(7));
    assert_ne!(run(7), run(8));
}

#[test]
fn a_split_by_weight_is_kept_over_all_replicas() {
    for_seeds(0..3, |seed| {
        let targets = r#"{"model":"p0/m","weight":70},{"model":"p1/m","weight":30}"#;
        let journal = scenario(seed, alike(2), "weighted", targets).run();
        journal.check_no_errors();
        let (all, first) = journal.leads("p0", 0, u64::MAX);
        assert!(all > 2_500 && fits(first, all, 0.7), "{first} of {all}");
    });
}

#[test]
fn failures_now_and_then_take_nobody_out_of_use() {
    for_seeds(0..3, |seed| {
        let providers = alike(3).into_iter().map(|provider| provider.during(0, u64::MAX, Mode::Failing(10)));
        let journal = scenario(seed, providers.collect(), "weighted", r#""p0/m","p1/m","p2/m""#).run();
        journal.check_no_errors();
        assert_eq!(journal.changes, []);
    });
}

#[test]
fn targets_alike_keep_their_leader_under_noise() {
    for_seeds(0..2, |seed| {
        let run = Scenario {
            lasts: 300 * SECOND,
            rate: 30,
            ..scenario(seed, alike(3), "lowest_latency", r#""p0/m","p1/m","p2/m""#)
        };
        let journal = run.run();
        journal.check_no_errors();
        assert!(journal.moves.len() <= 1, "{:?}", journal.moves);
    });
}

#[test]
fn a_region_that_slows_down_is_left_within_two_intervals_and_returned_to() {
    for_seeds(0..2, |seed| {
        let interval = 30 * SECOND;
        let (from, until) = (100 * SECOND, 220 * SECOND);
        let near = Provider::new(0, 150 * MS).during(from, until, Mode::Slow(6));
        let providers = vec![near, Provider::new(1, 400 * MS)];
        let run = Scenario {
            lasts: 400 * SECOND,
            rate: 60,
            ..scenario(seed, providers, "lowest_latency", r#""p0/m","p1/m""#)
        };
        let journal = run.run();
        journal.check_no_errors();
        for replica in 0..3 {
            let moves = journal.moves.iter().filter(|(_, of, _)| *of == replica);
            let moves: Vec<_> = moves.map(|(at, _, to)| (*at, to.from, to.to)).collect();
            let [(left, 0, 1), (back, 1, 0)] = moves[..] else { panic!("replica {replica}: {moves:?}") };
            assert!((from..=from + 2 * interval).contains(&left), "left after {} s", (left - from) / SECOND);
            assert!(
                (until..=until + 4 * interval).contains(&back),
                "back after {} s",
                (back - until) / SECOND
            );
        }
    });
}
