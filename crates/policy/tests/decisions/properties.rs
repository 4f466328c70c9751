//! Whatever the tiers and whatever was seen of their targets: every member is accounted for, once.

use std::{collections::BTreeSet, time::Duration};

use policy::{PlannedTarget, RoutingError, SelectionReason, SkipReason, health::BreakerState};
use proptest::prelude::*;

use crate::question::{Desk, Question, SECOND, permit, recover};

const STRATEGIES: [&str; 7] =
    ["priority", "weighted", "lowest_latency", "least_loaded", "cheapest", "nearest", "sticky"];
const NOW: u64 = 8 * SECOND;

/// What happened to a target by `NOW`.
#[derive(Clone, Copy, Debug)]
enum State {
    Open,
    Dead,
    Soft,
    HalfOpen,
    Permitted,
    Warming,
    NoKey,
    Busy,
}

const STATES: [State; 8] = [
    State::Open,
    State::Dead,
    State::Soft,
    State::HalfOpen,
    State::Permitted,
    State::Warming,
    State::NoKey,
    State::Busy,
];

fn desk(tiers: &[(usize, Vec<State>)]) -> (Desk, Vec<Box<dyn std::any::Any>>) {
    let all: usize = tiers.iter().map(|(_, states)| states.len()).sum();
    let mut number = 0;
    let mut written = Vec::new();
    for (strategy, states) in tiers {
        let targets = (number..number + states.len())
            .map(|n| format!(r#"{{"model":"p{n}/m","concurrent":1,"weight":{}}}"#, n + 1));
        let targets = targets.collect::<Vec<_>>().join(",");
        written.push(format!(r#"{{"strategy":"{}","targets":[{targets}]}}"#, STRATEGIES[*strategy]));
        number += states.len();
    }
    let desk = Desk::new(|world, _| {
        for n in 0..all {
            world.provider(&format!("p{n}"), 1, "");
        }
        world.route("chat", &format!(r#"{{"pools":{{"p":{{"tiers":[{}]}}}}}}"#, written.join(",")));
    });
    let mut held: Vec<Box<dyn std::any::Any>> = Vec::new();
    for (n, state) in tiers.iter().flat_map(|(_, states)| states).enumerate() {
        let name = format!("p{n}/m");
        let target = desk.target(&name);
        match state {
            State::Open => {}
            State::Dead => desk.eject(&name, true, NOW - SECOND),
            State::Soft => desk.eject(&name, false, NOW - SECOND),
            State::HalfOpen => desk.eject(&name, true, 0),
            State::Permitted => {
                desk.eject(&name, n % 2 == 0, 0);
                permit(&target.state, NOW - SECOND);
            }
            State::Warming => {
                desk.eject(&name, true, 0);
                recover(&target, NOW - SECOND);
            }
            State::NoKey => target.endpoint.credentials[0].state.cool_down(Duration::from_secs(60), 0),
            State::Busy => held.push(Box::new(target.state.begin())),
        }
    }
    (desk, held)
}

fn allowed(planned: &PlannedTarget) -> bool {
    match planned.target.state.admission(NOW) {
        BreakerState::Healthy | BreakerState::Warming { .. } => true,
        BreakerState::HalfOpen => matches!(planned.reason, SelectionReason::Trial | SelectionReason::Panic),
        BreakerState::Ejected { dead, .. } => !dead && planned.reason == SelectionReason::Panic,
    }
}

fn tiers() -> impl Strategy<Value = Vec<(usize, Vec<State>)>> {
    let states = prop::collection::vec(prop::sample::select(STATES.to_vec()), 1..6);
    prop::collection::vec((0..STRATEGIES.len(), states), 1..4)
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 200, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn every_member_is_tried_or_passed_over_once(tiers in tiers(), draw: u64, session in 0..9_u32) {
        let (desk, _held) = desk(&tiers);
        let question = Question { draw, now: NOW, session: Some(session.to_string()), ..Question::of("chat") };
        let (attempts, passed) = match desk.ask(&question) {
            Ok(plan) => (plan.attempts, plan.passed_over),
            Err(RoutingError::NoAvailableTarget { passed_over, .. }) => (Vec::new(), passed_over),
            Err(other) => return Err(TestCaseError::fail(other.to_string())),
        };
        let tried = attempts.iter().map(|planned| planned.target.model.to_string());
        let names: Vec<_> = tried.chain(passed.iter().map(|passed| passed.model.to_string())).collect();
        let all: usize = tiers.iter().map(|(_, states)| states.len()).sum();
        prop_assert_eq!(names.iter().collect::<BTreeSet<_>>().len(), names.len(), "twice: {:?}", &names);
        prop_assert_eq!(names.len(), all, "missing: {:?}", &names);
        for planned in &attempts {
            prop_assert!(allowed(planned), "{} by {:?}", planned.target.model, planned.reason);
        }
        let trials: Vec<_> = (0..).zip(&attempts).filter(|(_, planned)| planned.reason == SelectionReason::Trial).collect();
        let late = |place: usize| attempts[place..].iter().all(|planned| matches!(planned.reason, SelectionReason::Trial | SelectionReason::Busy));
        prop_assert!(trials.iter().all(|(place, _)| *place == 0 || late(*place)), "a second trial before what works");
        let open = |planned: &PlannedTarget| matches!(planned.target.state.admission(NOW), BreakerState::Healthy) && planned.reason != SelectionReason::Busy;
        let warming = attempts.iter().position(|planned| planned.reason == SelectionReason::Warming);
        prop_assert!(warming.is_none_or(|place| attempts[..place].iter().any(open) || !attempts.iter().any(open)));
        let busy = |passed: &SkipReason| matches!(passed, SkipReason::Busy | SkipReason::Duplicate);
        prop_assert!(!passed.iter().any(|passed| busy(&passed.why)));

        let again = desk.ask(&question).map(|plan| plan.attempts).unwrap_or_default();
        let key = |planned: &PlannedTarget| (planned.target.model.clone(), planned.tier, planned.reason.to_string());
        prop_assert_eq!(attempts.iter().map(key).collect::<Vec<_>>(), again.iter().map(key).collect::<Vec<_>>());
    }
}
