//! kill -9 in the middle of writing: everything that was acknowledged is there afterwards, once.

#![allow(clippy::unwrap_used, reason = "helpers of tests count as tests")]

use std::{
    io::{BufRead, BufReader, Write},
    process::{Command, Stdio},
};

use domain::{
    Attempt, AttemptOutcome, Kind, Money, RequestId, ResourceId, Spec, TenantSpec, Usage, UsageEvent,
    test_support::{attempt, usage_event},
};
use store::{Actor, RequestQuery, ResourceDraft, Store, UsageQuery};

const URL: &str = "STORE_TEST_URL";
/// So many acknowledged writes, then the kill.
const WRITES: usize = 40;

fn event() -> UsageEvent {
    usage_event(vec![Attempt {
        usage: Usage { output_visible: 3, ..Usage::default() },
        cost: Money::from_nanos(1),
        ..attempt(1, AttemptOutcome::Ok)
    }])
}

/// The child: writes for ever and tells what was acknowledged. Without the address in its environment it is
/// an ordinary test run and has nothing to do.
#[tokio::test]
async fn child_writes_until_it_is_killed() {
    let Ok(url) = std::env::var(URL) else { return };
    let store = Store::open(&url).await.unwrap();
    loop {
        let mut tx = store.begin(&Actor { name: "child".to_owned() }).await.unwrap();
        let spec = Spec::Tenant(TenantSpec::default());
        let name = format!("t{}", tx.revision());
        tx.put(ResourceDraft { id: ResourceId::new(), tenant: None, name, spec, sealed: None })
            .await
            .unwrap();
        let revision = tx.commit().await.unwrap().revision;
        let event = event();
        assert_eq!(store.insert_usage(std::slice::from_ref(&event)).await.unwrap(), 1);
        println!("\nacknowledged {revision} {}", event.request);
        std::io::stdout().flush().unwrap();
    }
}

#[tokio::test]
async fn what_was_acknowledged_survives_a_kill() {
    let directory = tempfile::tempdir().unwrap();
    let url = format!("sqlite:{}/store.db", directory.path().display());
    let mut acknowledged: Vec<(u64, RequestId)> = Vec::new();
    // Killed twice: the second child has to recover what the first one left.
    for _ in 0..2 {
        let mut child = Command::new(std::env::current_exe().unwrap())
            .args(["--exact", "child_writes_until_it_is_killed", "--nocapture"])
            .env(URL, &url)
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let lines = BufReader::new(child.stdout.take().unwrap()).lines().map(Result::unwrap);
        let told = lines.filter_map(|line| {
            let (revision, request) = line.strip_prefix("acknowledged ")?.split_once(' ')?;
            Some((revision.parse().unwrap(), request.parse().unwrap()))
        });
        for (count, one) in told.enumerate() {
            acknowledged.push(one);
            if count + 1 == WRITES {
                child.kill().unwrap(); // SIGKILL; what it told before the signal reached it is read as well
            }
        }
        assert!(!child.wait().unwrap().success());
    }
    assert!(acknowledged.len() >= 2 * WRITES);

    let store = Store::open(&url).await.unwrap();
    let newest = store.version().await.unwrap().revision;
    for (revision, request) in &acknowledged {
        assert!(*revision <= newest);
        let row = store.get(Kind::Tenant, None, &format!("t{revision}")).await.unwrap().unwrap();
        assert_eq!(row.resource.revision, *revision);
        let query = RequestQuery { request: Some(*request), limit: 1, ..RequestQuery::default() };
        assert_eq!(store.requests(&query).await.unwrap().items.len(), 1);
    }
    // At most the writes under way were unacknowledged, and sums and events agree about them.
    let count = store.usage_count().await.unwrap();
    let acknowledged = acknowledged.len() as u64;
    assert!((acknowledged..=acknowledged + 2).contains(&count), "{count} for {acknowledged}");
    let totals = store.usage(&UsageQuery::default()).await.unwrap()[0].totals;
    assert_eq!((totals.requests, totals.usage.output_visible, totals.unpriced), (count, 3 * count, count));
}
