//! A committed write is there after `kill -9`, whenever it falls.

use std::sync::{
    Arc,
    atomic::{AtomicUsize, Ordering},
};

use serde_json::json;
use testkit::eventually;

use crate::world::{SOON, World, admin, apply, client, text};

#[test]
fn kill_9_during_writes_loses_no_committed_write() {
    let world = World::new();
    let mut process = world.control_plane(None);
    let committed = Arc::new(AtomicUsize::new(0));
    let (writing, count) = (admin(&process), Arc::clone(&committed));
    let writer = std::thread::spawn(move || {
        for number in 0.. {
            let body = json!({ "name": format!("tenant-{number}"), "tier": "free" });
            match writing.post("/api/v1/tenants", &body) {
                Ok(reply) if reply.status == 201 => count.store(number + 1, Ordering::SeqCst),
                Ok(reply) => panic!("{}: {}", reply.status, reply.text()),
                Err(_) => return,
            }
        }
    });
    assert!(eventually(SOON, || committed.load(Ordering::SeqCst) >= 50));
    process.kill9().unwrap();
    writer.join().unwrap();
    let acknowledged = committed.load(Ordering::SeqCst);

    let again = world.control_plane(Some(&process));
    let admin = admin(&again);
    for number in 0..acknowledged {
        let reply = admin.get(&format!("/api/v1/tenants/tenant-{number}")).unwrap();
        assert_eq!(reply.status, 200, "tenant-{number} of {acknowledged} is gone");
    }
    let audit = admin.get("/api/v1/audit?limit=500").unwrap().json().unwrap();
    assert!(audit["items"].as_array().unwrap().len() >= acknowledged.min(500), "audit rows are missing");
}

#[test]
fn a_restored_backup_is_taken_whole_even_when_its_revisions_have_caught_up() {
    let world = World::new();
    let mut control = world.control_plane(None);
    let document = world.document();
    let first = apply(&admin(&control), &document).unwrap();
    let grpc = control.ready().grpc.clone().unwrap();
    assert!(control.terminate(SOON).unwrap().success());
    let (database, backup) = (world.path("control-plane/portcullis.db"), world.path("backup.db"));
    std::fs::copy(&database, &backup).unwrap();

    control = world.control_plane(Some(&control));
    let proxy = world.proxy(&grpc, "proxy-1");
    let late = json!({ "name": "late", "tenant": "acme" });
    let late = admin(&control).post("/api/v1/keys", &late).unwrap().json().unwrap()["secret"].clone();
    let late = client(&proxy, late.as_str().unwrap());
    assert!(eventually(SOON, || late.get("/v1/models").unwrap().status == 200));
    assert!(control.terminate(SOON).unwrap().success());

    for side in ["control-plane/portcullis.db-wal", "control-plane/portcullis.db-shm"] {
        let _ = std::fs::remove_file(world.path(side));
    }
    std::fs::copy(&backup, &database).unwrap();
    let url = format!("sqlite:{}", text(&database));
    let binary = testkit::binary("portcullis").unwrap();
    let adopted =
        std::process::Command::new(binary).args(["migrate", "--restored", "--database-url", &url]).status();
    assert!(adopted.unwrap().success());
    let control = world.control_plane(Some(&control));
    // As many writes as were lost: the revision is again the one that the proxy holds.
    let other = json!({ "name": "other" });
    assert_eq!(admin(&control).post("/api/v1/tenants", &other).unwrap().status, 201);
    assert!(
        eventually(SOON, || late.get("/v1/models").unwrap().status == 401),
        "a key of the lost future works"
    );
    assert_eq!(client(&proxy, &first).get("/v1/models").unwrap().status, 200);
}
