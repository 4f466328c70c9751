//! Streams that are damaged in every way, translated between every two dialects: no panic, bounded memory, sound ends.

use std::sync::Arc;

use bytes::Bytes;
use proptest::prelude::*;
use wire::{
    Dialect, OutputChunk, StreamPipe,
    canonical::SignatureMac,
    codec,
    codec::Envelope,
    tap::{Translation, Verbatim},
};

#[derive(Debug)]
struct NoSeal;

impl SignatureMac for NoSeal {
    fn tag(&self, _: &[u8]) -> [u8; 16] {
        [7; 16]
    }
}

const DIALECTS: [Dialect; 6] = [
    Dialect::OpenAiChat,
    Dialect::OpenAiResponses,
    Dialect::Anthropic,
    Dialect::Gemini,
    Dialect::Cohere,
    Dialect::Bedrock,
];

const FIXTURES: [&[u8]; 11] = [
    include_bytes!("../../fixtures/chat/stream.sse"),
    include_bytes!("../../fixtures/chat/stream-vendor.sse"),
    include_bytes!("../../fixtures/responses/stream.sse"),
    include_bytes!("../../fixtures/anthropic/stream.sse"),
    include_bytes!("../../fixtures/anthropic/stream-vendor.sse"),
    include_bytes!("../../fixtures/gemini/stream.sse"),
    include_bytes!("../../fixtures/gemini/stream-oddities.sse"),
    include_bytes!("../../fixtures/cohere/stream.sse"),
    include_bytes!("../../fixtures/bedrock/stream.bin"),
    include_bytes!("../../fixtures/bedrock/stream-error.bin"),
    include_bytes!("../../fixtures/bedrock/stream-exception.bin"),
];

fn envelope() -> Envelope {
    Envelope {
        request: "0123456789abcdef".into(),
        model: "m".into(),
        created: 1,
        stream_usage: true,
        input_estimate: 3,
        echo: Bytes::new(),
        seal: Arc::new(NoSeal),
    }
}

fn translation(from: Dialect, to: Dialect) -> StreamPipe {
    let (from, to) = (codec(from), codec(to));
    StreamPipe::Translation(Translation::new(from.stream_decoder(), to.stream_encoder(envelope())))
}

/// Feeds all of it; how many bytes came out, and how often the terminal event.
fn run(mut tap: StreamPipe, stream: &[u8], step: usize) -> (usize, usize) {
    let mut out = Vec::new();
    let fed =
        stream.chunks(step.max(1)).try_for_each(|chunk| tap.feed(Bytes::copy_from_slice(chunk), &mut out));
    if fed.is_ok() {
        tap.finish(&mut out);
    }
    let ends = out.iter().filter(|piece| matches!(piece, OutputChunk::Done(_))).count();
    let bytes = out.iter().map(|piece| match piece {
        OutputChunk::Relay(bytes) | OutputChunk::Done(bytes) => bytes.len(),
    });
    (bytes.sum(), ends)
}

/// Words that mean something to a decoder, and what a hostile provider would put in their place.
const WORDS: [&str; 14] = [
    "null",
    "1e999",
    "-1",
    "18446744073709551616",
    "{}",
    "[]",
    "\"\\ud800\"",
    "[[[[",
    "\r\n\r\n",
    "data: ",
    "\"index\":9",
    "\"type\":\"error\"",
    ",",
    "\u{feff}",
];

/// One injury.
#[derive(Clone, Debug)]
enum Harm {
    Flip(usize, u8),
    Cut(usize),
    Repeat(usize, usize),
    Drop(usize, usize),
    Word(usize, usize),
}

fn harm() -> impl Strategy<Value = Harm> {
    let at = 0..100_000_usize;
    prop_oneof![
        (at.clone(), any::<u8>()).prop_map(|(at, byte)| Harm::Flip(at, byte)),
        at.clone().prop_map(Harm::Cut),
        (at.clone(), 1..400_usize).prop_map(|(at, len)| Harm::Repeat(at, len)),
        (at.clone(), 1..60_usize).prop_map(|(at, len)| Harm::Drop(at, len)),
        (at, 0..WORDS.len()).prop_map(|(at, word)| Harm::Word(at, word)),
    ]
}

fn injure(stream: &mut Vec<u8>, harm: &Harm) {
    let len = stream.len();
    if len == 0 {
        return;
    }
    match *harm {
        Harm::Flip(at, byte) => stream[at % len] = byte,
        Harm::Cut(at) => stream.truncate(at % len),
        Harm::Repeat(at, count) => {
            let from = at % len;
            let again = stream[from..(from + count).min(len)].to_vec();
            stream.splice(from..from, again);
        }
        Harm::Drop(at, count) => {
            let from = at % len;
            stream.drain(from..(from + count).min(len));
        }
        Harm::Word(at, word) => {
            let from = at % len;
            stream.splice(from..from, WORDS[word].bytes());
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(400))]

    #[test]
    fn no_damage_is_a_panic(
        fixture in 0..FIXTURES.len(),
        harms in prop::collection::vec(harm(), 0..6),
        from in 0..6_usize,
        step in 1..200_usize,
    ) {
        let mut stream = FIXTURES[fixture].to_vec();
        for harm in &harms {
            injure(&mut stream, harm);
        }
        for to in DIALECTS {
            let (bytes, ends) = run(translation(DIALECTS[from], to), &stream, step);
            prop_assert!(ends <= 1, "{:?} to {to:?} ended {ends} times", DIALECTS[from]);
            // Each event may be said again when it is whole, in an envelope of its own.
            prop_assert!(bytes <= 64 * stream.len() + (64 << 10), "{bytes} of {}", stream.len());
        }
        let (bytes, _) = run(StreamPipe::Verbatim(Verbatim::new(codec(DIALECTS[from]))), &stream, step);
        // Nothing is made up but the blank line that an unfinished event lacks.
        prop_assert!(bytes <= stream.len() + 2);
    }

    #[test]
    fn pieces_make_no_difference(fixture in 0..FIXTURES.len(), from in 0..6_usize, to in 0..6_usize, step in 1..64_usize) {
        let whole = run(translation(DIALECTS[from], DIALECTS[to]), FIXTURES[fixture], usize::MAX);
        let pieces = run(translation(DIALECTS[from], DIALECTS[to]), FIXTURES[fixture], step);
        prop_assert_eq!(whole, pieces);
    }
}

/// Verbatim and translated, an event that never ends is given up at the bound.
#[test]
fn an_event_without_an_end_is_given_up() {
    let filling = Bytes::from(vec![b'x'; 64 << 10]);
    for from in DIALECTS {
        for to in DIALECTS {
            let mut tap = translation(from, to);
            let mut out = Vec::new();
            let fed = (0..1_000).find_map(|_| tap.feed(filling.clone(), &mut out).err());
            assert!(fed.is_some() && out.is_empty(), "{from:?} to {to:?}");
        }
    }
}

#[test]
fn what_came_before_a_broken_event_is_passed_on() {
    let stream = FIXTURES[3];
    let broken = [&stream[..stream.len() / 2], b"\n\ndata: {\n\n"].concat();
    let mut tap = StreamPipe::Verbatim(Verbatim::new(codec(Dialect::Anthropic)));
    let mut out = Vec::new();
    assert!(tap.feed(Bytes::from(broken), &mut out).is_err());
    let Some(OutputChunk::Relay(passed)) = out.first() else { panic!("nothing was passed on") };
    assert!(tap.seen().content && stream.starts_with(passed));
}
