//! The ring against a list of everything that was ever counted.

use proptest::prelude::*;

use super::*;

const WINDOW: Micros = 16_000;
const ONE: WindowCounts = WindowCounts { total: 1, against: 0 };
const FAILED: WindowCounts = WindowCounts { total: 1, against: 1 };

/// What a ring should say: everything of the current slot of time and the 15 before.
fn naive(counted: &[(Micros, WindowCounts)], now: Micros) -> WindowCounts {
    let width = WINDOW / TURN;
    let within = |(at, _): &&(Micros, WindowCounts)| (at / width) + TURN > now / width;
    counted.iter().filter(within).fold(WindowCounts::default(), |sum, (_, counts)| sum.plus(*counts))
}

proptest! {
    #[test]
    fn it_counts_exactly_what_a_list_would(
        start in prop_oneof![Just(0_u64), 0..1_u64 << 45],
        steps in prop::collection::vec((0..20_000_u64, 0..3_u64, 0..3_u64), 1..200),
    ) {
        let (ring, mut counted, mut now) = (SlidingWindow::default(), Vec::new(), start);
        for (step, total, against) in steps {
            now += if step > 15_000 { step * 3 } else { step / 10 };
            let counts = WindowCounts { total, against };
            ring.add(WINDOW, counts, now);
            counted.push((now, counts));
            prop_assert_eq!(ring.tally(now), naive(&counted, now));
            prop_assert_eq!(ring.tally(now + WINDOW / 2), naive(&counted, now + WINDOW / 2));
            prop_assert_eq!(ring.tally(now + WINDOW), WindowCounts::default());
        }
    }

    #[test]
    fn what_comes_a_little_late_is_counted_where_it_belongs(
        mut times in prop::collection::vec(100_000..115_000_u64, 1..100),
    ) {
        let ring = SlidingWindow::default();
        ring.add(WINDOW, ONE, 115_999);
        times.iter().for_each(|at| ring.add(WINDOW, ONE, *at));
        times.push(115_999);
        let counted: Vec<_> = times.into_iter().map(|at| (at, ONE)).collect();
        for now in (115_999..140_000).step_by(500) {
            prop_assert_eq!(ring.tally(now), naive(&counted, now));
        }
    }
}

#[test]
fn what_comes_a_whole_window_late_is_dropped_and_drops_nothing() {
    let ring = SlidingWindow::default();
    ring.add(WINDOW, ONE, 50_000);
    ring.add(WINDOW, FAILED, 50_000 - WINDOW);
    assert_eq!(ring.tally(50_000), ONE);
    assert!(!ring.add_if(WINDOW, FAILED, 50_000 - WINDOW, |_| true), "it was not counted");
}

#[test]
fn another_window_starts_from_nothing() {
    let ring = SlidingWindow::default();
    ring.add(WINDOW, FAILED, 1_000_000);
    ring.add(WINDOW * 2, ONE, 1_000_000);
    assert_eq!(ring.tally(1_000_000), ONE);
}

#[test]
fn a_full_slot_stops_counting() {
    let ring = SlidingWindow::default();
    ring.add(WINDOW, WindowCounts { total: COUNT_MAX, against: COUNT_MAX }, 0);
    ring.add(WINDOW, FAILED, 0);
    assert_eq!(ring.tally(0), WindowCounts { total: COUNT_MAX, against: COUNT_MAX });
}

#[test]
fn threads_lose_nothing() {
    let ring = SlidingWindow::default();
    std::thread::scope(|scope| {
        for thread in 0..8_u64 {
            let ring = &ring;
            scope.spawn(move || {
                for step in 0..2_000 {
                    ring.add(WINDOW, if step % 4 == 0 { FAILED } else { ONE }, thread * 1_000 + step % 900);
                }
            });
        }
    });
    assert_eq!(ring.tally(8_000), WindowCounts { total: 16_000, against: 4_000 });
}

#[test]
fn threads_take_no_more_than_there_is() {
    let ring = SlidingWindow::default();
    let taken: usize = std::thread::scope(|scope| {
        let take =
            || (0..1_000).filter(|_| ring.add_if(WINDOW, FAILED, 7, |seen| seen.against < 100)).count();
        let threads: Vec<_> = (0..8).map(|_| scope.spawn(take)).collect();
        threads.into_iter().map(|thread| thread.join().unwrap()).sum()
    });
    assert_eq!((taken, ring.tally(7).against), (100, 100));
}
