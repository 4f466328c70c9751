//! Sessions, users and prompts keep to their target, also when others come and go.

use std::collections::BTreeMap;

use policy::SelectionReason;
use wire::Shape;

use crate::question::{Desk, MIDDLE, Question, SECOND, first, recover};

const WARM: u64 = 60 * SECOND;

fn places(desk: &Desk, now: u64) -> BTreeMap<u32, String> {
    let place = |session: u32| {
        let question = Question {
            session: Some(format!("s{session}")),
            now,
            draw: u64::from(session),
            ..Question::of("chat")
        };
        (session, first(&desk.ask(&question).unwrap()))
    };
    (0..1_000).map(place).collect()
}

fn desk() -> Desk {
    Desk::chat(
        "abc",
        r#"{"strategy":"sticky","targets":[{"model":"a/m","weight":2},"b/m","c/m"],"panic_threshold":"0%"}"#,
    )
}

#[test]
fn only_what_kept_to_a_lost_target_moves_and_it_comes_back() {
    let desk = desk();
    let before = places(&desk, 0);
    let share = before.values().filter(|target| *target == "a/m").count();
    assert!((437..=563).contains(&share), "half of 1,000, to four standard deviations: {share}");
    desk.eject("a/m", true, 0);
    let during = places(&desk, SECOND);
    for (session, target) in &before {
        let stays = during[session] == *target;
        assert!(stays != (target == "a/m"), "session {session} of {target} went to {}", during[session]);
    }
    let moved = before.iter().filter(|(_, target)| *target == "a/m").map(|(session, _)| &during[session]);
    let to_b = moved.filter(|target| *target == "b/m").count();
    assert!(to_b * 3 > share && to_b * 3 < 2 * share, "{to_b} of {share} went to the one of two");
    recover(&desk.target("a/m"), 6 * SECOND);
    assert_eq!(places(&desk, WARM), before);
}

#[test]
fn replicas_agree_without_asking_each_other() {
    let (one, other) = (desk(), desk());
    assert_eq!(places(&one, 0), places(&other, MIDDLE));
}

#[test]
fn who_keeps_to_a_target_is_the_session_or_the_user_or_the_prompt() {
    let desk = desk();
    let by_user = |user: u64| Question { user: Some(format!("u{user}")), ..Question::of("chat") };
    let by_prompt =
        |prefix: u64| Question { shape: Shape { prefix, ..Shape::default() }, ..Question::of("chat") };
    for (number, make) in [0, 1].into_iter().zip([&by_user as &dyn Fn(u64) -> Question, &by_prompt]) {
        let mut seen = BTreeMap::<String, u32>::new();
        for key in 1..200 {
            let of = |draw| {
                let plan = desk.ask(&Question { draw, ..make(key) }).unwrap();
                assert_eq!(plan.attempts[0].reason, SelectionReason::Sticky);
                first(&plan)
            };
            assert_eq!(of(1), of(2), "{number}: {key}");
            *seen.entry(of(3)).or_default() += 1;
        }
        assert_eq!(seen.len(), 3, "they spread: {seen:?}");
    }
    let session = Question { session: Some("s".into()), ..by_user(1) };
    let other = Question { user: Some("another".into()), ..session.clone() };
    assert_eq!(
        first(&desk.ask(&session).unwrap()),
        first(&desk.ask(&other).unwrap()),
        "the session goes before"
    );
}

#[test]
fn calls_without_anything_to_keep_to_are_spread() {
    let desk = desk();
    let mut seen = BTreeMap::<String, u32>::new();
    for draw in 0..400 {
        *seen.entry(first(&desk.at(0, draw).unwrap())).or_default() += 1;
    }
    assert!((160..=240).contains(&seen["a/m"]) && seen.len() == 3, "{seen:?}");
}
