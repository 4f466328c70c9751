//! The headers of real providers, and malformed ones.

use http::{HeaderName, HeaderValue};
use proptest::prelude::*;

use super::*;

/// 2026-11-22T20:00:00Z
fn now() -> Timestamp {
    "2026-11-22T20:00:00Z".parse().unwrap()
}

fn read(headers: &[(&'static str, &str)]) -> RateLimitHeaders {
    let mut map = HeaderMap::new();
    for (name, value) in headers {
        map.append(HeaderName::from_static(name), HeaderValue::from_bytes(value.as_bytes()).unwrap());
    }
    RateLimitHeaders::read(&map, now())
}

const fn secs(seconds: u64) -> Option<Duration> {
    Some(Duration::from_secs(seconds))
}

fn counts(read: &RateLimitHeaders) -> [Option<u64>; 4] {
    [read.limit_requests, read.remaining_requests, read.limit_tokens, read.remaining_tokens]
}

#[test]
fn openai_says_durations() {
    let read = read(&[
        ("x-ratelimit-limit-requests", "5000"),
        ("x-ratelimit-remaining-requests", "4999"),
        ("x-ratelimit-reset-requests", "12ms"),
        ("x-ratelimit-limit-tokens", "160000"),
        ("x-ratelimit-remaining-tokens", "159976"),
        ("x-ratelimit-reset-tokens", "6m0s"),
    ]);
    assert_eq!(counts(&read), [Some(5000), Some(4999), Some(160_000), Some(159_976)]);
    assert_eq!((read.reset_requests, read.reset_tokens), (Some(Duration::from_millis(12)), secs(360)));
    assert_eq!(read.retry_after, None);
}

#[test]
fn anthropic_says_moments_and_its_sum_counts_before_its_output() {
    let sum = [
        ("anthropic-ratelimit-requests-limit", "50"),
        ("anthropic-ratelimit-requests-remaining", "49"),
        ("anthropic-ratelimit-requests-reset", "2026-11-22T20:00:01.5Z"),
        ("anthropic-ratelimit-tokens-limit", "480000"),
        ("anthropic-ratelimit-tokens-remaining", "470000"),
        ("anthropic-ratelimit-tokens-reset", "2026-11-22T21:00:30+01:00"),
        ("anthropic-ratelimit-input-tokens-limit", "400000"),
        ("anthropic-ratelimit-input-tokens-remaining", "391000"),
        ("anthropic-ratelimit-input-tokens-reset", "2026-11-22T19:59:59Z"),
        ("anthropic-ratelimit-output-tokens-limit", "80000"),
        ("anthropic-ratelimit-output-tokens-remaining", "79000"),
        ("anthropic-ratelimit-output-tokens-reset", "2026-11-22T20:00:59Z"),
    ];
    let all = read(&sum);
    assert_eq!(counts(&all), [Some(50), Some(49), Some(400_000), Some(391_000)]);
    assert_eq!(all.reset_requests, Some(Duration::from_millis(1500)));
    assert_eq!(all.reset_tokens, secs(0), "what has passed is no wait");

    let mut spent = sum;
    spent[10].1 = "0";
    let spent = read(&spent);
    assert_eq!((spent.remaining_tokens, spent.reset_tokens), (Some(0), secs(59)));

    let output_alone = read(&sum[9..]);
    assert_eq!(output_alone.remaining_tokens, Some(79_000));
}

#[test]
fn the_words_of_other_providers() {
    let azure = read(&[
        ("x-ratelimit-remaining-requests", "-1"),
        ("x-ratelimit-remaining-tokens", "19913"),
        ("x-ratelimit-reset-tokens", "10"),
        ("retry-after-ms", "1250"),
    ]);
    assert_eq!(counts(&azure), [None, None, None, Some(19_913)]);
    assert_eq!((azure.reset_tokens, azure.retry_after), (secs(10), Some(Duration::from_millis(1250))));

    let cerebras = read(&[
        ("x-ratelimit-limit-requests-day", "14400"),
        ("x-ratelimit-remaining-requests-day", "14399"),
        ("x-ratelimit-reset-requests-day", "33011.382"),
        ("x-ratelimit-remaining-requests-minute", "29"),
        ("x-ratelimit-reset-requests-minute", "11.4"),
        ("x-ratelimit-remaining-tokens-minute", "59000"),
    ]);
    assert_eq!(counts(&cerebras), [None, Some(29), None, Some(59_000)]);
    assert_eq!(cerebras.reset_requests, Some(Duration::from_millis(11_400)));

    let mistral =
        read(&[("x-ratelimitbysize-limit-minute", "500000"), ("x-ratelimitbysize-remaining-minute", "499")]);
    assert_eq!(counts(&mistral), [None, None, Some(500_000), Some(499)]);
    let mistral = read(&[("x-ratelimit-limit-req-minute", "60"), ("x-ratelimit-remaining-req-minute", "59")]);
    assert_eq!(counts(&mistral), [Some(60), Some(59), None, None]);

    let together = read(&[
        ("x-ratelimit-limit", "10"),
        ("x-ratelimit-remaining", "0.98"),
        ("x-ratelimit-reset", "1"),
        ("x-tokenlimit-limit", "3000"),
        ("x-tokenlimit-remaining", "2999"),
    ]);
    assert_eq!(counts(&together), [Some(10), Some(0), Some(3000), Some(2999)]);
    assert_eq!(together.reset_requests, secs(1));

    let openrouter = read(&[("x-ratelimit-remaining", "0"), ("x-ratelimit-reset", "1795377630000")]);
    assert_eq!((openrouter.remaining_requests, openrouter.reset_requests), (Some(0), secs(30)));
    let seconds = read(&[("x-ratelimit-remaining", "0"), ("x-ratelimit-reset", "1795377630")]);
    assert_eq!(seconds.reset_requests, secs(30));

    let fireworks = read(&[
        ("x-ratelimit-limit-tokens-prompt", "3600000"),
        ("x-ratelimit-remaining-tokens-prompt", "3500000"),
        ("x-ratelimit-remaining-tokens-generated", "36000"),
        ("x-ratelimit-remaining-images", "3"),
        ("x-ratelimit-over-limit", "no"),
    ]);
    assert_eq!(counts(&fireworks), [None, None, Some(3_600_000), Some(3_500_000)]);
}

#[test]
fn the_drafts_of_the_ietf() {
    let recent = read(&[
        ("ratelimit", r#""a,b;c";r=50;t=30, "day";r=900;t=3600"#),
        ("ratelimit-policy", r#""a,b;c";q=100;w=60;pk=:cHsdsRa894==:, "day";q=1000;w=86400"#),
    ]);
    assert_eq!(counts(&recent), [Some(100), Some(50), None, None]);
    assert_eq!(recent.reset_requests, secs(30));
    let tokens = read(&[("ratelimit", r#""tokens-minute"; r=7; t=2, "bytes"; r=1"#)]);
    assert_eq!((tokens.remaining_tokens, tokens.remaining_requests), (Some(7), None));

    let dictionary = read(&[("ratelimit", "limit=100, remaining=40, reset=5")]);
    assert_eq!(counts(&dictionary), [Some(100), Some(40), None, None]);
    assert_eq!(dictionary.reset_requests, secs(5));

    let fields =
        read(&[("ratelimit-limit", "100, 100;w=60"), ("ratelimit-remaining", "3"), ("ratelimit-reset", "9")]);
    assert_eq!(counts(&fields), [Some(100), Some(3), None, None]);
    assert_eq!(fields.reset_requests, secs(9));
}

#[test]
fn a_wait_in_every_form() {
    let wait = |value: &str| read(&[("retry-after", value)]).retry_after;
    let cases: [(&str, Option<u64>); 21] = [
        ("0", Some(0)),
        ("2", Some(2_000)),
        (" 2 ", Some(2_000)),
        ("1.25", Some(1_250)),
        ("37s", Some(37_000)),
        ("1m30.5s", Some(90_500)),
        ("1h0m1s", Some(3_601_000)),
        ("Sun, 22 Nov 2026 20:00:07 GMT", Some(7_000)),
        ("Sunday, 22-Nov-26 20:00:07 GMT", Some(7_000)),
        ("Sun Nov 22 20:00:07 2026", Some(7_000)),
        ("Sun Nov  1 20:00:07 2026", Some(0)),
        ("Sun, 22 Nov 2026 19:59:59 GMT", Some(0)),
        ("Sun, 22 Nov 2026 20:00:60 GMT", Some(59_000)),
        ("2026-11-22T20:01:00Z", Some(60_000)),
        ("Sun, 06 Nov 1994 08:49:37 GMT", None),
        ("Sun, 31 Feb 2026 08:49:37 GMT", None),
        ("-1", None),
        ("1e3", None),
        ("5s1m", None),
        ("99999999", None),
        ("soon", None),
    ];
    for (value, millis) in cases {
        assert_eq!(wait(value), millis.map(Duration::from_millis), "{value}");
    }
    let both = read(&[("retry-after", "1"), ("retry-after-ms", "250"), ("retry-after", "x")]);
    assert_eq!(both.retry_after, secs(1), "the longer of two");
    let late: Timestamp = "2099-12-31T23:59:59Z".parse().unwrap();
    let mut headers = HeaderMap::new();
    headers.insert("retry-after", HeaderValue::from_static("Friday, 01-Jan-00 00:00:09 GMT"));
    assert_eq!(RateLimitHeaders::read(&headers, late).retry_after, secs(10));
}

#[test]
fn twice_the_same_count_is_the_lesser() {
    let twice = read(&[
        ("x-ratelimit-remaining-requests", "5"),
        ("x-ratelimit-remaining-requests", "3"),
        ("x-ratelimit-reset-requests", "1s"),
        ("x-ratelimit-reset-requests", "2s"),
    ]);
    assert_eq!((twice.remaining_requests, twice.reset_requests), (Some(3), secs(2)));
}

fn name() -> impl Strategy<Value = String> {
    prop_oneof![
        prop::sample::select(vec![
            "retry-after".to_owned(),
            "retry-after-ms".to_owned(),
            "ratelimit".to_owned(),
            "ratelimit-policy".to_owned(),
        ]),
        ("(x-|anthropic-|)ratelimit-(limit|remaining|reset|tokens|requests|)-{0,1}[a-z-]{0,12}"),
    ]
}

fn value() -> impl Strategy<Value = String> {
    prop_oneof![
        "[ -~]{0,40}",
        "-?[0-9]{0,400}(\\.[0-9]{0,20})?(h|m|s|ms|us|ns|d)?([0-9.]{0,5}s)?",
        "[A-Z][a-z]{2,6}, ?[0-9]{1,3}[ -][A-Z][a-z]{2}[ -][0-9]{2,5} [0-9]{1,2}:[0-9]{1,2}:[0-9]{1,3} GMT",
        "(\"[a-z,;]{0,9}\";? ?[rtqw]=-?[0-9]{0,30},? ?){0,4}",
        "-?[0-9]{4,6}-[0-9]{2}-[0-9]{2}T[0-9]{2}:[0-9]{2}:[0-9]{2}Z",
    ]
}

proptest! {
    #[test]
    fn whatever_comes_stays_in_bounds(
        headers in prop::collection::vec((name(), value()), 0..24),
        micros in any::<i64>(),
    ) {
        let mut map = HeaderMap::new();
        for (name, value) in headers {
            if let (Ok(name), Ok(value)) = (name.parse::<HeaderName>(), HeaderValue::try_from(value)) {
                map.append(name, value);
            }
        }
        let read = RateLimitHeaders::read(&map, Timestamp::from_micros(micros));
        for wait in [read.reset_requests, read.reset_tokens, read.retry_after].into_iter().flatten() {
            prop_assert!(wait <= MAX_WAIT);
        }
        for count in counts(&read).into_iter().flatten() {
            prop_assert!(count <= MAX_COUNT);
        }
    }

    #[test]
    fn durations_are_read_as_go_writes_them(millis in 0_u64..=86_400_000) {
        let (seconds, rest) = (millis / 1000, millis % 1000);
        let text = format!("{}h{}m{}.{rest:03}s", seconds / 3600, seconds / 60 % 60, seconds % 60);
        let read = read(&[("x-ratelimit-reset-tokens", &text)]).reset_tokens.unwrap();
        prop_assert!(read.abs_diff(Duration::from_millis(millis)) < Duration::from_micros(1));
    }
}
