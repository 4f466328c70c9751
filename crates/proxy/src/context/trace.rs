//! A request's place in a distributed trace: W3C Trace Context, read strictly and continued as configured.

use domain::RequestId;
use http::{HeaderMap, HeaderName, HeaderValue};
use runtime::telemetry::Sampling;

use crate::settings::{ContextIn, ContextOut, TraceSettings};

/// A request's place in its trace, as W3C writes it.
pub(crate) const TRACEPARENT: HeaderName = HeaderName::from_static("traceparent");
/// Longest `tracestate` that is carried along, in bytes; W3C asks for as much.
const MAX_STATE: usize = 512;

/// What is decided about a request's trace when it arrives.
#[derive(Clone, Debug, Default)]
pub(crate) struct TracePropagation {
    inbound: ContextIn,
    outbound: ContextOut,
    /// The share of traces that are exported, where any are.
    sampling: Option<Sampling>,
}

/// A request's place in its trace, fixed when it arrives.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct TraceContext {
    /// The client's, or the request's id, by which people look for it.
    pub(crate) trace_id: [u8; 16],
    /// The client's span in the same trace.
    pub(crate) parent: Option<Parent>,
    /// The client's span in a trace of its own.
    pub(crate) link: Option<Parent>,
    /// What the client's tracing system wants carried along.
    pub(crate) state: Option<HeaderValue>,
    /// Whether its spans are exported however it ends.
    pub(crate) sampled: bool,
}

/// A client's span.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Parent {
    pub(crate) trace_id: [u8; 16],
    pub(crate) span_id: [u8; 8],
    /// Whether the client records its part.
    pub(crate) sampled: bool,
}

impl TracePropagation {
    pub(crate) const fn new(settings: &TraceSettings, sampling: Option<Sampling>) -> Self {
        Self { inbound: settings.trace_context_in, outbound: settings.trace_context_out, sampling }
    }

    /// Where a request belongs; malformed headers say nothing.
    pub(crate) fn context(&self, request: RequestId, headers: &HeaderMap) -> TraceContext {
        let said = match self.inbound {
            ContextIn::Ignore => None,
            ContextIn::Continue | ContextIn::Link => read(headers),
        };
        let (parent, link) = if self.inbound == ContextIn::Link { (None, said) } else { (said, None) };
        let trace_id = parent.map_or_else(|| request.0.into_bytes(), |parent| parent.trace_id);
        let state = parent.and_then(|_| read_state(headers));
        let sampled = match (parent, &self.sampling) {
            (Some(parent), _) => parent.sampled,
            (None, Some(sampling)) => is_within(&trace_id, sampling.share()),
            (None, None) => false,
        };
        TraceContext { trace_id, parent, link, state, sampled }
    }

    /// What an attempt's provider is told of the trace.
    pub(crate) fn outbound(
        &self,
        context: &TraceContext,
        request: RequestId,
        attempt: u32,
    ) -> Option<HeaderValue> {
        if self.outbound == ContextOut::Off {
            return None;
        }
        let trace = to_hex(&context.trace_id);
        let span = to_hex(&span_id(request, attempt));
        HeaderValue::try_from(format!("00-{trace}-{span}-{:02x}", u8::from(context.sampled))).ok()
    }
}

/// Whether a trace is among that share of all. The last bytes of a request's id are random in every version, and the
/// same trace gets the same answer everywhere.
fn is_within(trace_id: &[u8; 16], share: f64) -> bool {
    let [.., a, b, c, d] = *trace_id;
    f64::from(u32::from_be_bytes([a, b, c, d])) < share * (f64::from(u32::MAX) + 1.0)
}

/// The id of an attempt's span; 0 is the request's own. Nothing has to be kept to know it again.
pub(crate) fn span_id(request: RequestId, attempt: u32) -> [u8; 8] {
    // The finalizer of splitmix64: a bijection, so that no two attempts of a request share an id.
    let mut id =
        request.0.as_u64_pair().1.wrapping_add(u64::from(attempt).wrapping_mul(0x9e37_79b9_7f4a_7c15));
    id = (id ^ (id >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    id = (id ^ (id >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    id ^= id >> 31;
    id.max(1).to_be_bytes()
}

/// Lower-case hexadecimal digits.
pub(crate) fn to_hex(bytes: &[u8]) -> String {
    let digit = |nibble: u8| char::from(b"0123456789abcdef"[usize::from(nibble)]);
    bytes.iter().flat_map(|byte| [digit(byte >> 4), digit(byte & 15)]).collect()
}

/// Reads `traceparent`; a header that came twice is ignored.
fn read(headers: &HeaderMap) -> Option<Parent> {
    let mut values = headers.get_all(&TRACEPARENT).iter();
    let only = values.next().filter(|_| values.next().is_none())?;
    parse(only.as_bytes())
}

/// Reads `tracestate`, which is carried along without being understood.
fn read_state(headers: &HeaderMap) -> Option<HeaderValue> {
    let mut values = headers.get_all("tracestate").iter();
    let only = values.next().filter(|_| values.next().is_none())?;
    let good = !only.is_empty() && only.len() <= MAX_STATE && only.to_str().is_ok();
    good.then(|| only.clone())
}

/// `version-traceid-parentid-flags`, in lower-case hexadecimal digits; later versions may append fields.
fn parse(text: &[u8]) -> Option<Parent> {
    let (head, rest) = text.split_at_checked(55)?;
    let fields: Vec<&[u8]> = head.split(|byte| *byte == b'-').collect();
    let [version, trace_id, span_id, flags] = fields[..] else { return None };
    let [version] = hex::<1>(version)?;
    let appended = rest.is_empty() || (version > 0 && rest[0] == b'-');
    if version == 0xff || !appended {
        return None;
    }
    let trace_id = hex(trace_id)?;
    let span_id = hex(span_id)?;
    let [flags] = hex::<1>(flags)?;
    let known = trace_id != [0; 16] && span_id != [0; 8];
    known.then_some(Parent { trace_id, span_id, sampled: flags & 1 == 1 })
}

fn hex<const N: usize>(text: &[u8]) -> Option<[u8; N]> {
    let digit = |byte: u8| match byte {
        b'0'..=b'9' => Some(byte - b'0'),
        b'a'..=b'f' => Some(byte - b'a' + 10),
        _ => None,
    };
    let mut bytes = [0; N];
    if text.len() != 2 * N {
        return None;
    }
    for (byte, pair) in bytes.iter_mut().zip(text.chunks_exact(2)) {
        *byte = digit(pair[0])? << 4 | digit(pair[1])?;
    }
    Some(bytes)
}

#[cfg(test)]
mod tests {
    use http::HeaderValue;

    use super::*;

    const GOOD: &str = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01";

    fn read(values: &[&str]) -> Option<Parent> {
        let mut headers = HeaderMap::new();
        for value in values {
            headers.append("traceparent", HeaderValue::from_str(value).unwrap());
        }
        super::read(&headers)
    }

    #[test]
    fn a_valid_parent_is_read_and_its_flag() {
        let parent = read(&[GOOD]).unwrap();
        assert_eq!(parent.trace_id[..3], [0x0a, 0xf7, 0x65]);
        assert_eq!(parent.span_id, [0xb7, 0xad, 0x6b, 0x71, 0x69, 0x20, 0x33, 0x31]);
        assert!(parent.sampled);
        assert!(!read(&[&GOOD.replace("-01", "-00")]).unwrap().sampled);
        assert!(read(&[&GOOD.replace("-01", "-03")]).unwrap().sampled);
        assert!(read(&[&format!("{}-more", GOOD.replacen("00", "01", 1))]).is_some());
    }

    #[test]
    fn whatever_is_malformed_is_no_parent() {
        let bad = [
            String::new(),
            "00".to_owned(),
            GOOD.to_uppercase(),
            GOOD.replacen("00", "ff", 1),
            GOOD.replace("b7ad6b7169203331", "0000000000000000"),
            GOOD.replace("0af7651916cd43dd8448eb211c80319c", "00000000000000000000000000000000"),
            GOOD.replace('f', "g"),
            GOOD.replace('-', "_"),
            format!("{GOOD}-more"),
            format!("{}x", GOOD.replacen("00", "01", 1)),
            GOOD.replacen("0af7", "0a-7", 1),
            format!(" {GOOD}"),
            "0".repeat(8_000),
        ];
        for bad in bad {
            assert_eq!(read(&[&bad]), None, "{bad}");
        }
        assert_eq!(read(&[GOOD, GOOD]), None);
        assert_eq!(read(&[]), None);
    }

    fn context(
        inbound: ContextIn,
        share: Option<f64>,
        request: RequestId,
        headers: &HeaderMap,
    ) -> TraceContext {
        let sampling = share.map(|share| Sampling::new(share).unwrap());
        TracePropagation { inbound, outbound: ContextOut::On, sampling }.context(request, headers)
    }

    #[test]
    fn a_clients_trace_is_continued_linked_or_ignored() {
        let mut headers = HeaderMap::new();
        headers.insert("traceparent", HeaderValue::from_static(GOOD));
        headers.insert("tracestate", HeaderValue::from_static("vendor=1"));
        let request = RequestId::new();
        let parent = read(&[GOOD]);
        let continued = context(ContextIn::Continue, Some(0.0), request, &headers);
        assert_eq!((continued.parent, continued.link, continued.sampled), (parent, None, true));
        assert_eq!(to_hex(&continued.trace_id), GOOD[3..35]);
        assert_eq!(continued.state.as_ref().unwrap(), "vendor=1");
        let linked = context(ContextIn::Link, Some(0.0), request, &headers);
        assert_eq!((linked.parent, linked.link, linked.sampled, linked.state), (None, parent, false, None));
        assert_eq!(linked.trace_id, request.0.into_bytes());
        let ignored = context(ContextIn::Ignore, Some(1.0), request, &headers);
        assert_eq!((ignored.parent, ignored.link, ignored.sampled), (None, None, true));
        assert!(!context(ContextIn::Ignore, None, request, &headers).sampled);
    }

    #[test]
    fn a_hostile_tracestate_is_dropped() {
        for bad in ["", "x\u{7f}", &"a=b,".repeat(200)] {
            let mut headers = HeaderMap::new();
            headers.insert("traceparent", HeaderValue::from_static(GOOD));
            headers.insert(
                "tracestate",
                HeaderValue::from_bytes(bad.as_bytes()).unwrap_or(HeaderValue::from_static("")),
            );
            let context = context(ContextIn::Continue, None, RequestId::new(), &headers);
            assert!(context.parent.is_some());
            assert_eq!(context.state, None, "{bad}");
        }
    }

    #[test]
    fn sampling_keeps_its_share_and_its_word() {
        let count = |share| {
            let ids = (0..20_000).map(|_| RequestId::new().0.into_bytes());
            ids.filter(|id| is_within(id, share)).inspect(|id| assert!(is_within(id, share))).count()
        };
        assert_eq!((count(0.0), count(1.0)), (0, 20_000));
        let tenth = count(0.1);
        assert!((1_700..2_300).contains(&tenth), "{tenth}");
    }

    #[test]
    fn a_provider_is_told_the_span_of_its_attempt() {
        let request = RequestId::new();
        let on = TracePropagation { outbound: ContextOut::On, ..TracePropagation::default() };
        let context = on.context(request, &HeaderMap::new());
        let told = on.outbound(&context, request, 2).unwrap();
        let parent = parse(told.as_bytes()).unwrap();
        assert_eq!((parent.trace_id, parent.span_id), (request.0.into_bytes(), span_id(request, 2)));
        assert_ne!(span_id(request, 1), span_id(request, 2));
        assert_eq!(TracePropagation::default().outbound(&context, request, 1), None);
    }
}
