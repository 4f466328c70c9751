//! What every store must do with windows that carry debt.

use std::slice::from_ref;
use std::time::Duration;

use domain::RequestId;

use super::bench::{Bench, DEADLINE, claim, denied};
use crate::{Claim, Coordinator, Level, Permit, Rule, Unit};

const MINUTE: Duration = Duration::from_secs(60);
/// The longest that a unit counts: its minute and the slots at both ends of it.
const LAPSED: Duration = Duration::from_secs(62);

fn per_minute(n: u64) -> Claim {
    Claim { unit: Unit::Tokens, ..claim(Rule::DebtWindow { n, period: MINUTE }) }
}

fn of(cost: u64, limit: &Claim) -> Claim {
    Claim { cost, ..limit.clone() }
}

/// What is counted, seen by a claim of nothing.
async fn used(at: &Coordinator, limit: &Claim) -> u64 {
    let permit = at.acquire(RequestId::new(), &[of(0, limit)]).await.unwrap();
    let [Level { used, .. }] = permit.levels() else { panic!("{permit:?}") };
    *used
}

/// Corrects, and waits until the store has it: corrections go out in the background.
async fn correct(bench: &Bench, limit: &Claim, mut permit: Permit, actual: u64, expected: u64) {
    bench.fleets[0].correct(&mut permit, |unit| if unit == Unit::Tokens { actual } else { 0 });
    let end = tokio::time::Instant::now() + DEADLINE;
    while used(&bench.fleets[1], limit).await != expected {
        assert!(tokio::time::Instant::now() < end, "{} is counted", used(&bench.fleets[1], limit).await);
        tokio::task::yield_now().await;
    }
    // A second correction of one permit is none.
    bench.fleets[0].correct(&mut permit, |_| 1_000_000);
}

pub(super) async fn a_window_passes_any_cost_while_it_has_room_for_a_part(bench: &Bench) {
    let limit = per_minute(1_000);
    assert_eq!(bench.passed(1, &of(999, &limit)).await, 1);
    // One unit of room is enough, and 4,000 are carried: four more minutes.
    assert_eq!(bench.passed(1, &of(4_001, &limit)).await, 1);
    let told = denied(bench.ask(from_ref(&of(1, &limit))).await);
    assert_eq!((told.limit, told.kind), (limit.limit, "tokens"));
    assert!(told.retry_after > 4 * MINUTE && told.retry_after <= 5 * LAPSED, "{told:?}");
    for minute in 0..4 {
        assert_eq!(bench.passed(1, &of(1, &limit)).await, 0, "minute {minute}");
        bench.advance(MINUTE);
    }
    bench.advance(told.retry_after - 4 * MINUTE - Duration::from_micros(1));
    assert_eq!(bench.passed(1, &of(1, &limit)).await, 0, "a microsecond early");
    bench.advance(Duration::from_micros(1));
    assert_eq!(bench.passed(1, &of(1, &limit)).await, 1);
}

pub(super) async fn what_was_too_much_is_given_back(bench: &Bench) {
    let limit = per_minute(1_000);
    let permit = bench.ask(&[of(900, &limit)]).await.unwrap();
    assert_eq!(permit.levels()[0].left(), 100);
    let second = bench.ask(&[of(900, &limit)]).await.unwrap();
    assert_eq!(bench.passed(1, &of(1, &limit)).await, 0);
    correct(bench, &limit, permit, 10, 910).await;
    correct(bench, &limit, second, 20, 30).await;
    assert_eq!(bench.passed(1, &of(970, &limit)).await, 1);
}

pub(super) async fn what_was_too_little_is_carried(bench: &Bench) {
    let limit = per_minute(1_000);
    let permit = bench.ask(&[of(10, &limit)]).await.unwrap();
    correct(bench, &limit, permit, 2_500, 2_500).await;
    bench.advance(2 * MINUTE);
    assert_eq!(bench.passed(1, &of(1, &limit)).await, 0, "the third minute is in debt still");
    bench.advance(LAPSED);
    assert_eq!(bench.passed(1, &of(1, &limit)).await, 1);
}

pub(super) async fn what_comes_back_late_gives_nothing_of_others(bench: &Bench) {
    let limit = per_minute(1_000);
    let permit = bench.ask(&[of(900, &limit)]).await.unwrap();
    bench.advance(LAPSED);
    assert_eq!(bench.passed(1, &of(600, &limit)).await, 1);
    correct(bench, &limit, permit, 0, 600).await;
}

/// Estimates of 400 for what comes to 1,000: in no minute do more than the limit and one estimate pass, and over ten
/// minutes the mean keeps the limit.
pub(super) async fn over_ten_minutes_the_mean_keeps_the_limit(bench: &Bench) {
    let limit = per_minute(10_000);
    let (mut estimates, mut total) = (Vec::new(), 0);
    for second in 0..600_u64 {
        if let Ok(permit) = bench.fleets[2].acquire(RequestId::new(), &[of(400, &limit)]).await {
            estimates.push(second);
            total += 1_000;
            let in_a_minute = estimates.iter().filter(|at| **at + 60 > second).count();
            assert!(in_a_minute * 400 <= 10_400, "{in_a_minute} in the minute before {second}");
            let corrected = permit.levels()[0].used + 600;
            correct(bench, &limit, permit, 1_000, corrected).await;
        }
        bench.advance(Duration::from_secs(1));
    }
    assert!((90_000..=101_000).contains(&total), "{total}");
}

pub(super) async fn a_debt_of_ages_is_told_as_three_years(bench: &Bench) {
    let limit =
        Claim { unit: Unit::Tokens, ..claim(Rule::DebtWindow { n: 1, period: Duration::from_secs(86_400) }) };
    let permit = bench.ask(&[of(1, &limit)]).await.unwrap();
    correct(bench, &limit, permit, 1_000_000_000_000, 1_000_000_000_000).await;
    let told = denied(bench.ask(from_ref(&of(1, &limit))).await);
    assert_eq!(told.retry_after, Duration::from_micros(100_000_000_000_000));
    bench.advance(Duration::from_secs(86_400 * 400));
    assert_eq!(bench.passed(1, &of(1, &limit)).await, 0);
}
