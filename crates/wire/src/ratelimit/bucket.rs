//! One thing a provider counts: its limit, what is left of it, and when it starts again.

use std::{cmp::Reverse, time::Duration};

use domain::Timestamp;

use super::{
    limits::{MAX_COUNT, Tally},
    moment,
};

/// Most things that are told apart in one answer; no provider has half as many.
const MAX_BUCKETS: usize = 16;

/// What is counted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Unit {
    Requests,
    Tokens,
}

/// What was said about one of the things counted.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Bucket {
    pub(super) limit: Option<u64>,
    pub(super) remaining: Option<u64>,
    pub(super) reset: Option<Duration>,
}

/// What was said about all of them.
#[derive(Debug, Default)]
pub(super) struct Buckets {
    list: Vec<(Unit, String, Bucket)>,
    /// Where everything goes that is more than [`MAX_BUCKETS`]; it is never read.
    overflow: Bucket,
}

impl Bucket {
    /// Notes a header's value. Where it is said twice the tighter one is believed.
    pub(super) fn note(&mut self, tally: Tally, value: &str, now: Timestamp) {
        match tally {
            Tally::Limit => self.limit = least(self.limit, count(value)),
            Tally::Remaining => self.remaining = least(self.remaining, count(value)),
            Tally::Reset => self.reset = self.reset.max(moment::wait(value, now)),
        }
    }
}

/// The lesser of what was said.
pub(super) fn least(one: Option<u64>, other: Option<u64>) -> Option<u64> {
    one.into_iter().chain(other).min()
}

/// A count; a fraction of one is not there to be used. Lists of windows (`100, 100;w=60`) begin with the one that
/// is meant (draft-ietf-httpapi-ratelimit-headers-03 §3.1).
pub(super) fn count(value: &str) -> Option<u64> {
    let value = value.split([',', ';']).next().unwrap_or_default().trim();
    let (whole, fraction) = value.split_once('.').unwrap_or((value, ""));
    let digits = |text: &str| text.bytes().all(|byte| byte.is_ascii_digit());
    if !digits(whole) || !digits(fraction) {
        return None;
    }
    whole.parse().ok().filter(|&count| count <= MAX_COUNT)
}

impl Buckets {
    /// The bucket of this name.
    pub(super) fn of(&mut self, unit: Unit, label: &str) -> &mut Bucket {
        let known = self.list.iter().position(|(of, name, _)| (*of, &**name) == (unit, label));
        let at = known.unwrap_or_else(|| {
            if self.list.len() < MAX_BUCKETS {
                self.list.push((unit, label.to_owned(), Bucket::default()));
                self.list.len() - 1
            } else {
                MAX_BUCKETS
            }
        });
        match self.list.get_mut(at) {
            Some((_, _, bucket)) => bucket,
            None => &mut self.overflow,
        }
    }

    /// The bucket with the least left; of two that have as little the one that stays so longer.
    pub(super) fn tightest(&self, unit: Unit) -> Bucket {
        let of_unit = |&&(of, _, _): &&(Unit, String, Bucket)| of == unit;
        let key = |(_, label, bucket): &&(Unit, String, Bucket)| {
            let aside = is_output(label) && bucket.remaining != Some(0);
            (aside, bucket.remaining.unwrap_or(u64::MAX), Reverse(bucket.reset))
        };
        self.list.iter().filter(of_unit).min_by_key(key).map(|(_, _, bucket)| *bucket).unwrap_or_default()
    }
}

fn is_output(label: &str) -> bool {
    label.contains("output") || label.contains("generated")
}
