//! The caller's place in a distributed trace: W3C Trace Context, read strictly.

use http::HeaderMap;

/// What a request says of the trace that it belongs to; malformed headers say nothing.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct TraceContext {
    /// The client's span, where it sent a valid one.
    pub(crate) parent: Option<Parent>,
}

/// The span that a request continues.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Parent {
    pub(crate) trace_id: [u8; 16],
    pub(crate) span_id: [u8; 8],
    /// Whether the caller records its part.
    pub(crate) sampled: bool,
}

impl TraceContext {
    /// Reads `traceparent`; one that came twice is nobody's.
    pub(crate) fn read(headers: &HeaderMap) -> Self {
        let mut values = headers.get_all("traceparent").iter();
        let only = values.next().filter(|_| values.next().is_none());
        Self { parent: only.and_then(|value| parse(value.as_bytes())) }
    }
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
    let (trace_id, span_id, [flags]) = (hex(trace_id)?, hex(span_id)?, hex::<1>(flags)?);
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
        TraceContext::read(&headers).parent
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
}
