//! One page of a listing, and the bound of all listings.

/// One page of a listing.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Page<T> {
    /// The rows, in the order of the listing.
    pub items: Vec<T>,
    /// Where the next page begins; absent on the last one. Opaque: its form may change.
    pub next: Option<String>,
}

/// Most rows of one page.
const MAX_LIMIT: u32 = 1_000;

/// Bounds what a caller asked for; one more row is read to know whether there is a next page.
pub(crate) fn bounded(limit: u32) -> usize {
    limit.clamp(1, MAX_LIMIT) as usize
}

impl<T> Page<T> {
    /// From up to `limit` + 1 rows.
    pub(crate) fn new(mut items: Vec<T>, limit: usize, cursor: impl Fn(&T) -> String) -> Self {
        let more = items.len() > limit;
        items.truncate(limit);
        let next = items.last().filter(|_| more).map(cursor);
        Self { items, next }
    }
}
