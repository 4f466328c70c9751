//! Which intents of this process wait for their event, and which segments may not be deleted because of them.

use std::collections::HashMap;

use bytes::Bytes;

/// One attempt in flight.
#[derive(Debug)]
struct Entry {
    attempt: u32,
    segment: u64,
    /// Where its record starts; absent if it was carried to another segment that the reader has not reached.
    offset: Option<u64>,
}

/// The attempts in flight, as far as the reader has come.
#[derive(Debug, Default)]
pub(crate) struct OpenIntents {
    by_request: HashMap<Bytes, Vec<Entry>>,
    pins: HashMap<u64, usize>,
    stale: Vec<(Bytes, u32)>,
}

impl OpenIntents {
    /// An intent was read.
    pub(crate) fn opened(&mut self, request: Bytes, attempt: u32, segment: u64, offset: u64) {
        self.remove(&request, attempt);
        *self.pins.entry(segment).or_default() += 1;
        let entry = Entry { attempt, segment, offset: Some(offset) };
        self.by_request.entry(request).or_default().push(entry);
    }

    /// An event was read: every attempt of its request is over.
    pub(crate) fn closed(&mut self, request: &Bytes) {
        for entry in self.by_request.remove(request).unwrap_or_default() {
            self.unpin(entry.segment);
            if entry.offset.is_none() {
                // The carried copy stands behind this event and must not look open once the event is deleted.
                self.stale.push((request.clone(), entry.attempt));
            }
        }
    }

    /// A void was read.
    pub(crate) fn voided(&mut self, request: &Bytes, attempt: u32) {
        if let Some(Entry { offset: None, .. }) = self.remove(request, attempt) {
            self.stale.push((request.clone(), attempt));
        }
    }

    fn remove(&mut self, request: &Bytes, attempt: u32) -> Option<Entry> {
        let entries = self.by_request.get_mut(request)?;
        let at = entries.iter().position(|entry| entry.attempt == attempt)?;
        let entry = entries.swap_remove(at);
        if entries.is_empty() {
            self.by_request.remove(request);
        }
        self.unpin(entry.segment);
        Some(entry)
    }

    /// A copy of the intent was appended to the segment `to`.
    pub(crate) fn carried(&mut self, request: Bytes, attempt: u32, to: u64) {
        self.remove(&request, attempt);
        *self.pins.entry(to).or_default() += 1;
        self.by_request.entry(request).or_default().push(Entry { attempt, segment: to, offset: None });
    }

    /// Whether an open intent stands in the segment.
    pub(crate) fn pins(&self, segment: u64) -> bool {
        self.pins.contains_key(&segment)
    }

    /// The open intents of a segment: request, attempt, where the record starts.
    pub(crate) fn of_segment(&self, segment: u64) -> Vec<(Bytes, u32, u64)> {
        let entries = self.by_request.iter().flat_map(|(request, entries)| {
            entries
                .iter()
                .filter(|entry| entry.segment == segment)
                .filter_map(move |entry| entry.offset.map(|offset| (request.clone(), entry.attempt, offset)))
        });
        entries.collect()
    }

    /// A carried copy that was overtaken by its event, to be voided; stays until [`OpenIntents::voided_stale`].
    pub(crate) fn stale(&self) -> Option<(Bytes, u32)> {
        self.stale.last().cloned()
    }

    /// The void for [`OpenIntents::stale`] was written.
    pub(crate) fn voided_stale(&mut self) {
        self.stale.pop();
    }

    fn unpin(&mut self, segment: u64) {
        if let Some(count) = self.pins.get_mut(&segment) {
            *count -= 1;
            if *count == 0 {
                self.pins.remove(&segment);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const REQUEST: Bytes = Bytes::from_static(b"request");

    #[test]
    fn an_event_closes_all_attempts_and_a_void_one() {
        let mut open = OpenIntents::default();
        open.opened(REQUEST, 1, 5, 64);
        open.opened(REQUEST, 2, 6, 64);
        open.voided(&REQUEST, 1);
        assert!(!open.pins(5) && open.pins(6));
        open.opened(REQUEST, 3, 5, 99);
        open.closed(&REQUEST);
        assert!(!open.pins(5) && !open.pins(6) && open.by_request.is_empty());
    }

    #[test]
    fn a_carried_intent_pins_its_new_segment_and_an_event_before_it_leaves_it_stale() {
        let mut open = OpenIntents::default();
        open.opened(REQUEST, 1, 5, 64);
        assert_eq!(open.of_segment(5), [(REQUEST, 1, 64)]);
        open.carried(REQUEST, 1, 9);
        assert!(!open.pins(5) && open.pins(9) && open.of_segment(9).is_empty());
        open.closed(&REQUEST);
        assert!(!open.pins(9));
        assert_eq!(open.stale(), Some((REQUEST, 1)));
        open.voided_stale();
        assert_eq!(open.stale(), None);
        open.carried(REQUEST, 2, 9);
        open.voided(&REQUEST, 2);
        assert_eq!(open.stale(), Some((REQUEST, 2)), "a void overtakes as well");
        open.voided_stale();
        // Read in the right order, nothing is stale.
        open.opened(REQUEST, 1, 5, 64);
        open.carried(REQUEST, 1, 9);
        open.opened(REQUEST, 1, 9, 128);
        open.closed(&REQUEST);
        assert_eq!(open.stale(), None);
    }
}
