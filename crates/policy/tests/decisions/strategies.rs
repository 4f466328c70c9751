//! In which order a tier's targets are tried, by each strategy, and what is said of it.

use std::{collections::BTreeMap, time::Duration};

use policy::{SelectionReason, SkipReason};
use wire::Shape;

use crate::question::{Desk, Question, SECOND, first, order, passed, reasons};

/// How often each target goes first over evenly drawn numbers.
fn firsts(desk: &Desk, question: &Question, draws: u64) -> BTreeMap<String, u64> {
    let mut counts = BTreeMap::new();
    for number in 0..draws {
        let draw = number.wrapping_mul(0x9e37_79b9_7f4a_7c15);
        *counts.entry(first(&desk.ask(&Question { draw, ..question.clone() }).unwrap())).or_default() += 1;
    }
    counts
}

/// Whether a count is what a share of the draws would give, to four standard deviations.
fn fits(count: u64, draws: u64, share: f64) -> bool {
    let draws = draws as f64;
    (count as f64 - draws * share).abs() <= 4.0 * (draws * share * (1.0 - share)).sqrt()
}

#[test]
fn priority_keeps_to_the_list_and_tiers_to_theirs() {
    let desk =
        Desk::chat("abc", r#"{"pools":{"p":{"tiers":[{"targets":["b/m","a/m"]},{"targets":["c/m"]}]}}}"#);
    let plan = desk.at(0, 0).unwrap();
    assert_eq!(order(&plan), ["b/m", "a/m", "c/m"]);
    assert_eq!(reasons(&plan), [SelectionReason::First, SelectionReason::Next, SelectionReason::First]);
    assert_eq!(plan.attempts.iter().map(|planned| planned.tier).collect::<Vec<_>>(), [0, 0, 1]);
}

#[test]
fn weights_are_kept_exactly_by_the_first_and_by_those_behind_it() {
    let desk = Desk::chat(
        "abc",
        r#"{"strategy":"weighted","targets":[{"model":"a/m","weight":70},{"model":"b/m","weight":20},
            {"model":"c/m","weight":10}]}"#,
    );
    let (mut by_first, mut second_to_a, draws) = (BTreeMap::new(), 0, 10_000);
    for number in 0..draws {
        let plan = desk.at(0, number).unwrap();
        let [one, two, _]: [String; 3] = order(&plan).try_into().unwrap();
        second_to_a += u64::from(one == "a/m" && two == "b/m");
        *by_first.entry(one).or_insert(0) += 1;
        let SelectionReason::Drawn { of: 100, .. } = plan.attempts[0].reason else {
            panic!("{:?}", reasons(&plan))
        };
    }
    for (target, share) in [("a/m", 0.7), ("b/m", 0.2), ("c/m", 0.1)] {
        assert!(fits(by_first[target], draws, share), "{by_first:?}");
    }
    assert!(fits(second_to_a, by_first["a/m"], 2.0 / 3.0), "{second_to_a} of {}", by_first["a/m"]);
}

#[test]
fn the_fastest_goes_first_once_it_was_found_and_others_are_looked_at_in_passing() {
    let desk = Desk::chat("abc", r#"{"strategy":"lowest_latency","targets":["a/m","b/m","c/m"]}"#);
    let times = [("a/m", 900), ("b/m", 300), ("c/m", 600)];
    for (target, ms) in times {
        (0..20).for_each(|_| desk.target(target).state.observe_ttft(Duration::from_millis(ms), SECOND));
    }
    let tier = desk.snapshot.routes().next().unwrap().tiers().next().unwrap();
    let p95s = times.map(|(target, _)| desk.target(target).state.ttft_p95(SECOND, 60 * SECOND));
    let state = |place: usize| &tier.members[place].target.state;
    let faster = |one, other| state(one).is_faster(state(other), SECOND, 60 * SECOND);
    assert_eq!(tier.leader.judge(&p95s, &[true; 3], faster).unwrap().to, 1);
    let question = Question { now: SECOND, ..Question::of("chat") };
    let (draws, mut explored) = (20_000, 0);
    let counts = firsts(&desk, &question, draws);
    for target in ["a/m", "c/m"] {
        assert!(fits(counts[target], draws, 0.01), "one of fifty, evenly: {counts:?}");
        explored += counts[target];
    }
    assert_eq!(counts["b/m"] + explored, draws);
    let seen = (0..draws).map(|draw| desk.at(SECOND, draw).unwrap());
    for plan in seen.filter(|plan| first(plan) != "b/m").take(5) {
        assert_eq!((plan.attempts[0].reason, order(&plan)[1].as_str()), (SelectionReason::Explored, "b/m"));
    }
    let plan =
        (0..draws).map(|draw| desk.at(SECOND, draw).unwrap()).find(|plan| first(plan) == "b/m").unwrap();
    assert_eq!(order(&plan), ["b/m", "c/m", "a/m"], "the rest by what was measured");
    assert!(
        matches!(plan.attempts[0].reason, SelectionReason::Fastest { p95: Some(p95) } if (285..=315).contains(&p95.as_millis()))
    );
    desk.eject("b/m", true, SECOND);
    let plan = desk.at(SECOND, 1).unwrap();
    assert!(
        !order(&plan).contains(&"b/m".to_owned()) && matches!(passed(&plan)[0].1, SkipReason::Ejected { .. })
    );
}

#[test]
fn what_probes_measure_is_not_explored() {
    let desk = Desk::new(|world, _| {
        world.provider("a", 1, "");
        world.provider("b", 1, r#","probe":"free""#);
        world.route("chat", r#"{"strategy":"lowest_latency","targets":["a/m","b/m"]}"#);
    });
    assert_eq!(firsts(&desk, &Question::of("chat"), 2_000)["a/m"], 2_000);
}

#[test]
fn the_better_of_two_that_are_drawn_goes_first() {
    let desk = Desk::chat("abcd", r#"{"strategy":"least_loaded","targets":["a/m","b/m","c/m","d/m"]}"#);
    let question = Question::of("chat");
    let draws = 4_000;
    for (target, count) in firsts(&desk, &question, draws) {
        assert!(fits(count, draws, 0.25), "{target} of those alike: {count}");
    }
    let held: Vec<_> = (0..3).map(|_| desk.target("a/m").state.begin()).collect();
    let _more = desk.target("b/m").state.begin();
    let counts = firsts(&desk, &question, draws);
    // Of six pairs the busiest wins none, the next only the one against the busiest.
    assert_eq!(counts.get("a/m"), None);
    assert!(fits(counts["b/m"], draws, 1.0 / 6.0), "{counts:?}");
    assert!(fits(counts["c/m"], draws, 2.5 / 6.0) && fits(counts["d/m"], draws, 2.5 / 6.0), "{counts:?}");
    let plan = (0..).map(|draw| desk.at(0, draw).unwrap()).find(|plan| first(plan) != "b/m").unwrap();
    assert_eq!(plan.attempts[0].reason, SelectionReason::LeastLoaded { in_flight: 0 });
    assert_eq!(order(&plan)[3], "a/m");
    drop(held);
    assert!(firsts(&desk, &question, draws).contains_key("a/m"), "a count ends with its request");
}

#[test]
fn the_cheapest_that_can_do_it_goes_first() {
    let price = |model: &str, input: &str| {
        format!(r#"{{"model":"{model}","effective_from":"1970-01-01","input":"{input}","output":"{input}"}}"#)
    };
    let desk = Desk::new(|world, _| {
        for (name, input, facts) in [
            ("a", "$9", r#"{"context":100000,"capabilities":{"tools":true,"vision":true}}"#),
            ("b", "$1", r#"{"context":1000,"capabilities":{"tools":false}}"#),
            ("c", "$3", r#"{"context":100000,"capabilities":{"vision":false}}"#),
        ] {
            world.provider(name, 1, "");
            world.add(None, domain::Kind::Model, &format!("{name}/m"), facts);
            world.add(
                None,
                domain::Kind::Price,
                &format!("{name}/m@1970"),
                &price(&format!("{name}/m"), input),
            );
        }
        world.provider("d", 1, "");
        world.route("chat", r#"{"strategy":"cheapest","targets":["a/m","b/m","c/m","d/m"]}"#);
    });
    let plain = desk.at(0, 0).unwrap();
    assert_eq!(order(&plain), ["b/m", "c/m", "a/m", "d/m"]);
    let SelectionReason::Cheapest { expected: Some(cost) } = plain.attempts[0].reason else {
        panic!("no cost")
    };
    assert_eq!(cost.nanos(), 600 * 1_000, "100 tokens in, 500 expected");
    assert_eq!(plain.attempts[3].reason, SelectionReason::Cheapest { expected: None });

    let long = desk.ask(&Question { input_tokens: 5_000, ..Question::of("chat") }).unwrap();
    assert_eq!(order(&long), ["c/m", "a/m", "d/m"]);
    assert_eq!(passed(&long), [("b/m".into(), SkipReason::TooSmall { needed: 5_000, context: 1_000 })]);
    let mut full = Question::of("chat");
    full.facts.max_output = Some(950);
    assert_eq!(first(&desk.ask(&full).unwrap()), "c/m", "the output has to fit as well");
    let tools = Question { shape: Shape { tools: 1, ..Shape::default() }, ..Question::of("chat") };
    let plan = desk.ask(&tools).unwrap();
    assert_eq!(
        (first(&plan), passed(&plan)[0].1.clone()),
        ("c/m".into(), SkipReason::MissingCapability("tools"))
    );
    let mut picture = Question::of("chat");
    picture.facts.images = 1;
    assert_eq!(order(&desk.ask(&picture).unwrap()), ["b/m", "a/m", "d/m"], "unknown is not missing");
}

#[test]
fn requirements_may_ask_for_what_is_known() {
    let desk = Desk::new(|world, _| {
        world.provider("a", 1, "");
        world.provider("b", 1, "");
        world.add(None, domain::Kind::Model, "b/m", r#"{"capabilities":{"vision":true}}"#);
        world.route("chat", r#"{"require":{"capabilities":"known"},"targets":["a/m","b/m"]}"#);
    });
    let mut picture = Question::of("chat");
    picture.facts.images = 1;
    let plan = desk.ask(&picture).unwrap();
    assert_eq!(
        (order(&plan), passed(&plan)),
        (vec!["b/m".into()], vec![("a/m".into(), SkipReason::MissingCapability("images"))])
    );
    assert_eq!(
        order(&desk.at(0, 0).unwrap()),
        ["a/m", "b/m"],
        "nothing is asked of a request that uses nothing"
    );
}

#[test]
fn the_nearest_goes_first_by_ones_own_table_or_by_the_globe() {
    let desk = |distances: &str| {
        Desk::new(|world, _| {
            for (name, region) in [("a", "us-east-1"), ("b", "eu-west-1"), ("c", "eu-central-1")] {
                world.provider(name, 1, &format!(r#","region":"{region}""#));
            }
            world.provider("d", 1, "");
            let targets = r#""targets":["a/m","b/m","c/m","d/m"]"#;
            world.route("chat", &format!(r#"{{"strategy":"nearest",{targets}{distances}}}"#));
        })
    };
    let globe = desk("");
    let from = |region| Question { region, ..Question::of("chat") };
    assert_eq!(order(&globe.ask(&from(Some("eu-central-1"))).unwrap()), ["c/m", "b/m", "a/m", "d/m"]);
    assert_eq!(order(&globe.ask(&from(Some("us-east-2"))).unwrap()), ["a/m", "b/m", "c/m", "d/m"]);
    assert_eq!(order(&globe.ask(&from(None)).unwrap()), ["a/m", "b/m", "c/m", "d/m"]);
    let own = desk(r#","distances":{"eu-central-1":{"us-east-1":5,"eu-west-1":9}}"#);
    let plan = own.ask(&from(Some("eu-central-1"))).unwrap();
    assert_eq!(order(&plan), ["c/m", "a/m", "b/m", "d/m"]);
    assert_eq!(reasons(&plan)[1], SelectionReason::Nearest { distance: Some(5) });
    let elsewhere = own.ask(&from(Some("us-east-2"))).unwrap();
    assert!(reasons(&elsewhere).iter().all(|reason| *reason == SelectionReason::Nearest { distance: None }));
}
