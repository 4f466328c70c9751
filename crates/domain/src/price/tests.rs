//! Costs by hand, and that no usage ever costs more than its bound.

use super::*;

fn read(json: &str) -> PriceSpec {
    serde_json::from_str(json).unwrap()
}

fn plain() -> PriceSpec {
    read(
        r#"{"model":"openai/gpt-4o-mini","effective_from":"2026-01-01","input":"$0.15","cached_input":"$0.075","output":"$0.60"}"#,
    )
}

/// Every field that a price has, with rates that tell the sorts apart.
fn full() -> PriceSpec {
    read(
        r#"{"model":"a/b","effective_from":"2026-01-01","input":"1","output":"2","cached_input":"0.1",
            "cache_write":"1.25","cache_write_1h":"2","cache_write_30m":"1.5","reasoning":"3","audio_input":"4",
            "audio_output":"5","image_input":"6","image_output":"7","request":"0.001","web_search":"0.01",
            "search_unit":"0.002","image":"0.04","page":"0.003","audio_second":"0.0001","characters":"15",
            "long_context":[{"above":1000,"input":"10","output":"20"},{"above":5000,"input":"100","cache_write":"7"}],
            "service_tiers":{"batch":{"input":"0.5","output":"1"},
                "priority":{"input":"2","output":"4","long_context":[{"above":2000,"input":"30"}]}},
            "source":"https://example.com/prices"}"#,
    )
}

#[test]
fn sums_exactly_and_rounds_up_once() {
    let usage =
        Usage { input_uncached: 10, cache_read: 3, output_visible: 7, reasoning: 1, ..Usage::default() };
    // 10 × 150 + 3 × 75 + 8 × 600 nano-dollars, all exact.
    assert_eq!(plain().cost(&usage).nanos(), 1_500 + 225 + 4_800);
    let odd = PriceSpec { input: Rate::from_nanos(1), ..plain() };
    assert_eq!(odd.cost(&Usage { input_uncached: 1, ..Usage::default() }).nanos(), 1);
    assert_eq!(odd.cost(&Usage::default()).nanos(), 0);
}

#[test]
fn absurd_counts_do_not_wrap() {
    let usage = Usage { audio_ms: u64::MAX, ..Usage::from_counts([u64::MAX; Usage::NAMES.len()]) };
    assert_eq!(full().cost(&usage).nanos(), i64::MAX);
    assert_eq!(full().bound(&usage).nanos(), i64::MAX);
}

#[test]
fn every_sort_is_charged_by_its_own_rate_or_by_the_one_it_refines() {
    // In micro-dollars per thousand of the count, in the order of the counts.
    let expected = [
        ("input_uncached", 1_000),
        ("cache_read", 100),
        ("cache_write", 1_250),
        ("write_5m", 1_250),
        ("write_30m", 1_500),
        ("write_1h", 2_000),
        ("write_12h", 1_250),
        ("tool_input", 1_000),
        ("audio_in", 4_000),
        ("image_in", 6_000),
        ("output_visible", 2_000),
        ("reasoning", 3_000),
        ("audio_out", 5_000),
        ("image_out", 7_000),
        ("web_searches", 10_000_000),
        ("search_units", 2_000_000),
        ("images", 40_000_000),
        ("audio_ms", 100),
        ("characters", 15_000),
        ("pages", 3_000_000),
    ];
    assert_eq!(expected.map(|(name, _)| name), Usage::NAMES);
    for (index, (name, micros)) in expected.into_iter().enumerate() {
        let mut counts = [0; Usage::NAMES.len()];
        counts[index] = 1_000;
        let cost = full().cost(&Usage::from_counts(counts)).nanos();
        assert_eq!(cost, micros * 1_000 + 1_000_000, "{name}, with the price of the request");
    }
}

#[test]
fn a_long_input_moves_the_whole_request_to_other_rates() {
    let cost = |input: u64, read: u64| {
        let usage = Usage { input_uncached: input, cache_read: read, output_visible: 10, ..Usage::default() };
        full().cost(&usage).nanos() - 1_000_000
    };
    assert_eq!(cost(1_000, 0), 1_000 * 1_000 + 10 * 2_000, "exactly at the edge is not above");
    assert_eq!(cost(1_001, 0), 1_001 * 10_000 + 10 * 20_000);
    assert_eq!(cost(1, 1_000), 10_000 + 1_000 * 100 + 10 * 20_000, "what was cached counts as length");
    assert_eq!(
        cost(5_001, 0),
        5_001 * 100_000 + 10 * 2_000,
        "the longest that is reached, over the standard"
    );
}

#[test]
fn a_service_tier_has_its_own_rates_and_may_have_its_own_lengths() {
    let cost = |service_tier, input_uncached| {
        let usage = Usage { input_uncached, output_visible: 1, service_tier, ..Usage::default() };
        full().cost(&usage).nanos() - 1_000_000
    };
    assert_eq!(cost(ServiceTier::Batch, 10), 10 * 500 + 1_000);
    assert_eq!(cost(ServiceTier::Batch, 1_001), 1_001 * 10_000 + 20_000, "the standard tier's lengths");
    assert_eq!(cost(ServiceTier::Priority, 1_001), 1_001 * 2_000 + 4_000, "its own lengths");
    assert_eq!(cost(ServiceTier::Priority, 2_001), 2_001 * 30_000 + 4_000);
    assert_eq!(
        cost(ServiceTier::Flex, 10),
        10 * 1_000 + 2_000,
        "a tier without rates is charged as standard"
    );
}

#[test]
fn what_has_no_price_is_said() {
    let searched = Usage { web_searches: 1, ..Usage::default() };
    assert!(full().covers(&searched) && !plain().covers(&searched));
    let fast = Usage { service_tier: ServiceTier::Fast, ..Usage::default() };
    assert!(!full().covers(&fast));
    assert!(full().covers(&Usage { service_tier: ServiceTier::Batch, ..Usage::from_counts([9; 20]) }));
}

#[test]
fn it_reads_back_and_refuses_what_it_does_not_know_at_every_level() {
    let price = full();
    let json = serde_json::to_value(&price).unwrap();
    assert_eq!(serde_json::from_value::<PriceSpec>(json.clone()).unwrap(), price);
    for path in ["", "/long_context/0", "/service_tiers/batch", "/service_tiers/priority/long_context/0"] {
        let mut wrong = json.clone();
        wrong.pointer_mut(path).unwrap()["inptu"] = "1".into();
        let error = serde_json::from_value::<PriceSpec>(wrong).unwrap_err().to_string();
        assert!(error.contains("inptu"), "{error}");
    }
    let mut moved = full();
    moved.effective_from = "2027-01-01".parse().unwrap();
    moved.source = None;
    assert!(moved.same_rates(&price) && !moved.same_rates(&plain()));
}
