//! Writing metrics in either of Prometheus' text formats.

use std::fmt;

use prometheus_client::{
    encoding::{DescriptorEncoder, EncodeGaugeValue, MetricEncoder, NoLabelSet},
    metrics::MetricType,
};

use super::Histogram;

/// The label that a series is told apart by, and its value.
pub type Label<'a> = (&'a str, &'a str);

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
pub struct Counters<'a> {
    encoder: MetricEncoder<'a>,
    format: Format,
}

/// The series of one gauge.
pub struct Gauges<'a>(MetricEncoder<'a>);

/// The series of one histogram.
pub struct Histograms<'a>(MetricEncoder<'a>);

impl<'a> Exposition<'a> {
    pub(super) const fn new(encoder: DescriptorEncoder<'a>, format: Format) -> Self {
        Self { encoder, format }
    }

    /// A counter; its name ends in `_total`.
    ///
    /// # Errors
    /// When the text cannot be written.
    pub fn counter<'s>(&'s mut self, name: &'s str, help: &str) -> Result<Counters<'s>, fmt::Error> {
        let format = self.format;
        // The encoder adds the suffix to samples; the formats differ in whether the metric's own name has it.
        let name = match format {
            Format::OpenMetrics => name.strip_suffix("_total").unwrap_or(name),
            Format::Plain => name,
        };
        let encoder = self.encoder.encode_descriptor(name, help, None, MetricType::Counter)?;
        Ok(Counters { encoder, format })
    }

    /// A gauge.
    ///
    /// # Errors
    /// When the text cannot be written.
    pub fn gauge<'s>(&'s mut self, name: &'s str, help: &str) -> Result<Gauges<'s>, fmt::Error> {
        Ok(Gauges(self.encoder.encode_descriptor(name, help, None, MetricType::Gauge)?))
    }

    /// A histogram of durations; its name ends in `_seconds`.
    ///
    /// # Errors
    /// When the text cannot be written.
    pub fn histogram<'s>(&'s mut self, name: &'s str, help: &str) -> Result<Histograms<'s>, fmt::Error> {
        Ok(Histograms(self.encoder.encode_descriptor(name, help, None, MetricType::Histogram)?))
    }
}

impl Counters<'_> {
    /// One series.
    ///
    /// # Errors
    /// When the text cannot be written.
    pub fn put(&mut self, labels: &[Label<'_>], count: u64) -> fmt::Result {
        self.write(labels, &count, |encoder| encoder.encode_counter::<NoLabelSet, _, f64>(&count, None))
    }

    /// One series of a quantity that is kept in billionths, so that it adds up exactly.
    ///
    /// Prometheus keeps what it reads as a double: this is the double nearest to the exact value, and all nine
    /// decimals are right up to four million.
    ///
    /// # Errors
    /// When the text cannot be written.
    pub fn put_nanos(&mut self, labels: &[Label<'_>], nanos: u64) -> fmt::Result {
        let value = nanos as f64 / 1e9;
        self.write(labels, &value, |encoder| encoder.encode_counter::<NoLabelSet, _, f64>(&value, None))
    }

    fn write(
        &mut self,
        labels: &[Label<'_>],
        value: &impl EncodeGaugeValue,
        with_suffix: impl FnOnce(&mut MetricEncoder<'_>) -> fmt::Result,
    ) -> fmt::Result {
        let format = self.format;
        labelled(&mut self.encoder, labels, |encoder| match format {
            Format::OpenMetrics => with_suffix(encoder),
            // Samples of gauges are written under the name as it is.
            Format::Plain => encoder.encode_gauge(value),
        })
    }
}

impl Gauges<'_> {
    /// One series.
    ///
    /// # Errors
    /// When the text cannot be written.
    pub fn put(&mut self, labels: &[Label<'_>], value: f64) -> fmt::Result {
        labelled(&mut self.0, labels, |encoder| encoder.encode_gauge(&value))
    }
}

impl Histograms<'_> {
    /// One series.
    ///
    /// # Errors
    /// When the text cannot be written.
    pub fn put(&mut self, labels: &[Label<'_>], histogram: &Histogram) -> fmt::Result {
        let (sum, count, buckets) = histogram.read();
        labelled(&mut self.0, labels, |encoder| {
            encoder.encode_histogram::<NoLabelSet>(sum, count, &buckets, None)
        })
    }
}

fn labelled(
    encoder: &mut MetricEncoder<'_>,
    labels: &[Label<'_>],
    write: impl FnOnce(&mut MetricEncoder<'_>) -> fmt::Result,
) -> fmt::Result {
    // Without labels there are no braces either.
    if labels.is_empty() { write(encoder) } else { write(&mut encoder.encode_family(&labels)?) }
}
