//! Ratchet: every row of the provider table has fixtures, and the crate reads all of them, cut anywhere.

use std::{collections::BTreeMap, fs, path::PathBuf};

use bytes::Bytes;
use domain::Usage;
use wire::{
    Api, Auth, ChatTap, Destination, Dialect, OutputChunk, ProviderRow, Quirks, StreamPipe, StreamSummary,
    canonical::{LossReport, SignatureMac, Support, TargetFacts},
    chat_usage, codec,
    error::ErrorAnswer,
    json::Json,
    provider_error, provider_kinds, provider_row,
    scan::{PathParamsRef, scan},
    tap::Verbatim,
    upstream_path,
};

fn fixture(kind: &str, name: &str) -> Bytes {
    let path: PathBuf = [env!("CARGO_MANIFEST_DIR"), "fixtures", kind, name].iter().collect();
    fs::read(&path)
        .unwrap_or_else(|error| panic!("the row `{kind}` needs {}: {error}", path.display()))
        .into()
}

/// Kinds with OpenAI Chat as their own dialect; the others have fixtures by dialect.
fn chat_kinds() -> impl Iterator<Item = &'static str> {
    let speaks = |kind: &&str| provider_row(kind).map(|row| row.speaks[0].dialect);
    provider_kinds().filter(move |kind| speaks(kind) == Some(Dialect::OpenAiChat))
}

/// What a client would receive, and what was seen.
fn tap<'a>(hide_usage: bool, chunks: impl IntoIterator<Item = &'a [u8]>) -> (Vec<u8>, StreamSummary) {
    let (mut tap, mut pieces) = (ChatTap::new(hide_usage), Vec::new());
    for chunk in chunks {
        tap.feed(Bytes::copy_from_slice(chunk), &mut pieces).unwrap();
    }
    tap.finish(&mut pieces);
    let mut out = Vec::new();
    for piece in &pieces {
        match piece {
            OutputChunk::Relay(bytes) => out.extend_from_slice(bytes),
            OutputChunk::Done(bytes) => {
                assert!(bytes.starts_with(b"data: [DONE]"));
                out.extend_from_slice(bytes);
            }
        }
    }
    (out, tap.seen().clone())
}

/// The stream with the lines of blocks without data in the block behind them.
fn joined(stream: &[u8]) -> Vec<u8> {
    let (mut out, mut block) = (Vec::new(), Vec::new());
    let text = stream.strip_prefix(b"\xef\xbb\xbf").unwrap_or(stream);
    for line in text.split_inclusive(|byte| *byte == b'\n') {
        block.push(line);
        if line.trim_ascii().is_empty() {
            let bare = !block.iter().any(|line| line.starts_with(b"data:"));
            block.retain(|line| !bare || !(line.trim_ascii().is_empty() || line.starts_with(b"event:")));
            out.extend(block.drain(..).flatten());
        }
    }
    assert!(block.is_empty(), "a fixture ends in a blank line");
    out
}

#[test]
fn every_row_has_a_request_that_scans() {
    for kind in chat_kinds() {
        let body = fixture(kind, "request.json");
        let facts = scan(Api::Chat, &body).unwrap_or_else(|error| panic!("{kind}: {error}"));
        assert!(facts.stream && facts.messages > 0, "{kind}");
        assert_eq!(serde_json::from_slice::<String>(&body[facts.model_span.clone()]).unwrap(), facts.model);
        for end in 0..body.trim_ascii_end().len() {
            assert!(scan(Api::Chat, &body[..end]).is_err(), "{kind}: cut at {end}");
        }
    }
}

#[test]
fn every_row_has_an_answer_with_usage_and_an_error_with_a_message() {
    for kind in chat_kinds() {
        let answer = fixture(kind, "response.json");
        assert!(chat_usage(&answer).unwrap().output() > 0, "{kind}");
        for end in 0..answer.len() {
            let _ = chat_usage(&answer[..end]);
        }
        let error = fixture(kind, "error.json");
        assert!(!provider_error(&error).unwrap().message.is_empty(), "{kind}");
        for end in 0..error.trim_ascii_end().len() {
            assert_eq!(provider_error(&error[..end]), None, "{kind}: cut at {end}");
        }
    }
}

#[test]
fn every_rows_stream_is_the_same_wherever_it_is_split() {
    for kind in chat_kinds() {
        let stream = fixture(kind, "stream.sse");
        for hide_usage in [false, true] {
            let whole = tap(hide_usage, [&stream[..]]);
            let seen = &whole.1;
            assert!(seen.content && seen.finish && seen.done && seen.error.is_none(), "{kind}: {seen:?}");
            assert!(
                seen.usage.is_some() && seen.model.is_some() && seen.output_bytes > 0,
                "{kind}: {seen:?}"
            );
            for at in 0..=stream.len() {
                assert_eq!(tap(hide_usage, [&stream[..at], &stream[at..]]), whole, "{kind}: split at {at}");
            }
            assert_eq!(tap(hide_usage, stream.chunks(1)), whole, "{kind}: byte by byte");
            assert_eq!(tap(hide_usage, stream.chunks(7)), whole, "{kind}: in sevens");
            assert!(hide_usage || whole.0 == joined(&stream), "{kind}: only a hidden usage changes bytes");
        }
    }
}

#[test]
fn a_stream_cut_anywhere_never_shows_more_than_whole_events() {
    for kind in chat_kinds() {
        let stream = fixture(kind, "stream.sse");
        let full = tap(false, [&stream[..]]).1;
        for end in 0..stream.len() {
            let (out, seen) = tap(false, [&stream[..end]]);
            let terminated = out.ends_with(b"\n\n") || out.ends_with(b"\r\n\r\n") || out.ends_with(b"\r\n\r");
            let last = out.trim_ascii_end().rsplit(|byte| *byte == b'\n').next().unwrap_or_default();
            assert!(out.is_empty() || terminated || last.starts_with(b":"), "{kind}: cut at {end}");
            assert!(out.len() <= end + 2 && seen.output_bytes <= full.output_bytes, "{kind}: cut at {end}");
        }
    }
}

#[test]
fn the_vendors_numbers_come_out_disjoint() {
    let openai = chat_usage(&fixture("openai", "response.json")).unwrap();
    let expected = Usage {
        input_uncached: 56,
        cache_read: 1024,
        cache_write: 100,
        audio_in: 20,
        output_visible: 26,
        reasoning: 64,
        ..Usage::default()
    };
    assert_eq!(openai, expected);
    let custom = chat_usage(&fixture("custom", "response.json")).unwrap();
    let expected =
        Usage { input_uncached: 8, cache_read: 4, output_visible: 5, reasoning: 8, ..Usage::default() };
    assert_eq!(custom, expected);
}

#[test]
fn a_client_that_did_not_ask_sees_no_trace_of_the_gateways_question() {
    let (out, seen) = tap(true, [&fixture("openai", "stream.sse")[..]]);
    let out = String::from_utf8(out).unwrap();
    assert_eq!(out.matches("\"usage\"").count(), 0, "{out}");
    assert_eq!(out.matches(r#"\"usage\":null"#).count(), 1, "the answer's own text stays");
    assert_eq!(seen.output_bytes, "Ein Kätzchen 🐈 says \"usage\":nulllook_up{\"id\":7}".len() as u64);
    assert_eq!(seen.usage.unwrap().output(), 21);

    let (out, seen) = tap(true, [&fixture("custom", "stream.sse")[..]]);
    let out = String::from_utf8(out).unwrap();
    assert!(
        out.contains("event: message\r\nid: 3\r\ndata: { \"choices\":[{\"index\":0,\r\ndata: \"delta\""),
        "{out}"
    );
    assert!(out.ends_with("data: [DONE]\r\n\r\n"), "the usage behind the end is hidden: {out}");
    assert_eq!((seen.usage.unwrap().output(), seen.progress), (6, 6));
}

#[test]
fn rows_are_found_by_kind() {
    assert_eq!(provider_row("openai").unwrap().base_url, Some("https://api.openai.com/v1"));
    assert_eq!(provider_row("custom").unwrap().base_url, None);
    assert_eq!(provider_row("OpenAI"), None);
    for kind in chat_kinds() {
        assert!(provider_row(kind).unwrap().base_url.is_none_or(|url| !url.ends_with('/')), "{kind}");
    }
}

/// What a compatible vendor takes: this row. Everything else follows from it.
#[test]
fn a_provider_is_added_by_one_row() {
    let row = ProviderRow {
        kind: "example",
        base_url: Some("https://{region}.example.com/v3"),
        auth: Auth::Header("x-example-key"),
        quirks: Quirks { old_limit_name: true, ..Quirks::NONE },
        ..*provider_row("custom").unwrap()
    };
    assert_eq!(row.base_url(Some("eu"), &BTreeMap::new()).unwrap(), "https://eu.example.com/v3");
    assert_eq!(row.base_url(None, &BTreeMap::new()).unwrap_err(), "region");
    assert_eq!(row.base_url(Some("evil/?#@"), &BTreeMap::new()).unwrap_err(), "region");
    let speaks = row.dialect_for(Dialect::Anthropic, "model-1");
    let (api, addressing, model) = (Api::Messages, row.addressing, "model-1");
    let to = Destination { api, dialect: speaks.dialect, addressing, model, stream: true, version: None };
    assert_eq!(upstream_path("/v3", speaks.root, &to), "/v3/chat/completions");
    // A client of another dialect reaches it, in its own older words.
    let body = br#"{"model":"m","max_tokens":9,"messages":[{"role":"user","content":"hi"}]}"#;
    let client = codec(Dialect::Anthropic);
    let call = client.decode_request(PathParamsRef::default(), Json::parse(body).unwrap(), &NoSeal).unwrap();
    let facts = TargetFacts {
        model,
        max_output: None,
        sampling: Support::Unknown,
        reasoning: Support::Unknown,
        quirks: &row.quirks,
    };
    let losses = LossReport::new(Dialect::Anthropic, speaks.dialect, wire::canonical::Strictness::Default);
    let encoded = codec(speaks.dialect).encode_request(&call, &facts, losses).unwrap();
    let sent: serde_json::Value = serde_json::from_slice(&encoded.body).unwrap();
    assert_eq!((&sent["model"], &sent["max_tokens"]), (&"model-1".into(), &9.into()));
    assert_eq!(sent["messages"][0]["content"], "hi");
}

struct NoSeal;

impl SignatureMac for NoSeal {
    fn tag(&self, _: &[u8]) -> [u8; 16] {
        [0; 16]
    }
}

/// Folders that hold a dialect's own fixtures rather than a row's.
const DIALECTS: [&str; 2] = ["chat", "responses"];

#[test]
fn every_row_is_read_in_its_own_dialect() {
    for kind in provider_kinds() {
        let name = provider_row(kind).unwrap().speaks[0].dialect;
        let dialect = codec(name);
        let path = PathParamsRef { model: Some("m"), stream: Some(true) };
        let facts = dialect.scan(Api::of(name), path, &fixture(kind, "request.json"));
        assert!(facts.unwrap_or_else(|error| panic!("{kind}: {error}")).stream, "{kind}");
        let answer = fixture(kind, "response.json");
        let reply = dialect.decode_response(Json::parse(&answer).unwrap());
        let reply = reply.unwrap_or_else(|error| panic!("{kind}: {error:?}"));
        assert!(reply.usage.is_some_and(|usage| usage.output() > 0), "{kind}: {:?}", reply.usage);
        assert!(!reply.choices[0].parts.is_empty(), "{kind}");
        let stream = fixture(kind, if name == Dialect::Bedrock { "stream.bin" } else { "stream.sse" });
        let whole = watched(name, [&stream[..]]);
        let accepts = dialect.accepts_comments();
        let expected = if accepts { joined(&stream) } else { stream.to_vec() };
        assert_eq!(whole.0, expected, "{kind}: verbatim");
        assert!(whole.1.content && whole.1.finish && whole.1.done, "{kind}: {:?}", whole.1);
        assert!(whole.1.usage.is_some() && whole.1.error.is_none(), "{kind}: {:?}", whole.1);
        for at in (0..=stream.len()).step_by(7) {
            assert_eq!(watched(name, [&stream[..at], &stream[at..]]), whole, "{kind}: split at {at}");
        }
        assert_eq!(watched(name, stream.chunks(1)), whole, "{kind}: byte by byte");
        let body = fixture(kind, "error.json");
        let (_, said) = dialect.decode_error(&ErrorAnswer { status: 400, error_type: None, body: &body });
        assert!(!said.unwrap().message.is_empty(), "{kind}");
    }
}

#[test]
fn every_folder_belongs_to_a_row_or_a_dialect() {
    let folder: PathBuf = [env!("CARGO_MANIFEST_DIR"), "fixtures"].iter().collect();
    for entry in fs::read_dir(folder).unwrap() {
        let name = entry.unwrap().file_name().into_string().unwrap();
        let known = name.starts_with('.') || provider_row(&name).is_some();
        assert!(known || DIALECTS.contains(&name.as_str()), "{name}");
    }
}

/// What a client of the same dialect would receive, and what was seen.
fn watched<'a>(dialect: Dialect, chunks: impl IntoIterator<Item = &'a [u8]>) -> (Vec<u8>, StreamSummary) {
    let mut tap = StreamPipe::Verbatim(Verbatim::new(codec(dialect)));
    let mut pieces = Vec::new();
    for chunk in chunks {
        tap.feed(Bytes::copy_from_slice(chunk), &mut pieces).unwrap();
    }
    tap.finish(&mut pieces);
    let bytes = pieces.iter().flat_map(|piece| match piece {
        OutputChunk::Relay(bytes) | OutputChunk::Done(bytes) => bytes.to_vec(),
    });
    (bytes.collect(), tap.seen().clone())
}
