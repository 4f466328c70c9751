//! Real processes: killed in the middle of writing, and stopped short by the kernel.
//!
//! The test binary starts itself again with a folder in the environment; the `child_*` functions are what runs there,
//! and nothing without it.

use std::{
    collections::HashSet,
    io::{BufRead, BufReader, Write},
    path::{Path, PathBuf},
    process::{Child, Command, Stdio},
    thread,
};

use domain::{RequestId, RequestOutcome};
use usage_spool::{Spool, SpoolLimits};

use crate::support::{SMALL, drain, event, intent, open};

const FOLDER: &str = "SPOOL_TEST_FOLDER";

fn folder() -> Option<PathBuf> {
    std::env::var_os(FOLDER).map(PathBuf::from)
}

/// Says what a write that returned has made durable; straight to the pipe, in one write.
fn say(what: &str, request: RequestId) {
    let line = format!("\n{what} {request}\n");
    let _ = std::io::stdout().lock().write_all(line.as_bytes());
    let _ = std::io::stdout().lock().flush();
}

/// Intent and event of one request after the other, in four threads, until something stops it.
fn write_requests(spool: &Spool, each: usize) {
    thread::scope(|scope| {
        for _ in 0..4 {
            scope.spawn(|| {
                for _ in 0..each {
                    let request = RequestId::new();
                    spool.intent(&intent(request, 1)).unwrap();
                    say("intent", request);
                    spool.event(&event(request)).unwrap();
                    say("event", request);
                }
            });
        }
    });
}

#[test]
fn child_writes_until_killed() {
    if let Some(dir) = folder() {
        write_requests(&open(&dir, SMALL).unwrap(), usize::MAX);
    }
}

#[test]
fn child_writes_a_while() {
    if let Some(dir) = folder() {
        // Segments that the system cuts off at its limit for one file, long before they are rotated.
        write_requests(&open(&dir, SpoolLimits::default()).unwrap(), 200);
    }
}

fn spawn(command: &mut Command, dir: &Path) -> Child {
    command.env(FOLDER, dir).stdout(Stdio::piped()).stderr(Stdio::null()).spawn().unwrap()
}

/// What a child said: requests with a written intent, and requests with a written event.
#[derive(Default)]
struct Said {
    intents: HashSet<RequestId>,
    events: HashSet<RequestId>,
}

/// Reads what the child says; kills it when it has said so many lines.
fn listen(mut child: Child, kill_after: usize) -> Said {
    let mut said = Said::default();
    let lines = BufReader::new(child.stdout.take().unwrap()).lines().map_while(Result::ok);
    let words = lines.filter_map(|line| {
        let (what, id) = line.split_once(' ')?;
        Some((what.to_owned(), id.parse::<RequestId>().ok()?))
    });
    for (count, (what, request)) in words.enumerate() {
        match what.as_str() {
            "intent" => said.intents.insert(request),
            _ => said.events.insert(request),
        };
        if count == kill_after {
            child.kill().unwrap();
        }
    }
    child.wait().unwrap();
    said
}

#[tokio::test]
async fn whatever_was_written_before_kill_9_is_recovered_each_time() {
    let dir = tempfile::tempdir().unwrap();
    let mut said = Said::default();
    for round in 0..8 {
        let mut command = Command::new(std::env::current_exe().unwrap());
        command.args(["--exact", "crash::child_writes_until_killed", "--nocapture"]);
        let heard = listen(spawn(&mut command, dir.path()), 150 + 173 * round);
        assert!(heard.events.len() > 50);
        said.intents.extend(heard.intents);
        said.events.extend(heard.events);
    }
    let spool = open(dir.path(), SMALL).unwrap();
    let events = drain(&spool).await;
    let distinct: HashSet<_> = events.iter().map(|event| event.request).collect();
    assert_eq!(distinct.len(), events.len(), "each once");
    assert!(said.intents.is_subset(&distinct), "an intent is an event or an orphan in the end");
    let orphaned = |event: &&domain::UsageEvent| event.outcome == RequestOutcome::Orphaned;
    let orphans: HashSet<_> = events.iter().filter(orphaned).map(|event| event.request).collect();
    assert!(orphans.is_disjoint(&said.events), "what was told to be written is no orphan");
    assert!(orphans.len() <= 8 * 4, "one per thread and death at most: {}", orphans.len());
}

#[tokio::test]
async fn writes_the_kernel_cuts_short_are_written_again_elsewhere() {
    let dir = tempfile::tempdir().unwrap();
    let mut command = Command::new("sh");
    // 512-byte blocks (1,024 in some shells): every segment ends in a torn write.
    let script = "trap '' XFSZ; ulimit -f 32; exec \"$0\" --exact crash::child_writes_a_while --nocapture";
    command.arg("-c").arg(script).arg(std::env::current_exe().unwrap());
    let said = listen(spawn(&mut command, dir.path()), usize::MAX);
    assert_eq!((said.intents.len(), said.events.len()), (800, 800), "no write failed");
    let spool = open(dir.path(), SMALL).unwrap();
    assert!(spool.recovery().torn > 5, "{:?}", spool.recovery());
    assert_eq!(spool.recovery().orphans, 0);
    let events: Vec<_> = drain(&spool).await.iter().map(|event| event.request).collect();
    assert_eq!(events.len(), 800);
    assert_eq!(events.into_iter().collect::<HashSet<_>>(), said.events);
}
