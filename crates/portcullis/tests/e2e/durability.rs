//! A committed write is there after `kill -9`, whenever it falls.

use std::sync::{
    Arc,
    atomic::{AtomicUsize, Ordering},
};

use serde_json::json;
use testkit::eventually;

use crate::world::{SOON, World, admin};

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
