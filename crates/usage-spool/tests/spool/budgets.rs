//! What a process drew under budgets is known to the next one on its folder, however it ended.

use std::sync::{Arc, Mutex};

use budget::{Drawn, Folder};
use domain::{Attempt, Draw, Intent, Money, RequestId, ResourceId, UsageEvent, test_support};
use usage_spool::{Listener, Reporter, Spool, SpoolLimits};

use crate::{
    reporting::soon,
    support::{Ledger, SMALL, event, intent, open},
};

/// Three requests of one user: one whose process dies, one that cost 7, and one that was not sent after all.
fn three_requests(spool: &Spool, draw: &Draw) -> [RequestId; 3] {
    let requests = [(); 3].map(|()| RequestId::new());
    let [open, ended, voided] = requests;
    for request in requests {
        spool.intent(&Intent { draw: Some(draw.clone()), ..intent(request, 1) }).unwrap();
    }
    let event = event(ended);
    let drawn = |attempt: &Attempt| Attempt { draw: Some(draw.clone()), ..attempt.clone() };
    let attempts = event.attempts.iter().map(drawn).collect();
    spool.event(&UsageEvent { attempts, ..event }).unwrap();
    spool.void(voided, 1).unwrap();
    [open, ended, voided]
}

fn draw(spool: &Spool) -> Draw {
    Draw { holder: spool.holder(), ..test_support::draw() }
}

fn sums(folder: &Folder) -> Vec<Drawn> {
    folder.accounts.values().copied().collect()
}

fn drawn(drawn: i64, acknowledged: i64) -> Vec<Drawn> {
    vec![Drawn { drawn, acknowledged }; 2]
}

#[tokio::test(start_paused = true)]
async fn costs_and_orphans_are_drawn_and_later_acknowledged() {
    let dir = tempfile::tempdir().unwrap();
    let first = open(dir.path(), SMALL).unwrap();
    let draw = draw(&first);
    three_requests(&first, &draw);
    assert!(first.budget_roots().is_empty(), "nothing was left by an earlier process");
    drop(first);
    // The orphan counts at its bound of 1,000.
    for _ in 0..2 {
        let next = open(dir.path(), SMALL).unwrap();
        assert_eq!((next.holder(), next.budget_roots()), (draw.holder, vec![draw.root]));
        let folder = next.budget_folder(draw.root).0;
        assert_eq!((sums(&folder), folder.unreported), (drawn(1_007, 0), 2));
    }
    let next = open(dir.path(), SMALL).unwrap();
    let told: Arc<Mutex<Vec<(ResourceId, Money)>>> = Arc::default();
    next.on_acknowledged(Box::new(Told(Arc::clone(&told))));
    Reporter::new(next.clone(), Ledger::default()).unwrap().drain(soon()).await.unwrap();
    let costs = [(draw.root, Money::from_nanos(7)), (draw.root, Money::from_nanos(1_000))];
    assert_eq!(*told.lock().unwrap(), costs);
    drop(next);
    let last = open(dir.path(), SMALL).unwrap();
    let folder = last.budget_folder(draw.root).0;
    assert_eq!((sums(&folder), folder.unreported), (drawn(1_007, 1_007), 0));
}

struct Told(Arc<Mutex<Vec<(ResourceId, Money)>>>);

impl Listener for Told {
    fn acknowledged(&self, draw: &Draw, cost: Money) {
        self.0.lock().unwrap().push((draw.root, cost));
    }
}

#[tokio::test(start_paused = true)]
async fn a_lost_progress_file_counts_nothing_twice() {
    let dir = tempfile::tempdir().unwrap();
    let first = open(dir.path(), SMALL).unwrap();
    let draw = draw(&first);
    three_requests(&first, &draw);
    Reporter::new(first.clone(), Ledger::default()).unwrap().drain(soon()).await.unwrap();
    drop(first);
    std::fs::remove_file(dir.path().join("acked")).unwrap();
    let next = open(dir.path(), SMALL).unwrap();
    Reporter::new(next.clone(), Ledger::default()).unwrap().drain(soon()).await.unwrap();
    drop(next);
    let folder = open(dir.path(), SMALL).unwrap().budget_folder(draw.root).0;
    assert_eq!(sums(&folder), drawn(1_007, 1_007));
}

#[tokio::test(start_paused = true)]
async fn an_event_that_the_ledger_refuses_stays_drawn() {
    let dir = tempfile::tempdir().unwrap();
    let spool = open(dir.path(), SpoolLimits { segment_bytes: 1 << 10, ..SMALL }).unwrap();
    let draw = draw(&spool);
    let [_, ended, _] = three_requests(&spool, &draw);
    let ledger = Ledger::default();
    ledger.refuse(ended);
    Reporter::new(spool.clone(), ledger).unwrap().drain(soon()).await.unwrap();
    drop(spool);
    let folder = open(dir.path(), SMALL).unwrap().budget_folder(draw.root).0;
    assert_eq!(sums(&folder), drawn(1_007, 0));
}
