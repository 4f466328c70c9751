//! The one suite that both stores pass, on a clock that the tests move.

mod bench;
mod redis_only;
mod rules;

use bench::Bench;

/// Every test of the suite, on both stores.
macro_rules! on_both {
    ($($name:ident)*) => {
        mod memory {
            $(#[tokio::test(flavor = "multi_thread")]
            async fn $name() {
                super::rules::$name(&super::Bench::memory()).await;
            })*
        }
        mod redis {
            $(#[tokio::test(flavor = "multi_thread")]
            async fn $name() {
                super::rules::$name(&super::Bench::redis().await).await;
            })*
        }
    };
}

on_both! {
    a_ring_is_exact_for_a_burst
    a_ring_is_exact_astride_a_slot_edge
    a_denied_call_does_not_count
    a_ring_follows_the_rule_over_many_days
    a_lowered_limit_waits_for_enough_to_lapse
    several_claims_are_all_or_nothing
    the_longest_wait_is_told
    a_claim_made_twice_counts_once
    subjects_limits_and_tenants_are_apart
    gcra_admits_a_burst_then_the_rate
    gcra_keeps_a_rate_that_does_not_divide_a_second
    gcra_keeps_a_rate_whose_cells_are_no_whole_microseconds
    nothing_passes_a_limit_of_nothing
    slots_are_taken_and_given_back
    of_2000_at_once_over_4_instances_exactly_100_pass
}
