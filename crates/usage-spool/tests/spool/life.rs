//! The ordinary life of a spool: writing, taking over, deleting, and its bounds.

use std::{collections::HashSet, fs, thread, time::Duration};

use domain::{AttemptOutcome, IncarnationId, RequestId, RequestOutcome};
use tokio::time::Instant;
use usage_spool::{Reporter, Spool, SpoolError, SpoolLimits};

use crate::support::{Ledger, SMALL, drain, event, intent, open, segments};

/// Eight threads at once; answers the requests they wrote.
fn write_concurrently(spool: &Spool) -> HashSet<RequestId> {
    let write = || {
        let requests: Vec<_> = (0..400).map(|_| RequestId::new()).collect();
        for request in &requests {
            spool.intent(&intent(*request, 1)).unwrap();
            spool.event(&event(*request)).unwrap();
        }
        requests
    };
    thread::scope(|scope| {
        let writers: Vec<_> = (0..8).map(|_| scope.spawn(write)).collect();
        writers.into_iter().flat_map(|writer| writer.join().unwrap()).collect()
    })
}

#[tokio::test]
async fn concurrent_writers_are_each_read_back_exactly_once() {
    let dir = tempfile::tempdir().unwrap();
    let spool = open(dir.path(), SMALL).unwrap();
    let written = write_concurrently(&spool);
    assert_eq!(spool.pending_events(), 3_200);
    assert!(spool.oldest_pending().is_some());
    let read = drain(&spool).await;
    assert_eq!(read.len(), 3_200);
    assert_eq!(read.iter().map(|event| event.request).collect::<HashSet<_>>(), written);
    assert_eq!((spool.pending_events(), spool.oldest_pending()), (0, None));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn reading_while_others_write_and_segments_turn_misses_and_repeats_nothing() {
    let dir = tempfile::tempdir().unwrap();
    let spool = open(dir.path(), SpoolLimits { segment_bytes: 2 << 10, ..SMALL }).unwrap();
    let ledger = Ledger::default();
    let reporter = Reporter::new(spool.clone(), ledger.clone()).unwrap();
    let writers = tokio::task::spawn_blocking({
        let spool = spool.clone();
        move || write_concurrently(&spool)
    });
    let deadline = Instant::now() + Duration::from_secs(60);
    while !writers.is_finished() {
        reporter.drain(deadline).await.unwrap();
    }
    reporter.drain(deadline).await.unwrap();
    let requests = ledger.requests();
    assert_eq!(requests.len(), 3_200);
    assert_eq!(requests.into_iter().collect::<HashSet<_>>(), writers.await.unwrap());
    drop((reporter, spool));
    assert_eq!(open(dir.path(), SMALL).unwrap().recovery().orphans, 0);
}

#[tokio::test]
async fn finished_segments_are_deleted_and_nothing_is_reported_again() {
    let dir = tempfile::tempdir().unwrap();
    let mut total = 0;
    for round in 0..4 {
        let spool = open(dir.path(), SMALL).unwrap();
        assert_eq!(spool.recovery().events, 0, "round {round}");
        for _ in 0..200 {
            let request = RequestId::new();
            spool.intent(&intent(request, 1)).unwrap();
            spool.event(&event(request)).unwrap();
        }
        total += drain(&spool).await.len();
        // At most: the last process's, and this one's that is written to or was just turned from.
        let on_disk: u64 = segments(dir.path()).iter().map(|path| path.metadata().unwrap().len()).sum();
        assert_eq!(spool.bytes(), on_disk);
    }
    assert_eq!(total, 800);
    let spool = open(dir.path(), SMALL).unwrap();
    assert_eq!(drain(&spool).await, []);
    assert_eq!(segments(dir.path()).len(), 1, "everything older is done with");
}

#[tokio::test]
async fn an_orphan_is_booked_once_over_several_restarts() {
    let dir = tempfile::tempdir().unwrap();
    let (orphan, voided, done) = (RequestId::new(), RequestId::new(), RequestId::new());
    let died = IncarnationId::new();
    let spool = Spool::open(dir.path(), died, SMALL).unwrap();
    for attempt in 1..=3 {
        spool.intent(&intent(orphan, attempt)).unwrap();
    }
    spool.void(orphan, 2).unwrap();
    spool.intent(&intent(voided, 1)).unwrap();
    spool.void(voided, 1).unwrap();
    spool.intent(&intent(done, 1)).unwrap();
    spool.event(&event(done)).unwrap();
    drop(spool);
    for restart in 0..3 {
        let spool = open(dir.path(), SMALL).unwrap();
        assert_eq!(spool.recovery().orphans, u64::from(restart == 0));
        assert_eq!(spool.pending_events(), 2);
    }
    let spool = open(dir.path(), SMALL).unwrap();
    assert_eq!(spool.recovery().incarnations.first(), Some(&died));
    let events = drain(&spool).await;
    assert_eq!(events.iter().map(|event| event.request).collect::<Vec<_>>(), [done, orphan]);
    let booked = &events[1];
    assert_eq!((booked.outcome, booked.incarnation, booked.status), (RequestOutcome::Orphaned, died, 0));
    assert_eq!(booked.attempts.iter().map(|attempt| attempt.number).collect::<Vec<_>>(), [1, 3]);
    for attempt in &booked.attempts {
        let reserved = intent(orphan, attempt.number);
        assert_eq!((attempt.cost, attempt.usage), (reserved.reserve, reserved.bound));
        assert!(attempt.estimated && attempt.outcome == AttemptOutcome::Orphaned && attempt.price.is_some());
    }
    drop(spool);
    assert_eq!(drain(&open(dir.path(), SMALL).unwrap()).await, [], "it was acknowledged");
}

/// Writes finished requests into fresh segments, by way of restarts of the writing only.
fn fill_segments(spool: &Spool, dir: &std::path::Path, count: usize) {
    let newest = |dir: &std::path::Path| segments(dir).pop();
    for _ in 0..count {
        let before = newest(dir);
        while newest(dir) == before {
            let request = RequestId::new();
            spool.intent(&intent(request, 1)).unwrap();
            spool.event(&event(request)).unwrap();
        }
    }
}

#[tokio::test]
async fn a_long_stream_does_not_keep_its_segments_and_is_an_orphan_if_it_dies() {
    for dies in [false, true] {
        let dir = tempfile::tempdir().unwrap();
        let stream = RequestId::new();
        let spool = open(dir.path(), SMALL).unwrap();
        spool.intent(&intent(stream, 1)).unwrap();
        let first = segments(dir.path()).remove(0);
        fill_segments(&spool, dir.path(), 6);
        let before = drain(&spool).await;
        assert!(!before.iter().any(|event| event.request == stream));
        assert!(!first.exists(), "the intent was carried on");
        assert!(segments(dir.path()).len() <= 5, "{:?}", segments(dir.path()));
        if !dies {
            spool.event(&event(stream)).unwrap();
        }
        drop(spool);
        let spool = open(dir.path(), SMALL).unwrap();
        assert_eq!(spool.recovery().orphans, u64::from(dies));
        let after = drain(&spool).await;
        assert_eq!(after.iter().map(|event| event.request).collect::<Vec<_>>(), [stream]);
        assert_eq!(after[0].outcome == RequestOutcome::Orphaned, dies);
        assert_eq!(segments(dir.path()).len(), 1);
    }
}

#[tokio::test]
async fn a_full_spool_refuses_intents_but_takes_the_events_of_admitted_requests() {
    let dir = tempfile::tempdir().unwrap();
    let limits = SpoolLimits { max_bytes: 64 << 10, segment_bytes: 8 << 10 };
    let spool = open(dir.path(), limits).unwrap();
    let mut admitted = Vec::new();
    let refused = loop {
        let request = RequestId::new();
        match spool.intent(&intent(request, 1)) {
            Ok(()) => admitted.push(request),
            Err(error) => break error,
        }
        assert!(admitted.len() < 10_000);
    };
    assert!(matches!(refused, SpoolError::Full { limit, .. } if limit == limits.max_bytes), "{refused}");
    assert!(spool.is_full() && spool.bytes() < limits.max_bytes);
    for request in &admitted {
        spool.event(&event(*request)).unwrap();
    }
    drop(spool);
    let spool = open(dir.path(), limits).unwrap();
    assert!(spool.is_full(), "a restart does not make room");
    assert_eq!(drain(&spool).await.len(), admitted.len());
    assert!(!spool.is_full());
    spool.intent(&intent(RequestId::new(), 1)).unwrap();
}

#[test]
fn a_second_opener_is_told_which_folder_is_taken() {
    let dir = tempfile::tempdir().unwrap();
    let spool = open(dir.path(), SMALL).unwrap();
    let error = open(dir.path(), SMALL).err().unwrap();
    assert!(matches!(error, SpoolError::Locked { .. }));
    assert!(error.to_string().contains(&dir.path().display().to_string()), "{error}");
    assert!(!error.to_string().contains('\n'));
    drop(spool);
    open(dir.path(), SMALL).unwrap();
}

#[test]
fn an_oversized_record_is_refused_and_leaves_the_spool_as_it_was() {
    let dir = tempfile::tempdir().unwrap();
    let spool = open(dir.path(), SMALL).unwrap();
    let bytes = spool.bytes();
    let mut large = event(RequestId::new());
    large.attribution.user = Some("u".repeat(2 << 20));
    assert!(matches!(spool.event(&large), Err(SpoolError::TooLarge { .. })));
    assert_eq!((spool.bytes(), spool.pending_events()), (bytes, 0));
}

#[test]
fn files_are_for_their_owner_only() {
    use std::os::unix::fs::PermissionsExt;
    let parent = tempfile::tempdir().unwrap();
    let dir = parent.path().join("spool");
    let spool = open(&dir, SMALL).unwrap();
    spool.flush().unwrap();
    let mode = |path: &std::path::Path| fs::metadata(path).unwrap().permissions().mode() & 0o777;
    assert_eq!(mode(&dir), 0o700);
    for entry in fs::read_dir(&dir).unwrap().map(|entry| entry.unwrap().path()) {
        assert_eq!(mode(&entry) & 0o077, 0, "{}", entry.display());
    }
}
