//! The first target is dead: the second answers, and no client sees an error.

use serde_json::json;
use testkit::eventually;

use crate::world::{SOON, World, admin, apply, chat, client, ledger_requests};

#[test]
fn a_dead_first_target_is_nobodys_problem() {
    let world = World::new();
    let control = world.control_plane(None);
    let mut document = world.document();
    // A port that was free a moment ago, on which nothing listens.
    let free = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    document["providers"]["dead"] = json!({
        "kind": "custom",
        "base_url": format!("http://{free}/v1"),
        "credentials": [{ "name": "main", "secret": { "value": "another-secret-0123456789" } }],
    });
    document["routes"]["chat"]["targets"] = json!(["dead/m", "sim/m"]);
    let admin = admin(&control);
    let key = apply(&admin, &document).unwrap();
    let proxy = world.proxy(control.ready().grpc.as_ref().unwrap(), "proxy-1");
    let http = client(&proxy, &key);
    let mut fell_back = 0;
    for _ in 0..20 {
        let reply = http.post("/v1/chat/completions", &chat("still there?")).unwrap();
        assert_eq!(reply.status, 200, "{}", reply.text());
        assert_eq!(reply.header("x-portcullis-provider"), Some("sim"));
        match reply.header("x-portcullis-fallback") {
            Some("connect") => {
                assert_eq!(reply.header("x-portcullis-attempts"), Some("2"));
                fell_back += 1;
            }
            // After five failures in a row it gets no more requests, but for a trial.
            fallback => {
                assert_eq!((fallback, fell_back >= 5), (Some("none"), true));
                assert_eq!(reply.header("x-portcullis-attempts"), Some("1"));
            }
        }
    }
    assert!((5..=8).contains(&fell_back), "{fell_back}");
    // Every attempt is recorded; only those that answered cost anything.
    assert!(eventually(SOON, || ledger_requests(&admin).len() == 20));
    for request in ledger_requests(&admin) {
        let attempts = request["attempts"].as_array().unwrap();
        if attempts.len() == 1 {
            assert_eq!(attempts[0]["provider"], json!("sim"));
            continue;
        }
        assert_eq!((&attempts[0]["provider"], &attempts[0]["outcome"]), (&json!("dead"), &json!("connect")));
        assert_eq!(attempts[0]["cost_usd"], json!("0"), "{request}");
        assert_eq!(attempts[1]["cost_usd"], request["cost_usd"]);
    }
}
