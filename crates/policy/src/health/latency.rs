//! Time to the first token: histograms over a sliding window, and the peak that fades.

mod samples;

use std::{
    sync::{
        OnceLock,
        atomic::{
            AtomicBool, AtomicU8, AtomicU16, AtomicU64,
            Ordering::{AcqRel, Acquire, Relaxed},
        },
    },
    time::Duration,
};

pub(super) use self::samples::is_less;
use self::samples::{BUCKETS, Samples, bucket, middle};
use crate::time::Micros;

/// Length of a slot, and how many are kept: two minutes and a little.
const SLOT: Micros = 2_000_000;
const SLOTS: usize = 64;
/// What is kept.
const KEPT: Micros = 120_000_000;
/// So many requests say something about the slowest twentieth of them.
const ENOUGH: u64 = 5;
/// A bucket's count of requests or probes stops here, well before it would go round.
const FULL: u16 = u16::MAX - 1_000;
const FULL_OF_PROBES: u8 = u8::MAX - 50;

/// Samples of the last two minutes.
#[derive(Debug, Default)]
pub(super) struct Ttft(OnceLock<Box<[Slot; SLOTS]>>);

#[derive(Debug)]
struct Slot {
    /// Which slot of time it counts, plus one; 0: none yet.
    number: AtomicU64,
    /// Whether there are any of either: requests look at slots, and most have but one sort, or none.
    requested: AtomicBool,
    probed: AtomicBool,
    requests: [AtomicU16; BUCKETS],
    probes: [AtomicU8; BUCKETS],
}

impl Slot {
    fn empty() -> Self {
        let requests = std::array::from_fn(|_| AtomicU16::new(0));
        let probes = std::array::from_fn(|_| AtomicU8::new(0));
        let (requested, probed) = (AtomicBool::new(false), AtomicBool::new(false));
        Self { number: AtomicU64::new(0), requested, probed, requests, probes }
    }

    /// Turns to a new slot of time. A sample that another thread counts meanwhile may be lost: of a percentile
    /// that is no matter.
    fn turn(&self, number: u64) -> bool {
        let held = self.number.load(Acquire);
        if held < number && self.number.compare_exchange(held, number, AcqRel, Acquire).is_ok() {
            self.requested.store(false, Relaxed);
            self.probed.store(false, Relaxed);
            self.requests.iter().for_each(|bucket| bucket.store(0, Relaxed));
            self.probes.iter().for_each(|bucket| bucket.store(0, Relaxed));
        }
        held <= number
    }
}

impl Ttft {
    pub(super) fn observe(&self, ttft: Duration, probe: bool, now: Micros) {
        let slots = self.0.get_or_init(|| Box::new(std::array::from_fn(|_| Slot::empty())));
        let number = now / SLOT + 1;
        let Some(slot) = slots.get(place(number)).filter(|slot| slot.turn(number)) else { return };
        let (bucket, there) = (bucket(ttft), if probe { &slot.probed } else { &slot.requested });
        if !there.load(Relaxed) {
            there.store(true, Relaxed);
        }
        if probe {
            if let Some(count) = slot.probes.get(bucket).filter(|count| count.load(Relaxed) < FULL_OF_PROBES)
            {
                count.fetch_add(1, Relaxed);
            }
        } else if let Some(count) = slot.requests.get(bucket).filter(|count| count.load(Relaxed) < FULL) {
            count.fetch_add(1, Relaxed);
        }
    }

    pub(super) fn p95(&self, now: Micros, window: Micros) -> Option<Duration> {
        let (mut all, probes) = self.seen(now, window)?;
        let known = probes.total() > 0 || all.total() >= ENOUGH;
        all.0.iter_mut().zip(&probes.0).for_each(|(sum, probes)| *sum += probes);
        all.p95().filter(|_| known).map(|(bucket, _)| middle(bucket))
    }

    /// Whether it is better than another by more than chance may do. Like is compared with like: a probe's prompt is
    /// shorter than what clients send, and those who are not used have nothing but probes.
    pub(super) fn is_better(&self, other: &Self, now: Micros, window: Micros) -> bool {
        let seen = |window| Some((self.seen(now, window)?, other.seen(now, window)?));
        let Some(((requests, probes), (their_requests, their_probes))) = seen(window) else { return false };
        if requests.total() >= ENOUGH && their_requests.total() >= ENOUGH {
            return requests.are_better(&their_requests);
        }
        // A difference that is not so large takes more of them to show.
        let longer = || seen(window.max(KEPT)).is_some_and(|((_, own), (_, theirs))| own.are_better(&theirs));
        // Its own clients show at once that it became slow; then whatever is known of others will do.
        let left = || {
            let p95s = self.p95(now, window).zip(other.p95(now, window));
            p95s.is_some_and(|(own, theirs)| is_less(own, theirs)) && other.has_slowed_down(now, window)
        };
        probes.are_better(&their_probes) || longer() || left()
    }

    /// Whether requests took longer in the second half of a window than in the first.
    fn has_slowed_down(&self, now: Micros, window: Micros) -> bool {
        let half = window / 2;
        let halves = self.seen(now, half).zip(self.seen(now.saturating_sub(half + SLOT), half));
        halves.is_some_and(|((late, _), (early, _))| {
            early.total() >= ENOUGH && late.total() >= ENOUGH && early.are_better(&late)
        })
    }

    /// Requests and probes of a window.
    fn seen(&self, now: Micros, window: Micros) -> Option<(Samples, Samples)> {
        let slots = self.0.get()?;
        let newest = now / SLOT + 1;
        let oldest = now.saturating_sub(window) / SLOT + 1;
        let within = |slot: &&Slot| (oldest..=newest).contains(&slot.number.load(Acquire));
        let (mut requests, mut probes) = (Samples([0; BUCKETS]), Samples([0; BUCKETS]));
        for slot in slots.iter().filter(within) {
            if slot.requested.load(Relaxed) {
                let counts = requests.0.iter_mut().zip(&slot.requests);
                counts.for_each(|(sum, bucket)| *sum += u64::from(bucket.load(Relaxed)));
            }
            if slot.probed.load(Relaxed) {
                let counts = probes.0.iter_mut().zip(&slot.probes);
                counts.for_each(|(sum, bucket)| *sum += u64::from(bucket.load(Relaxed)));
            }
        }
        Some((requests, probes))
    }
}

fn place(number: u64) -> usize {
    usize::try_from(number).unwrap_or_default() % SLOTS
}

/// How fast a peak fades, in seconds: to a third in ten.
const FADE: f64 = 10.0;
/// What a target is taken for that was never measured, in seconds.
const UNMEASURED: f32 = 1.0;
/// What a peak fades to, in seconds: then the requests under way alone decide.
const FLOOR: f64 = 0.001;

/// Exponentially weighted moving average that takes a peak at once.
#[derive(Debug, Default)]
pub(super) struct PeakEwma(
    /// Seconds as the bits of an `f32`, then the ms of the clock it was set at, so that both change together.
    AtomicU64,
);

impl PeakEwma {
    pub(super) fn observe(&self, ttft: Duration, now: Micros) {
        let sample = ttft.as_secs_f32().max(f32::MIN_POSITIVE);
        let next = |held| {
            let (last, kept) = unpack(held, now);
            let faded = if held == 0 { sample } else { sample + (last - sample) * kept };
            Some(pack(if sample > last { sample } else { faded }, now))
        };
        let _ = self.0.fetch_update(Relaxed, Relaxed, next);
    }

    pub(super) fn seconds(&self, now: Micros) -> f64 {
        let held = self.0.load(Relaxed);
        if held == 0 {
            return UNMEASURED.into();
        }
        let (last, kept) = unpack(held, now);
        f64::from(last * kept).max(FLOOR)
    }
}

/// The time when it was set, and how much of it is kept by now.
#[allow(clippy::cast_possible_truncation, reason = "the halves of a word; a share between 0 and 1")]
fn unpack(held: u64, now: Micros) -> (f32, f32) {
    let age = stamp(now).wrapping_sub(held as u32);
    // Set by a clock that was read a little later: no age.
    let age = if age > u32::MAX / 2 { 0 } else { age };
    (f32::from_bits((held >> 32) as u32), (-(f64::from(age) / 1_000.0) / FADE).exp() as f32)
}

fn pack(seconds: f32, now: Micros) -> u64 {
    u64::from(seconds.to_bits()) << 32 | u64::from(stamp(now))
}

/// Milliseconds, going round after 49 days.
fn stamp(now: Micros) -> u32 {
    u32::try_from(now / 1_000 % (1 << 32)).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const SECOND: Micros = 1_000_000;

    fn near(found: Option<Duration>, truth: Duration) -> bool {
        let off = found.unwrap_or_default().as_secs_f64() / truth.as_secs_f64();
        (0.95..=1.05).contains(&off)
    }

    proptest! {
        #[test]
        fn a_percentile_is_off_by_5_percent_at_most(
            mut samples in prop::collection::vec(1_000..1_200_000_000_u64, 5..300),
        ) {
            let ttft = Ttft::default();
            for (step, sample) in (0_u64..).zip(&samples) {
                ttft.observe(Duration::from_micros(*sample), false, step * 100_000);
            }
            samples.sort_unstable();
            let truth = Duration::from_micros(samples[(samples.len() * 95).div_ceil(100) - 1]);
            let found = ttft.p95(300 * 100_000, 60 * SECOND);
            prop_assert!(near(found, truth), "{found:?} instead of {truth:?}");
        }
    }

    #[test]
    fn a_few_requests_say_nothing_but_one_probe_does() {
        let (ttft, second) = (Ttft::default(), Duration::from_secs(1));
        assert_eq!(ttft.p95(0, SECOND), None);
        (0..4).for_each(|_| ttft.observe(second, false, 0));
        assert_eq!(ttft.p95(0, SECOND), None);
        ttft.observe(second, false, 0);
        assert!(near(ttft.p95(0, SECOND), second));
        let ttft = Ttft::default();
        ttft.observe(second, true, 0);
        assert!(near(ttft.p95(0, SECOND), second));
    }

    #[test]
    fn what_is_older_than_the_window_is_left_out() {
        let (ttft, slow, fast) = (Ttft::default(), Duration::from_secs(9), Duration::from_millis(200));
        (0..100).for_each(|_| ttft.observe(slow, false, 0));
        (0..10).for_each(|_| ttft.observe(fast, false, 40 * SECOND));
        assert!(near(ttft.p95(40 * SECOND, 60 * SECOND), slow));
        assert!(near(ttft.p95(40 * SECOND, 30 * SECOND), fast));
        assert_eq!(ttft.p95(80 * SECOND, 30 * SECOND), None);
        assert!(near(ttft.p95(100 * SECOND, 120 * SECOND), slow), "two minutes are kept");
        ttft.observe(fast, true, 128 * SECOND);
        assert!(near(ttft.p95(128 * SECOND, 600 * SECOND), fast), "and the slot is used again");
    }

    #[test]
    fn a_peak_counts_at_once_and_fades() {
        let peak = PeakEwma::default();
        assert!((peak.seconds(0) - 1.0).abs() < 1e-6);
        peak.observe(Duration::from_millis(100), 5 * SECOND);
        assert!((peak.seconds(5 * SECOND) - 0.1).abs() < 1e-6);
        peak.observe(Duration::from_secs(8), 5 * SECOND);
        assert!((peak.seconds(5 * SECOND) - 8.0).abs() < 1e-6);
        let later = peak.seconds(15 * SECOND);
        assert!((2.9..3.0).contains(&later), "a third after ten seconds: {later}");
        peak.observe(Duration::from_millis(100), 15 * SECOND);
        let mixed = peak.seconds(15 * SECOND);
        assert!((2.9..3.1).contains(&mixed), "0.1 + 7.9 / e: {mixed}");
        assert!((peak.seconds(3_600 * SECOND) - FLOOR).abs() < 1e-9);
    }

    #[test]
    fn a_reading_of_the_clock_before_the_last_sample_is_no_age() {
        let peak = PeakEwma::default();
        peak.observe(Duration::from_secs(2), 60 * SECOND);
        assert!((peak.seconds(59 * SECOND) - 2.0).abs() < 1e-6);
    }
}
