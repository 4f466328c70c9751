//! Events on their way from the spool to the ledger.

use bytes::Bytes;
use prost::{DecodeError, Message};
use proto::v1;

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
}

/// As much of a [`v1::UsageEvent`] as the spool must know.
#[derive(Clone, PartialEq, Message)]
struct Outline {
    #[prost(bytes = "bytes", tag = "1")]
    request: Bytes,
    #[prost(int64, tag = "3")]
    at_us: i64,
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

    /// Adds an event and returns the id of its request.
    pub(crate) fn push(&mut self, payload: &[u8]) -> Result<Bytes, DecodeError> {
        let bytes = Bytes::copy_from_slice(payload);
        let Outline { request, at_us } = Outline::decode(bytes.clone())?;
        self.oldest.get_or_insert(at_us);
        self.bytes += bytes.len();
        self.events.push(Spooled { request: request.clone(), bytes });
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
        assert_eq!(batch.push(&event.encode_to_vec()).unwrap(), "r");
        assert_eq!((batch.oldest, batch.bytes), (Some(-5), event.encoded_len()));
        assert!(batch.events[0].fault().is_none());
        // Field 4, the attribution, of one byte that is no field.
        batch.push(&[0x22, 1, 0xff]).unwrap();
        assert!(batch.events[1].fault().is_some());
        assert!(batch.push(&[0xff]).is_err());
    }
}
