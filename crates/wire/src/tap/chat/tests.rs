//! The tap: what it hands on, what it hides, what it notes, and that no split changes any of it.

use domain::ServiceTier;
use proptest::prelude::*;

use super::*;

/// Feeds pieces to a tap; what came out, with a bar in front of a `Done`, and what was seen.
fn run<'a>(hide_usage: bool, pieces: impl IntoIterator<Item = &'a [u8]>) -> (String, StreamSummary) {
    let (mut tap, mut out) = (ChatTap::new(hide_usage), Vec::new());
    for piece in pieces {
        tap.feed(Bytes::copy_from_slice(piece), &mut out).unwrap();
    }
    tap.finish(&mut out);
    let mut text = String::new();
    for piece in &out {
        let (bar, bytes) = match piece {
            OutputChunk::Relay(bytes) => ("", bytes),
            OutputChunk::Done(bytes) => ("|", bytes),
        };
        assert!(!bytes.is_empty());
        text.push_str(bar);
        text.push_str(&String::from_utf8_lossy(bytes));
    }
    (text, tap.seen().clone())
}

/// The same at every split and byte by byte, or it fails.
fn tapped(hide_usage: bool, stream: &str) -> (String, StreamSummary) {
    let bytes = stream.as_bytes();
    let whole = run(hide_usage, [bytes]);
    for at in 0..=bytes.len() {
        assert_eq!(run(hide_usage, [&bytes[..at], &bytes[at..]]), whole, "split at {at}");
    }
    assert_eq!(run(hide_usage, bytes.chunks(1)), whole);
    whole
}

fn seen(data: &str) -> StreamSummary {
    tapped(false, &format!("data: {data}\n\n")).1
}

#[test]
fn the_tier_of_a_usage_stands_beside_it() {
    let usage = r#""choices":[],"usage":{"prompt_tokens":3,"completion_tokens":1}"#;
    for (said, tier) in [("priority", ServiceTier::Priority), ("default", ServiceTier::Standard)] {
        for chunk in [
            format!(r#"{{"service_tier":"{said}",{usage}}}"#),
            format!(r#"{{{usage},"service_tier":"{said}"}}"#),
        ] {
            assert_eq!(seen(&chunk).usage.unwrap().service_tier, tier, "{chunk}");
        }
    }
}

#[test]
fn content_is_whatever_a_client_would_show() {
    let delta =
        |delta: &str| seen(&format!(r#"{{"choices":[{{"index":0,"delta":{delta},"finish_reason":null}}]}}"#));
    let table = [
        (r#"{"role":"assistant","content":""}"#, None),
        (
            r#"{"role":"assistant","content":null,"refusal":null,"tool_calls":[],"audio":{ },"function_call":null}"#,
            None,
        ),
        ("{}", None),
        ("null", None),
        (r#"{"content":" "}"#, Some(1)),
        (r#"{"content":"h\u00e9\n"}"#, Some(4)),
        (r#"{"refusal":"no"}"#, Some(2)),
        (r#"{"content":"","reasoning_content":"hm"}"#, Some(2)),
        (r#"{"reasoning":"hmm"}"#, Some(3)),
        (r#"{"reasoning_details":[{"type":"reasoning.text","text":"hmm","format":"x"}]}"#, Some(3)),
        (
            r#"{"content":[{"type":"thinking","thinking":[{"type":"text","text":"ab"}]},{"type":"text","text":"c"}]}"#,
            Some(3),
        ),
        (
            r#"{"tool_calls":[{"index":0,"id":"call_1","type":"function","function":{"name":"f","arguments":""}}]}"#,
            Some(1),
        ),
        (r#"{"tool_calls":[{"index":1,"function":{"arguments":"{\"a\":"}}]}"#, Some(5)),
        (r#"{"function_call":{"name":"f","arguments":"{}"}}"#, Some(3)),
        (r#"{"audio":{"id":"a","data":"UklGRg==","transcript":"hi"}}"#, Some(2)),
    ];
    for (json, bytes) in table {
        let seen = delta(json);
        assert_eq!((seen.content, seen.deltas), (bytes.is_some(), u64::from(bytes.is_some())), "{json}");
        assert_eq!((seen.output_bytes, seen.finish), (bytes.unwrap_or(0), false), "{json}");
    }
    let finish = seen(r#"{"choices":[{"delta":{},"finish_reason":"stop"}]}"#);
    assert!(finish.content && finish.finish && finish.output_bytes == 0 && finish.tokens_estimate() == 0);
}

#[test]
fn the_estimate_errs_upwards() {
    let seen = |output_bytes, deltas| StreamSummary { output_bytes, deltas, ..StreamSummary::default() };
    assert_eq!(seen(10, 2).tokens_estimate(), 4);
    assert_eq!(seen(806, 806).tokens_estimate(), 806);
    let both = tapped(
        false,
        "data: {\"choices\":[{\"index\":0,\"delta\":{\"content\":\"a\"}},{\"index\":1,\"delta\":{\"content\":\"b\"}}]}\n\n",
    );
    assert_eq!(both.1.tokens_estimate(), 2);
}

#[test]
fn usage_is_found_in_odd_places() {
    let usage = r#"{"prompt_tokens":5,"completion_tokens":7}"#;
    for data in [
        format!(r#"{{"choices":[],"usage":{usage}}}"#),
        format!(r#"{{"usage":{usage},"choices":[{{"delta":{{"content":"x"}},"finish_reason":"stop"}}]}}"#),
        format!(r#"{{"choices":[{{"delta":{{}},"usage":{usage}}}]}}"#),
        format!(r#"{{"choices":[],"x_groq":{{"id":"r","usage":{usage}}},"usage":null}}"#),
    ] {
        let found = seen(&data).usage.unwrap();
        assert_eq!((found.input(), found.output()), (5, 7), "{data}");
    }
    let behind = tapped(true, &format!("data: [DONE]\n\ndata: {{\"choices\":[],\"usage\":{usage}}}\n\n"));
    assert_eq!((behind.0.as_str(), behind.1.usage.unwrap().output()), ("|data: [DONE]\n\n", 7));
    assert_eq!(seen(r#"{"choices":[{"delta":{"content":"\"usage\":{\"prompt_tokens\":5}","usage":{"prompt_tokens":5}}}]}"#).usage, None);
}

#[test]
fn the_last_usage_counts_unless_it_shrank() {
    let chunk = |output: u64| {
        format!(
            "data: {{\"choices\":[],\"usage\":{{\"prompt_tokens\":5,\"completion_tokens\":{output}}}}}\n\n"
        )
    };
    let outputs = |list: &[u64]| {
        let seen = tapped(false, &list.iter().map(|&output| chunk(output)).collect::<String>()).1;
        (seen.usage.unwrap().output(), seen.usage_anomalies)
    };
    assert_eq!(outputs(&[1, 2, 9]), (9, 0));
    assert_eq!(outputs(&[9, 9, 2, 3]), (9, 2));
    let nulled = tapped(false, &format!("{}data: {{\"choices\":[],\"usage\":null}}\n\n", chunk(4))).1;
    assert_eq!((nulled.usage.unwrap().output(), nulled.usage_anomalies), (4, 0));
}

#[test]
fn errors_inside_the_stream_are_seen_once_and_relayed() {
    let stream = "data: {\"error\":{\"message\":\"first\",\"code\":429}}\n\nevent: error\ndata: {\"error\":\"second\"}\n\n";
    let (out, said) = tapped(true, stream);
    let error = said.error.unwrap();
    assert_eq!((out.as_str(), error.message.as_str(), error.code.as_deref()), (stream, "first", Some("429")));
    assert!(!said.content && !said.done && said.progress == 2);
    let with_usage = r#"{"choices":[],"usage":{"prompt_tokens":1},"error":{"message":"m"}}"#;
    assert!(tapped(true, &format!("data: {with_usage}\n\n")).0.contains("error"), "an error is never hidden");
    for none in
        [r#"{"error":null,"choices":[]}"#, r#"{"error":{},"choices":[]}"#, r#"{"error":"","choices":[]}"#]
    {
        assert_eq!(seen(none).error, None);
    }
}

#[test]
fn null_usage_is_cut_with_one_comma() {
    let table = [
        (r#"{"a":1,"usage":null}"#, r#"{"a":1}"#),
        (r#"{"a":1, "usage" : null , "b":2}"#, r#"{"a":1 , "b":2}"#),
        (r#"{ "usage":null, "b":2}"#, r#"{ "b":2}"#),
        (r#"{"usage":null}"#, "{}"),
        (
            r#"{"a":{"usage":null},"choices":[{"usage":null}]}"#,
            r#"{"a":{"usage":null},"choices":[{"usage":null}]}"#,
        ),
        (
            r#"{"a":"\"usage\":null","b":",\"usage\":null"}"#,
            r#"{"a":"\"usage\":null","b":",\"usage\":null"}"#,
        ),
        (r#"{"a":1,"usage":null"#, r#"{"a":1,"usage":null"#),
        (r#"{"a":NaN,"usage":null}"#, r#"{"a":NaN,"usage":null}"#),
        (
            r#"{"choices":[],"prompt_filter_results":[],"usage":null}"#,
            r#"{"choices":[],"prompt_filter_results":[]}"#,
        ),
        (
            r#"{"choices":[{}],"usage":{"prompt_tokens":1}}"#,
            r#"{"choices":[{}],"usage":{"prompt_tokens":1}}"#,
        ),
    ];
    for (data, expected) in table {
        for (before, after) in [("data: ", "\n\n"), ("id: 1\r\ndata:", "\r\n: c\r\n\r\n")] {
            let stream = format!("data: {{}}\n\n{before}{data}{after}data: {{}}\n\n");
            assert_eq!(tapped(true, &stream).0, stream.replace(data, expected));
            assert_eq!(tapped(false, &stream).0, stream);
        }
    }
}

#[test]
fn a_hidden_chunk_vanishes_whole_with_every_line_end() {
    for end in ["\n", "\r\n", "\r"] {
        let event = |data: &str| format!("id: 1{end}data: {data}{end}{end}");
        let (first, usage) = (event(r#"{"a":1}"#), event(r#"{"choices":[],"usage":{"prompt_tokens":1}}"#));
        let done = event("[DONE]");
        let (out, seen) = tapped(true, &format!("{first}{usage}{usage}{done}"));
        assert_eq!(out, format!("{first}|{done}"));
        assert_eq!((seen.progress, seen.done, seen.usage.unwrap().input()), (4, true, 1));
        assert_eq!(tapped(true, &usage).0, "");
    }
}

#[test]
fn comments_pass_without_counting_as_progress() {
    let stream =
        "\u{feff}: hello\n\n\n: keep-alive\r\n\r\nretry: 5\n\ndata:\n\ndata: [DONE]\n\ndata: [DONE]\n\n";
    let (out, seen) = tapped(true, stream);
    let expected = ": hello\n: keep-alive\r\nretry: 5\n|data: [DONE]\n\n";
    assert_eq!(out, expected, "they join the next event, and only the first end is the end");
    assert_eq!((seen.progress, seen.content), (2, false));
    assert!(tapped(false, "\u{feff}data: [DONE]\r\n\r\n").1.done);
    assert!(!tapped(false, "data: {}\n\n\u{feff}data: [DONE]\n\n").1.done, "a mark belongs at the start");
}

#[test]
fn finish_completes_what_lacks_its_blank_line_only() {
    let table = [
        ("data: [DONE]", "|data: [DONE]\n\n"),
        ("data: [DONE]\n", "|data: [DONE]\n\n"),
        ("data: [DONE]\r\n", "|data: [DONE]\r\n\n"),
        ("data: [DONE]\r", "|data: [DONE]\r\n\n"),
        ("data: {\"a\":1,\"usage\":null}", "data: {\"a\":1}\n\n"),
        ("\u{feff}data: [DONE]", "|data: [DONE]\n\n"),
        ("data: {}\n\ndata: {\"choices\":[{\"delta\":{\"content\":\"x\"}}", "data: {}\n\n"),
        ("data: [DON", ""),
        ("data:", ""),
        (": comm", ""),
    ];
    for (stream, expected) in table {
        let (out, seen) = tapped(true, stream);
        assert_eq!((out.as_str(), seen.content), (expected, false), "{stream:?}");
    }
}

#[test]
fn broken_data_passes_and_keeps_what_stood_in_front() {
    let data = r#"{"choices":[{"delta":{"content":"hi"},"logprobs":{"x":-Infinity}}]}"#;
    let (out, seen) = tapped(true, &format!("data: {data}\n\ndata: hello\n\n"));
    assert_eq!(out, format!("data: {data}\n\ndata: hello\n\n"));
    assert_eq!((seen.content, seen.output_bytes, seen.progress), (true, 2, 2));
    let (mut tap, mut pieces) = (ChatTap::new(true), Vec::new());
    tap.feed(
        Bytes::from_static(
            b"data: {\"model\":\"\xff\",\"choices\":[{\"delta\":{\"content\":\"\xc3\"}}]}\n\n",
        ),
        &mut pieces,
    )
    .unwrap();
    assert_eq!((pieces.len(), &tap.seen().model, tap.seen().output_bytes), (1, &None, 1));
}

#[test]
fn unedited_events_share_the_chunks_memory() {
    let chunk = Bytes::from_static(b"data: {\"a\":1}\n\ndata: {\"b\":1}\n\ndata: [DONE]\n\ndata: {\"half");
    let (mut tap, mut pieces) = (ChatTap::new(true), Vec::new());
    tap.feed(chunk.clone(), &mut pieces).unwrap();
    let [OutputChunk::Relay(events), OutputChunk::Done(done)] = &pieces[..] else { panic!("{pieces:?}") };
    assert_eq!((events.as_ptr(), events.len()), (chunk.as_ptr(), 30));
    assert_eq!(done.as_ptr(), chunk[30..].as_ptr());
}

#[test]
fn an_endless_event_is_given_up() {
    let (mut tap, mut pieces) = (ChatTap::new(false), Vec::new());
    tap.feed(Bytes::from_static(b"data: {}\n\ndata: "), &mut pieces).unwrap();
    let block = Bytes::from(vec![b'x'; 1 << 20]);
    let outcome: Vec<_> = (0..4).map(|_| tap.feed(block.clone(), &mut pieces)).collect();
    assert_eq!(outcome, [Ok(()), Ok(()), Ok(()), Err(TapError::EventTooLarge)]);
    assert_eq!(pieces, [OutputChunk::Relay(Bytes::from_static(b"data: {}\n\n"))]);

    let mut whole = b"data: {}\n\n".to_vec();
    whole.extend(std::iter::repeat_n(b'x', MAX_EVENT));
    whole.extend(b"\n\n");
    pieces.clear();
    assert_eq!(ChatTap::new(false).feed(whole.into(), &mut pieces), Err(TapError::EventTooLarge));
    assert_eq!(pieces, [OutputChunk::Relay(Bytes::from_static(b"data: {}\n\n"))], "in one chunk as well");
}

proptest! {
    #[test]
    fn no_split_changes_anything(
        lines in prop::collection::vec((line(), prop::sample::select(vec!["\n", "\r", "\r\n", "\n\n", "\r\r", "\r\n\r\n", "\n\r\n"])), 0..24),
        cuts in prop::collection::vec(any::<prop::sample::Index>(), 0..12),
        hide_usage: bool,
    ) {
        let stream: Vec<u8> = lines.iter().flat_map(|(line, end)| [line.as_bytes(), end.as_bytes()]).flatten().copied().collect();
        let whole = run(hide_usage, [&stream[..]]);
        let mut cuts: Vec<usize> = cuts.iter().map(|cut| cut.index(stream.len() + 1)).chain([0, stream.len()]).collect();
        cuts.sort_unstable();
        prop_assert_eq!(&run(hide_usage, cuts.windows(2).map(|cut| &stream[cut[0]..cut[1]])), &whole);
        prop_assert_eq!(&run(hide_usage, stream.chunks(1)), &whole);
    }

    #[test]
    fn no_bytes_panic(stream in prop::collection::vec(any::<u8>(), 0..200), size in 1..9_usize) {
        let whole = run(true, [&stream[..]]);
        prop_assert_eq!(run(true, stream.chunks(size)), whole);
    }
}

fn line() -> impl Strategy<Value = &'static str> {
    prop::sample::select(vec![
        "",
        ": comment",
        "event: x",
        "data: [DONE]",
        "data",
        "\u{feff}",
        r#"data: {"choices":[{"delta":{"content":"hé"}}],"usage":null}"#,
        r#"data:{"usage":null,"choices":[{"delta":{},"finish_reason":"stop"}]}"#,
        r#"data: {"choices":[],"usage":{"prompt_tokens":3,"completion_tokens":4}}"#,
        r#"data: {"choices":[],"#,
        r#"data: "usage":{"prompt_tokens":3,"completion_tokens":2}}"#,
        r#"data: {"a":1,"usage""#,
        "data: :null}",
        r#"data: {"error":"e"}"#,
    ])
}

#[test]
fn errors_beside_and_inside_choices_are_no_content() {
    let table = [
        (r#"{"error":{"message":"m"},"choices":[{"delta":{"content":""},"finish_reason":"error"}]}"#, false),
        (r#"{"choices":[{"delta":{"content":"x"},"finish_reason":"error"}],"error":{"message":"m"}}"#, false),
        (r#"{"choices":[{"index":0,"delta":{},"error":{"message":"m"}}]}"#, true),
        (r#"{"choices":[{"delta":{},"error":"m","finish_reason":"error"}]}"#, true),
        (r#"{"object":"error","message":"m","code":400}"#, true),
    ];
    for (data, disguised) in table {
        let seen = seen(data);
        assert_eq!(seen.error.map(|error| error.message).as_deref(), Some("m"), "{data}");
        assert_eq!((seen.disguised, seen.content, seen.finish), (disguised, false, false), "{data}");
    }
    let reason = seen(r#"{"choices":[{"delta":{},"finish_reason":"network_error"}]}"#);
    assert!(reason.error.is_some() && reason.disguised && !reason.content);
    for event in ["event: error\ndata: {\"message\":\"m\"}\n\n", "event: error\ndata: m\n\n"] {
        let (out, seen) = tapped(true, event);
        assert_eq!((out.as_str(), seen.error.unwrap().message.as_str()), ("", "m"));
        assert!(seen.disguised);
    }
}

#[test]
fn choices_that_end_without_a_reason_get_one() {
    let chunk = |index: u32, delta: &str, reason: &str| {
        format!(
            "data: {{\"id\":\"c-1\",\"created\":7,\"model\":\"m\",\"choices\":[{{\"index\":{index},\"delta\":{delta},\"finish_reason\":{reason}}}]}}\n\n"
        )
    };
    let call = r#"{"tool_calls":[{"index":0,"id":"t","function":{"name":"f","arguments":"{}"}}]}"#;
    let ended = |chunks: &str| {
        let (out, _) = tapped(true, &format!("{chunks}data: [DONE]\n\n"));
        let made = out.strip_prefix(chunks).unwrap().strip_suffix("|data: [DONE]\n\n").unwrap().to_owned();
        made.strip_prefix("data: ")
            .map(|data| serde_json::from_str::<serde_json::Value>(data.trim()).unwrap())
    };
    let reasons = |chunks: &str| {
        let made = ended(chunks)?;
        assert_eq!((&made["id"], &made["created"], &made["model"]), (&"c-1".into(), &7.into(), &"m".into()));
        let choices = made["choices"].as_array().unwrap().iter();
        Some(
            choices
                .map(|choice| format!("{} {}", choice["index"], choice["finish_reason"]))
                .collect::<Vec<_>>(),
        )
    };
    assert_eq!(reasons(&chunk(0, call, "null")), Some(vec!["0 \"tool_calls\"".to_owned()]));
    assert_eq!(reasons(&chunk(0, r#"{"content":"x"}"#, "\"\"")), Some(vec!["0 \"stop\"".to_owned()]));
    let two = chunk(0, call, "null") + &chunk(12, r#"{"content":"x"}"#, "null");
    assert_eq!(reasons(&two), Some(vec!["0 \"tool_calls\"".to_owned(), "12 \"stop\"".to_owned()]));
    assert_eq!(reasons(&(two + &chunk(0, "{}", "\"tool_calls\""))), Some(vec!["12 \"stop\"".to_owned()]));
    assert_eq!(ended(&chunk(0, call, "\"stop\"")), None);
    // The older Completions have no deltas.
    assert_eq!(ended("data: {\"choices\":[{\"index\":0,\"text\":\"x\"}]}\n\n"), None);
}
