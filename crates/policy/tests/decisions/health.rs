//! What a target's health makes of its place: ejected, on trial, warming up, at its limit, in panic.

use std::time::Duration;

use domain::Kind;
use policy::{SelectionReason, SkipReason, recheck};

use crate::question::{Desk, Question, SECOND, first, order, passed, permit, reasons, recover, tell};

const TWO_TIERS: &str = r#"{"pools":{"p":{"tiers":[{"targets":["a/m"]},{"targets":["b/m","c/m"]}]}}}"#;
/// The end of the first ejection.
const OVER: u64 = 6 * SECOND;

#[test]
fn an_ejected_target_is_passed_over_with_the_time_it_has_left() {
    let desk = Desk::chat("ab", r#"{"targets":["a/m","b/m"]}"#);
    desk.eject("a/m", true, 0);
    let plan = desk.at(SECOND, 0).unwrap();
    assert_eq!(order(&plan), ["b/m"]);
    assert_eq!(passed(&plan), [("a/m".into(), SkipReason::Ejected { left: Duration::from_secs(4) })]);
}

#[test]
fn one_request_finds_out_whether_a_target_is_back_wherever_it_stands() {
    for (target, tier) in [("a/m", 0), ("b/m", 1), ("c/m", 1)] {
        let desk = Desk::chat("abc", TWO_TIERS);
        desk.eject(target, true, 0);
        let plan = desk.at(OVER, 0).unwrap();
        assert_eq!(passed(&plan), [(target.into(), SkipReason::OnTrial)], "nobody has leave");
        permit(&desk.target(target).state, OVER);
        let (one, two) = (desk.at(OVER, 0).unwrap(), desk.at(OVER, 0).unwrap());
        assert_eq!(
            (first(&one).as_str(), one.attempts[0].reason, one.attempts[0].tier),
            (target, SelectionReason::Trial, tier)
        );
        assert_eq!(recheck(&one.attempts[0], OVER), Ok(true));
        assert_eq!(recheck(&two.attempts[0], OVER), Err(SkipReason::OnTrial), "another was faster");
        assert_eq!(recheck(&two.attempts[1], OVER), Ok(false));
        assert!(passed(&desk.at(OVER, 0).unwrap()).contains(&(target.into(), SkipReason::OnTrial)));
    }
}

#[test]
fn one_request_bears_one_trial_before_those_that_work() {
    let desk = Desk::chat("abc", r#"{"targets":["a/m","b/m","c/m"]}"#);
    for target in ["a/m", "b/m"] {
        desk.eject(target, true, 0);
        permit(&desk.target(target).state, OVER);
    }
    let plan = desk.at(OVER, 0).unwrap();
    assert_eq!(order(&plan), ["a/m", "c/m", "b/m"]);
    assert_eq!(reasons(&plan), [SelectionReason::Trial, SelectionReason::Next, SelectionReason::Trial]);
}

#[test]
fn a_target_that_is_back_gets_its_share_by_and_by_across_tiers_as_well() {
    for route in [TWO_TIERS, r#"{"targets":["a/m","b/m","c/m"]}"#] {
        let desk = Desk::chat("abc", route);
        desk.eject("a/m", true, 0);
        recover(&desk.target("a/m"), OVER);
        let share = |now| (0..2_000).filter(|draw| first(&desk.at(now, *draw).unwrap()) == "a/m").count();
        assert!((146..=254).contains(&share(OVER)), "a tenth at once: {}", share(OVER));
        let half = share(OVER + 15 * SECOND / 2);
        assert!((1_011..=1_189).contains(&half), "55 % after half of the time: {half}");
        assert_eq!(share(OVER + 15 * SECOND), 2_000);
        let above = (0..).map(|draw| desk.at(OVER, draw).unwrap()).find(|plan| first(plan) != "a/m").unwrap();
        let place = order(&above).iter().position(|target| target == "a/m").unwrap();
        assert_eq!(above.attempts[place].reason, SelectionReason::Warming, "it is there if the others fail");
    }
    let alone = Desk::chat("a", r#"{"targets":["a/m"]}"#);
    alone.eject("a/m", true, 0);
    recover(&alone.target("a/m"), OVER);
    assert!((0..100).all(|draw| first(&alone.at(OVER, draw).unwrap()) == "a/m"), "nobody else is there");
}

#[test]
fn a_target_at_its_limit_comes_last_and_is_kept_in_reserve() {
    let desk = Desk::chat(
        "abc",
        r#"{"pools":{"p":{"tiers":[{"targets":[{"model":"a/m","concurrent":2},"b/m"]},{"targets":["c/m"]}]}}}"#,
    );
    let state = &desk.target("a/m").state;
    let first_one = state.begin();
    assert_eq!(order(&desk.at(0, 0).unwrap()), ["a/m", "b/m", "c/m"]);
    let second = state.begin();
    let plan = desk.at(0, 0).unwrap();
    assert_eq!(
        (order(&plan), plan.attempts[2].reason),
        (vec!["b/m".into(), "c/m".into(), "a/m".into()], SelectionReason::Busy)
    );
    assert_eq!(plan.attempts[2].concurrent, Some(2));
    drop(second);
    assert_eq!(order(&desk.at(0, 0).unwrap()), ["a/m", "b/m", "c/m"]);
    drop(first_one);
}

#[test]
fn in_panic_those_that_still_answer_at_times_are_used_and_dead_ones_are_not() {
    let desk = Desk::chat("abc", r#"{"strategy":"weighted","targets":["a/m","b/m","c/m"]}"#);
    desk.eject("a/m", false, 0);
    let calm = desk.at(SECOND, 0).unwrap();
    assert_eq!(calm.attempts.len(), 2, "two of three are in use");
    desk.eject("b/m", true, 0);
    let plans = || (0..50).map(|draw| desk.at(SECOND, draw).unwrap());
    for plan in plans() {
        let mut targets = order(&plan);
        targets.sort();
        assert_eq!(targets, ["a/m", "c/m"]);
        let soft = plan.attempts.iter().find(|planned| planned.target.model.provider == "a").unwrap();
        assert_eq!((soft.reason, recheck(soft, SECOND)), (SelectionReason::Panic, Ok(false)));
        assert!(matches!(&passed(&plan)[..], [(dead, SkipReason::Ejected { .. })] if dead == "b/m"));
    }
    assert!(plans().any(|plan| first(&plan) == "a/m"), "the one that is left does not bear it all");
}

#[test]
fn in_panic_a_chain_keeps_to_what_works() {
    let desk = Desk::chat("abc", r#"{"targets":["a/m","b/m","c/m"]}"#);
    desk.eject("a/m", false, 0);
    desk.eject("b/m", true, 0);
    let plan = desk.at(SECOND, 0).unwrap();
    assert_eq!(
        (order(&plan), plan.attempts[1].reason),
        (vec!["c/m".into(), "a/m".into()], SelectionReason::Panic)
    );
}

#[test]
fn in_panic_a_trial_keeps_nobody_waiting() {
    let desk = Desk::chat("a", r#"{"targets":[{"model":"a/m","concurrent":1}]}"#);
    desk.eject("a/m", false, 0);
    let reason = |now| desk.at(now, 0).map(|plan| plan.attempts[0].reason).unwrap();
    assert_eq!((reason(SECOND), reason(OVER)), (SelectionReason::Panic, SelectionReason::Panic));
    permit(&desk.target("a/m").state, OVER);
    let (one, two) = (desk.at(OVER, 0).unwrap(), desk.at(OVER, 0).unwrap());
    assert_eq!((recheck(&one.attempts[0], OVER), recheck(&two.attempts[0], OVER)), (Ok(true), Ok(false)));
    let _busy = desk.target("a/m").state.begin();
    let plan = desk.at(OVER, 0).unwrap();
    assert_eq!(recheck(&plan.attempts[0], OVER), Ok(false), "a queue is no reason to give it up");
}

#[test]
fn the_threshold_is_the_routes() {
    let two = |threshold: &str| {
        let desk = Desk::chat("ab", &format!(r#"{{"targets":["a/m","b/m"]{threshold}}}"#));
        desk.eject("a/m", false, 0);
        desk.at(SECOND, 0).unwrap().attempts.len()
    };
    assert_eq!((two(""), two(r#","panic_threshold":"51%""#), two(r#","panic_threshold":"0%""#)), (1, 2, 1));
}

#[test]
fn what_happens_after_the_plan_counts_when_its_turn_comes() {
    let desk = Desk::chat("ab", r#"{"targets":["a/m","b/m"]}"#);
    let plan = desk.at(0, 0).unwrap();
    assert_eq!(recheck(&plan.attempts[0], 0), Ok(false));
    desk.eject("a/m", false, 0);
    assert!(matches!(recheck(&plan.attempts[0], SECOND), Err(SkipReason::Ejected { .. })));
    recover(&desk.target("a/m"), OVER);
    assert_eq!(recheck(&plan.attempts[0], OVER), Ok(false));
}

#[test]
fn a_model_past_its_date_is_served_by_its_successor() {
    let desk = Desk::new(|world, _| {
        world.provider("a", 1, "");
        world.provider("b", 1, "");
        let old = r#"{"deprecation":"2026-06-01","successor":"new"}"#;
        world.add(None, Kind::Model, "a/old", old);
        world.route("chat", r#"{"targets":["a/old","b/m"]}"#);
        world.route("both", r#"{"targets":["a/old","a/new","b/m"]}"#);
    });
    let on = |route: &str, day: &str, now| {
        desk.ask(&Question { at: day.parse().unwrap(), now, ..Question::of(route) }).unwrap()
    };
    let before = on("chat", "2026-05-31", 0);
    assert_eq!(
        (order(&before), before.attempts[0].reason),
        (vec!["a/old".into(), "b/m".into()], SelectionReason::First)
    );
    let after = on("chat", "2026-06-01", 0);
    assert_eq!((first(&after).as_str(), after.attempts[0].reason), ("a/new", SelectionReason::Successor));
    let both = on("both", "2026-06-01", 0);
    assert_eq!(
        (order(&both), passed(&both)),
        (vec!["a/new".into(), "b/m".into()], vec![("a/new".into(), SkipReason::Duplicate)])
    );
    (0..5).for_each(|_| tell(&after.attempts[0].target, false, 0));
    let left = Duration::from_secs(4);
    assert_eq!(passed(&on("chat", "2026-06-02", SECOND)), [("a/old".into(), SkipReason::Ejected { left })]);
    assert_eq!(first(&on("chat", "2026-05-01", SECOND)), "a/old", "the health is the successor's own");
}
