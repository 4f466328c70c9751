//! Event ends and event data, in every notation and cut anywhere.

use super::*;

/// The events of a stream that arrives in pieces of `size` bytes.
fn events(stream: &[u8], size: usize) -> Vec<Vec<u8>> {
    let (mut framer, mut held, mut out) = (Framer::new(), Vec::new(), Vec::new());
    for chunk in stream.chunks(size) {
        let mut rest = chunk;
        if held.is_empty() && framer.second_half(rest) {
            let last: &mut Vec<u8> = out.last_mut().unwrap();
            last.push(b'\n');
            rest = &rest[1..];
        }
        while let Some(len) = framer.end(rest) {
            held.extend_from_slice(&rest[..len]);
            out.push(std::mem::take(&mut held));
            rest = &rest[len..];
        }
        held.extend_from_slice(rest);
    }
    out.push(held);
    out
}

#[test]
fn events_end_at_blank_lines_of_any_kind() {
    let table: [(&str, &[&str]); 9] = [
        ("a\n\nb\n\n", &["a\n\n", "b\n\n", ""]),
        ("a\r\n\r\nb\r\n\r\nc", &["a\r\n\r\n", "b\r\n\r\n", "c"]),
        ("a\r\rb\r\r", &["a\r\r", "b\r\r", ""]),
        ("a\n\r\nb\r\n\nc\r\n\r", &["a\n\r\n", "b\r\n\n", "c\r\n\r", ""]),
        ("a\n\rb\r\n", &["a\n\r", "b\r\n"]),
        ("a\r\n", &["a\r\n"]),
        ("\n\r\n\r\ra", &["\n", "\r\n", "\r", "\r", "a"]),
        (": c\n: d\n\ndata: e\n\n\n", &[": c\n: d\n\n", "data: e\n\n", "\n", ""]),
        ("", &[""]),
    ];
    for (stream, expected) in table {
        for size in 1..=stream.len().max(1) {
            let got: Vec<String> = events(stream.as_bytes(), size)
                .into_iter()
                .map(|event| String::from_utf8(event).unwrap())
                .collect();
            assert_eq!(got, expected, "{stream:?} in pieces of {size}");
        }
    }
}

#[test]
fn data_lines_are_found_and_joined() {
    let table = [
        ("data: a\n\n", Some("a")),
        ("data:a\r\n\r\n", Some("a")),
        ("data:  a \r\r", Some(" a ")),
        ("data\n\n", Some("")),
        ("data:\n\n", Some("")),
        ("data:a:b\n\n", Some("a:b")),
        (": c\nevent: e\rdata: a\r\nid: 1\ndata:b\n\n", Some("a\nb")),
        ("data: a\ndata\ndata: b\n\n", Some("a\n\nb")),
        ("data: a", Some("a")),
        ("\n", None),
        (": data: a\n\n", None),
        ("datax: a\n\n", None),
        (" data: a\n\n", None),
        ("event: data\n\n", None),
        ("", None),
    ];
    for (event, expected) in table {
        let data =
            Data::of(event.as_bytes()).map(|data| String::from_utf8(data.payload().into_owned()).unwrap());
        assert_eq!(data.as_deref(), expected, "{event:?}");
    }
}

#[test]
fn a_cut_leaves_the_framing() {
    let event = "id: 1\r\ndata: abc\r\ndata:def\r\n: x\r\n\r\n";
    let data = Data::of(event.as_bytes()).unwrap();
    assert_eq!(&*data.payload(), b"abc\ndef");
    let without = |cut: Range<usize>| {
        let mut out = Vec::new();
        data.write_without(&cut, &mut out);
        String::from_utf8(out).unwrap()
    };
    assert_eq!(without(0..0), event);
    assert_eq!(without(1..2), event.replace("abc", "ac"));
    assert_eq!(without(4..7), event.replace("def", ""));
    assert_eq!(without(2..5), event.replace("abc", "ab").replace("def", "ef"), "over a line's end");
    assert_eq!(without(0..7), event.replace("abc", "").replace("def", ""));
    assert_eq!(without(5..99), event.replace("def", "d"));
}

#[test]
fn lines_without_data_join_the_next_event() {
    let table = [
        (": a\n\n", ": a\n"),
        (": a\r\n\r\n", ": a\r\n"),
        (": a\r\r", ": a\r"),
        (": a\n: b\n\n", ": a\n: b\n"),
        ("event: ping\n\n", ""),
        ("event\nretry: 5\nid: 1\n\n", "retry: 5\nid: 1\n"),
        ("events: 1\n\n", "events: 1\n"),
        ("event: e\ndata: \ndata\n: c\n\n", ": c\n"),
        ("\n", ""),
        ("\r\n", ""),
    ];
    for (event, expected) in table {
        assert!(is_bare(event.as_bytes()), "{event:?}");
        let mut out = Vec::new();
        write_without_end(event.as_bytes(), &mut out);
        assert_eq!(String::from_utf8(out).unwrap(), expected, "{event:?}");
    }
}
