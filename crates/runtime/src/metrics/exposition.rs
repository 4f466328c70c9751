//! Writing metrics in either of Prometheus' text formats.

use std::fmt;

use prometheus_client::{
    encoding::{DescriptorEncoder, EncodeGaugeValue, MetricEncoder, NoLabelSet},
    metrics::MetricType,
};

use super::{
    histogram::Histogram,
    metric::{Counter, Durations, Gauge, Metric},
};

/// A text format.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Format {
    /// OpenMetrics 1.0.0.
    OpenMetrics,
    /// Prometheus' format 0.0.4.
    Plain,
}

impl Format {
    pub(super) const fn content_type(self) -> &'static str {
        match self {
            Self::OpenMetrics => "application/openmetrics-text; version=1.0.0; charset=utf-8",
            Self::Plain => "text/plain; version=0.0.4; charset=utf-8",
        }
    }
}

/// Where a source writes its metrics: each one once, with all its series.
pub struct Exposition<'a> {
    encoder: DescriptorEncoder<'a>,
    format: Format,
}

/// The series of one counter.
pub struct Counters<'a, const N: usize> {
    series: Series<'a, N>,
    format: Format,
}

/// The series of one gauge.
pub struct Gauges<'a, const N: usize>(Series<'a, N>);

/// The series of one histogram.
pub struct Histograms<'a, const N: usize>(Series<'a, N>);

/// Where the series of a metric with `N` labels are written.
struct Series<'a, const N: usize> {
    encoder: MetricEncoder<'a>,
    labels: &'a [&'static str; N],
}

impl<'a> Exposition<'a> {
    pub(super) const fn new(encoder: DescriptorEncoder<'a>, format: Format) -> Self {
        Self { encoder, format }
    }

    /// A counter.
    ///
    /// # Errors
    /// When the text cannot be written.
    pub fn counter<'s, const N: usize>(
        &'s mut self,
        metric: &'s Metric<Counter, N>,
    ) -> Result<Counters<'s, N>, fmt::Error> {
        let format = self.format;
        // The encoder adds the suffix to samples; the formats differ in whether the metric's own name has it.
        let name = match format {
            Format::OpenMetrics => metric.name.strip_suffix("_total").unwrap_or(metric.name),
            Format::Plain => metric.name,
        };
        Ok(Counters { series: self.series(metric, name, MetricType::Counter)?, format })
    }

    /// A gauge.
    ///
    /// # Errors
    /// When the text cannot be written.
    pub fn gauge<'s, const N: usize>(
        &'s mut self,
        metric: &'s Metric<Gauge, N>,
    ) -> Result<Gauges<'s, N>, fmt::Error> {
        Ok(Gauges(self.series(metric, metric.name, MetricType::Gauge)?))
    }

    /// A histogram of durations.
    ///
    /// # Errors
    /// When the text cannot be written.
    pub fn histogram<'s, const N: usize>(
        &'s mut self,
        metric: &'s Metric<Durations, N>,
    ) -> Result<Histograms<'s, N>, fmt::Error> {
        Ok(Histograms(self.series(metric, metric.name, MetricType::Histogram)?))
    }

    fn series<'s, K, const N: usize>(
        &'s mut self,
        metric: &'s Metric<K, N>,
        name: &'s str,
        kind: MetricType,
    ) -> Result<Series<'s, N>, fmt::Error> {
        let encoder = self.encoder.encode_descriptor(name, metric.help, None, kind)?;
        Ok(Series { encoder, labels: &metric.labels })
    }
}

impl<const N: usize> Counters<'_, N> {
    /// One series, by the values of its labels in the order of the declaration.
    ///
    /// # Errors
    /// When the text cannot be written.
    pub fn put(&mut self, values: [&str; N], count: u64) -> fmt::Result {
        self.write(values, &count, |encoder| encoder.encode_counter::<NoLabelSet, _, f64>(&count, None))
    }

    /// One series of a quantity that is kept in billionths, so that it adds up exactly.
    ///
    /// Prometheus keeps what it reads as a double: this is the double nearest to the exact value, and all nine
    /// decimals are right up to four million.
    ///
    /// # Errors
    /// When the text cannot be written.
    pub fn put_nanos(&mut self, values: [&str; N], nanos: u64) -> fmt::Result {
        let value = nanos as f64 / 1e9;
        self.write(values, &value, |encoder| encoder.encode_counter::<NoLabelSet, _, f64>(&value, None))
    }

    fn write(
        &mut self,
        values: [&str; N],
        value: &impl EncodeGaugeValue,
        with_suffix: impl FnOnce(&mut MetricEncoder<'_>) -> fmt::Result,
    ) -> fmt::Result {
        let format = self.format;
        self.series.put(values, |encoder| match format {
            Format::OpenMetrics => with_suffix(encoder),
            // Samples of gauges are written under the name as it is.
            Format::Plain => encoder.encode_gauge(value),
        })
    }
}

impl<const N: usize> Gauges<'_, N> {
    /// One series, by the values of its labels in the order of the declaration.
    ///
    /// # Errors
    /// When the text cannot be written.
    pub fn put(&mut self, values: [&str; N], value: f64) -> fmt::Result {
        self.0.put(values, |encoder| encoder.encode_gauge(&value))
    }
}

impl<const N: usize> Histograms<'_, N> {
    /// One series, by the values of its labels in the order of the declaration.
    ///
    /// # Errors
    /// When the text cannot be written.
    pub fn put(&mut self, values: [&str; N], histogram: &Histogram) -> fmt::Result {
        let (sum, count, buckets) = histogram.read();
        self.0.put(values, |encoder| encoder.encode_histogram::<NoLabelSet>(sum, count, &buckets, None))
    }
}

impl<const N: usize> Series<'_, N> {
    fn put(
        &mut self,
        values: [&str; N],
        write: impl FnOnce(&mut MetricEncoder<'_>) -> fmt::Result,
    ) -> fmt::Result {
        // Without labels there are no braces either.
        if N == 0 {
            return write(&mut self.encoder);
        }
        let labels: [(&str, &str); N] = std::array::from_fn(|at| (self.labels[at], values[at]));
        write(&mut self.encoder.encode_family(&labels.as_slice())?)
    }
}
