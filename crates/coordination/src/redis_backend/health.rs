//! Shared health in Redis: the newest record of each key, numbered so that one question brings what is new.

use std::time::Duration;

use redis::Cmd;

use super::RedisBackend;
use super::script::By;
use crate::counter_key::MAX_TTL;
use crate::{Cursor, Record};

/// All under one hash tag: when records were published, when they end, and what they say.
const KEYS: [&str; 3] = ["{pc:health}:order", "{pc:health}:ends", "{pc:health}:records"];
/// Most records that are kept; what ends soonest makes room. Lua's `unpack` bears 8,000.
const MAX_RECORDS: usize = 4_096;
/// Most records sent by one command.
const BATCH: usize = 256;

impl RedisBackend {
    /// Shares the records; whether the store has them all.
    pub(crate) async fn publish(&self, records: &[Record]) -> bool {
        let fit: Vec<&Record> = records.iter().filter(|record| record.fits()).take(MAX_RECORDS).collect();
        let mut unsent = records.len() - fit.len();
        for batch in fit.chunks(BATCH) {
            if !self.send(batch).await {
                unsent += batch.len();
            }
        }
        self.outage_stats.drop_records(unsent);
        unsent == 0
    }

    async fn send(&self, batch: &[&Record]) -> bool {
        let Some(link) = self.link.load_full() else { return false };
        let call = |by| {
            let mut command = self.scripts.publish.call(by, KEYS.len());
            command.arg(&KEYS).arg(&*self.now()).arg(&self.replica).arg(MAX_RECORDS);
            for Record { key, value, ttl } in batch {
                let ttl = (*ttl).clamp(Duration::from_millis(1), MAX_TTL).as_micros();
                command.arg(key).arg(value).arg(ttl.to_string());
            }
            command
        };
        match link.run::<()>(call).await {
            Ok(()) => true,
            Err(failure) => {
                self.lose(&link, &failure);
                false
            }
        }
    }

    /// What others have published since the cursor was moved last.
    pub(crate) async fn poll(&self, cursor: &mut Cursor) -> Vec<Record> {
        // Before the link, so that a store that is lost meanwhile is noticed the next time at the latest.
        let outage = self.outage_stats.times();
        let Some(link) = self.link.load_full() else { return Vec::new() };
        // A store that was lost may have come back with another history.
        let read = if cursor.outage == outage { cursor.read } else { 0 };
        let call = |by| self.polling(by, read);
        match link.run::<(u64, Vec<(Vec<u8>, Vec<u8>, u64)>)>(call).await {
            Ok((newest, found)) => {
                *cursor = Cursor { read: newest, outage };
                let record = |(key, value, left)| {
                    Some(Record {
                        key: String::from_utf8(key).ok()?,
                        value,
                        ttl: Duration::from_micros(left),
                    })
                };
                found.into_iter().filter_map(record).collect()
            }
            Err(failure) => {
                self.lose(&link, &failure);
                Vec::new()
            }
        }
    }

    fn polling(&self, by: By, read: u64) -> Cmd {
        let mut command = self.scripts.poll.call(by, KEYS.len());
        command.arg(&KEYS).arg(&*self.now()).arg(&self.replica).arg(read);
        command
    }
}
