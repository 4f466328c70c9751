//! Links that fail while requests run: slow, cut or swallowed between a proxy and what it leans on.

use std::{
    collections::BTreeSet,
    net::SocketAddr,
    sync::{
        Arc, Mutex,
        atomic::{AtomicBool, Ordering},
    },
    time::{Duration, Instant},
};

use serde_json::json;
use testkit::{FaultProxy, Http, Process, Redis, eventually};

use crate::world::{SOON, World, admin, apply, chat, client, ledger_requests};

/// The heartbeat timeout is 15 s and a reconnect waits for 5 s at most; the rest is a busy machine's.
const DEAD_PEER: Duration = Duration::from_secs(30);

fn address(url: &str) -> SocketAddr {
    let rest = url.split_once("//").unwrap().1;
    rest.split('/').next().unwrap().parse().unwrap()
}

/// A link to the gRPC port, where configuration and usage travel.
fn link_to(control: &Process) -> FaultProxy {
    FaultProxy::to(address(control.ready().grpc.as_ref().unwrap())).unwrap()
}

fn status(http: &Http) -> u16 {
    http.post("/v1/chat/completions", &chat("hi")).unwrap().status
}

#[test]
fn a_swallowed_link_to_the_control_plane_stops_no_request_and_is_noticed() {
    let world = World::new();
    let control = world.control_plane(None);
    let admin = admin(&control);
    let key = apply(&admin, &world.document()).unwrap();
    let link = link_to(&control);
    let proxy = world.proxy(&link.url("http"), "proxy-1");
    let http = client(&proxy, &key);
    assert_eq!(status(&http), 200);

    link.blackhole();
    assert!(admin.delete("/api/v1/keys/backend?tenant=acme").unwrap().status < 300);
    for _ in 0..20 {
        assert_eq!(status(&http), 200, "the proxy needs its control plane");
    }
    link.pass();
    // What carried the news was swallowed with it: the proxy has to find out by itself that the connection is dead.
    let back = Instant::now();
    assert!(eventually(DEAD_PEER, || status(&http) == 401), "the revoked key still works");
    println!("the revoked key was refused {:?} after the link was back", back.elapsed());
}

#[test]
fn a_swallowed_link_to_the_store_costs_one_time_out_once() {
    let world = World::new();
    let redis = Redis::start().unwrap();
    let control = world.control_plane(None);
    let mut document = world.document();
    document["tenants"]["acme"]["limits"] =
        json!([{ "requests": "100000/min", "on_store_loss": "bounded", "per_replica": 1000 }]);
    let key = apply(&admin(&control), &document).unwrap();
    let link = FaultProxy::to(address(&redis.url())).unwrap();
    let grpc = control.ready().grpc.as_ref().unwrap();
    let proxy = world.proxy_with(grpc, "proxy-1", &["--redis-url", &link.url("redis")]);
    let http = client(&proxy, &key);
    assert_eq!(status(&http), 200);

    link.blackhole();
    let start = Instant::now();
    assert_eq!(status(&http), 200);
    let first = start.elapsed();
    assert!(first < Duration::from_secs(1), "the first loss took {first:?}");
    let start = Instant::now();
    for _ in 0..20 {
        assert_eq!(status(&http), 200);
    }
    let others = start.elapsed();
    // Twenty time-outs of 250 ms would be 5 s.
    assert!(others < Duration::from_secs(2), "the next 20 requests took {others:?}");
    println!("the first loss took {first:?}, the next 20 requests {others:?}");
}

#[test]
fn a_provider_that_is_cut_off_before_it_answers_is_nobodys_problem() {
    let world = World::new();
    let control = world.control_plane(None);
    let link = FaultProxy::to(world.provider.addr).unwrap();
    let mut document = world.document();
    document["providers"]["far"] = json!({
        "kind": "custom",
        "base_url": format!("{}/v1", link.url("http")),
        "credentials": [{ "name": "main", "secret": { "value": "another-secret-0123456789" } }],
    });
    document["routes"]["chat"]["targets"] = json!(["far/m", "sim/m"]);
    let key = apply(&admin(&control), &document).unwrap();
    let proxy = world.proxy(control.ready().grpc.as_ref().unwrap(), "proxy-1");
    let http = client(&proxy, &key);
    let reply = http.post("/v1/chat/completions", &chat("hi")).unwrap();
    assert_eq!((reply.status, reply.header("x-portcullis-provider")), (200, Some("far")));

    // Swallowed first, so that the request is under way when its connection is cut.
    link.blackhole();
    let asking = std::thread::spawn(move || http.post("/v1/chat/completions", &chat("hi")).unwrap());
    assert!(eventually(SOON, || link.swallowing() > 0), "the request never reached the link");
    link.cut();
    let reply = asking.join().unwrap();
    assert_eq!(reply.status, 200, "{}", reply.text());
    assert_eq!(reply.header("x-portcullis-provider"), Some("sim"));
    assert!(reply.header("x-portcullis-attempts").unwrap().parse::<u32>().unwrap() > 1);
}

#[test]
fn usage_is_reported_once_over_a_link_that_comes_and_goes() {
    let world = World::new();
    let control = world.control_plane(None);
    let admin = admin(&control);
    let key = apply(&admin, &world.document()).unwrap();
    let link = link_to(&control);
    let proxy = world.proxy(&link.url("http"), "proxy-1");
    let finished = Arc::new(Mutex::new(BTreeSet::new()));
    let enough = Arc::new(AtomicBool::new(false));
    let clients: Vec<_> = (0..4)
        .map(|_| {
            let (http, finished, enough) = (client(&proxy, &key), Arc::clone(&finished), Arc::clone(&enough));
            std::thread::spawn(move || {
                while !enough.load(Ordering::SeqCst) {
                    let reply = http.post("/v1/chat/completions", &chat("count me")).unwrap();
                    assert_eq!(reply.status, 200, "{}", reply.text());
                    let id = reply.header("x-portcullis-request-id").unwrap().to_owned();
                    assert!(finished.lock().unwrap().insert(id), "one id for two requests");
                }
            })
        })
        .collect();
    let count = || finished.lock().unwrap().len();
    for _ in 0..5 {
        let mark = count();
        assert!(eventually(SOON, || count() >= mark + 20));
        link.cut();
        let mark = count();
        assert!(eventually(SOON, || count() >= mark + 20), "requests wait for the ledger");
        link.pass();
        // A batch must be under way again for the next cut to hit one.
        let known = ledger_requests(&admin).len();
        assert!(eventually(SOON, || ledger_requests(&admin).len() > known), "nothing is reported any more");
    }
    enough.store(true, Ordering::SeqCst);
    clients.into_iter().for_each(|client| client.join().unwrap());
    let total = count();
    assert!(eventually(SOON, || ledger_requests(&admin).len() >= total), "usage is missing");
    let ids: Vec<String> = ledger_requests(&admin)
        .iter()
        .map(|request| request["request_id"].as_str().unwrap().to_owned())
        .collect();
    assert_eq!(ids.len(), total, "something is there twice");
    assert_eq!(ids.into_iter().collect::<BTreeSet<_>>(), *finished.lock().unwrap());
    let usage = admin.get("/api/v1/usage?group_by=tenant").unwrap().json().unwrap();
    assert_eq!(usage["items"][0]["requests"].as_u64().unwrap(), total as u64, "{usage}");
}
