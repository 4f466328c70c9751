//! A report with events that are passed on as they were written, without being decoded on the way.

use bytes::Bytes;
use prost::Message;

/// [`v1::ReportRequest`](crate::v1::ReportRequest) with its events encoded: the same bytes on the wire.
#[derive(Clone, PartialEq, Message)]
pub struct EncodedReport {
    /// The proxy's name.
    #[prost(string, tag = "1")]
    pub proxy: String,
    /// Each the protobuf of a [`v1::UsageEvent`](crate::v1::UsageEvent).
    #[prost(bytes = "bytes", repeated, tag = "2")]
    pub events: Vec<Bytes>,
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::v1;

    #[test]
    fn encoded_events_read_back_as_events() {
        let event = |at_us| v1::UsageEvent { at_us, route: "r".into(), ..v1::UsageEvent::default() };
        let events = [event(1), event(2)];
        let encoded = events.iter().map(|event| event.encode_to_vec().into()).collect();
        let report = EncodedReport { proxy: "p".into(), events: encoded }.encode_to_vec();
        let expected = v1::ReportRequest { proxy: "p".into(), events: events.into() };
        assert_eq!(v1::ReportRequest::decode(&report[..]).unwrap(), expected);
    }
}
