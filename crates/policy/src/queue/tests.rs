//! The queue against a naive model, and the rules one by one.

mod model;

use proptest::prelude::*;
use uuid::Uuid;

use self::model::{Item, Model};
use super::*;

const FAR: Micros = 1 << 40;

fn tenant(number: u8) -> ResourceId {
    ResourceId(Uuid::from_u128(u128::from(number) + 1))
}

const fn priority(number: u8) -> Priority {
    [Priority::Low, Priority::Normal, Priority::High][number as usize % 3]
}

fn who(of: u8, class: u8) -> WaitRequest {
    WaitRequest { tenant: tenant(of), priority: priority(class), deadline: FAR }
}

/// Everybody's values in the order in which they are served.
fn drain<T>(queue: &mut Queue<T>) -> Vec<T> {
    std::iter::from_fn(|| queue.take(0, |_| Some(())).map(|(value, ())| value)).collect()
}

fn filled(waiters: &[(WaitRequest, &'static str)]) -> Queue<&'static str> {
    let mut queue = Queue::default();
    for (who, value) in waiters {
        queue.push(*who, *value, 100, 0).unwrap();
    }
    queue
}

#[derive(Clone, Debug)]
enum Step {
    Push { tenant: u8, class: u8, limit: u8, length: usize, lasts: Micros },
    Take { free: u8 },
    Leave { which: usize },
    Pass(Micros),
}

fn step() -> impl Strategy<Value = Step> {
    let push = (0..4_u8, 0..3_u8, 0..3_u8, 0..9_usize, 0..400_u64);
    prop_oneof![
        4 => push.prop_map(|(tenant, class, limit, length, lasts)| Step::Push { tenant, class, limit, length, lasts }),
        3 => (0..4_u8).prop_map(|free| Step::Take { free }),
        1 => (0..12_usize).prop_map(|which| Step::Leave { which }),
        2 => (0..120_u64).prop_map(Step::Pass),
    ]
}

proptest! {
    #[test]
    fn it_does_what_the_model_does(steps in prop::collection::vec(step(), 1..200)) {
        let (mut queue, mut model, mut now) = (Queue::default(), Model::default(), 0);
        let mut tickets: Vec<(Ticket, usize)> = Vec::new();
        for (id, step) in steps.into_iter().enumerate() {
            match step {
                Step::Push { tenant: of, class, limit, length, lasts } => {
                    let who = WaitRequest { deadline: now + lasts, ..who(of, class) };
                    let pushed = queue.push(who, (id, limit), length, now);
                    let told = pushed.as_ref().map(|(_, out)| out.map(|(id, _)| id)).map_err(|refused| *refused);
                    model.push(Item { who, id, limit }, length, now, told);
                    tickets.extend(pushed.ok().map(|(ticket, _)| (ticket, id)));
                }
                Step::Take { free } => {
                    let taken = queue.take(now, |(_, limit)| (*limit <= free).then_some(()));
                    prop_assert_eq!(taken.map(|((id, _), ())| id), model.take(now, free));
                }
                Step::Leave { which } if which < tickets.len() => {
                    let (ticket, id) = tickets.swap_remove(which);
                    prop_assert_eq!(queue.remove(ticket).is_some(), model.remove(id));
                }
                Step::Leave { .. } => {}
                Step::Pass(time) => now += time,
            }
            prop_assert_eq!((queue.len(), queue.is_empty()), (model.len(), model.len() == 0));
        }
    }
}

#[test]
fn higher_priorities_go_first_and_within_one_by_arrival() {
    let mut queue =
        filled(&[(who(1, 0), "low"), (who(1, 1), "first"), (who(1, 2), "high"), (who(1, 1), "second")]);
    assert_eq!(drain(&mut queue), ["high", "first", "second", "low"]);
}

#[test]
fn a_flood_of_one_tenant_delays_another_by_one_place_a_request() {
    let mut queue = Queue::default();
    for _ in 0..50 {
        queue.push(who(1, 1), 1, 100, 0).unwrap();
    }
    for _ in 0..3 {
        queue.push(who(2, 1), 2, 100, 0).unwrap();
    }
    assert_eq!(drain(&mut queue)[..7], [1, 2, 1, 2, 1, 2, 1]);
}

#[test]
fn a_flood_of_one_tenant_does_not_keep_another_from_waiting() {
    let mut queue = Queue::default();
    for number in 0..4 {
        queue.push(who(1, 1), number, 4, 0).unwrap();
    }
    assert_eq!(queue.push(who(1, 1), 4, 4, 0).unwrap_err(), EnqueueError::Full, "its own flood is full");
    assert_eq!(queue.push(who(2, 1), 10, 4, 0).unwrap().1, Some(3), "the flood's newest makes room");
    assert_eq!(queue.push(who(2, 1), 11, 4, 0).unwrap().1, Some(2));
    assert_eq!(queue.push(who(2, 1), 12, 4, 0).unwrap_err(), EnqueueError::Full, "each has its half");
    assert_eq!(drain(&mut queue), [0, 10, 1, 11]);
}

#[test]
fn without_room_the_newest_of_the_lowest_priority_below_goes() {
    let mut queue = filled(&[(who(1, 0), "old low"), (who(2, 0), "new low"), (who(3, 1), "normal")]);
    assert_eq!(queue.push(who(4, 2), "high", 3, 0).unwrap().1, Some("new low"));
    assert_eq!(queue.push(who(4, 1), "other", 3, 0).unwrap().1, Some("old low"));
    assert_eq!(
        queue.push(who(5, 0), "low", 3, 0).unwrap_err(),
        EnqueueError::Full,
        "it would have to go itself"
    );
    assert_eq!(drain(&mut queue), ["high", "normal", "other"]);
}

#[test]
fn who_is_too_late_makes_room_and_is_not_served() {
    let mut queue = Queue::default();
    queue.push(WaitRequest { deadline: 10, ..who(1, 1) }, "short", 1, 0).unwrap();
    assert_eq!(
        queue.push(WaitRequest { deadline: 20, ..who(2, 1) }, "next", 1, 9).unwrap_err(),
        EnqueueError::Full
    );
    assert_eq!(queue.push(WaitRequest { deadline: 20, ..who(2, 1) }, "next", 1, 10).unwrap().1, None);
    assert!(queue.take(20, |_| Some(())).is_none());
    let late = WaitRequest { deadline: 30, ..who(1, 1) };
    assert_eq!(queue.push(late, "late", 1, 30).unwrap_err(), EnqueueError::TooLate);
}

#[test]
fn who_cannot_be_served_in_time_is_told_at_once() {
    let mut queue = Queue::default();
    for _ in 0..12 {
        queue.push(who(1, 1), (), 100, 0).unwrap();
    }
    queue.take(100, |()| Some(())).unwrap();
    queue.take(200, |()| Some(())).unwrap();
    // A place every 100 µs and ten before it: 1,000 µs; if it goes twice as fast, half of that.
    let until = |deadline| WaitRequest { deadline, ..who(1, 1) };
    assert_eq!(queue.push(until(699), (), 100, 200).unwrap_err(), EnqueueError::TooLate);
    queue.push(until(700), (), 100, 200).unwrap();
    // Of another tenant's dozen none is certain to be before it.
    queue.push(WaitRequest { deadline: 201, ..who(2, 1) }, (), 100, 200).unwrap();
    // Nor is anybody of lower priority.
    queue.push(WaitRequest { deadline: 201, ..who(1, 2) }, (), 100, 200).unwrap();
}

#[test]
fn who_needs_more_is_not_in_the_way_of_who_needs_less() {
    let mut queue = filled(&[(who(1, 1), "needs 2"), (who(2, 1), "needs 1")]);
    let taken = queue.take(0, |value| (*value == "needs 1").then_some("a place"));
    assert_eq!(taken, Some(("needs 1", "a place")));
    assert_eq!(drain(&mut queue), ["needs 2"]);
}
