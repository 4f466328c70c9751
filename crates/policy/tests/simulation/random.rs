//! Whatever fails and whichever strategy chooses: as long as one target answers, clients see no error.

use crate::{
    engine::{Scenario, TIMEOUTS},
    for_seeds,
    provider::{Chance, MS, Mode, Provider, SECOND},
};

const LASTS: u64 = 40 * SECOND;
const STRATEGIES: [&str; 7] =
    ["priority", "weighted", "lowest_latency", "least_loaded", "cheapest", "nearest", "sticky"];

fn mode(chance: &mut Chance) -> Mode {
    match chance.below(7) {
        0 | 1 => Mode::Errors,
        2 => Mode::Silent,
        3 => Mode::Throttled(1 + chance.below(8)),
        4 => Mode::Slow(2 + chance.below(20)),
        5 => Mode::Failing(30),
        _ => Mode::Refusing,
    }
}

/// Two to four providers in one or two tiers; all but one of them fail now and then, flap, or are down throughout.
fn scenario(seed: u64) -> Scenario {
    let mut chance = Chance(seed ^ 0x5eed);
    let count = 2 + chance.below(3) as usize;
    let well = chance.below(count as u64) as usize;
    let providers = (0..count).map(|number| {
        let mut provider = Provider::new(number, (50 + chance.below(400)) * MS);
        if number == well {
            return provider;
        }
        for _ in 0..1 + chance.below(4) {
            let from = chance.below(LASTS);
            let until = from + chance.below(15 * SECOND);
            provider = provider.during(from, until, mode(&mut chance));
        }
        provider
    });
    let providers: Vec<_> = providers.collect();
    let mut tier = |numbers: std::ops::Range<usize>| {
        let strategy = STRATEGIES[chance.below(STRATEGIES.len() as u64) as usize];
        let targets: Vec<_> = numbers.map(|number| format!(r#""p{number}/m""#)).collect();
        format!(r#"{{"strategy":"{strategy}","interval":"5s","targets":[{}]}}"#, targets.join(",")).replace(
            r#""interval":"5s","#,
            if strategy == "lowest_latency" { r#""interval":"5s","# } else { "" },
        )
    };
    let tiers =
        if seed.is_multiple_of(2) { tier(0..count) } else { format!("{},{}", tier(0..1), tier(1..count)) };
    Scenario {
        seed,
        replicas: 1 + (seed % 3) as usize,
        providers,
        keys: 1 + (seed % 2) as usize,
        health: r#","health":{"eject":"2s","warm_up":"5s"}"#,
        route: format!(r#""pools":{{"p":{{"tiers":[{tiers}]}}}},{TIMEOUTS}"#),
        rate: 15,
        lasts: LASTS,
        interval: 5 * SECOND,
        cut_off: None,
    }
}

#[test]
fn clients_see_no_error_while_one_target_answers() {
    for_seeds(0..200, |seed| scenario(seed).run().check_no_errors());
}
