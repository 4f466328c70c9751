//! When too few of a pool's targets are in use: who counts, and in which forms of pools.

use std::time::Duration;

use domain::Kind;
use policy::{RoutingError, SelectionReason};

use crate::question::{Desk, Question, SECOND, order, reasons};

#[test]
fn a_target_without_a_usable_key_is_not_in_use() {
    let desk = Desk::chat("ab", r#"{"targets":["a/m","b/m"]}"#);
    desk.eject("a/m", false, 0);
    assert_eq!(order(&desk.at(SECOND, 0).unwrap()), ["b/m"], "one of two is in use");
    desk.target("b/m").endpoint.credentials[0].state.cool_down(Duration::from_secs(60), 0);
    let plan = desk.at(SECOND, 0).unwrap();
    assert_eq!((order(&plan), reasons(&plan)), (vec!["a/m".to_owned()], vec![SelectionReason::Panic]));
}

#[test]
fn a_target_that_cannot_do_it_does_not_count() {
    let desk = Desk::new(|world, _| {
        for provider in ["a", "b", "c"] {
            world.provider(provider, 1, "");
        }
        for model in ["b/m", "c/m"] {
            world.add(None, Kind::Model, model, r#"{"context":10}"#);
        }
        world.route("chat", r#"{"require":{"context":"fits"},"targets":["a/m","b/m","c/m"]}"#);
    });
    desk.eject("a/m", false, 0);
    let plan = desk.at(SECOND, 0).unwrap();
    assert_eq!((order(&plan), reasons(&plan)), (vec!["a/m".to_owned()], vec![SelectionReason::Panic]));
    let small = Question { input_tokens: 5, now: SECOND, ..Question::of("chat") };
    assert_eq!(order(&desk.ask(&small).unwrap()), ["b/m", "c/m"], "two of three can do that");
}

#[test]
fn a_threshold_of_nothing_is_no_panic_whatever_happens() {
    let desk = Desk::chat("ab", r#"{"panic_threshold":"0%","targets":["a/m","b/m"]}"#);
    desk.eject("a/m", false, 0);
    desk.target("b/m").endpoint.credentials[0].state.cool_down(Duration::from_secs(60), 0);
    assert!(matches!(desk.at(SECOND, 0), Err(RoutingError::NoAvailableTarget { .. })));
}

#[test]
fn a_cascade_panics_as_tiers_do() {
    let route = r#"{"pools":{"p":{"cascade":[{"model":"a/m","accept":{"when":"reply.json_valid"}},{"model":"b/m"}]}}}"#;
    let desk = Desk::chat("ab", route);
    desk.eject("a/m", false, 0);
    assert_eq!(order(&desk.at(SECOND, 0).unwrap()), ["b/m"], "one of two is in use");
    desk.eject("b/m", false, 0);
    let plan = desk.at(SECOND, 0).unwrap();
    assert_eq!(
        (order(&plan), reasons(&plan)),
        (vec!["a/m".into(), "b/m".into()], vec![SelectionReason::Panic; 2])
    );
}
