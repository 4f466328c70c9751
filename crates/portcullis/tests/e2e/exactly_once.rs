//! Every finished request is in the usage exactly once, whatever is killed in the middle.

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::{
        Arc, Mutex,
        atomic::{AtomicUsize, Ordering},
    },
    thread::JoinHandle,
};

use serde_json::json;
use testkit::{Http, eventually};

use crate::world::{SOON, World, admin, apply, chat, client, ledger_requests};

const REQUESTS: usize = 1_000;
const CLIENTS: usize = 8;

/// What clients saw of the requests they finished: id to cost.
type Finished = Arc<Mutex<BTreeMap<String, String>>>;

/// The proxy that clients use now, and the how many-th it is.
type Current = Arc<Mutex<(u64, Http)>>;

/// Clients that send until the common count is used up; one that loses its proxy waits for the successor.
fn send_all(proxy: &Current, sent: &Arc<AtomicUsize>, finished: &Finished) -> Vec<JoinHandle<()>> {
    let client = |_| {
        let (proxy, sent, finished) = (Arc::clone(proxy), Arc::clone(sent), Arc::clone(finished));
        std::thread::spawn(move || {
            while sent.fetch_add(1, Ordering::SeqCst) < REQUESTS {
                let (number, http) = proxy.lock().unwrap().clone();
                // A request that a kill broke off is not finished, and no promise is made for it but the cost.
                let Ok(reply) = http.post("/v1/chat/completions", &chat("count me")) else {
                    assert!(eventually(SOON, || proxy.lock().unwrap().0 > number), "no successor");
                    continue;
                };
                assert_eq!(reply.status, 200, "{}", reply.text());
                let id = reply.header("x-portcullis-request-id").unwrap().to_owned();
                let cost = reply.header("x-portcullis-cost-usd").unwrap().to_owned();
                assert!(finished.lock().unwrap().insert(id, cost).is_none(), "one id for two requests");
            }
        })
    };
    (0..CLIENTS).map(client).collect()
}

#[test]
fn kill_9_of_proxy_and_control_plane_in_the_middle_of_1000_requests() {
    let world = World::new();
    let mut control = world.control_plane(None);
    let key = apply(&admin(&control), &world.document()).unwrap();
    let grpc = control.ready().grpc.clone().unwrap();
    let mut proxy = world.proxy(&grpc, "proxy-1");
    let current = Arc::new(Mutex::new((1, client(&proxy, &key))));
    let (sent, finished) = (Arc::new(AtomicUsize::new(0)), Finished::default());
    let clients = send_all(&current, &sent, &finished);

    assert!(eventually(SOON, || finished.lock().unwrap().len() > 200));
    proxy.kill9().unwrap();
    // The successor takes the dead proxy's spool over.
    proxy = world.proxy(&grpc, "proxy-1");
    *current.lock().unwrap() = (2, client(&proxy, &key));

    let mark = finished.lock().unwrap().len() + 100;
    assert!(eventually(SOON, || finished.lock().unwrap().len() > mark));
    control.kill9().unwrap();
    let mark = finished.lock().unwrap().len() + 50;
    assert!(eventually(SOON, || finished.lock().unwrap().len() > mark), "the proxy needs its control plane");
    control = world.control_plane(Some(&control));
    clients.into_iter().for_each(|client| client.join().unwrap());

    let finished = finished.lock().unwrap().clone();
    // Each client may have lost the one request that the kill broke off.
    assert!(finished.len() >= REQUESTS - CLIENTS, "only {} requests finished", finished.len());
    assert_all_there_once(&admin(&control), &finished);
}

fn assert_all_there_once(admin: &Http, finished: &BTreeMap<String, String>) {
    let known = || -> BTreeSet<String> {
        let requests = ledger_requests(admin);
        requests.iter().map(|request| request["request_id"].as_str().unwrap().to_owned()).collect()
    };
    let all_known = || {
        let known = known();
        finished.keys().all(|id| known.contains(id))
    };
    assert!(eventually(SOON, all_known), "finished requests are missing");
    let requests = ledger_requests(admin);
    let mut seen = BTreeSet::new();
    for request in &requests {
        let id = request["request_id"].as_str().unwrap();
        assert!(seen.insert(id.to_owned()), "{id} is there twice");
        match finished.get(id) {
            Some(cost) => {
                assert_eq!(request["cost_usd"].as_str().unwrap(), cost, "{id}");
                assert_eq!(request["estimated"], json!(false), "{id}");
            }
            // Broken off by a kill: charged as an estimate, or complete but for the client's last byte.
            None => {
                assert!(request["estimated"] == json!(true) || request["outcome"] == json!("ok"), "{request}")
            }
        }
    }
    let usage = admin.get("/api/v1/usage?group_by=tenant").unwrap().json().unwrap();
    assert_eq!(usage["items"][0]["requests"].as_u64().unwrap(), seen.len() as u64, "{usage}");
}
