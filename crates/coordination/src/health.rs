//! What replicas tell one another about providers: small records that replace one another and expire.

use std::time::Duration;

/// The longest key of a record, in bytes.
pub const MAX_KEY: usize = 512;
/// The longest value of a record, in bytes.
pub const MAX_VALUE: usize = 1_024;

/// One thing that a replica found out, for all others.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Record {
    /// The subject, at most [`MAX_KEY`] bytes; a newer record replaces the one before of the same key, whichever replica
    /// published that.
    pub key: String,
    /// What was found out, at most [`MAX_VALUE`] bytes; the caller's own format.
    pub value: Vec<u8>,
    /// How long it holds, at most a day; in a record that was read, how long it still holds.
    pub ttl: Duration,
}

impl Record {
    pub(crate) fn fits(&self) -> bool {
        self.key.len() <= MAX_KEY && self.value.len() <= MAX_VALUE
    }
}

/// How far a replica has read; the default one has read nothing and is first told all that holds.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Cursor {
    /// The number of the newest record read.
    pub(crate) read: u64,
    /// How often the store had been lost by then.
    pub(crate) outage: u64,
}
