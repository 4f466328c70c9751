//! How long to wait before the same target is tried again.

use std::time::Duration;

/// The unit of the waits. The first wait is twice as long and each further one twice as long as the one before it, of
/// which between half and all is drawn.
const FIRST_WAIT: Duration = Duration::from_millis(100);
/// A provider that asks for a longer wait is not tried again by the same request.
const LONGEST_WAIT: Duration = Duration::from_secs(5);
/// Doublings after which the wait no longer grows.
const MOST_DOUBLINGS: u32 = 6;

/// The wait before a repeat, the first of which is number 1. `None` if the provider asks for a longer wait than a request
/// should spend.
pub(super) fn wait(repeat: u32, retry_after: Option<Duration>, draw: u64) -> Option<Duration> {
    match retry_after {
        Some(asked) if asked > LONGEST_WAIT => None,
        Some(asked) if !asked.is_zero() => Some(asked),
        _ => Some(jittered(FIRST_WAIT.saturating_mul(1 << repeat.min(MOST_DOUBLINGS)), draw)),
    }
}

/// Between half of a wait and all of it, so that requests that failed together do not come back together.
fn jittered(wait: Duration, draw: u64) -> Duration {
    let half = wait / 2;
    let spread = u64::try_from(half.as_micros()).unwrap_or(u64::MAX).max(1);
    half + Duration::from_micros(draw % spread)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn waits_double_and_half_of_each_is_drawn() {
        for (repeat, longest) in [(1, 200), (2, 400), (3, 800), (6, 6_400), (7, 6_400), (60, 6_400)] {
            let longest = Duration::from_millis(longest);
            assert_eq!(wait(repeat, None, 0), Some(longest / 2));
            let half = u64::try_from((longest / 2).as_micros()).unwrap();
            assert_eq!(wait(repeat, None, half - 1), Some(longest - Duration::from_micros(1)));
            assert_eq!(wait(repeat, None, half), Some(longest / 2));
        }
    }

    #[test]
    fn the_provider_names_the_wait_unless_it_is_too_long() {
        let asked = |asked| wait(3, Some(asked), 7);
        assert_eq!(asked(Duration::from_millis(1)), Some(Duration::from_millis(1)));
        assert_eq!(asked(LONGEST_WAIT), Some(LONGEST_WAIT));
        assert_eq!(asked(LONGEST_WAIT + Duration::from_micros(1)), None);
        assert_eq!(asked(Duration::ZERO), wait(3, None, 7));
    }
}
