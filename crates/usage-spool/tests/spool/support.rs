//! Records to write, and a ledger that does what the test says.

use std::{
    collections::VecDeque,
    path::Path,
    sync::{Arc, Mutex},
    time::Duration,
};

use bytes::Bytes;
use domain::{
    Attempt, AttemptOutcome, Attribution, CacheHit, IncarnationId, Intent, Money, RequestId, RequestOutcome,
    ResourceId, Timestamp, Usage, UsageEvent,
};
use prost::Message;
use proto::v1;
use tokio::time::Instant;
use usage_spool::{Reporter, Sink, SinkError, Spool, SpoolError, SpoolLimits};

pub(crate) const SMALL: SpoolLimits = SpoolLimits { max_bytes: 64 << 20, segment_bytes: 16 << 10 };

pub(crate) fn open(dir: &Path, limits: SpoolLimits) -> Result<Spool, SpoolError> {
    Spool::open(dir, IncarnationId::new(), limits)
}

fn attribution() -> Attribution {
    Attribution {
        tenant: ResourceId::new(),
        key: ResourceId::new(),
        user: Some("somebody".into()),
        feature: None,
        tags: vec![("team".into(), "search".into())],
    }
}

pub(crate) fn intent(request: RequestId, attempt: u32) -> Intent {
    Intent {
        request,
        attempt,
        at: Timestamp::now(),
        attribution: attribution(),
        api: "chat".into(),
        stream: true,
        route: "fast".into(),
        provider: "provider".into(),
        model: "model".into(),
        price: Some(ResourceId::new()),
        reserve: Money::from_nanos(1_000),
        bound: Usage { input_uncached: 10, output_visible: 20, ..Usage::default() },
        draw: None,
    }
}

pub(crate) fn event(request: RequestId) -> UsageEvent {
    let attempt = Attempt {
        number: 1,
        provider: "provider".into(),
        model: "model".into(),
        outcome: AttemptOutcome::Ok,
        status: 200,
        at: Timestamp::now(),
        duration_us: 5,
        usage: Usage { input_uncached: 1, output_visible: 2, ..Usage::default() },
        cost: Money::from_nanos(7),
        price: Some(ResourceId::new()),
        estimated: false,
        reason: None,
        draw: None,
    };
    UsageEvent {
        request,
        incarnation: IncarnationId::new(),
        at: Timestamp::now(),
        attribution: attribution(),
        api: "chat".into(),
        stream: true,
        route: "fast".into(),
        rule: None,
        pool: None,
        outcome: RequestOutcome::Ok,
        status: 200,
        cache: CacheHit::Off,
        duration_us: 9,
        overhead_us: 1,
        ttft_us: Some(3),
        attempts: vec![attempt],
    }
}

/// What the ledger does with the next batch.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Answer {
    Unavailable,
    Hang,
}

/// A ledger in memory: follows its script, then takes everything but the events it was told to refuse.
#[derive(Clone, Default)]
pub(crate) struct Ledger(Arc<Mutex<State>>);

#[derive(Default)]
struct State {
    script: VecDeque<Answer>,
    refused: Vec<RequestId>,
    calls: Vec<Instant>,
    events: Vec<UsageEvent>,
}

impl Ledger {
    pub(crate) fn scripted(script: impl IntoIterator<Item = Answer>) -> Self {
        let ledger = Self::default();
        ledger.0.lock().unwrap().script.extend(script);
        ledger
    }

    pub(crate) fn refuse(&self, request: RequestId) {
        self.0.lock().unwrap().refused.push(request);
    }

    pub(crate) fn events(&self) -> Vec<UsageEvent> {
        self.0.lock().unwrap().events.clone()
    }

    /// Request ids in the order they came.
    pub(crate) fn requests(&self) -> Vec<RequestId> {
        self.events().iter().map(|event| event.request).collect()
    }

    /// When it was called.
    pub(crate) fn calls(&self) -> Vec<Instant> {
        self.0.lock().unwrap().calls.clone()
    }
}

impl Sink for Ledger {
    async fn report(&self, events: Vec<Bytes>) -> Result<(), SinkError> {
        let answer = {
            let mut state = self.0.lock().unwrap();
            state.calls.push(Instant::now());
            state.script.pop_front()
        };
        match answer {
            Some(Answer::Unavailable) => return Err(SinkError::Unavailable("scripted".into())),
            Some(Answer::Hang) => std::future::pending::<()>().await,
            None => {}
        }
        let events: Vec<_> = events.iter().map(|event| decoded(event)).collect();
        let mut state = self.0.lock().unwrap();
        if events.iter().any(|event| state.refused.contains(&event.request)) {
            return Err(SinkError::Malformed("scripted".into()));
        }
        state.events.extend(events);
        Ok(())
    }
}

fn decoded(event: &[u8]) -> UsageEvent {
    proto::event_from(v1::UsageEvent::decode(event).unwrap()).unwrap()
}

/// Reports everything a spool holds to a fresh ledger.
pub(crate) async fn drain(spool: &Spool) -> Vec<UsageEvent> {
    let ledger = Ledger::default();
    let reporter = Reporter::new(spool.clone(), ledger.clone()).unwrap();
    reporter.drain(Instant::now() + Duration::from_secs(60)).await.unwrap();
    ledger.events()
}

/// The segment files of a folder, oldest first.
pub(crate) fn segments(dir: &Path) -> Vec<std::path::PathBuf> {
    let entries = std::fs::read_dir(dir).unwrap().map(|entry| entry.unwrap().path());
    let mut segments: Vec<_> = entries.filter(|path| path.extension().is_some_and(|e| e == "seg")).collect();
    segments.sort();
    segments
}

/// Start and end of each record of a segment, and its kind: as the format's description says.
pub(crate) fn records(bytes: &[u8]) -> Vec<(std::ops::Range<usize>, u8)> {
    let (mut at, mut records) = (64, Vec::new());
    while at < bytes.len() {
        let length = u32::from_le_bytes(bytes[at..at + 4].try_into().unwrap()) as usize;
        records.push((at..at + 13 + length, bytes[at + 4]));
        at += 13 + length;
    }
    records
}
