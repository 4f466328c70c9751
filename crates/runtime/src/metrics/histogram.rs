//! A histogram of durations that any number of threads write without waiting for each other.

use std::{
    sync::atomic::{AtomicU64, Ordering},
    time::Duration,
};

/// Upper bounds of a histogram's buckets in microseconds, ascending; the last bucket has none.
pub type Buckets = &'static [u64];

/// Counts durations by bucket.
#[derive(Debug)]
pub struct Histogram {
    bounds: Buckets,
    counts: Box<[AtomicU64]>,
    sum_nanos: AtomicU64,
}

impl Histogram {
    /// An empty one.
    #[must_use]
    pub fn new(bounds: Buckets) -> Self {
        let counts = (0..=bounds.len()).map(|_| AtomicU64::new(0)).collect();
        Self { bounds, counts, sum_nanos: AtomicU64::new(0) }
    }

    /// Counts one duration.
    pub fn observe(&self, duration: Duration) {
        let nanos = u64::try_from(duration.as_nanos()).unwrap_or(u64::MAX);
        // A bound belongs to its bucket.
        let bucket = self.bounds.partition_point(|bound| bound.saturating_mul(1_000) < nanos);
        self.counts[bucket].fetch_add(1, Ordering::Relaxed);
        self.sum_nanos.fetch_add(nanos, Ordering::Relaxed);
    }

    /// Whether nothing was counted yet.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.counts.iter().all(|count| count.load(Ordering::Relaxed) == 0)
    }

    /// Sum in seconds, count, and the count of each bucket with its bound in seconds. The count is that of the
    /// buckets, so a scrape agrees with itself whatever is written meanwhile.
    pub(super) fn read(&self) -> (f64, u64, Vec<(f64, u64)>) {
        let bounds = self.bounds.iter().map(|micros| *micros as f64 / 1e6).chain([f64::INFINITY]);
        let counts = self.counts.iter().map(|count| count.load(Ordering::Relaxed));
        let buckets: Vec<(f64, u64)> = bounds.zip(counts).collect();
        let count = buckets.iter().map(|(_, count)| count).sum();
        (self.sum_nanos.load(Ordering::Relaxed) as f64 / 1e9, count, buckets)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn durations_fall_into_their_buckets_bounds_included() {
        let histogram = Histogram::new(&[100, 1_000_000]);
        for micros in [0, 100, 101, 1_000_000, 5_000_000] {
            histogram.observe(Duration::from_micros(micros));
        }
        histogram.observe(Duration::from_nanos(100_001));
        let (sum, count, buckets) = histogram.read();
        assert_eq!(buckets, [(0.0001, 2), (1.0, 3), (f64::INFINITY, 1)]);
        assert_eq!((count, (sum - 6.000_301_001).abs() < 1e-9), (6, true), "{sum}");
    }
}
