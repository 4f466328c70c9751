//! A proxy serves without its control plane: running, and after a cold start from the last good snapshot.

use std::{fs, path::PathBuf};

use serde_json::json;
use testkit::{Http, Process, eventually};

use crate::world::{SOON, World, admin, apply, chat, client};

fn served(process: &Process, key: &str) -> bool {
    client(process, key).post("/v1/chat/completions", &chat("hi")).is_ok_and(|reply| reply.status == 200)
}

/// Two versions on disk, the control plane dead, the proxy stopped.
fn cut_off(world: &World) -> (String, String) {
    let mut control = world.control_plane(None);
    let grpc = control.ready().grpc.clone().unwrap();
    let admin = admin(&control);
    let key = apply(&admin, &world.document()).unwrap();
    let mut proxy = world.proxy(&grpc, "proxy-1");
    assert!(served(&proxy, &key));
    let mut second = world.document();
    second["routes"]["second"] = json!({ "targets": ["sim/m"] });
    apply(&admin, &second);
    let models = client(&proxy, &key);
    let both = || models.get("/v1/models").unwrap().text().contains("second");
    assert!(eventually(SOON, both), "the change did not arrive");
    assert!(eventually(SOON, || snapshot(world, "previous.pcs").exists()));
    control.kill9().unwrap();
    assert!(served(&proxy, &key), "the proxy needs its control plane");
    assert!(proxy.terminate(SOON).unwrap().success());
    (grpc, key)
}

fn snapshot(world: &World, name: &str) -> PathBuf {
    world.path("proxy-1/snapshot").join(name)
}

#[test]
fn it_serves_on_and_starts_cold_without_its_control_plane() {
    let world = World::new();
    let (grpc, key) = cut_off(&world);
    let proxy = world.proxy(&grpc, "proxy-1");
    assert!(served(&proxy, &key));
    assert!(client(&proxy, &key).get("/v1/models").unwrap().text().contains("second"));
}

#[test]
fn a_corrupt_snapshot_is_refused_and_the_one_before_it_serves() {
    let world = World::new();
    let (grpc, key) = cut_off(&world);
    let path = snapshot(&world, "current.pcs");
    let mut bytes = fs::read(&path).unwrap();
    let middle = bytes.len() / 2;
    bytes[middle] ^= 1;
    fs::write(&path, bytes).unwrap();
    let proxy = world.proxy(&grpc, "proxy-1");
    assert!(served(&proxy, &key));
    assert!(!client(&proxy, &key).get("/v1/models").unwrap().text().contains("second"));
    assert!(proxy.stderr().contains("current.pcs"), "nothing said: {}", proxy.stderr());
}

#[test]
fn a_revoked_key_is_refused_within_a_second() {
    let world = World::new();
    let control = world.control_plane(None);
    let admin = admin(&control);
    let key = apply(&admin, &world.document()).unwrap();
    let grpc = control.ready().grpc.clone().unwrap();
    let proxies: Vec<Process> = ["a", "b"].map(|name| world.proxy(&grpc, name)).into();
    let clients: Vec<Http> = proxies.iter().map(|proxy| client(proxy, &key)).collect();
    assert!(clients.iter().all(|http| http.get("/v1/models").unwrap().status == 200));
    assert!(admin.delete("/api/v1/keys/backend?tenant=acme").unwrap().status < 300);
    let revoked = std::time::Instant::now();
    assert!(eventually(SOON, || clients.iter().all(|http| http.get("/v1/models").unwrap().status == 401)));
    assert!(revoked.elapsed().as_millis() < 1_000, "it took {:?}", revoked.elapsed());
}
