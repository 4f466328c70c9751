//! A client's body in each dialect: scanned, decoded, and written for every other dialect. The first byte chooses.
#![no_main]

use bytes::Bytes;
use libfuzzer_sys::fuzz_target;
use wire::{
    Api, Dialect, Edits,
    canonical::{LossReport, SignatureMac, SamplingSupport, TargetFacts},
    codec,
    json::Json,
    scan::PathParamsRef,
};

struct NoSeal;

impl SignatureMac for NoSeal {
    fn tag(&self, _: &[u8]) -> [u8; 16] {
        [0; 16]
    }
}

fuzz_target!(|data: &[u8]| {
    let Some((&choice, body)) = data.split_first() else { return };
    let from = Dialect::ALL[usize::from(choice) % Dialect::ALL.len()];
    let (api, client) = (Api::of(from), codec(from));
    let path = PathParamsRef { model: Some("m"), stream: Some(choice & 64 != 0) };
    let body = Bytes::copy_from_slice(body);
    if let Ok(facts) = client.scan(api, path, &body) {
        let edits = Edits { model: "upstream", want_usage: true, output_limit: Some(5), old_limit_name: false };
        let edited = client.verbatim(&body, &facts, &edits);
        assert!(client.scan(api, path, &edited).is_ok(), "what was spliced can still be scanned");
    }
    let prepared = client.prepare(&body);
    let Ok(json) = Json::parse(&prepared) else { return };
    let Ok(call) = client.decode_request(path, json, &NoSeal) else { return };
    for to in Dialect::ALL {
        let provider = codec(to);
        let quirks = &wire::Quirks::NONE;
        let facts = TargetFacts { model: "upstream", max_output: None, sampling: SamplingSupport::Unknown, quirks };
        for strictness in wire::canonical::Strictness::ALL {
            if let Ok(encoded) = provider.encode_request(&call, &facts, LossReport::new(from, to, strictness)) {
                assert!(Json::parse(&encoded.body).is_ok(), "{from:?} to {to:?} is JSON");
            }
        }
    }
});
