//! Failover step by step: what follows which failure, how long is waited, and when it ends.

use std::{sync::Arc, time::Duration};

use domain::{AttemptOutcome, Kind, ModelRef};
use policy::{
    Credential, Plan, SkipReason,
    failover::{
        Attempt, Blame, ClientDeadline, CredentialChange, Ending, Event, Failover, FailoverRequest, Failure,
        MAX_ATTEMPTS, Step,
    },
    health::{Micros, Moment, UnavailableReason},
};

use crate::question::{Desk, MIDDLE, SECOND, permit, tell};

const MS: Micros = 1_000;
const STREAM: FailoverRequest = FailoverRequest { timeout: None, stream: true, generates: true, tokens: 100 };
const PLAIN: FailoverRequest = FailoverRequest { stream: false, ..STREAM };

/// A request under way, and what it has met so far.
struct Run<'p> {
    plan: &'p Plan,
    failover: Failover,
    now: Micros,
    draw: u64,
    skipped: Vec<(&'p ModelRef, SkipReason)>,
    changes: Vec<CredentialChange>,
}

/// Where a request has to wait for the world.
#[derive(Debug)]
enum Stop<'p> {
    Sent(Attempt<'p>, Option<Arc<Credential>>),
    Wait(Duration),
    Finish(Ending),
}

impl Stop<'_> {
    /// In a few words.
    fn brief(&self) -> String {
        match self {
            Self::Sent(attempt, Some(credential)) => {
                format!("{} with {}", attempt.planned.target.model, credential.name)
            }
            Self::Sent(attempt, None) => attempt.planned.target.model.to_string(),
            Self::Wait(_) => "wait".to_owned(),
            Self::Finish(ending) => format!("{ending:?}"),
        }
    }

    fn attempt(&self) -> &Attempt<'_> {
        match self {
            Self::Sent(attempt, _) => attempt,
            other => panic!("{other:?}"),
        }
    }
}

impl<'p> Run<'p> {
    fn new(plan: &'p Plan, request: FailoverRequest) -> Self {
        let failover = Failover::new(plan, request, 0);
        Self { plan, failover, now: 0, draw: 0, skipped: Vec::new(), changes: Vec::new() }
    }

    fn on(&mut self, event: Event) -> Step<'p> {
        self.failover.on(self.plan, event, Moment { now: self.now, draw: self.draw })
    }

    /// Carries out steps, each with success, until there is something to wait for.
    fn drive(&mut self, mut event: Event) -> Stop<'p> {
        let mut signer = None;
        loop {
            event = match self.on(event) {
                Step::Skip { planned, why } => {
                    self.skipped.push((&planned.target.model, why));
                    Event::Proceed
                }
                Step::AcquireSlot { .. } => {
                    signer = None;
                    Event::SlotAcquired { waited: Duration::ZERO }
                }
                Step::ReserveCredential(credential) => {
                    signer = Some(credential);
                    Event::CredentialReserved
                }
                Step::CredentialChanged(_, change) => {
                    self.changes.push(change);
                    Event::Proceed
                }
                Step::Send(attempt) => return Stop::Sent(attempt, signer),
                Step::Wait(wait) => return Stop::Wait(wait),
                Step::Finish(ending) => return Stop::Finish(ending),
            };
        }
    }

    fn start(&mut self) -> Stop<'p> {
        self.drive(Event::Proceed)
    }

    fn fail(&mut self, outcome: AttemptOutcome) -> Stop<'p> {
        self.drive(failed(outcome))
    }
}

fn failure(outcome: AttemptOutcome) -> Failure {
    let blame = Blame::Credential;
    Failure { outcome, retry_after: None, blame, before_head: false, has_answer: false }
}

fn failed(outcome: AttemptOutcome) -> Event {
    Event::Failed(failure(outcome))
}

fn failed_until(outcome: AttemptOutcome, retry_after: Duration) -> Event {
    Event::Failed(Failure { retry_after: Some(retry_after), ..failure(outcome) })
}

/// Providers `a` and `b` with so many keys each.
fn desk(keys: usize, route: &str) -> Desk {
    Desk::new(|world, _| {
        for name in ["a", "b"] {
            world.provider(name, keys, "");
        }
        world.route("chat", route);
    })
}

const CLASSES: [(AttemptOutcome, &str); 12] = [
    (AttemptOutcome::Connect, "connect"),
    (AttemptOutcome::Tls, "tls"),
    (AttemptOutcome::Timeout, "timeout"),
    (AttemptOutcome::RateLimited, "rate_limited"),
    (AttemptOutcome::ServerError, "server_error"),
    (AttemptOutcome::BadCredential, "bad_credential"),
    (AttemptOutcome::ContentFilter, "content_filter"),
    (AttemptOutcome::ContextTooLong, "context_too_long"),
    (AttemptOutcome::ClientFault, "client_fault"),
    (AttemptOutcome::StreamError, "stream_error"),
    (AttemptOutcome::Cut, "cut"),
    (AttemptOutcome::Protocol, "protocol"),
];

#[test]
fn each_action_follows_each_class_of_failure() {
    const END: &str = "Error { retry_after: None }";
    for (outcome, class) in CLASSES {
        for (action, keys, after_first, after_last) in [
            ("next_key", 2, "a/m with a/1", "b/m with b/1"),
            ("next_key", 1, "b/m with b/0", "wait"),
            ("retry", 2, "b/m with b/0", "wait"),
            ("next_target", 2, "b/m with b/0", END),
            ("larger_context", 2, "b/m with b/0", END),
            ("stop", 2, END, END),
        ] {
            let route = |targets: &str| {
                desk(keys, &format!(r#"{{"targets":[{targets}],"retry":{{"on":{{"{class}":"{action}"}}}}}}"#))
            };
            let both = route(r#""a/m","b/m""#);
            let plan = both.at(0, 0).unwrap();
            let mut run = Run::new(&plan, STREAM);
            assert_eq!(run.start().brief(), "a/m with a/0");
            assert_eq!(run.fail(outcome).brief(), after_first, "{class}: {action}");
            let alone = route(r#""b/m""#);
            let plan = alone.at(0, 0).unwrap();
            let mut run = Run::new(&plan, STREAM);
            assert_eq!(run.start().brief(), "b/m with b/0");
            assert_eq!(run.fail(outcome).brief(), after_last, "{class}: {action} at the last target");
        }
    }
}

#[test]
fn an_outcome_that_is_no_class_of_failure_goes_to_the_next_target() {
    let desk = desk(1, r#"{"targets":["a/m","b/m"]}"#);
    let plan = desk.at(0, 0).unwrap();
    let mut run = Run::new(&plan, STREAM);
    run.start();
    assert_eq!(run.fail(AttemptOutcome::NotSent).brief(), "b/m with b/0");
}

#[test]
fn repeats_wait_twice_as_long_each_time_and_no_more_often_than_the_route_says() {
    let desk = desk(1, r#"{"targets":["a/m"],"retry":{"attempts":3}}"#);
    let plan = desk.at(0, 0).unwrap();
    let mut run = Run::new(&plan, STREAM);
    run.start();
    for (shortest, longest) in [(100, 200), (200, 400)] {
        run.draw = u64::MAX;
        let Stop::Wait(wait) = run.fail(AttemptOutcome::ServerError) else { panic!("no wait") };
        assert!((shortest..longest).contains(&wait.as_millis()), "{wait:?}");
        run.now += u64::try_from(wait.as_micros()).unwrap();
        assert_eq!(run.drive(Event::Proceed).brief(), "a/m with a/0");
    }
    assert!(matches!(run.fail(AttemptOutcome::ServerError), Stop::Finish(Ending::Error { .. })));
}

#[test]
fn the_provider_says_how_long_to_wait_unless_that_is_too_long() {
    let wait = |asked| {
        let desk = desk(1, r#"{"targets":["a/m"],"timeouts":{"first_token":"8s"}}"#);
        let plan = desk.at(0, 0).unwrap();
        let mut run = Run::new(&plan, STREAM);
        run.start();
        match run.drive(failed_until(AttemptOutcome::ServerError, Duration::from_millis(asked))) {
            Stop::Wait(wait) => Ok(wait),
            Stop::Finish(ending) => Err(ending),
            sent @ Stop::Sent(..) => panic!("{sent:?}"),
        }
    };
    assert_eq!(wait(700), Ok(Duration::from_millis(700)));
    assert_eq!(wait(5_000), Ok(Duration::from_secs(5)));
    let told = Ending::Error { retry_after: Some(Duration::from_millis(5_001)) };
    assert_eq!(wait(5_001), Err(told), "the client is told");
}

#[test]
fn a_wait_ends_before_the_time_for_the_first_content_does() {
    let desk = desk(1, r#"{"targets":["a/m"],"timeouts":{"first_token":"2s"}}"#);
    let plan = desk.at(0, 0).unwrap();
    for (at, waits) in [(1_000 * MS, true), (1_300 * MS, false)] {
        let mut run = Run::new(&plan, STREAM);
        run.start();
        run.now = at;
        let stop = run.drive(failed_until(AttemptOutcome::ServerError, Duration::from_millis(700)));
        assert_eq!(matches!(stop, Stop::Wait(_)), waits, "{stop:?}");
    }
    let mut run = Run::new(&plan, STREAM);
    run.start();
    run.now = 2_000 * MS;
    assert!(matches!(run.fail(AttemptOutcome::ServerError), Stop::Finish(_)), "its time is over");
}

#[test]
fn repeats_are_taken_from_the_budget_of_the_target() {
    let desk = desk(1, r#"{"targets":["a/m"]}"#);
    let plan = desk.at(0, 0).unwrap();
    let repeats = (0..5).filter(|_| {
        let mut run = Run::new(&plan, STREAM);
        run.start();
        matches!(run.fail(AttemptOutcome::ServerError), Stop::Wait(_))
    });
    assert_eq!(repeats.count(), 3);
}

#[test]
fn a_connection_that_the_provider_had_closed_is_replaced_once_and_at_once() {
    let stale = Event::Failed(Failure { before_head: true, ..failure(AttemptOutcome::Cut) });
    let desk = desk(1, r#"{"targets":["a/m"]}"#);
    let plan = desk.at(0, 0).unwrap();
    let mut run = Run::new(&plan, STREAM);
    run.start();
    run.now = 20 * MS;
    assert_eq!(run.drive(stale.clone()).brief(), "a/m with a/0");
    run.now = 40 * MS;
    assert_eq!(run.drive(stale.clone()).brief(), "wait", "a second time it is a failure like any other");
    let mut run = Run::new(&plan, STREAM);
    run.start();
    run.now = SECOND;
    assert_eq!(run.drive(stale).brief(), "wait", "the provider may have worked on it");
}

#[test]
fn only_a_cut_before_the_head_within_a_second_is_a_stale_connection() {
    let cut = Failure { before_head: true, ..failure(AttemptOutcome::Cut) };
    let at_once = Duration::from_millis(20);
    assert!(cut.is_stale_connection(at_once));
    assert!(!cut.is_stale_connection(Duration::from_secs(1)));
    assert!(!Failure { before_head: false, ..cut }.is_stale_connection(at_once));
    assert!(!Failure { outcome: AttemptOutcome::Timeout, ..cut }.is_stale_connection(at_once));
}

#[test]
fn a_request_has_so_many_attempts_and_no_more() {
    let targets: Vec<_> = (0..MAX_ATTEMPTS + 8).map(|number| format!(r#""a/m{number}""#)).collect();
    let desk = desk(1, &format!(r#"{{"targets":[{}]}}"#, targets.join(",")));
    let plan = desk.at(0, 0).unwrap();
    let mut run = Run::new(&plan, STREAM);
    let mut stop = run.start();
    let mut attempts = 0;
    while matches!(stop, Stop::Sent(..)) {
        attempts += 1;
        stop = run.fail(AttemptOutcome::ServerError);
    }
    assert_eq!(attempts, MAX_ATTEMPTS);
}

#[test]
fn a_429_without_a_time_throttles_the_only_credential_and_it_serves_again() {
    let desk = desk(1, r#"{"targets":["a/m"]}"#);
    let plan = desk.at(0, 0).unwrap();
    let mut run = Run::new(&plan, STREAM);
    run.start();
    assert_eq!(run.fail(AttemptOutcome::RateLimited).brief(), "wait");
    assert_eq!(run.changes, [CredentialChange::Throttled]);
    let state = &desk.target("a/m").endpoint.credentials[0].state;
    assert_eq!(state.usable(0, 0).unwrap_err().reason, UnavailableReason::Throttled);
    run.now = 200 * MS;
    assert!(state.usable(0, run.now).is_err(), "still throttled");
    assert_eq!(run.drive(Event::Proceed).brief(), "a/m with a/0", "and the last resort");
}

#[test]
fn a_429_with_a_time_makes_the_credential_cool_down_for_it() {
    let desk = desk(1, r#"{"targets":["a/m"]}"#);
    let plan = desk.at(0, 0).unwrap();
    let mut run = Run::new(&plan, STREAM);
    run.start();
    let lasts = Duration::from_millis(900);
    assert_eq!(run.drive(failed_until(AttemptOutcome::RateLimited, lasts)).brief(), "wait");
    assert_eq!(run.changes, [CredentialChange::CooledDown]);
    let unavailable = desk.target("a/m").endpoint.credentials[0].state.usable(0, 0).unwrap_err();
    assert_eq!((unavailable.reason, unavailable.left), (UnavailableReason::Resting, lasts));
}

#[test]
fn a_model_that_is_refused_is_not_asked_for_again_within_the_request() {
    let desk = desk(2, r#"{"targets":["a/m"]}"#);
    let plan = desk.at(0, 0).unwrap();
    let mut run = Run::new(&plan, STREAM);
    run.start();
    let refused = || Event::Failed(Failure { blame: Blame::Model, ..failure(AttemptOutcome::BadCredential) });
    assert_eq!(run.drive(refused()).brief(), "a/m with a/1", "another credential may have the model");
    assert_eq!(run.drive(refused()).brief(), "Error { retry_after: None }");
}

#[test]
fn a_refused_credential_is_disabled_and_the_next_one_goes_on() {
    let desk = desk(2, r#"{"targets":["a/m"]}"#);
    let plan = desk.at(0, 0).unwrap();
    let mut run = Run::new(&plan, STREAM);
    run.start();
    run.draw = MIDDLE;
    assert_eq!(run.fail(AttemptOutcome::BadCredential).brief(), "a/m with a/1");
    assert_eq!(run.changes, [CredentialChange::Refused { first: true }]);
    let state = &desk.target("a/m").endpoint.credentials[0].state;
    assert_eq!(state.usable(0, 0).unwrap_err().reason, UnavailableReason::Refused);
}

#[test]
fn each_credential_cools_down_as_long_as_its_own_answer_said_and_the_repeat_waits_for_the_shortest() {
    let desk = desk(2, r#"{"targets":["a/m"]}"#);
    let plan = desk.at(0, 0).unwrap();
    let mut run = Run::new(&plan, STREAM);
    run.start();
    run.drive(failed_until(AttemptOutcome::RateLimited, Duration::from_millis(300)));
    let stop = run.drive(failed_until(AttemptOutcome::RateLimited, Duration::from_secs(2)));
    assert!(matches!(stop, Stop::Wait(wait) if wait == Duration::from_millis(300)), "{stop:?}");
    let keys = &desk.target("a/m").endpoint.credentials;
    let left = |key: usize| keys[key].state.usable(0, 0).unwrap_err().left;
    assert_eq!((left(0), left(1)), (Duration::from_millis(300), Duration::from_secs(2)));
}

#[test]
fn a_target_whose_context_is_no_larger_is_skipped() {
    let desk = Desk::new(|world, _| {
        for (name, context) in [("a", Some(1_000)), ("b", Some(1_000)), ("c", None), ("d", Some(2_000))] {
            world.provider(name, 1, "");
            let context = context.map_or(String::new(), |context| format!(r#""context":{context}"#));
            world.add(None, Kind::Model, &format!("{name}/m"), &format!("{{{context}}}"));
        }
        world.route("chat", r#"{"targets":["a/m","b/m","c/m","d/m"]}"#);
    });
    let plan = desk.at(0, 0).unwrap();
    let mut run = Run::new(&plan, STREAM);
    run.start();
    assert_eq!(run.fail(AttemptOutcome::ContextTooLong).brief(), "c/m with c/0", "it may be larger");
    let [(skipped, SkipReason::ContextNotLarger)] = &run.skipped[..] else { panic!("{:?}", run.skipped) };
    assert_eq!(skipped.to_string(), "b/m");
    assert_eq!(run.fail(AttemptOutcome::ContextTooLong).brief(), "d/m with d/0");
}

#[test]
fn an_answer_that_was_rejected_or_blocked_is_better_than_an_error() {
    let blocked = Event::Failed(Failure { has_answer: true, ..failure(AttemptOutcome::ContentFilter) });
    let desk = desk(1, r#"{"targets":["a/m","b/m"]}"#);
    let plan = desk.at(0, 0).unwrap();
    for (first, last, ending) in [
        (Event::Rejected, Event::Rejected, Ending::RejectedAnswer),
        (Event::Rejected, failed(AttemptOutcome::ClientFault), Ending::RejectedAnswer),
        (Event::Rejected, blocked.clone(), Ending::RejectedAnswer),
        (blocked.clone(), failed(AttemptOutcome::ClientFault), Ending::BlockedAnswer),
        (blocked.clone(), Event::Aborted, Ending::BlockedAnswer),
        (blocked, Event::Rejected, Ending::RejectedAnswer),
        (failed(AttemptOutcome::Timeout), Event::Aborted, Ending::Aborted),
        (
            failed_until(AttemptOutcome::Timeout, Duration::from_secs(9)),
            failed_until(AttemptOutcome::ClientFault, Duration::from_secs(8)),
            Ending::Error { retry_after: Some(Duration::from_secs(8)) },
        ),
    ] {
        let mut run = Run::new(&plan, STREAM);
        run.start();
        assert_eq!(run.drive(first).brief(), "b/m with b/0");
        assert!(matches!(run.drive(last), Stop::Finish(end) if end == ending), "{ending:?}");
    }
}

#[test]
fn nothing_is_tried_once_the_time_of_the_request_is_over() {
    let desk = desk(1, r#"{"targets":["a/m","b/m"],"timeouts":{"total":"10s"}}"#);
    let plan = desk.at(0, 0).unwrap();
    for event in [failed(AttemptOutcome::Timeout), Event::Rejected] {
        let mut run = Run::new(&plan, STREAM);
        run.start();
        run.now = 10 * SECOND;
        assert!(matches!(run.drive(event), Stop::Finish(_)));
    }
}

#[test]
fn a_plain_answer_has_an_even_share_of_the_time_and_a_stream_the_time_of_the_route() {
    let desk = desk(1, r#"{"targets":["a/m","b/m"],"timeouts":{"first_token":"4s","total":"10s"}}"#);
    let plan = desk.at(0, 0).unwrap();
    for (request, first, second) in [(PLAIN, 5 * SECOND, 10 * SECOND), (STREAM, 4 * SECOND, 7 * SECOND)] {
        let mut run = Run::new(&plan, request);
        assert_eq!(run.start().attempt().first_content, first);
        run.now = 3 * SECOND;
        let stop = run.fail(AttemptOutcome::Timeout);
        assert_eq!((stop.attempt().first_content, stop.attempt().deadline), (second, 10 * SECOND));
    }
}

#[test]
fn a_time_that_the_client_shortens_is_the_clients_own() {
    let desk = desk(1, r#"{"targets":["a/m"],"timeouts":{"first_token":"4s","total":"10s"}}"#);
    let plan = desk.at(0, 0).unwrap();
    let seconds = |seconds| Some(Duration::from_secs(seconds));
    for (request, before_content, total) in [
        (FailoverRequest { timeout: None, ..STREAM }, false, false),
        (FailoverRequest { timeout: seconds(10), ..STREAM }, false, false),
        (FailoverRequest { timeout: seconds(9), ..STREAM }, false, true),
        (FailoverRequest { timeout: seconds(3), ..STREAM }, true, true),
        (FailoverRequest { timeout: seconds(9), ..PLAIN }, true, true),
    ] {
        let mut run = Run::new(&plan, request);
        let stop = run.start();
        assert_eq!(stop.attempt().client_deadline, ClientDeadline { before_content, total }, "{request:?}");
    }
}

#[test]
fn a_blocked_prompt_is_looked_for_only_where_the_request_goes_on() {
    for (action, at_first, at_last) in [
        ("stop", false, false),
        ("next_target", true, false),
        ("larger_context", true, false),
        ("next_key", true, true),
        ("retry", true, true),
    ] {
        let route =
            format!(r#"{{"targets":["a/m","b/m"],"retry":{{"on":{{"content_filter":"{action}"}}}}}}"#);
        let desk = desk(1, &route);
        let plan = desk.at(0, 0).unwrap();
        let mut run = Run::new(&plan, STREAM);
        let first = run.start();
        assert_eq!(first.attempt().reroute_blocked_until.is_some(), at_first, "{action}");
        let last = run.fail(AttemptOutcome::Timeout);
        assert_eq!(last.attempt().reroute_blocked_until.is_some(), at_last, "{action} at the last");
        let mut run = Run::new(&plan, FailoverRequest { generates: false, ..STREAM });
        assert!(run.start().attempt().reroute_blocked_until.is_none());
    }
}

#[test]
fn the_last_target_is_waited_for_and_the_others_are_skipped_when_they_are_busy() {
    let desk = desk(1, r#"{"targets":["a/m","b/m"],"timeouts":{"first_token":"4s","total":"10s"}}"#);
    let plan = desk.at(0, 0).unwrap();
    let mut run = Run::new(&plan, STREAM);
    let Step::AcquireSlot { wait_until: None, .. } = run.on(Event::Proceed) else { panic!("it may wait") };
    let Step::Skip { why: SkipReason::Busy, .. } = run.on(Event::SlotRefused) else { panic!("not busy") };
    let Step::AcquireSlot { wait_until: Some(_), .. } = run.on(Event::Proceed) else { panic!("no wait") };
    let waited = Duration::from_secs(3);
    assert!(matches!(run.on(Event::SlotAcquired { waited }), Step::ReserveCredential(_)));
    let Step::Send(attempt) = run.on(Event::CredentialReserved) else { panic!("not sent") };
    assert_eq!(attempt.first_content, 7 * SECOND, "the wait is not the target's time");
}

#[test]
fn a_target_whose_credentials_are_all_at_their_limits_is_skipped_for_the_shortest_wait() {
    let desk = desk(2, r#"{"targets":["a/m","b/m"]}"#);
    let plan = desk.at(0, 0).unwrap();
    let mut run = Run::new(&plan, STREAM);
    run.on(Event::Proceed);
    let Step::ReserveCredential(first) = run.on(Event::SlotAcquired { waited: Duration::ZERO }) else {
        panic!("no credential")
    };
    let limited = |seconds| Event::CredentialLimited { retry_after: Duration::from_secs(seconds) };
    let Step::ReserveCredential(second) = run.on(limited(9)) else { panic!("there are two") };
    assert_ne!(first.id, second.id);
    let step = run.on(limited(4));
    let Step::Skip { why: SkipReason::NoUsableCredential { left, spent: true, .. }, .. } = step else {
        panic!("{step:?}")
    };
    assert_eq!(left, Duration::from_secs(4));
    assert_eq!(run.drive(Event::Proceed).brief(), "b/m with b/0");
}

#[test]
fn a_target_that_nothing_could_be_sent_to_is_skipped_and_earns_no_attempt() {
    let desk = desk(1, r#"{"targets":["a/m","b/m"]}"#);
    let plan = desk.at(0, 0).unwrap();
    let mut run = Run::new(&plan, STREAM);
    run.start();
    assert_eq!(run.drive(Event::NotSent { why: "no token".to_owned() }).brief(), "b/m with b/0");
    let [(_, SkipReason::Unusable(why))] = &run.skipped[..] else { panic!("{:?}", run.skipped) };
    assert_eq!(why, "no token");
}

#[test]
fn a_target_that_was_ejected_is_tried_by_one_request_and_left_out_by_the_others() {
    let desk = desk(1, r#"{"targets":["a/m","b/m"]}"#);
    desk.eject("a/m", true, 0);
    let target = desk.target("a/m");
    let now = 7 * SECOND;
    permit(&target.state, now);
    let plan = desk.at(now, 0).unwrap();
    let half_open = |run: &mut Run<'_>| match run.on(Event::Proceed) {
        Step::AcquireSlot { half_open, .. } => half_open,
        Step::Skip { why: SkipReason::OnTrial, .. } => false,
        other => panic!("{other:?}"),
    };
    let mut first = Run { now, ..Run::new(&plan, STREAM) };
    let mut second = Run { now, ..Run::new(&plan, STREAM) };
    assert_eq!((half_open(&mut first), half_open(&mut second)), (true, false));
}

#[test]
fn a_target_that_others_ejected_during_the_wait_is_not_tried_again() {
    let desk = desk(1, r#"{"targets":["a/m"]}"#);
    let plan = desk.at(0, 0).unwrap();
    let mut run = Run::new(&plan, STREAM);
    run.start();
    assert_eq!(run.fail(AttemptOutcome::ServerError).brief(), "wait");
    (0..5).for_each(|_| tell(&desk.target("a/m"), false, 0));
    run.now = 150 * MS;
    assert!(matches!(run.drive(Event::Proceed), Stop::Finish(Ending::Error { .. })));
}
