//! The reader against tables and against `serde_json`, which must agree on what JSON is.

use proptest::prelude::*;
use serde::de::IgnoredAny;

use super::*;

fn valid(text: &[u8]) -> bool {
    let mut reader = Reader::new(text);
    reader.value().and_then(|_| reader.end()).is_ok()
}

fn serde_says(text: &[u8]) -> bool {
    serde_json::from_slice::<IgnoredAny>(text).is_ok()
}

const GOOD: &[&str] = &[
    "null",
    " true\r\n",
    "\tfalse",
    "0",
    "-0",
    "-0.0",
    "10",
    "1.5",
    "1e5",
    "1E+5",
    "1e-05",
    "1e99999",
    "123456789012345678901234567890",
    "\"\"",
    r#""\u0000\ud800\"\\\/\b\f\n\r\t""#,
    "\"\u{7f}\u{2028}é\"",
    "[]",
    "[ ]",
    "[1,[2],{}]",
    "{}",
    "{ }",
    r#"{"a":1,"a":[]}"#,
    r#"{ "" : null , "b" : 0 }"#,
];
const BAD: &[&str] = &[
    "",
    " ",
    "nul",
    "nulll",
    "True",
    "+1",
    "01",
    "-",
    "-a",
    "1.",
    ".5",
    "1e",
    "1e+",
    "0x1",
    "1 2",
    "NaN",
    "\"",
    "\"\n\"",
    "\"\u{0}\"",
    "\"\\\"",
    r#""\x""#,
    r#""\u12g4""#,
    r#""\u12"#,
    "[",
    "[1",
    "[1,",
    "[1,]",
    "[,1]",
    "[1 2]",
    "{",
    r#"{"a"#,
    r#"{"a""#,
    r#"{"a":"#,
    r#"{"a":1"#,
    r#"{"a":1,"#,
    r#"{"a":1,}"#,
    "{,}",
    "{1:2}",
    "{a:1}",
    r#"{"a" 1}"#,
    r#"{"a"::1}"#,
    "]",
    "}",
    "[}",
    "{]",
    "\u{feff}1",
    "'a'",
    "//\n1",
    "[1]]",
    "\u{a0}1",
];

#[test]
fn the_grammar_is_rfc_8259s() {
    for text in GOOD {
        assert!(valid(text.as_bytes()) && serde_says(text.as_bytes()), "{text}");
    }
    for text in BAD {
        assert!(!valid(text.as_bytes()) && !serde_says(text.as_bytes()), "{text}");
    }
}

#[test]
fn a_fault_says_where_and_what() {
    let table = [
        (r#"{"a":}"#, 5, "expected a value"),
        (r#"{"a" 1}"#, 5, "expected `:`"),
        (r#"{"a":1 "b"}"#, 7, "expected `,` or `}`"),
        ("[1;2]", 2, "expected `,` or `]`"),
        ("{,}", 1, "expected a key in quotes"),
        ("\"ab", 3, "expected the end of the string"),
        ("\"a\tb\"", 2, "expected no raw control character in a string"),
        (r#""a\q""#, 3, "expected an escape sequence"),
        (r#""\u00zz""#, 5, "expected four hexadecimal digits"),
        ("1.x", 2, "expected a digit"),
        ("1 x", 2, "expected nothing after the value"),
    ];
    for (text, at, what) in table {
        let mut reader = Reader::new(text.as_bytes());
        assert_eq!(reader.value().and_then(|_| reader.end()), Err(Fault { at, what }), "{text}");
    }
}

#[test]
fn nesting_has_a_limit() {
    let nested = |depth: usize| format!("{}{}", "[".repeat(depth), "]".repeat(depth));
    let mixed = |depth: usize| format!("{}0{}", r#"{"a":["#.repeat(depth / 2), "]}".repeat(depth / 2));
    assert!(valid(nested(128).as_bytes()) && valid(mixed(128).as_bytes()));
    assert!(!valid(nested(129).as_bytes()) && !valid(mixed(130).as_bytes()));
    assert!(!valid("[".repeat(1_000_000).as_bytes()));
    assert!(valid(format!("[{}[]]", "[[]],".repeat(1000)).as_bytes()), "width is not depth");
}

#[test]
fn a_strings_special_bytes_are_found_at_every_position() {
    for len in 0..40 {
        for at in 0..len {
            for special in [b'"', b'\\', 0, 0x1f] {
                for fill in [b'a', b' ', b'!', b'#', b'[', b']', 0x7f, 0x80, 0xff] {
                    let mut bytes = vec![fill; len];
                    bytes[at] = special;
                    assert_eq!(plain_prefix(&bytes), at);
                    assert_eq!(plain_prefix(&bytes[..at]), at);
                }
            }
        }
    }
}

#[test]
fn escapes_are_decoded_and_measured() {
    for text in ["", "a", "é€😀", "\"\\\u{8}\u{c}\n\r\t/", "tail\\", "\u{1}\u{7ff}\u{800}\u{ffff}\u{10000}"]
    {
        let plain = serde_json::to_string(text).unwrap();
        let escaped: String =
            text.encode_utf16().map(|unit| format!("\\u{unit:04X}")).chain(["\\/".to_owned()]).collect();
        let inside = &plain.as_bytes()[1..plain.len() - 1];
        assert_eq!((decode(inside).as_deref(), decoded_len(inside)), (Some(text), text.len()));
        let slash = format!("{text}/");
        let inside = escaped.as_bytes();
        assert_eq!((decode(inside).as_deref(), decoded_len(inside)), (Some(&*slash), slash.len()));
    }
    assert_eq!(decode(br"\ud800"), None);
    for broken in [&br"\"[..], br"\u", br"\u12", br"\uzzzz", b"\xff"] {
        let _ = (decode(broken), decoded_len(broken));
    }
}

fn json() -> impl Strategy<Value = serde_json::Value> {
    let leaf = prop_oneof![
        Just(serde_json::Value::Null),
        any::<bool>().prop_map(Into::into),
        any::<i64>().prop_map(Into::into),
        any::<f64>().prop_map(Into::into),
        any::<String>().prop_map(Into::into),
    ];
    leaf.prop_recursive(4, 40, 6, |inner| {
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..6).prop_map(Into::into),
            prop::collection::vec((any::<String>(), inner), 0..6)
                .prop_map(|members| serde_json::Value::Object(members.into_iter().collect())),
        ]
    })
}

proptest! {
    #[test]
    fn serde_json_agrees_on_documents(value in json(), pretty: bool) {
        let text = if pretty { serde_json::to_string_pretty(&value) } else { serde_json::to_string(&value) }.unwrap();
        prop_assert!(valid(text.as_bytes()));
    }

    #[test]
    fn serde_json_agrees_on_mutations(value in json(), edits in prop::collection::vec((any::<prop::sample::Index>(), mutation()), 1..4)) {
        let mut text = value.to_string().into_bytes();
        for (index, byte) in edits {
            let at = index.index(text.len() + 1);
            match byte {
                Some(byte) if at < text.len() => text[at] = byte,
                Some(byte) => text.push(byte),
                None => text.truncate(at),
            }
        }
        prop_assert_eq!(valid(&text), serde_says(&text), "{}", String::from_utf8_lossy(&text));
    }

    #[test]
    fn no_bytes_panic(bytes in prop::collection::vec(any::<u8>(), 0..60)) {
        prop_assert_eq!(valid(&bytes), serde_says(&bytes));
        let _ = (decode(&bytes), decoded_len(&bytes));
    }
}

/// A byte that matters to the grammar, any byte, or the end.
fn mutation() -> impl Strategy<Value = Option<u8>> {
    prop_oneof![
        6 => prop::sample::select(br#""\{}[]:,0-.eEtfn u"#.to_vec()).prop_map(Some),
        2 => any::<u8>().prop_map(Some),
        1 => Just(None),
    ]
}

#[test]
fn half_a_surrogate_pair_is_found_where_it_stands() {
    for (text, expected) in [
        (r#""\ud83d\ude00""#, None),
        (r#""\ud83d""#, Some(1)),
        (r#""x\ude00""#, Some(2)),
        (r#""\ud83d\ud83d\ude00""#, Some(1)),
        (r#""\\ud83d""#, None),
        (r#""\u00fc \n \""#, None),
        ("plain", None),
        ("", None),
        ("\\", None),
    ] {
        assert_eq!(lone_surrogate(text.as_bytes()), expected, "{text}");
    }
}
