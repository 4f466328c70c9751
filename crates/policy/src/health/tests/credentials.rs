//! Keys from outside: rests, refusals with one trial each, and limits that are not run into.

use super::*;

fn benched(reason: UnavailableReason, seconds: u64) -> Result<(), Unavailable> {
    Err(Unavailable { reason, left: Duration::from_secs(seconds) })
}

fn quota(requests: u64, tokens: u64) -> Quota {
    Quota {
        remaining_requests: Some(requests),
        limit_requests: Some(1_000),
        reset_requests: Some(Duration::from_secs(30)),
        remaining_tokens: Some(tokens),
        limit_tokens: Some(100_000),
        reset_tokens: Some(Duration::from_secs(20)),
    }
}

#[test]
fn a_rest_is_kept_to_and_never_shortened() {
    let key = CredentialState::default();
    key.cool_down(Duration::from_secs(30), 0);
    key.cool_down(Duration::from_secs(5), SECOND);
    assert_eq!(key.usable(0, 10 * SECOND), benched(UnavailableReason::Resting, 20));
    assert_eq!(key.usable(0, 30 * SECOND), Ok(()));
    key.cool_down(Duration::MAX, 0);
    assert_eq!(
        key.usable(0, 0),
        benched(UnavailableReason::Resting, 86_400),
        "nothing rests for more than a day"
    );
}

#[test]
fn a_throttled_key_is_spared_for_a_second_and_a_rest_comes_first() {
    let key = CredentialState::default();
    key.throttle(0);
    assert_eq!(key.usable(0, 0), benched(UnavailableReason::Throttled, 1));
    assert_eq!((key.usable(0, SECOND), key.shared(0)), (Ok(()), None), "a guess is not told on");
    key.throttle(SECOND);
    key.cool_down(Duration::from_secs(3), SECOND);
    assert_eq!(key.usable(0, SECOND), benched(UnavailableReason::Resting, 3));
}

#[test]
fn a_refused_key_has_one_trial_after_each_time_and_the_time_doubles() {
    let key = CredentialState::default();
    assert_eq!(key.refuse(0, MIDDLE), CredentialRefusal::First);
    assert_eq!(key.refuse(SECOND, MIDDLE), CredentialRefusal::Already, "requests that were under way");
    assert!(!key.succeeded(SECOND), "what was sent before it was disabled ends nothing");
    let mut now = 0;
    for minutes in [5, 10, 20, 40, 80, 160, 300, 300] {
        assert_eq!(key.usable(0, now), benched(UnavailableReason::Refused, minutes * 60));
        now += minutes * 60 * SECOND;
        assert_eq!(key.usable(0, now), benched(UnavailableReason::Refused, 0));
        assert!(key.take_trial(LEASE, now) && !key.take_trial(LEASE, now));
        assert_eq!(key.usable(0, now), benched(UnavailableReason::Refused, 10));
        assert_eq!(key.refuse(now, MIDDLE), CredentialRefusal::TrialFailed);
    }
    now += 6 * 3_600 * SECOND;
    assert!(key.take_trial(LEASE, now) && key.succeeded(now) && !key.succeeded(now));
    assert_eq!(key.usable(0, now), Ok(()));
    now += SECOND;
    assert_eq!(key.refuse(now, MIDDLE), CredentialRefusal::First, "that is news again");
    assert_eq!(key.usable(0, now), benched(UnavailableReason::Refused, 300), "and it begins anew");
}

#[test]
fn what_was_sent_since_the_answers_request_is_taken_off() {
    let key = CredentialState::default();
    let first = key.begin(1_000);
    let others: Vec<_> = (0..10).map(|_| key.begin(2_000)).collect();
    key.observe(&first, &quota(50, 40_000), SECOND);
    let view = key.view(SECOND);
    assert_eq!((view.remaining_requests, view.remaining_tokens), (Some(40), Some(20_000)));
    key.observe(&others[9], &quota(38, 18_000), SECOND);
    key.observe(&others[3], &quota(45, 33_000), SECOND);
    let view = key.view(SECOND);
    assert_eq!(
        (view.remaining_requests, view.remaining_tokens),
        (Some(38), Some(18_000)),
        "later ones know more"
    );
    assert_eq!((view.in_flight, view.benched), (11, None));
}

#[test]
fn the_margin_of_a_limit_is_left_alone() {
    let key = CredentialState::default();
    let sent = key.begin(10);
    key.observe(&sent, &quota(500, 12_000), 0);
    assert_eq!(key.usable(10_000, 0), Ok(()));
    assert_eq!(key.usable(10_001, 0), benched(UnavailableReason::TokensSpent, 20));
    assert_eq!(key.usable(10_001, 20 * SECOND), Ok(()), "the window is over");
    key.observe(&sent, &quota(20, 90_000), 0);
    assert_eq!(key.usable(1, 10 * SECOND), benched(UnavailableReason::RequestsSpent, 20));
    key.observe(&sent, &quota(21, 90_000), 0);
    assert_eq!(key.usable(1, 0), Ok(()));
}

#[test]
fn a_limit_that_is_smaller_than_a_request_or_its_margin_does_not_bench_for_ever() {
    let key = CredentialState::default();
    let sent = key.begin(0);
    key.observe(&sent, &Quota { limit_requests: Some(1), ..quota(1, 100_000) }, 0);
    assert_eq!(key.usable(500_000, 0), Ok(()), "all of it is there: it fits as well as it ever will");
    let _next = key.begin(1);
    assert_eq!(key.usable(0, 0), benched(UnavailableReason::RequestsSpent, 30));
}

#[test]
fn what_the_provider_does_not_say_holds_nobody_back() {
    let key = CredentialState::default();
    let sent = key.begin(1_000_000);
    key.observe(&sent, &Quota::default(), 0);
    assert_eq!(key.usable(u64::MAX, 0), Ok(()));
    key.observe(&sent, &Quota { remaining_requests: Some(0), ..Quota::default() }, 0);
    assert_eq!(key.usable(0, 0), benched(UnavailableReason::RequestsSpent, 60), "limits are per minute");
    key.observe(&sent, &Quota::default(), SECOND);
    assert_eq!(key.usable(0, SECOND), benched(UnavailableReason::RequestsSpent, 59));
}

#[test]
fn a_rest_and_a_refusal_are_shared_and_do_not_grow_with_the_telling() {
    let (a, b) = (CredentialState::default(), CredentialState::default());
    assert_eq!(a.shared(0), None);
    a.cool_down(Duration::from_secs(30), 0);
    let told = a.shared(10 * SECOND).unwrap();
    assert!(!b.adopt(&told, 10 * SECOND));
    assert_eq!(
        (b.usable(0, 10 * SECOND), b.shared(10 * SECOND)),
        (benched(UnavailableReason::Resting, 20), None)
    );
    a.refuse(10 * SECOND, MIDDLE);
    let told = a.shared(10 * SECOND).unwrap();
    assert!(b.adopt(&told, 10 * SECOND) && !b.adopt(&told, 10 * SECOND));
    assert_eq!(b.usable(0, 10 * SECOND), benched(UnavailableReason::Refused, 300));
    assert_eq!(b.refuse(10 * SECOND, MIDDLE), CredentialRefusal::Already, "others know");
    let now = 310 * SECOND;
    assert!(b.take_trial(LEASE, now) && b.succeeded(now));
    a.adopt(&b.shared(now).unwrap(), now);
    assert_eq!(a.usable(0, now), Ok(()));
}

proptest! {
    /// A provider that counts requests as they come: with its own counts in the answers, however late and in
    /// whatever order they arrive, its limit is not run into.
    #[test]
    fn the_limit_is_not_run_into(
        limit in 60..500_u64, order in prop::collection::vec(0..40_usize, 1..200),
    ) {
        let key = CredentialState::default();
        let (mut used, mut open) = (0, Vec::new());
        let read = |remaining| Quota {
            remaining_requests: Some(remaining),
            limit_requests: Some(limit),
            reset_requests: Some(Duration::from_secs(60)),
            ..Quota::default()
        };
        for draw in order.into_iter().cycle() {
            if key.usable(1, 0).is_ok() && open.len() < 20 && (draw < 30 || open.is_empty()) {
                prop_assert!(used < limit, "429");
                used += 1;
                open.push((key.begin(1), read(limit - used)));
            } else if open.is_empty() {
                break;
            } else {
                let (sent, quota) = open.swap_remove(draw % open.len());
                key.observe(&sent, &quota, 0);
            }
        }
        prop_assert!(used + 2 + limit / 50 >= limit, "most of the limit is used: {used} of {limit}");
    }
}
