//! What earlier processes left in the folder: verify it all, then close what they left open.

use std::{
    collections::{HashMap, HashSet},
    fs,
    path::{Path, PathBuf},
};

use bytes::Bytes;
use domain::{AttemptOutcome, CacheHit, RequestOutcome};
use prost::Message;
use proto::v1;
use uuid::Uuid;

use crate::{
    acked::Position,
    authority::Cost,
    batch::cost,
    error::SpoolError,
    frame::{self, Gap, Kind, Parsed},
    segment::{HEADER, Header, number_of, path_of},
};

/// What was found; for the log line, and for telling the ledger which incarnations are over.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Recovery {
    /// The earlier processes, oldest first.
    pub incarnations: Vec<domain::IncarnationId>,
    /// True when one of them ran before the machine's last boot: up to 50 ms of its records may be missing.
    pub rebooted: bool,
    /// Events that wait for the ledger, the booked orphans not included.
    pub events: u64,
    /// Requests of processes that died before the requests ended; booked as estimates.
    pub orphans: u64,
    /// Records that were cut while they were written.
    pub torn: u64,
}

/// An attempt that was about to be sent, and the process that did it.
struct Open {
    intent: v1::Intent,
    incarnation: Uuid,
}

/// A verified segment of an earlier process.
#[derive(Clone, Debug)]
pub(crate) struct Old {
    pub(crate) number: u64,
    pub(crate) path: PathBuf,
    pub(crate) seed: u32,
}

/// Everything that the scan of the folder found.
#[derive(Default)]
pub(crate) struct Found {
    pub(crate) segments: Vec<Old>,
    pub(crate) recovery: Recovery,
    pub(crate) bytes: u64,
    /// Intents without an event and without a void.
    open: HashMap<Bytes, Vec<Open>>,
    /// Requests with an event.
    closed: HashSet<Bytes>,
    /// Attempts with a void.
    voided: HashSet<(Bytes, u32)>,
    /// Carried intents that stand behind the record that closed them: once that record's segment is deleted they would
    /// look open.
    pub(crate) stale: Vec<(Bytes, u32)>,
    /// What events cost under budgets, with where they stand.
    costs: Vec<(Position, Cost)>,
    acked: Position,
    boot: Uuid,
}

/// Reads and verifies every segment; changes nothing.
pub(crate) fn scan(dir: &Path, acked: Position, boot: Uuid) -> Result<Found, SpoolError> {
    let mut found = Found { acked, boot, ..Found::default() };
    let numbers = numbers(dir)?;
    for pair in numbers.windows(2).filter(|pair| pair[0] + 1 != pair[1]) {
        tracing::warn!(
            after = pair[0],
            before = pair[1],
            "spool: segments are missing; their usage is unknown"
        );
    }
    for number in numbers {
        found.segment(number, path_of(dir, number))?;
    }
    found.recovery.orphans = found.open.len() as u64;
    Ok(found)
}

fn numbers(dir: &Path) -> Result<Vec<u64>, SpoolError> {
    let mut numbers = Vec::new();
    for entry in fs::read_dir(dir).map_err(SpoolError::io("list the folder", dir))? {
        let entry = entry.map_err(SpoolError::io("list the folder", dir))?;
        numbers.extend(entry.file_name().to_str().and_then(number_of));
    }
    numbers.sort_unstable();
    Ok(numbers)
}

impl Found {
    fn segment(&mut self, number: u64, path: PathBuf) -> Result<(), SpoolError> {
        let bytes = fs::read(&path).map_err(SpoolError::io("read", &path))?;
        let header = Header::read(&path, number, &bytes)?;
        let rebooted = header.boot != self.boot || header.boot.is_nil();
        let damaged = |at: usize, what| SpoolError::Damaged { file: path.clone(), offset: at as u64, what };
        let mut at = HEADER;
        while at < bytes.len() {
            match frame::parse(&bytes[at..], header.seed) {
                Parsed::Record { kind, payload, size } => {
                    let position = Position { segment: number, offset: at as u64 };
                    self.record(kind, payload, &header, position)
                        .map_err(|_| damaged(at, "a record cannot be decoded"))?;
                    at += size;
                }
                Parsed::Incomplete | Parsed::Bad => {
                    let skip = match frame::judge(&bytes[at..], header.seed) {
                        Gap::Tail => bytes.len() - at,
                        Gap::Torn(skip) => skip,
                        // A hole of power loss lies behind everything that is known to have been synced.
                        Gap::Damage(skip) if rebooted && at as u64 >= synced(&bytes, header.seed) => skip,
                        Gap::Damage(_) => {
                            return Err(damaged(at, "a record fails its checksum, yet records follow it"));
                        }
                    };
                    self.recovery.torn += 1;
                    at += skip;
                }
            }
        }
        self.bytes += bytes.len() as u64;
        self.recovery.rebooted |= rebooted;
        let incarnation = domain::IncarnationId(header.incarnation);
        if self.recovery.incarnations.last() != Some(&incarnation) {
            self.recovery.incarnations.push(incarnation);
        }
        self.segments.push(Old { number, path, seed: header.seed });
        Ok(())
    }

    fn record(
        &mut self,
        kind: Kind,
        payload: &[u8],
        header: &Header,
        position: Position,
    ) -> Result<(), prost::DecodeError> {
        match kind {
            Kind::Intent => {
                let intent = v1::Intent::decode(payload)?;
                let attempt = (intent.request.clone(), intent.attempt);
                if self.closed.contains(&intent.request) || self.voided.contains(&attempt) {
                    self.stale.push(attempt);
                    return Ok(());
                }
                let attempts = self.open.entry(intent.request.clone()).or_default();
                // A carried intent stands twice.
                attempts.retain(|open| open.intent.attempt != intent.attempt);
                attempts.push(Open { intent, incarnation: header.incarnation });
            }
            Kind::Event => {
                let event = v1::UsageEvent::decode(payload)?;
                self.open.remove(&event.request);
                self.closed.insert(event.request);
                self.recovery.events += u64::from(position >= self.acked);
                let costs = event.attempts.into_iter().filter_map(|it| cost(it.cost_nanos, it.draw));
                self.costs.extend(costs.map(|cost| (position, cost)));
            }
            Kind::Void => {
                let void = v1::Intent::decode(payload)?;
                if let Some(attempts) = self.open.get_mut(&void.request) {
                    attempts.retain(|open| open.intent.attempt != void.attempt);
                    if attempts.is_empty() {
                        self.open.remove(&void.request);
                    }
                }
                let attempt = (void.request, void.attempt);
                self.stale.retain(|stale| *stale != attempt);
                self.voided.insert(attempt);
            }
            Kind::Synced | Kind::Authority => {}
        }
        Ok(())
    }

    /// What events that are not in the sums yet, and orphans, cost under budgets.
    pub(crate) fn later_costs(&mut self, summed: Position, orphans: &[v1::UsageEvent]) -> Vec<Cost> {
        let written = std::mem::take(&mut self.costs).into_iter();
        let written = written.filter(|(position, _)| *position >= summed).map(|(_, cost)| cost);
        let attempts = orphans.iter().flat_map(|event| event.attempts.iter().cloned());
        written.chain(attempts.filter_map(|it| cost(it.cost_nanos, it.draw))).collect()
    }

    /// One event per request that was open when its process died: what it reserved, because it is unknown what the
    /// provider billed.
    pub(crate) fn orphans(&mut self, now_us: i64) -> Vec<v1::UsageEvent> {
        self.closed = HashSet::new();
        let mut orphans: Vec<_> =
            self.open.drain().filter_map(|(_, attempts)| orphan(attempts, now_us)).collect();
        orphans.sort_by(|one, other| one.request.cmp(&other.request));
        orphans
    }
}

/// The highest offset that the segment itself notes as synced to the disk.
fn synced(bytes: &[u8], seed: u32) -> u64 {
    let (mut at, mut highest) = (HEADER, 0);
    while at < bytes.len() {
        match frame::parse(&bytes[at..], seed) {
            Parsed::Record { kind, payload, size } => {
                if kind == Kind::Synced {
                    highest = payload.try_into().map(u64::from_le_bytes).unwrap_or(0).max(highest);
                }
                at += size;
            }
            Parsed::Incomplete | Parsed::Bad => match frame::judge(&bytes[at..], seed) {
                Gap::Tail => break,
                Gap::Torn(skip) | Gap::Damage(skip) => at += skip,
            },
        }
    }
    highest
}

fn orphan(mut attempts: Vec<Open>, now_us: i64) -> Option<v1::UsageEvent> {
    attempts.sort_by_key(|open| open.intent.attempt);
    let first = attempts.first()?;
    let intent = &first.intent;
    Some(v1::UsageEvent {
        request: intent.request.clone(),
        incarnation: Bytes::copy_from_slice(first.incarnation.as_bytes()),
        at_us: now_us,
        attribution: intent.attribution.clone(),
        api: intent.api.clone(),
        stream: intent.stream,
        route: intent.route.clone(),
        outcome: RequestOutcome::Orphaned.as_str().to_owned(),
        status: 0,
        cache: CacheHit::Off.as_str().to_owned(),
        duration_us: 0,
        overhead_us: 0,
        ttft_us: None,
        attempts: attempts.into_iter().map(|open| orphaned_attempt(open.intent)).collect(),
        rule: None,
        pool: None,
    })
}

fn orphaned_attempt(intent: v1::Intent) -> v1::Attempt {
    v1::Attempt {
        number: intent.attempt,
        provider: intent.provider,
        model: intent.model,
        outcome: AttemptOutcome::Orphaned.as_str().to_owned(),
        status: 0,
        at_us: intent.at_us,
        duration_us: 0,
        usage: intent.bound,
        cost_nanos: intent.reserve_nanos,
        price: intent.price,
        estimated: true,
        reason: None,
        draw: intent.draw,
    }
}

#[cfg(test)]
mod tests;
