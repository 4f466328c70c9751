//! The one suite that both stores pass, on a clock that the tests move.

mod bench;
mod costs;
mod debts;
mod health;
mod leases;
mod mixed;
mod redis_only;
mod rules;

use bench::Bench;

/// Every test of the suite, on both stores.
macro_rules! on_both {
    ($($part:ident::$name:ident)*) => {
        mod local_backend {
            $(#[tokio::test(flavor = "multi_thread")]
            async fn $name() {
                super::$part::$name(&super::Bench::memory()).await;
            })*
        }
        mod redis {
            $(#[tokio::test(flavor = "multi_thread")]
            async fn $name() {
                super::$part::$name(&super::Bench::redis().await).await;
            })*
        }
    };
}

on_both! {
    rules::a_ring_is_exact_for_a_burst
    rules::a_ring_is_exact_astride_a_slot_edge
    rules::a_denied_call_does_not_count
    rules::a_ring_follows_the_rule_over_many_days
    rules::a_lowered_limit_waits_for_enough_to_lapse
    rules::several_claims_are_all_or_nothing
    rules::the_longest_wait_is_told
    rules::a_claim_made_twice_counts_once
    rules::subjects_limits_and_tenants_are_apart
    rules::gcra_admits_a_burst_then_the_rate
    rules::gcra_keeps_a_rate_that_does_not_divide_a_second
    rules::gcra_keeps_a_rate_whose_cells_are_no_whole_microseconds
    rules::nothing_passes_a_limit_of_nothing
    rules::slots_are_taken_and_given_back
    rules::of_2000_at_once_over_4_instances_exactly_100_pass
    costs::tokens_pass_up_to_the_limit_and_no_further
    costs::costs_follow_the_rule_over_many_days
    costs::smoothed_tokens_pass_at_their_rate
    costs::a_cost_beyond_the_whole_limit_is_refused_at_once
    costs::requests_and_tokens_of_one_limit_are_apart
    costs::requests_tokens_and_slots_are_all_or_nothing
    costs::a_cost_of_nothing_always_passes
    costs::of_2000_at_once_as_many_pass_as_their_costs_fit
    debts::a_window_passes_any_cost_while_it_has_room_for_a_part
    debts::what_was_too_much_is_given_back
    debts::what_was_too_little_is_carried
    debts::what_comes_back_late_gives_nothing_of_others
    debts::over_ten_minutes_the_mean_keeps_the_limit
    debts::a_debt_of_ages_is_told_as_three_years
}
