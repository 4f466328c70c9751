//! What one control plane commits reaches the proxies of another at once.

use std::time::{Duration, Instant};

use testkit::eventually;

use crate::{
    fleet::Fleet,
    world::{SOON, chat},
};

#[test]
fn a_key_revoked_on_one_control_plane_is_refused_by_three_proxies_of_another_within_a_second() {
    let fleet = Fleet::start();
    let clients = fleet.clients();
    for client in &clients {
        assert_eq!(client.post("/v1/chat/completions", &chat("hi")).unwrap().status, 200);
    }
    let connected = || fleet.admin(1).get("/api/v1/proxies").unwrap().json().unwrap();
    assert_eq!(connected()["items"].as_array().unwrap().len(), 3, "{}", connected());
    assert!(fleet.admin(0).delete("/api/v1/keys/backend?tenant=acme").unwrap().status < 300);
    let revoked = Instant::now();
    let refused = || clients.iter().all(|client| client.get("/v1/models").unwrap().status == 401);
    assert!(eventually(SOON, refused));
    assert!(revoked.elapsed() < Duration::from_secs(1), "it took {:?}", revoked.elapsed());
}
