//! From the queue to the collector: batches, retries, and an account of what did not arrive.

use std::{
    fmt,
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
    time::Duration,
};

use bytes::Bytes;
use opentelemetry_proto::tonic::{
    collector::trace::v1::ExportTraceServiceRequest,
    common::v1::InstrumentationScope,
    resource::v1::Resource,
    trace::v1::{ResourceSpans, ScopeSpans, Span},
};
use prost::Message as _;
use runtime::metrics::{Collect, Exposition};
use tokio::{
    sync::{Notify, mpsc},
    time::{Instant, sleep},
};
use tokio_util::sync::CancellationToken;

use super::{send::Sender, span::Record};
use crate::metrics::table::{SPANS_DROPPED, SPANS_EXPORTED};

/// Most requests with spans that wait for the collector.
pub(super) const QUEUE: usize = 4_096;
/// Largest export, in bytes of spans: collectors take 4 MiB, and writing half a MiB takes less than a millisecond.
const MAX_EXPORT: usize = 512 << 10;
/// After so many requests others get their turn on the thread.
const TURN: usize = 32;
/// How long spans wait for company.
const LINGER: Duration = Duration::from_millis(200);
/// The pause after the first failure; it doubles up to `MAX_PAUSE`.
const PAUSE: Duration = Duration::from_millis(250);
const MAX_PAUSE: Duration = Duration::from_secs(10);
/// How long one export is tried, so that a collector that stays away gets the newer spans when it is back.
const PATIENCE: Duration = Duration::from_secs(60);
/// How long the last spans may take when the process stops.
const LAST_SPANS: Duration = Duration::from_secs(5);

/// Why spans did not arrive.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Dropped {
    /// The collector is slower than the traffic.
    QueueFull,
    /// Too many refused requests in a second.
    Flood,
    /// The collector was away for too long.
    Unreachable,
    /// The collector did not want them.
    Rejected,
    /// The process stopped before they were sent.
    Shutdown,
}

impl Dropped {
    /// Every reason.
    pub(crate) const ALL: [Self; 5] =
        [Self::QueueFull, Self::Flood, Self::Unreachable, Self::Rejected, Self::Shutdown];

    /// The stable name in metrics.
    pub(crate) const fn as_str(self) -> &'static str {
        match self {
            Self::QueueFull => "queue_full",
            Self::Flood => "flood",
            Self::Unreachable => "unreachable",
            Self::Rejected => "rejected",
            Self::Shutdown => "shutdown",
        }
    }
}

/// What became of spans.
#[derive(Debug, Default)]
pub(crate) struct Counters {
    exported: AtomicU64,
    dropped: [AtomicU64; Dropped::ALL.len()],
}

impl Counters {
    /// Spans that the collector took.
    pub(crate) fn exported(&self) -> u64 {
        self.exported.load(Ordering::Relaxed)
    }

    /// Spans that never arrived, for this reason.
    pub(crate) fn dropped(&self, why: Dropped) -> u64 {
        self.dropped[why as usize].load(Ordering::Relaxed)
    }

    fn all_dropped(&self) -> u64 {
        Dropped::ALL.into_iter().map(|why| self.dropped(why)).sum()
    }

    pub(super) fn export(&self, spans: u64) {
        self.exported.fetch_add(spans, Ordering::Relaxed);
    }

    pub(super) fn lose(&self, why: Dropped, spans: u64) {
        self.dropped[why as usize].fetch_add(spans, Ordering::Relaxed);
    }
}

impl Collect for Counters {
    fn collect(&self, to: &mut Exposition<'_>) -> fmt::Result {
        to.counter(&SPANS_EXPORTED)?.put([], self.exported())?;
        let mut dropped = to.counter(&SPANS_DROPPED)?;
        for why in Dropped::ALL {
            dropped.put([why.as_str()], self.dropped(why))?;
        }
        Ok(())
    }
}

/// Takes records from the queue and sends their spans; one per process.
pub(super) struct Exporter {
    pub(super) queue: mpsc::Receiver<Record>,
    /// The queue is half full.
    pub(super) pressing: Arc<Notify>,
    pub(super) sender: Sender,
    pub(super) resource: Resource,
    pub(super) counters: Arc<Counters>,
    /// Spans that are on their way.
    pub(super) in_hand: u64,
    pub(super) outage: Option<Outage>,
}

/// A collector that does not take spans.
pub(super) struct Outage {
    since: Instant,
    /// Spans dropped before it began.
    dropped: u64,
}

impl Exporter {
    /// Exports until the token is cancelled, and after that what is left, for at most five seconds.
    pub(super) async fn run(mut self, stop: CancellationToken) {
        let late = async {
            stop.cancelled().await;
            sleep(LAST_SPANS).await;
        };
        tokio::select! {
            () = self.export_all(&stop) => {}
            () = late => {}
        }
        let mut left = self.in_hand;
        while let Ok(record) = self.queue.try_recv() {
            left += record.span_count();
        }
        self.counters.lose(Dropped::Shutdown, left);
    }

    async fn export_all(&mut self, stop: &CancellationToken) {
        while let Some(first) = self.first(stop).await {
            tokio::select! {
                () = sleep(LINGER) => {}
                () = self.pressing.notified() => {}
                () = stop.cancelled() => {}
            }
            let mut next = Some(first);
            while let Some(export) = self.batch(&mut next).await {
                self.deliver(&export, stop).await;
                self.in_hand = 0;
            }
        }
    }

    /// The next record, or nothing when the process stops and the queue is empty.
    async fn first(&mut self, stop: &CancellationToken) -> Option<Record> {
        match stop.run_until_cancelled(self.queue.recv()).await {
            Some(record) => record,
            None => self.queue.try_recv().ok(),
        }
    }

    /// The spans that wait, as many as one export takes.
    async fn batch(&mut self, next: &mut Option<Record>) -> Option<Bytes> {
        let mut spans = Vec::new();
        let mut size = 0;
        let mut taken = 0;
        while size < MAX_EXPORT
            && let Some(record) = next.take().or_else(|| self.queue.try_recv().ok())
        {
            self.in_hand += record.span_count();
            let of_record = record.spans();
            size += of_record.iter().map(Span::encoded_len).sum::<usize>();
            spans.extend(of_record);
            taken += 1;
            if taken % TURN == 0 {
                tokio::task::yield_now().await;
            }
        }
        (!spans.is_empty()).then(|| self.export(spans))
    }

    fn export(&self, spans: Vec<Span>) -> Bytes {
        let scope = InstrumentationScope {
            name: "portcullis".to_owned(),
            version: env!("CARGO_PKG_VERSION").to_owned(),
            ..InstrumentationScope::default()
        };
        let scope_spans = vec![ScopeSpans { scope: Some(scope), spans, schema_url: String::new() }];
        let resource = Some(self.resource.clone());
        let resource_spans = vec![ResourceSpans { resource, scope_spans, schema_url: String::new() }];
        ExportTraceServiceRequest { resource_spans }.encode_to_vec().into()
    }

    /// Sends one export, again and again where that may help.
    async fn deliver(&mut self, export: &Bytes, stop: &CancellationToken) {
        let begun = Instant::now();
        let mut pause = PAUSE;
        let lost = loop {
            let error = match self.sender.send(export).await {
                Ok(rejected) => return self.arrived(rejected),
                Err(error) => error,
            };
            self.fails(&error.detail);
            match error.again {
                None => break Dropped::Rejected,
                Some(_) if stop.is_cancelled() => break Dropped::Shutdown,
                Some(_) if begun.elapsed() >= PATIENCE => break Dropped::Unreachable,
                // A process that stops tries once more at once.
                Some(asked) => drop(stop.run_until_cancelled(sleep(pause.max(asked))).await),
            }
            pause = (pause * 2).min(MAX_PAUSE);
        };
        self.counters.lose(lost, self.in_hand);
    }

    fn arrived(&mut self, rejected: u64) {
        let rejected = rejected.min(self.in_hand);
        self.counters.export(self.in_hand - rejected);
        self.counters.lose(Dropped::Rejected, rejected);
        if let Some(outage) = self.outage.take() {
            let (seconds, dropped) =
                (outage.since.elapsed().as_secs(), self.counters.all_dropped() - outage.dropped);
            tracing::info!(seconds, dropped, "the OTLP collector takes spans again");
        }
    }

    /// One line per outage, not one per span.
    fn fails(&mut self, detail: &str) {
        if self.outage.is_none() {
            tracing::warn!(error = detail, "the OTLP collector takes no spans; requests are not affected");
            self.outage = Some(Outage { since: Instant::now(), dropped: self.counters.all_dropped() });
        }
    }
}
