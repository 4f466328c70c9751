//! The demo prints a key that works, at every start.

use testkit::{Http, Process, binary};

use crate::world::{SOON, World, chat, client, text};

pub(crate) fn standalone(world: &World) -> Process {
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

/// The demo's routes by the name of their provider's dialect, each with a cost.
fn each_dialect_answers(process: &Process, key: &str) {
    for dialect in ["responses", "messages", "gemini", "cohere", "converse"] {
        let mut body = chat("hi");
        body["model"] = dialect.into();
        let reply = client(process, key).post("/v1/chat/completions", &body).unwrap();
        assert_eq!(reply.status, 200, "{dialect}: {}", reply.text());
        assert_eq!(reply.json().unwrap()["choices"][0]["message"]["content"], "echo: hi");
        assert_eq!(reply.header("x-portcullis-provider"), Some(&*format!("demo-{dialect}")));
        assert!(reply.header("x-portcullis-cost-usd").is_some(), "{dialect}");
    }
}

#[test]
fn later_starts_show_the_same_key_and_keep_what_users_made_of_the_demo() {
    let world = World::new();
    let mut first = standalone(&world);
    let ready = first.ready().clone();
    let key = ready.key.unwrap();
    assert_eq!(client(&first, &key).post("/v1/chat/completions", &chat("hi")).unwrap().status, 200);
    each_dialect_answers(&first, &key);
    let admin = Http::new(&ready.admin.unwrap(), ready.admin_token.as_deref());
    let patch = serde_json::json!({ "targets": ["demo/echo-small"] });
    assert_eq!(admin.patch("/api/v1/routes/chat", &patch).unwrap().status, 200);
    assert!(first.terminate(SOON).unwrap().success());

    let mut second = standalone(&world);
    assert_eq!(second.ready().key.as_ref(), Some(&key));
    let reply = client(&second, &key).post("/v1/chat/completions", &chat("hi")).unwrap();
    assert_eq!((reply.status, reply.header("x-portcullis-model")), (200, Some("echo-small")));
    each_dialect_answers(&second, &key);
    let ready = second.ready().clone();
    let admin = Http::new(&ready.admin.unwrap(), ready.admin_token.as_deref());
    let rotated =
        admin.post("/api/v1/keys/demo/rotate?tenant=demo&grace=0s", &serde_json::json!({})).unwrap();
    assert_eq!(rotated.status, 200, "{}", rotated.text());
    assert!(second.terminate(SOON).unwrap().success());

    // The old key works no more, so it is not shown; the new one is its owner's and stays as it is.
    let third = standalone(&world);
    assert_eq!(third.ready().key, None);
    let new = rotated.json().unwrap()["secret"].as_str().unwrap().to_owned();
    assert_eq!(client(&third, &new).post("/v1/chat/completions", &chat("hi")).unwrap().status, 200);
}
