//! A provider's plain answer or error in each dialect, written for every client. The first byte chooses.
#![no_main]

use std::sync::Arc;

use bytes::Bytes;
use libfuzzer_sys::fuzz_target;
use wire::{Dialect, canonical::SignatureMac, codec, codec::Envelope, error::ErrorAnswer, json::Json};

struct NoSeal;

impl SignatureMac for NoSeal {
    fn tag(&self, _: &[u8]) -> [u8; 16] {
        [0; 16]
    }
}

fuzz_target!(|data: &[u8]| {
    let Some((&choice, body)) = data.split_first() else { return };
    let provider = codec(Dialect::ALL[usize::from(choice) % Dialect::ALL.len()]);
    let status = [0, 400, 401, 429, 500, 529][usize::from(choice >> 4) % 6];
    let _ = provider.decode_error(&ErrorAnswer { status, error_type: None, body });
    let Ok(json) = Json::parse(body) else { return };
    let Ok(reply) = provider.decode_response(json) else { return };
    let envelope = Envelope {
        request: "0123456789abcdef".into(),
        model: "m".into(),
        created: 1,
        stream_usage: true,
        input_estimate: 1,
        echo: Bytes::new(),
        seal: Arc::new(NoSeal),
    };
    for client in Dialect::ALL.map(codec) {
        assert!(Json::parse(&client.encode_response(&reply, &envelope)).is_ok());
    }
});
