//! What the ledger counts for Prometheus.

use std::{
    fmt,
    sync::atomic::{AtomicU64, Ordering},
    time::Duration,
};

use runtime::metrics::{Buckets, Collect, Exposition, Histogram};

/// In µs: a commit takes milliseconds, and seconds are trouble.
const COMMIT: Buckets = &[
    1_000, 2_500, 5_000, 10_000, 25_000, 50_000, 100_000, 250_000, 500_000, 1_000_000, 5_000_000, 30_000_000,
];

runtime::metric_table! {
    /// Every metric of a ledger, each declared once; `docs/metrics.md` says the same to operators.
    pub static METRICS;

    ATTEMPTS: Counter = "portcullis_ledger_attempts_total" ["result"],
        "Attempts reported by proxies; one that comes again counts once in the ledger.";
    REPORTS: Counter = "portcullis_ledger_reports_total" ["result"], "Reports by proxies.";
    REPORT_DURATION: Durations(COMMIT) = "portcullis_ledger_report_duration_seconds" [],
        "From a report to its answer.";
}

/// Since the process started.
#[derive(Debug)]
pub(crate) struct Counts {
    inserted: AtomicU64,
    duplicates: AtomicU64,
    committed: AtomicU64,
    refused: AtomicU64,
    failed: AtomicU64,
    duration: Histogram,
}

/// How a report ended.
pub(crate) enum Outcome {
    /// So many of its attempts were new, and so many known.
    Committed {
        /// New ones.
        inserted: u64,
        /// Known ones.
        duplicates: u64,
    },
    /// It never will be committed as it is.
    Refused,
    /// The database could not.
    Failed,
}

impl Default for Counts {
    fn default() -> Self {
        let duration = REPORT_DURATION.histogram();
        let zero = AtomicU64::default;
        Self {
            inserted: zero(),
            duplicates: zero(),
            committed: zero(),
            refused: zero(),
            failed: zero(),
            duration,
        }
    }
}

impl Counts {
    pub(crate) fn report(&self, outcome: &Outcome, took: Duration) {
        let add = |count: &AtomicU64, more| _ = count.fetch_add(more, Ordering::Relaxed);
        match outcome {
            Outcome::Committed { inserted, duplicates } => {
                add(&self.committed, 1);
                add(&self.inserted, *inserted);
                add(&self.duplicates, *duplicates);
            }
            Outcome::Refused => add(&self.refused, 1),
            Outcome::Failed => add(&self.failed, 1),
        }
        self.duration.observe(took);
    }
}

impl Collect for Counts {
    fn collect(&self, to: &mut Exposition<'_>) -> fmt::Result {
        let read = |count: &AtomicU64| count.load(Ordering::Relaxed);
        let mut attempts = to.counter(&ATTEMPTS)?;
        attempts.put(["inserted"], read(&self.inserted))?;
        attempts.put(["duplicate"], read(&self.duplicates))?;
        let mut reports = to.counter(&REPORTS)?;
        reports.put(["committed"], read(&self.committed))?;
        reports.put(["refused"], read(&self.refused))?;
        reports.put(["failed"], read(&self.failed))?;
        to.histogram(&REPORT_DURATION)?.put([], &self.duration)
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use runtime::metrics::Metrics;

    use super::*;

    #[test]
    fn reports_are_counted_by_their_end_and_attempts_by_their_novelty() {
        let counts = Arc::new(Counts::default());
        let outcomes = [
            Outcome::Committed { inserted: 7, duplicates: 2 },
            Outcome::Committed { inserted: 0, duplicates: 9 },
            Outcome::Refused,
            Outcome::Failed,
        ];
        for outcome in outcomes {
            counts.report(&outcome, Duration::from_millis(3));
        }
        let metrics = Metrics::default();
        metrics.register(counts);
        let text = metrics.render().unwrap();
        for line in [
            "portcullis_ledger_attempts_total{result=\"inserted\"} 7\n",
            "portcullis_ledger_attempts_total{result=\"duplicate\"} 11\n",
            "portcullis_ledger_reports_total{result=\"committed\"} 2\n",
            "portcullis_ledger_reports_total{result=\"refused\"} 1\n",
            "portcullis_ledger_reports_total{result=\"failed\"} 1\n",
            "portcullis_ledger_report_duration_seconds_bucket{le=\"0.005\"} 4\n",
        ] {
            assert!(text.contains(line), "{line} in {text}");
        }
    }
}
