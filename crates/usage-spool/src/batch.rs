//! Events on their way from the spool to the ledger.

use bytes::Bytes;
use domain::Money;
use prost::{DecodeError, Message};
use proto::v1;

use crate::{acked::Position, authority::Cost};

/// Most events of one batch.
pub(crate) const BATCH_EVENTS: usize = 500;
/// Most bytes of one batch, give or take one event.
const BATCH_BYTES: usize = 1 << 20;

/// An event as it was written: taking it apart and putting it together again would be most of the work of reporting.
#[derive(Clone)]
pub(crate) struct Spooled {
    pub(crate) request: Bytes,
    /// The protobuf of a [`v1::UsageEvent`].
    pub(crate) bytes: Bytes,
    /// Where its record ends.
    pub(crate) end: Position,
    /// What it cost under budgets.
    pub(crate) costs: Vec<Cost>,
}

/// As much of a [`v1::UsageEvent`] as the spool must know.
#[derive(Clone, PartialEq, Message)]
struct Outline {
    #[prost(bytes = "bytes", tag = "1")]
    request: Bytes,
    #[prost(int64, tag = "3")]
    at_us: i64,
    #[prost(message, repeated, tag = "14")]
    attempts: Vec<DrawnAttempt>,
}

/// As much of a [`v1::Attempt`].
#[derive(Clone, PartialEq, Message)]
struct DrawnAttempt {
    #[prost(int64, tag = "9")]
    cost_nanos: i64,
    #[prost(message, optional, tag = "13")]
    draw: Option<v1::Draw>,
}

/// What an attempt cost under budgets, if any applied. A draw that cannot be read is no draw: the ledger refuses it.
pub(crate) fn cost(cost_nanos: i64, draw: Option<v1::Draw>) -> Option<Cost> {
    let draw = proto::draw_from(draw?).ok()?;
    Some(Cost { draw, cost: Money::from_nanos(cost_nanos), acknowledged: true })
}

/// What is being collected for the ledger.
#[derive(Default)]
pub(crate) struct Batch {
    pub(crate) events: Vec<Spooled>,
    bytes: usize,
    /// When the request of the first one ended, in microseconds since the Unix epoch.
    pub(crate) oldest: Option<i64>,
}

impl Batch {
    pub(crate) fn is_full(&self) -> bool {
        self.events.len() >= BATCH_EVENTS || self.bytes >= BATCH_BYTES
    }

    /// Adds an event that ends there, and returns the id of its request.
    pub(crate) fn push(&mut self, payload: &[u8], end: Position) -> Result<Bytes, DecodeError> {
        let bytes = Bytes::copy_from_slice(payload);
        let Outline { request, at_us, attempts } = Outline::decode(bytes.clone())?;
        let costs = attempts.into_iter().filter_map(|attempt| cost(attempt.cost_nanos, attempt.draw));
        self.oldest.get_or_insert(at_us);
        self.bytes += bytes.len();
        let costs = costs.collect();
        self.events.push(Spooled { request: request.clone(), bytes, end, costs });
        Ok(request)
    }
}

impl Spooled {
    /// Why it is no event, if it is none.
    pub(crate) fn fault(&self) -> Option<DecodeError> {
        v1::UsageEvent::decode(&self.bytes[..]).err()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_outline_is_enough_until_the_whole_event_is_needed() {
        let event = v1::UsageEvent {
            request: Bytes::from_static(b"r"),
            at_us: -5,
            route: "a route".into(),
            ..v1::UsageEvent::default()
        };
        let mut batch = Batch::default();
        assert_eq!(batch.push(&event.encode_to_vec(), Position::default()).unwrap(), "r");
        assert_eq!((batch.oldest, batch.bytes), (Some(-5), event.encoded_len()));
        assert!(batch.events[0].fault().is_none());
        // Field 4, the attribution, of one byte that is no field.
        batch.push(&[0x22, 1, 0xff], Position::default()).unwrap();
        assert!(batch.events[1].fault().is_some());
        assert!(batch.push(&[0xff], Position::default()).is_err());
    }
}
