//! Waiting for a slot: slots are handed over in order, never to a waiter that left, and none is lost.

use std::{
    sync::{
        Arc,
        atomic::{AtomicU32, AtomicUsize, Ordering::SeqCst},
        mpsc::{Receiver, RecvTimeoutError, sync_channel},
    },
    thread,
};

use domain::{Priority, ResourceId};
use uuid::Uuid;

use super::*;
use crate::queue::{EnqueueError, WaitRequest};

/// Longer than anything takes.
const LONG: Duration = Duration::from_secs(30);

fn who(tenant: u64) -> WaitRequest {
    let tenant = ResourceId(Uuid::from_u128(tenant.into()));
    WaitRequest { tenant, priority: Priority::Normal, deadline: Micros::MAX }
}

fn wait(
    target: &TargetState,
    who: WaitRequest,
    limit: u32,
) -> Result<(WaitGuard, Receiver<ConcurrencyPermit>), EnqueueError> {
    let (give, place) = sync_channel::<ConcurrencyPermit>(1);
    let give: Handoff = Box::new(move |place| give.send(place).map_err(|error| error.0));
    let bounds = QueueLimits { limit, length: 1_000 };
    target.wait(who, bounds, || Arc::new(|| 0), give).map(|in_line| (in_line, place))
}

#[test]
fn a_place_goes_to_the_first_in_line_when_it_is_given_back() {
    let target = TargetState::default();
    let place = target.try_begin(1).unwrap();
    let (_first, first) = wait(&target, who(1), 1).unwrap();
    let (_second, second) = wait(&target, who(2), 1).unwrap();
    assert_eq!((target.in_flight(), target.waiting()), (1, 2));
    drop(place);
    let place = first.try_recv().unwrap();
    assert!(second.try_recv().is_err());
    assert_eq!((target.in_flight(), target.waiting()), (1, 1));
    drop(place);
    let place = second.try_recv().unwrap();
    drop(place);
    assert_eq!((target.in_flight(), target.waiting()), (0, 0));
    assert!(target.try_begin(1).is_some());
}

#[test]
fn nobody_overtakes_those_that_wait() {
    let target = TargetState::default();
    let unlimited = target.begin();
    let (_waits, small) = wait(&target, who(1), 1).unwrap();
    assert!(target.try_begin(2).is_none(), "there is room for it, and it came later");
    let (_in_line, large) = wait(&target, who(2), 2).unwrap();
    let place = large.try_recv().expect("what is too little for the first is enough for it");
    drop(unlimited);
    assert!(small.try_recv().is_err(), "one is under way");
    drop(place);
    assert!(small.try_recv().is_ok());
}

#[test]
fn who_left_or_died_is_passed_by() {
    let target = TargetState::default();
    let place = target.try_begin(1).unwrap();
    let (left, _never) = wait(&target, who(1), 1).unwrap();
    let (_dead, deaf) = wait(&target, who(2), 1).unwrap();
    let (_alive, alive) = wait(&target, who(3), 1).unwrap();
    drop(left);
    drop(deaf);
    drop(place);
    let place = alive.try_recv().unwrap();
    assert_eq!((target.in_flight(), target.waiting()), (1, 0));
    drop(place);
    assert_eq!(target.in_flight(), 0);
}

#[test]
fn a_place_that_was_handed_to_somebody_who_is_gone_goes_on_to_the_next() {
    let target = TargetState::default();
    let place = target.try_begin(1).unwrap();
    let (gone, unread) = wait(&target, who(1), 1).unwrap();
    let (_next, next) = wait(&target, who(2), 1).unwrap();
    drop(place);
    drop(gone);
    drop(unread);
    assert!(next.try_recv().is_ok());
}

/// One thread's requests: most wait until they are served, some hang up at once or at some moment.
fn customer(target: &TargetState, seed: u64, most: u32, running: &AtomicU32, served: &AtomicUsize) {
    let draws = HealthRegistry::new(seed);
    for _ in 0..2_000 {
        let patience = match draws.draw() % 4 {
            0 => Duration::ZERO,
            1 => Duration::from_micros(draws.draw() % 50),
            _ => LONG,
        };
        let place = target.try_begin(most).or_else(|| {
            let (in_line, place) = wait(target, who(seed), most).unwrap();
            let got = place.recv_timeout(patience);
            assert_ne!((got.as_ref().err(), patience), (Some(&RecvTimeoutError::Timeout), LONG), "forgotten");
            // The place may arrive between giving up and leaving.
            if draws.draw().is_multiple_of(2) {
                drop(in_line)
            } else {
                drop(place)
            }
            got.ok()
        });
        if let Some(place) = place {
            assert!(running.fetch_add(1, SeqCst) < most, "more than {most} at once");
            served.fetch_add(1, SeqCst);
            if draws.draw().is_multiple_of(3) {
                thread::yield_now();
            }
            running.fetch_sub(1, SeqCst);
            drop(place);
        }
    }
}

#[test]
fn threads_that_come_wait_and_hang_up_lose_no_place_and_no_wake_up() {
    for (round, most) in [1, 2, 5].into_iter().enumerate() {
        let (target, running, served) = (TargetState::default(), AtomicU32::new(0), AtomicUsize::new(0));
        thread::scope(|scope| {
            for customers in 0..8 {
                let seed = round as u64 * 8 + customers;
                let (target, running, served) = (&target, &running, &served);
                scope.spawn(move || customer(target, seed, most, running, served));
            }
        });
        assert_eq!((target.in_flight(), target.waiting()), (0, 0));
        assert!(served.load(SeqCst) >= 8 * 1_000, "those with patience are served: {served:?}");
    }
}
