//! No usage within a bound ever costs more than the bound, whatever the price looks like.

#![allow(clippy::unwrap_used, reason = "a test may fail")]

use std::collections::BTreeMap;

use domain::{LongContext, Money, PriceSpec, Rate, ServiceTier, TierRates, Usage};
use proptest::{collection::vec, option, prelude::*};

fn rate() -> BoxedStrategy<Rate> {
    prop_oneof![Just(0), 0..10_i64, 0..100_000_000_000_i64, Just(i64::MAX)].prop_map(Rate::from_nanos).boxed()
}

fn money() -> BoxedStrategy<Option<Money>> {
    option::of(prop_oneof![0..10_i64, 0..1_000_000_000_i64].prop_map(Money::from_nanos)).boxed()
}

fn length() -> BoxedStrategy<LongContext> {
    let above = prop_oneof![0..20_u64, 0..1_000_000_u64, Just(u64::MAX)];
    let rates = vec(option::weighted(0.4, rate()), 13);
    (above, rates)
        .prop_map(|(above, rates)| {
            let rates: [_; 13] = rates.try_into().unwrap();
            let [input, output, cached_input, cache_write, w5, w30, w1, w12, ai, ii, reasoning, ao, io] =
                rates;
            LongContext {
                above,
                input,
                output,
                cached_input,
                cache_write,
                cache_write_5m: w5,
                cache_write_30m: w30,
                cache_write_1h: w1,
                cache_write_12h: w12,
                audio_input: ai,
                image_input: ii,
                reasoning,
                audio_output: ao,
                image_output: io,
            }
        })
        .boxed()
}

/// Both structs have the same optional rates under the same names.
fn tier() -> BoxedStrategy<TierRates> {
    (length(), vec(length(), 0..3))
        .prop_map(|(rates, long_context)| {
            let mut json = serde_json::to_value(rates).unwrap();
            json.as_object_mut().unwrap().remove("above");
            TierRates { long_context, ..serde_json::from_value(json).unwrap() }
        })
        .boxed()
}

fn any_tier() -> impl Strategy<Value = ServiceTier> {
    proptest::sample::select(ServiceTier::ALL.to_vec())
}

prop_compose! {
    fn price()(
        base in (rate(), rate()),
        fine in length(),
        pieces in vec(money(), 6),
        characters in option::of(rate()),
        long_context in vec(length(), 0..4),
        tiers in vec((any_tier(), tier()), 0..3),
    ) -> PriceSpec {
        let mut json = serde_json::to_value(fine).unwrap();
        json.as_object_mut().unwrap().remove("above");
        json["model"] = "a/b".into();
        json["effective_from"] = "2026-01-01".into();
        json["input"] = base.0.to_string().into();
        json["output"] = base.1.to_string().into();
        let pieces: [_; 6] = pieces.try_into().unwrap();
        let [request, web_search, search_unit, image, page, audio_second] = pieces;
        PriceSpec {
            request,
            web_search,
            search_unit,
            image,
            page,
            audio_second,
            characters,
            long_context,
            service_tiers: tiers.into_iter().collect::<BTreeMap<_, _>>(),
            ..serde_json::from_value(json).unwrap()
        }
    }
}

fn usage() -> impl Strategy<Value = Usage> {
    let count = prop_oneof![3 => Just(0), 3 => 0..30_u64, 3 => 0..300_000_u64, 1 => 0..1_u64 << 40];
    (vec(count, Usage::NAMES.len()), any_tier()).prop_map(|(counts, service_tier)| {
        let counts = std::array::from_fn(|index| counts[index]);
        Usage { service_tier, ..Usage::from_counts(counts) }
    })
}

/// The same amounts as a caller knows them beforehand: how much goes in and out, not of what sort.
fn within(usage: &Usage, more_in: u64, more_out: u64) -> Usage {
    Usage {
        input_uncached: usage.input() + more_in,
        output_visible: usage.output() + more_out,
        web_searches: usage.web_searches,
        search_units: usage.search_units,
        images: usage.images,
        audio_ms: usage.audio_ms,
        characters: usage.characters,
        pages: usage.pages,
        ..Usage::default()
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 1_000, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn a_cost_never_passes_its_bound(
        price in price(), usage in usage(), more_in in 0..2_000_000_u64, more_out in 0..9_u64,
    ) {
        let bound = price.bound(&within(&usage, more_in, more_out));
        prop_assert!(price.cost(&usage) <= bound, "{} > {bound}", price.cost(&usage));
    }

    #[test]
    fn some_usage_reaches_the_bound(mut price in price(), usage in usage()) {
        // Without lengths and tiers the dearest sort is one that a usage can consist of.
        price.long_context.clear();
        price.service_tiers.clear();
        let within = within(&usage, 0, 0);
        let reached = (0..10).flat_map(|input| (10..14).map(move |output| (input, output)));
        let dearest = reached.map(|(input, output)| {
            let mut counts = Usage { input_uncached: 0, output_visible: 0, ..within }.counts();
            counts[input] = within.input();
            counts[output] = within.output();
            price.cost(&Usage::from_counts(counts))
        });
        prop_assert_eq!(dearest.max().unwrap(), price.bound(&within));
    }
}
