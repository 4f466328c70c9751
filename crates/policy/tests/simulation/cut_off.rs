//! A replica that reaches no provider at all: the fault is its own, and the others must not pay for it.

use crate::{
    engine::{Scenario, TIMEOUTS},
    for_seeds,
    journal::Journal,
    provider::{MS, Provider, SECOND},
};

const UNTIL: u64 = 45 * SECOND;

fn run(seed: u64, route: &str, from: u64) -> Journal {
    let scenario = Scenario {
        seed,
        replicas: 3,
        providers: vec![Provider::new(0, 200 * MS), Provider::new(1, 250 * MS)],
        keys: 1,
        health: "",
        route: format!("{route},{TIMEOUTS}"),
        rate: 40,
        lasts: 120 * SECOND,
        interval: 30 * SECOND,
        cut_off: Some((0, from, UNTIL)),
    };
    scenario.run()
}

/// One that never reached anything says of all that nothing ever succeeded there.
#[test]
fn a_replica_that_is_cut_off_takes_nothing_from_the_others() {
    for_seeds(0..4, |seed| {
        for route in [
            r#""targets":["p0/m","p1/m"]"#,
            r#""pools":{"p":{"tiers":[{"targets":["p0/m"]},{"targets":["p1/m"]}]}}"#,
            r#""strategy":"weighted","targets":["p0/m","p1/m"]"#,
        ] {
            for from in [0, 20 * SECOND] {
                let journal = run(seed, route, from);
                // At the very beginning the others have seen nothing either.
                let others =
                    journal.ended.iter().filter(|ended| ended.replica != 0 && ended.began > 2 * SECOND);
                let failed = others.filter(|ended| ended.answer.is_err()).count();
                assert_eq!(failed, 0, "{route} from {from}: requests to replicas that reach everything");
                let late = journal.ended.iter().filter(|ended| ended.began > UNTIL + 60 * SECOND);
                assert_eq!(
                    late.filter(|ended| ended.answer.is_err()).count(),
                    0,
                    "{route}: it is back as well"
                );
            }
        }
    });
}
