//! The admin verbs against a running control plane.

use std::{
    fs,
    process::{Command, Output},
};

use testkit::{ADMIN_TOKEN, Process, binary, eventually};

use crate::world::{SOON, World, chat, client, text};

fn verb(control: &Process, args: &[&str]) -> Output {
    Command::new(binary("portcullis").unwrap())
        .args(args)
        .env("PORTCULLIS_SERVER", control.ready().admin.as_ref().unwrap())
        .env("PORTCULLIS_ADMIN_TOKEN", ADMIN_TOKEN)
        .output()
        .unwrap()
}

fn stdout(output: &Output) -> String {
    String::from_utf8(output.stdout.clone()).unwrap()
}

#[test]
fn apply_diff_get_delete_and_usage() {
    let world = World::new();
    let control = world.control_plane(None);
    let file = world.path("portcullis.json");
    fs::write(&file, world.document().to_string()).unwrap();
    let document = text(&file);

    assert!(verb(&control, &["validate", "-f", document]).status.success());
    assert_eq!(verb(&control, &["diff", "-f", document]).status.code(), Some(1));
    let applied = verb(&control, &["apply", "-f", document, "-o", "json"]);
    assert!(applied.status.success(), "{applied:?}");
    let applied: serde_json::Value = serde_json::from_str(&stdout(&applied)).unwrap();
    let key = applied["secrets"][0]["secret"].as_str().unwrap().to_owned();
    assert_eq!(
        verb(&control, &["diff", "-f", document]).status.code(),
        Some(0),
        "applying twice changes something"
    );
    assert!(stdout(&verb(&control, &["get", "routes"])).contains("chat"));
    let provider = stdout(&verb(&control, &["get", "providers", "sim", "-o", "yaml"]));
    assert!(provider.contains("kind: custom") && !provider.contains("provider-secret"), "{provider}");

    let proxy = world.proxy(control.ready().grpc.as_ref().unwrap(), "proxy-1");
    assert_eq!(client(&proxy, &key).post("/v1/chat/completions", &chat("hi")).unwrap().status, 200);
    let used =
        || stdout(&verb(&control, &["usage", "--group-by", "tenant,model", "-o", "json"])).contains("acme");
    assert!(eventually(SOON, used));

    let refused = verb(&control, &["delete", "provider", "sim"]);
    assert_eq!(refused.status.code(), Some(1), "a provider in use was deleted");
    assert!(verb(&control, &["delete", "route", "chat"]).status.success());
    assert!(!stdout(&verb(&control, &["get", "routes"])).contains("chat"));
    assert!(stdout(&verb(&control, &["schema"])).contains("\"$schema\""));
}

#[test]
fn nobody_is_served_without_the_token() {
    let world = World::new();
    let control = world.control_plane(None);
    for token in ["", "wrong", "pc-admin-wrong-but-long-enough-0123456789"] {
        let output = Command::new(binary("portcullis").unwrap())
            .args(["get", "tenants"])
            .env("PORTCULLIS_SERVER", control.ready().admin.as_ref().unwrap())
            .env("PORTCULLIS_ADMIN_TOKEN", token)
            .output()
            .unwrap();
        assert!(!output.status.success(), "{token:?} was let in");
    }
}
