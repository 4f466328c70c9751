//! Control plane, ledger and PostgreSQL killed one at a time under load: no failed request, usage exactly once.

use std::{
    collections::BTreeMap,
    sync::{
        Arc, Mutex,
        atomic::{AtomicBool, Ordering},
    },
    thread::JoinHandle,
    time::Duration,
};

use serde_json::json;
use testkit::{Http, eventually};

use crate::{
    fleet::{Fleet, request_id},
    world::{SOON, chat, ledger_requests},
};

const CLIENTS: usize = 4;
/// Requests that must be answered while something is down.
const MEANWHILE: usize = 150;
/// For reporters that wait between attempts.
const CAUGHT_UP: Duration = Duration::from_secs(60);

/// Request ids with their costs.
type Finished = Arc<Mutex<BTreeMap<String, String>>>;

/// Clients that go round the proxies; a failed request fails the test.
struct Load {
    finished: Finished,
    stop: Arc<AtomicBool>,
    clients: Vec<JoinHandle<()>>,
}

impl Load {
    fn start(proxies: &[Http]) -> Self {
        let (finished, stop) = (Finished::default(), Arc::new(AtomicBool::new(false)));
        let client = |offset| {
            let (proxies, finished, stop) = (proxies.to_vec(), Arc::clone(&finished), Arc::clone(&stop));
            std::thread::spawn(move || {
                for proxy in proxies.iter().cycle().skip(offset) {
                    if stop.load(Ordering::SeqCst) {
                        return;
                    }
                    let reply = proxy.post("/v1/chat/completions", &chat("count me")).unwrap();
                    assert_eq!(reply.status, 200, "{}", reply.text());
                    let header = |name| reply.header(name).unwrap().to_owned();
                    let (id, cost) = (header("x-portcullis-request-id"), header("x-portcullis-cost-usd"));
                    assert!(finished.lock().unwrap().insert(id, cost).is_none(), "one id for two requests");
                }
            })
        };
        let clients = (0..CLIENTS).map(client).collect();
        Self { finished, stop, clients }
    }

    /// Waits until more requests were answered.
    fn goes_on(&self, what: &str) {
        let count = || self.finished.lock().unwrap().len();
        let goal = count() + MEANWHILE;
        assert!(eventually(SOON, || count() >= goal), "requests stopped: {what}");
        assert!(self.clients.iter().all(|client| !client.is_finished()), "a request failed: {what}");
    }

    fn stop(self) -> BTreeMap<String, String> {
        self.stop.store(true, Ordering::SeqCst);
        self.clients.into_iter().for_each(|client| client.join().unwrap());
        std::mem::take(&mut self.finished.lock().unwrap())
    }
}

#[test]
fn no_request_fails_and_usage_is_counted_once() {
    let mut fleet = Fleet::start();
    let load = Load::start(&fleet.clients());
    load.goes_on("before anything is killed");

    for number in [0, 1] {
        fleet.controls[number].kill9().unwrap();
        load.goes_on("without a control plane");
        fleet.restart_control(number);
    }
    for number in [0, 1] {
        fleet.ledgers[number].kill9().unwrap();
        load.goes_on("without a ledger");
        fleet.restart_ledger(number);
    }
    // Nothing but PostgreSQL is started again: everybody finds it by himself.
    fleet.postgres.kill9().unwrap();
    load.goes_on("without PostgreSQL");
    assert!(fleet.admin(0).get("/api/v1/tenants").unwrap().status >= 500);
    fleet.postgres.restart().unwrap();
    load.goes_on("with PostgreSQL again");
    fleet.postgres.pause().unwrap();
    load.goes_on("with PostgreSQL frozen");
    fleet.postgres.resume().unwrap();

    let finished = load.stop();
    let answers = || fleet.admin(0).get("/api/v1/tenants").is_ok_and(|reply| reply.status == 200);
    assert!(eventually(CAUGHT_UP, answers), "the control plane did not recover");
    assert_counted_once(&fleet, &finished);
    let body = json!({ "name": "after-all", "tier": "free" });
    assert_eq!(fleet.admin(1).post("/api/v1/tenants", &body).unwrap().status, 201);
    for process in fleet.controls.iter().chain(&fleet.ledgers) {
        let log = process.stderr();
        assert!(!log.contains(testkit::POSTGRES_PASSWORD), "the password is in a log");
        assert!(!log.contains("panicked"), "{log}");
    }
}

/// Whatever was reported in whatever pieces: each finished request is there, once, at the cost its client saw.
fn assert_counted_once(fleet: &Fleet, finished: &BTreeMap<String, String>) {
    let admin = fleet.admin(0);
    let counted = || {
        let usage = admin.get("/api/v1/usage?group_by=tenant").unwrap().json().unwrap();
        usage["items"][0]["requests"].as_u64().unwrap_or_default()
    };
    assert!(
        eventually(CAUGHT_UP, || counted() >= finished.len() as u64),
        "{} of {} finished requests are in the ledger",
        counted(),
        finished.len()
    );
    let requests = ledger_requests(&admin);
    let mut costs = BTreeMap::new();
    for request in &requests {
        let cost = request["cost_usd"].as_str().unwrap().to_owned();
        assert_eq!(request["estimated"], json!(false), "{request}");
        assert!(costs.insert(request_id(request).to_owned(), cost).is_none(), "twice: {request}");
    }
    assert_eq!(&costs, finished);
    assert_eq!(counted(), finished.len() as u64);
}
