//! Declarations of metrics: name, help, labels, buckets and the bound on series of each, in one place.

use super::{
    family::{Family, SeriesKey},
    histogram::{Buckets, Histogram},
};

/// Most series of a metric with label values from closed lists only; those of this program are shorter.
const MOST_OF_CLOSED_LISTS: usize = 64;

/// Only ever grows; the name ends in `_total`.
#[derive(Clone, Copy, Debug)]
pub struct Counter;

/// Goes up and down.
#[derive(Clone, Copy, Debug)]
pub struct Gauge;

/// A histogram of durations with these buckets; the name ends in `_seconds`.
#[derive(Clone, Copy, Debug)]
pub struct Durations(pub Buckets);

/// A kind of metric.
pub trait MetricKind: Copy {
    /// As the line `# TYPE` names it.
    const NAME: &'static str;
}

impl MetricKind for Counter {
    const NAME: &'static str = "counter";
}

impl MetricKind for Gauge {
    const NAME: &'static str = "gauge";
}

impl MetricKind for Durations {
    const NAME: &'static str = "histogram";
}

/// How many series a metric may have.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SeriesBound {
    /// As many as the closed lists of its labels' values allow; one, where there is no label.
    ClosedLists,
    /// So many sets of names, each with the values of closed lists; what comes later is counted under `other`.
    Names(usize),
}

/// A metric with `N` labels. [`metric_table`](crate::metric_table) declares them.
#[derive(Debug)]
pub struct Metric<K, const N: usize> {
    pub(super) name: &'static str,
    pub(super) help: &'static str,
    pub(super) labels: [&'static str; N],
    bound: SeriesBound,
    kind: K,
}

/// What the manual says of a metric.
#[derive(Clone, Copy, Debug)]
pub struct Definition {
    /// Its whole name, a counter's with `_total`.
    pub name: &'static str,
    /// `counter`, `gauge` or `histogram`.
    pub kind: &'static str,
    /// The names of its labels in the order of the exposition.
    pub labels: &'static [&'static str],
    /// How many series it may have.
    pub bound: SeriesBound,
}

impl<K: MetricKind, const N: usize> Metric<K, N> {
    /// Declares a metric with labels of closed lists, or without any.
    #[must_use]
    pub const fn new(name: &'static str, help: &'static str, labels: [&'static str; N], kind: K) -> Self {
        Self { name, help, labels, bound: SeriesBound::ClosedLists, kind }
    }

    /// Declares that its labels hold names, and how many sets of them are told apart.
    #[must_use]
    pub const fn at_most(self, sets: usize) -> Self {
        Self { bound: SeriesBound::Names(sets), ..self }
    }

    /// For the manual.
    #[must_use]
    pub const fn definition(&'static self) -> Definition {
        Definition { name: self.name, kind: K::NAME, labels: &self.labels, bound: self.bound }
    }

    /// How many label sets are told apart.
    #[must_use]
    pub const fn most(&self) -> usize {
        match self.bound {
            SeriesBound::ClosedLists => MOST_OF_CLOSED_LISTS,
            SeriesBound::Names(sets) => sets,
        }
    }

    /// Its series, none yet, as many as were declared at most.
    #[must_use]
    pub fn family<S: SeriesKey, V>(&self, make: fn() -> V) -> Family<S, V> {
        Family::new(self.most(), make)
    }
}

impl<const N: usize> Metric<Durations, N> {
    /// One of its series, without any duration yet.
    #[must_use]
    pub fn histogram(&self) -> Histogram {
        Histogram::new(self.kind.0)
    }
}

/// Declares the metrics of a crate, and the table that holds them all. A new metric is one entry here, and the line that
/// writes it: its exporter gives the values of the labels in the order of the declaration.
///
/// ```
/// runtime::metric_table! {
///     /// Every metric of this example.
///     pub static METRICS;
///
///     TEMPERATURE: Gauge = "t_temperature_celsius" [], "How warm it is.";
///     VISITS: Counter = "t_visits_total" ["page", "method"] at most 100, "Visits.";
///     DURATION: Durations(&[1_000, 1_000_000]) = "t_duration_seconds" [], "How long a visit takes.";
/// }
/// assert_eq!(METRICS[1].labels, ["page", "method"]);
/// assert_eq!(VISITS.most(), 100);
/// ```
#[macro_export]
macro_rules! metric_table {
    (
        $(#[$of_table:meta])*
        $visible:vis static $table:ident;
        $(
            $(#[$of_metric:meta])*
            $metric:ident: $kind:ident $(($buckets:expr))?
                = $name:literal [$($label:literal),*] $(at most $sets:expr)?, $help:literal;
        )+
    ) => {
        $(
            $(#[$of_metric])*
            pub(crate) static $metric:
                $crate::metrics::Metric<$crate::metrics::$kind, { <[&str]>::len(&[$($label),*]) }> =
                $crate::metrics::Metric::new(
                    $name, $help, [$($label),*], $crate::metrics::$kind $(($buckets))?
                )$(.at_most($sets))?;
        )+

        $(#[$of_table])*
        $visible static $table: &[$crate::metrics::Definition] = &[$($metric.definition()),+];
    };
}
