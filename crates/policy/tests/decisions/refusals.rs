//! Requests that no plan can be made for: what they are told, and when to ask again. And cascades.

use std::time::Duration;

use domain::ErrorKind;
use policy::{RoutingError, SelectionReason};
use wire::Shape;

use crate::question::{Desk, MIDDLE, Question, SECOND, order, passed, reasons};

const PAIR: &str = r#"{"targets":["a/m","b/m"]}"#;

#[test]
fn nobody_is_there_while_all_are_out_and_the_first_to_return_says_when_to_ask_again() {
    let desk = Desk::chat("ab", PAIR);
    desk.eject("a/m", true, 0);
    desk.eject("b/m", true, 2 * SECOND);
    let refusal = desk.at(3 * SECOND, 0).unwrap_err();
    assert_eq!(refusal.kind(), ErrorKind::Overloaded);
    let text = refusal.to_string();
    assert!(text.contains("a/m: unhealthy") && text.contains("b/m: unhealthy"), "{text}");
    let RoutingError::NoAvailableTarget { retry_after, passed_over, spent: false, .. } = refusal else {
        panic!("{text}")
    };
    assert_eq!((retry_after, passed_over.len()), (Duration::from_secs(2), 2));
    let Err(RoutingError::NoAvailableTarget { retry_after, .. }) = desk.at(6 * SECOND, 0) else {
        panic!("planned")
    };
    assert_eq!(retry_after, Duration::from_secs(1), "a trial is due, others come soon after it");
}

#[test]
fn keys_that_rest_are_a_limit_and_refused_ones_are_not() {
    let desk = Desk::chat("ab", PAIR);
    let key = |target: &str| desk.target(target).endpoint.credentials[0].clone();
    key("a/m").state.cool_down(Duration::from_secs(30), 0);
    key("b/m").state.cool_down(Duration::from_secs(10), 0);
    let refusal = desk.at(0, 0).unwrap_err();
    assert_eq!(refusal.kind(), ErrorKind::RateLimited);
    let RoutingError::NoAvailableTarget { retry_after, spent: true, .. } = refusal else {
        panic!("{refusal}")
    };
    assert_eq!(retry_after, Duration::from_secs(10));
    key("b/m").state.refuse(0, MIDDLE);
    assert_eq!(desk.at(0, 0).unwrap_err().kind(), ErrorKind::Overloaded);
}

#[test]
fn nobody_can_what_no_target_is_able_to_do_however_long_one_waits() {
    let desk = Desk::new(|world, _| {
        for name in ["a", "b"] {
            world.provider(name, 1, "");
            let facts = r#"{"context":1000,"capabilities":{"tools":false}}"#;
            world.add(None, domain::Kind::Model, &format!("{name}/m"), facts);
        }
        world.route(
            "chat",
            r#"{"require":{"context":"fits","capabilities":"not_missing"},"targets":["a/m","b/m"]}"#,
        );
    });
    desk.eject("b/m", true, 0);
    let tools = Question { shape: Shape { tools: 1, ..Shape::default() }, ..Question::of("chat") };
    let long = Question { input_tokens: 2_000, ..Question::of("chat") };
    for (question, words) in
        [(tools, "does not support tools"), (long, "needs 2000 tokens, its context has 1000")]
    {
        let refusal = desk.ask(&question).unwrap_err();
        assert_eq!(refusal.kind(), ErrorKind::UnsupportedByTarget);
        assert_eq!(refusal.to_string().matches(words).count(), 2, "{refusal}");
    }
}

#[test]
fn a_cascade_goes_through_its_steps_and_leaves_out_those_that_are_not_there() {
    let desk = Desk::chat(
        "abc",
        r#"{"pools":{"p":{"cascade":[{"model":"a/m","accept":{"when":"reply.json_valid"}},
            {"model":"b/m","accept":{"when":"!reply.refusal"}},{"model":"gone/m","accept":{"when":"true"}},
            {"model":"c/m"}]}}}"#,
    );
    let plan = desk.at(0, 0).unwrap();
    assert_eq!(
        (order(&plan), reasons(&plan)),
        (vec!["a/m".into(), "b/m".into(), "c/m".into()], vec![SelectionReason::Step; 3])
    );
    let steps: Vec<_> =
        plan.attempts.iter().map(|planned| (planned.tier, planned.accept.is_some())).collect();
    assert_eq!(steps, [(0, true), (1, true), (3, false)]);
    assert!(passed(&plan)[0].1.to_string().contains("no provider named gone"));
    desk.eject("a/m", true, 0);
    let plan = desk.at(SECOND, 0).unwrap();
    assert_eq!((order(&plan), plan.passed_over.len()), (vec!["b/m".into(), "c/m".into()], 2));
}
