//! The reporter against a ledger that is away, hangs or refuses; on a paused clock.

use std::{fs, time::Duration};

use domain::RequestId;
use prost::Message;
use proto::v1;
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;
use usage_spool::{Reporter, Spool, SpoolError, Undelivered};

use crate::support::{Answer, Ledger, SMALL, event, intent, open, segments};

fn spool_of(dir: &std::path::Path, count: usize) -> (Spool, Vec<RequestId>) {
    let spool = open(dir, SMALL).unwrap();
    let requests: Vec<_> = (0..count).map(|_| RequestId::new()).collect();
    for request in &requests {
        spool.event(&event(*request)).unwrap();
    }
    (spool, requests)
}

pub(crate) fn soon() -> Instant {
    Instant::now() + Duration::from_secs(3_600)
}

#[tokio::test(start_paused = true)]
async fn a_ledger_that_is_away_is_asked_again_ever_more_slowly() {
    let dir = tempfile::tempdir().unwrap();
    let (spool, requests) = spool_of(dir.path(), 3);
    let ledger = Ledger::scripted([Answer::Unavailable; 20]);
    let reporter = Reporter::new(spool.clone(), ledger.clone()).unwrap();
    reporter.drain(soon()).await.unwrap();
    assert_eq!(ledger.requests(), requests);
    let calls = ledger.calls();
    let waits: Vec<_> = calls.windows(2).map(|pair| pair[1] - pair[0]).collect();
    assert_eq!(waits.len(), 20);
    for (at, wait) in waits.iter().enumerate() {
        let most = Duration::from_millis(100 << at.min(10)).min(Duration::from_secs(5));
        assert!(*wait >= most / 2 && *wait <= most + Duration::from_millis(2), "{at}: {wait:?}");
    }
}

#[tokio::test(start_paused = true)]
async fn a_ledger_that_hangs_is_given_up_and_asked_again() {
    let dir = tempfile::tempdir().unwrap();
    let (spool, requests) = spool_of(dir.path(), 3);
    let ledger = Ledger::scripted([Answer::Hang]);
    let reporter = Reporter::new(spool.clone(), ledger.clone()).unwrap();
    reporter.drain(soon()).await.unwrap();
    assert_eq!(ledger.requests(), requests);
    assert!(ledger.calls()[1] - ledger.calls()[0] >= Duration::from_secs(30));
}

#[tokio::test(start_paused = true)]
async fn events_the_ledger_refuses_are_set_aside_and_the_rest_goes_on() {
    let dir = tempfile::tempdir().unwrap();
    let (spool, mut requests) = spool_of(dir.path(), 700);
    let refused = [requests[0], requests[123], requests[699]];
    let ledger = Ledger::default();
    refused.iter().for_each(|request| ledger.refuse(*request));
    let reporter = Reporter::new(spool.clone(), ledger.clone()).unwrap();
    reporter.drain(soon()).await.unwrap();
    requests.retain(|request| !refused.contains(request));
    assert_eq!(ledger.requests(), requests, "in order, each once");
    assert_eq!(spool.pending_events(), 0);
    let files = fs::read_dir(dir.path().join("quarantine")).unwrap();
    let mut kept: Vec<_> = files
        .map(|file| v1::UsageEvent::decode(&fs::read(file.unwrap().path()).unwrap()[..]).unwrap())
        .map(|event| proto::event_from(event).unwrap().request)
        .collect();
    kept.sort();
    let mut refused = refused.to_vec();
    refused.sort();
    assert_eq!(kept, refused);
}

#[tokio::test(start_paused = true)]
async fn a_drain_ends_at_its_deadline_and_the_next_start_sends_the_rest() {
    let dir = tempfile::tempdir().unwrap();
    let (spool, requests) = spool_of(dir.path(), 600);
    // The first batch of 500 is taken, then the ledger is gone.
    let ledger = Ledger::default();
    let reporter = Reporter::new(spool.clone(), ledger.clone()).unwrap();
    assert!(matches!(Reporter::new(spool.clone(), ledger.clone()), Err(SpoolError::SecondReporter)));
    let stuck = requests[550];
    ledger.refuse(stuck);
    // A quarantine that cannot be written to holds the reporter up rather than losing the event.
    fs::remove_dir(dir.path().join("quarantine")).unwrap();
    fs::write(dir.path().join("quarantine"), b"in the way").unwrap();
    let left = reporter.drain(Instant::now() + Duration::from_secs(60)).await;
    assert_eq!(left, Err(Undelivered { events: 100 }));
    drop((reporter, spool));
    fs::remove_file(dir.path().join("quarantine")).unwrap();
    let spool = open(dir.path(), SMALL).unwrap();
    assert_eq!(spool.pending_events(), 100);
    let again = Ledger::default();
    Reporter::new(spool, again.clone()).unwrap().drain(soon()).await.unwrap();
    assert_eq!(again.requests(), requests[500..]);
}

#[tokio::test(start_paused = true)]
async fn progress_that_is_lost_only_repeats() {
    for progress in [None, Some(&b"garbage"[..])] {
        let dir = tempfile::tempdir().unwrap();
        let (spool, requests) = spool_of(dir.path(), 20);
        let first = Ledger::default();
        Reporter::new(spool.clone(), first.clone()).unwrap().drain(soon()).await.unwrap();
        drop(spool);
        match progress {
            None => fs::remove_file(dir.path().join("acked")).unwrap(),
            Some(bytes) => fs::write(dir.path().join("acked"), bytes).unwrap(),
        }
        let spool = open(dir.path(), SMALL).unwrap();
        let again = Ledger::default();
        Reporter::new(spool, again.clone()).unwrap().drain(soon()).await.unwrap();
        assert_eq!(again.requests(), requests);
    }
}

#[tokio::test(start_paused = true)]
async fn a_running_reporter_gathers_what_comes_within_its_linger() {
    let dir = tempfile::tempdir().unwrap();
    let spool = open(dir.path(), SMALL).unwrap();
    let ledger = Ledger::default();
    let reporter = Reporter::new(spool.clone(), ledger.clone()).unwrap();
    let stop = CancellationToken::new();
    let running = tokio::spawn({
        let stop = stop.clone();
        async move { reporter.run(&stop).await }
    });
    let mut requests = Vec::new();
    for _ in 0..5 {
        for _ in 0..10 {
            requests.push(RequestId::new());
            spool.event(&event(requests[requests.len() - 1])).unwrap();
        }
        tokio::time::advance(Duration::from_millis(5)).await;
    }
    // The clock is paused: this passes as soon as the reporter has nothing left to do.
    tokio::time::sleep(Duration::from_secs(1)).await;
    assert_eq!(ledger.requests(), requests);
    assert!(ledger.calls().len() <= 2, "{} batches", ledger.calls().len());
    stop.cancel();
    running.await.unwrap();
}

#[tokio::test(start_paused = true)]
async fn an_idle_spool_turns_from_its_segment_but_not_while_a_request_runs() {
    let dir = tempfile::tempdir().unwrap();
    let spool = open(dir.path(), SMALL).unwrap();
    let reporter = Reporter::new(spool.clone(), Ledger::default()).unwrap();
    let stop = CancellationToken::new();
    let running = tokio::spawn({
        let stop = stop.clone();
        async move { reporter.run(&stop).await }
    });
    let request = RequestId::new();
    let first = segments(dir.path());
    spool.intent(&intent(request, 1)).unwrap();
    tokio::time::sleep(Duration::from_secs(200)).await;
    assert_eq!(segments(dir.path()), first);
    spool.event(&event(request)).unwrap();
    tokio::time::sleep(Duration::from_secs(200)).await;
    let second = segments(dir.path());
    assert!(second.len() == 1 && second != first, "{second:?}");
    assert_eq!(spool.bytes(), 64, "nothing but a header is left");
    tokio::time::sleep(Duration::from_secs(600)).await;
    assert_eq!(segments(dir.path()), second, "an empty segment is not turned from");
    stop.cancel();
    running.await.unwrap();
}
