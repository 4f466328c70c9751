//! Prompt prefixes that a client marked for caching, remembered so that the next request reads them.

use std::collections::{HashSet, VecDeque};
use std::sync::{Mutex, PoisonError};

use crate::echo;

/// Most prefixes kept.
const MAX_PREFIXES: usize = 4_096;

/// A request's beginning up to a cache mark.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Prefix {
    /// Follows from everything before the mark.
    pub(crate) digest: [u8; 32],
    /// Bytes of text before the mark.
    pub(crate) bytes: usize,
    /// Whether the mark asks for an hour instead of five minutes.
    pub(crate) hour: bool,
}

/// Tokens read from and written to the cache by one request.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Traffic {
    pub(crate) read: u64,
    pub(crate) write_5m: u64,
    pub(crate) write_1h: u64,
}

/// The prefixes seen, oldest first.
#[derive(Default)]
pub(crate) struct Cache {
    seen: Mutex<Seen>,
}

#[derive(Default)]
struct Seen {
    set: HashSet<[u8; 32]>,
    order: VecDeque<[u8; 32]>,
}

impl Cache {
    /// Reads the longest prefix that was seen before and remembers the longer ones; `prefixes` grow.
    pub(crate) fn visit(&self, prefixes: &[Prefix]) -> Traffic {
        let mut seen = self.seen.lock().unwrap_or_else(PoisonError::into_inner);
        let Seen { set, order } = &mut *seen;
        let known = prefixes.iter().rposition(|prefix| set.contains(&prefix.digest));
        let read = known.and_then(|index| prefixes.get(index)).map_or(0, |prefix| echo::tokens(prefix.bytes));
        let mut traffic = Traffic { read, ..Traffic::default() };
        let mut before = read;
        for prefix in prefixes.iter().skip(known.map_or(0, |index| index + 1)) {
            let written = echo::tokens(prefix.bytes).saturating_sub(before);
            before += written;
            *if prefix.hour { &mut traffic.write_1h } else { &mut traffic.write_5m } += written;
            if set.insert(prefix.digest) {
                order.push_back(prefix.digest);
            }
        }
        while order.len() > MAX_PREFIXES {
            if let Some(oldest) = order.pop_front() {
                set.remove(&oldest);
            }
        }
        traffic
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn prefix(digest: u8, bytes: usize, hour: bool) -> Prefix {
        Prefix { digest: [digest; 32], bytes, hour }
    }

    #[test]
    fn a_prefix_is_written_once_and_read_afterwards() {
        let cache = Cache::default();
        let first = [prefix(1, 40, true), prefix(2, 60, false)];
        assert_eq!(cache.visit(&first), Traffic { read: 0, write_5m: 5, write_1h: 10 });
        assert_eq!(cache.visit(&first), Traffic { read: 15, write_5m: 0, write_1h: 0 });
        let longer = [prefix(1, 40, true), prefix(3, 80, false)];
        assert_eq!(cache.visit(&longer), Traffic { read: 10, write_5m: 10, write_1h: 0 });
    }

    #[test]
    fn the_oldest_prefixes_are_forgotten() {
        let cache = Cache::default();
        let numbered = |n: usize| {
            let mut digest = [0; 32];
            digest[..8].copy_from_slice(&n.to_le_bytes());
            [Prefix { digest, bytes: 4, hour: false }]
        };
        for n in 0..=MAX_PREFIXES {
            cache.visit(&numbered(n));
        }
        assert_eq!(cache.visit(&numbered(1)).read, 1);
        assert_eq!(cache.visit(&numbered(0)).read, 0);
    }
}
