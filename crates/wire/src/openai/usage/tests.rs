//! Usage as vendors write it, and the sums that must come out.

use proptest::prelude::*;

use super::*;
use crate::chat_usage;

fn usage(json: &str) -> Option<Usage> {
    let mut reader = Reader::new(json.as_bytes());
    read(&mut reader).unwrap_or_else(|fault| panic!("{json}: {fault:?}"))
}

fn counts(json: &str) -> [u64; 7] {
    let u = usage(json).unwrap();
    [u.input_uncached, u.cache_read, u.cache_write, u.audio_in, u.output_visible, u.reasoning, u.audio_out]
}

#[test]
fn the_tier_that_was_served_chooses_the_rates() {
    for (said, tier) in [
        (r#""priority""#, ServiceTier::Priority),
        (r#""flex""#, ServiceTier::Flex),
        (r#""default""#, ServiceTier::Standard),
        ("null", ServiceTier::Standard),
        ("7", ServiceTier::Standard),
    ] {
        let count = r#""usage":{"prompt_tokens":3,"completion_tokens":1}"#;
        for body in
            [format!(r#"{{{count},"service_tier":{said}}}"#), format!(r#"{{"service_tier":{said},{count}}}"#)]
        {
            assert_eq!(chat_usage(body.as_bytes()).unwrap().service_tier, tier, "{body}");
        }
    }
}

#[test]
fn counts_come_out_disjoint() {
    let table = [
        (r#"{"prompt_tokens":10,"completion_tokens":5}"#, [10, 0, 0, 0, 5, 0, 0]),
        (
            r#"{"prompt_tokens":10,"completion_tokens":5,"prompt_tokens_details":null}"#,
            [10, 0, 0, 0, 5, 0, 0],
        ),
        // An embeddings answer.
        (r#"{"prompt_tokens":8,"total_tokens":8}"#, [8, 0, 0, 0, 0, 0, 0]),
        (r#"{"total_tokens":8}"#, [8, 0, 0, 0, 0, 0, 0]),
        (r#"{"completion_tokens":3,"total_tokens":8}"#, [5, 0, 0, 0, 3, 0, 0]),
        (r#"{"prompt_tokens":5,"total_tokens":8}"#, [5, 0, 0, 0, 3, 0, 0]),
        (
            r#"{"prompt_tokens":100,"completion_tokens":50,"prompt_tokens_details":{"cached_tokens":60,"cache_write_tokens":10,"audio_tokens":5},"completion_tokens_details":{"reasoning_tokens":20,"audio_tokens":7}}"#,
            [25, 60, 10, 5, 23, 20, 7],
        ),
        // Details beyond their total: the dearer kind stays.
        (
            r#"{"prompt_tokens":10,"completion_tokens":4,"prompt_tokens_details":{"cached_tokens":9,"audio_tokens":4},"completion_tokens_details":{"reasoning_tokens":9}}"#,
            [0, 6, 0, 4, 0, 4, 0],
        ),
        // DeepSeek's names, alone and beside the usual ones.
        (r#"{"prompt_tokens":10,"completion_tokens":1,"prompt_cache_hit_tokens":4}"#, [6, 4, 0, 0, 1, 0, 0]),
        (
            r#"{"prompt_tokens_details":{"cached_tokens":4},"prompt_cache_hit_tokens":4,"prompt_tokens":10,"completion_tokens":1}"#,
            [6, 4, 0, 0, 1, 0, 0],
        ),
        // xAI: reasoning is outside; the total says so.
        (
            r#"{"prompt_tokens":10,"completion_tokens":4,"total_tokens":21,"completion_tokens_details":{"reasoning_tokens":7}}"#,
            [10, 0, 0, 0, 4, 7, 0],
        ),
        (r#"{"prompt_tokens":1.0,"completion_tokens":2.2,"total_tokens":-3}"#, [1, 0, 0, 0, 3, 0, 0]),
        (
            r#"{"prompt_tokens":99999999999999999999999,"completion_tokens":1e300}"#,
            [u64::MAX, 0, 0, 0, u64::MAX, 0, 0],
        ),
    ];
    for (json, expected) in table {
        assert_eq!(counts(json), expected, "{json}");
    }
}

#[test]
fn what_says_nothing_is_unknown_and_not_zero() {
    for json in ["null", "{}", "[1]", "\"x\"", "7", r#"{"prompt_tokens":null}"#, r#"{"prompt_tokens":"7"}"#] {
        assert_eq!(usage(json), None, "{json}");
    }
    assert_eq!(counts(r#"{"prompt_tokens":0,"completion_tokens":0}"#), [0; 7]);
}

#[test]
fn a_plain_answer_gives_its_top_level_usage_only() {
    let inner = br#"{"choices":[{"message":{"content":"\"usage\":{\"prompt_tokens\":9}","usage":{"prompt_tokens":8}}}]}"#;
    assert_eq!(chat_usage(inner), None);
    let body =
        br#" {"data":[{"embedding":[0.1,-2e-3]}],"usage":{"prompt_tokens":3,"total_tokens":3},"x":1} "#;
    assert_eq!(chat_usage(body).unwrap().input(), 3);
    assert_eq!(chat_usage(&body[..body.len() - 5]).unwrap().input(), 3, "cut behind it");
    assert_eq!(chat_usage(&body[..60]), None, "cut inside it");
    for body in [&b""[..], b"null", b"[]", b"<html>", b"\xff", br#"{"usage":null}"#] {
        assert_eq!(chat_usage(body), None);
    }
}

proptest! {
    #[test]
    fn sums_are_the_totals(p in 0..1000_u64, c in 0..1000_u64, details in prop::array::uniform5(0..1500_u64)) {
        let [cached, write, audio_in, reasoning, audio_out] = details;
        let json = serde_json::json!({
            "prompt_tokens": p, "completion_tokens": c, "total_tokens": p + c,
            "prompt_tokens_details": { "cached_tokens": cached, "cache_write_tokens": write, "audio_tokens": audio_in },
            "completion_tokens_details": { "reasoning_tokens": reasoning, "audio_tokens": audio_out },
        });
        let usage = usage(&json.to_string()).unwrap();
        prop_assert_eq!((usage.input(), usage.output()), (p, c));
        prop_assert!(usage.audio_in == audio_in.min(p) && usage.cache_read <= cached);
    }
}

#[test]
fn writes_to_the_cache_are_told_apart_by_lifetime() {
    let json = r#"{"input_tokens":100,"output_tokens":1,"input_tokens_details":{"cached_tokens":10,"cache_write_tokens":50,
        "cache_write_tokens_details":{"ttl_30m_tokens":20,"ttl_12h_tokens":25}}}"#;
    let usage = usage(json).unwrap();
    assert_eq!((usage.write_30m, usage.write_12h, usage.cache_write), (20, 25, 5));
    assert_eq!((usage.cache_read, usage.input()), (10, 100));
}
