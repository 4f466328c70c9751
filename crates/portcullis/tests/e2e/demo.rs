//! The demo prints a key that works, at every start.

use testkit::{Http, Process, binary};

use crate::world::{SOON, World, chat, client, text};

fn standalone(world: &World) -> Process {
    let dir = world.path("demo");
    let any = "127.0.0.1:0";
    let args = [
        "standalone",
        "--data-dir",
        text(&dir),
        "--listen",
        any,
        "--admin-listen",
        any,
        "--grpc-listen",
        any,
        "--ops-listen",
        any,
        "--output",
        "json",
    ];
    Process::spawn(&binary("portcullis").unwrap(), args, &[]).unwrap()
}

#[test]
fn a_rotated_demo_key_is_noticed_at_the_next_start() {
    let world = World::new();
    let mut first = standalone(&world);
    let ready = first.ready().clone();
    let key = ready.key.unwrap();
    assert_eq!(client(&first, &key).post("/v1/chat/completions", &chat("hi")).unwrap().status, 200);
    let admin = Http::new(&ready.admin.unwrap(), ready.admin_token.as_deref());
    let rotated =
        admin.post("/api/v1/keys/demo/rotate?tenant=demo&grace=0s", &serde_json::json!({})).unwrap();
    assert_eq!(rotated.status, 200, "{}", rotated.text());
    assert!(first.terminate(SOON).unwrap().success());

    let second = standalone(&world);
    let now = second.ready().key.clone().unwrap();
    assert_ne!(now, key);
    assert_eq!(client(&second, &now).post("/v1/chat/completions", &chat("hi")).unwrap().status, 200);
}
