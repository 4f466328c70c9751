//! A provider's stream in each dialect: the same however it is cut, for the same client and for every other one.
//! The first byte chooses the dialect, the second where it is cut.
#![no_main]

use std::sync::Arc;

use bytes::Bytes;
use libfuzzer_sys::fuzz_target;
use wire::{
    ChatTap, Dialect, OutputChunk, StreamPipe,
    canonical::SignatureMac,
    codec,
    codec::{DialectCodec, Envelope},
    tap::{Translation, Verbatim},
};

struct NoSeal;

impl SignatureMac for NoSeal {
    fn tag(&self, _: &[u8]) -> [u8; 16] {
        [0; 16]
    }
}

fn envelope() -> Envelope {
    Envelope {
        request: "0123456789abcdef".into(),
        model: "m".into(),
        created: 1,
        stream_usage: true,
        input_estimate: 1,
        echo: Bytes::new(),
        seal: Arc::new(NoSeal),
    }
}

/// What a client gets, and whether the stream could be read to its end.
fn run(mut tap: StreamPipe, pieces: &[&[u8]]) -> (Vec<u8>, bool) {
    let mut out = Vec::new();
    let fed = pieces.iter().all(|piece| tap.feed(Bytes::copy_from_slice(piece), &mut out).is_ok());
    if fed {
        tap.finish(&mut out);
    }
    let bytes = out.iter().flat_map(|piece| match piece {
        OutputChunk::Relay(bytes) | OutputChunk::Done(bytes) => bytes.to_vec(),
    });
    (bytes.collect(), fed)
}

fn same_however_cut(make: impl Fn() -> StreamPipe, body: &[u8], at: usize) {
    let (whole, read) = run(make(), &[body]);
    let (parts, parts_read) = run(make(), &[&body[..at], &body[at..]]);
    assert_eq!(read, parts_read);
    if read {
        assert_eq!(whole, parts);
    }
}

fuzz_target!(|data: &[u8]| {
    let [choice, cut, body @ ..] = data else { return };
    let at = usize::from(*cut).min(body.len());
    let name = Dialect::ALL[usize::from(*choice) % Dialect::ALL.len()];
    let provider = codec(name);
    if name == Dialect::OpenAiChat {
        same_however_cut(|| StreamPipe::Chat(ChatTap::new(true)), body, at);
    }
    same_however_cut(|| StreamPipe::Verbatim(Verbatim::new(provider)), body, at);
    let translation = |client: &'static dyn DialectCodec| {
        StreamPipe::Translation(Translation::new(
            provider.stream_decoder(),
            client.stream_encoder(envelope()),
        ))
    };
    for client in Dialect::ALL.map(codec) {
        same_however_cut(|| translation(client), body, at);
    }
});
