//! A form upload: its model found and replaced, and nothing else touched.
#![no_main]

use libfuzzer_sys::fuzz_target;

fuzz_target!(|body: &[u8]| {
    let Ok(facts) = wire::multipart::scan("b", body) else { return };
    let same = wire::multipart::with_model(body, &facts, &facts.model);
    assert_eq!(same, body);
});
