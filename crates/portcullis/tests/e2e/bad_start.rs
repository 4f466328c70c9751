//! What cannot start says why in one line, exits 64, and changes nothing.

use std::{fs, path::Path, process::Command};

use testkit::{JOIN_TOKEN, MASTER_KEY, binary};

use crate::world::{World, admin, apply, chat, client, secrets, text};

/// Runs a binary that must not start; its one line.
pub(crate) fn refused(binary_name: &str, args: &[&str], more: &[(&str, &str)]) -> String {
    let mut command = Command::new(binary(binary_name).unwrap());
    command.args(args).envs(secrets()).envs(more.iter().copied());
    let output = command.output().unwrap();
    let stderr = String::from_utf8(output.stderr).unwrap();
    assert_eq!(output.status.code(), Some(64), "{stderr}");
    let lines: Vec<&str> = stderr.lines().filter(|line| line.starts_with("portcullis: ")).collect();
    assert_eq!(lines.len(), 1, "{stderr}");
    assert!(!stderr.contains("panicked"), "{stderr}");
    lines[0].to_owned()
}

fn standalone_args<'a>(dir: &'a Path, listen: &'a str) -> Vec<&'a str> {
    vec![
        "standalone",
        "--data-dir",
        text(dir),
        "--listen",
        listen,
        "--admin-listen",
        "127.0.0.1:0",
        "--grpc-listen",
        "127.0.0.1:0",
        "--ops-listen",
        "127.0.0.1:0",
        "--output",
        "json",
    ]
}

#[test]
fn a_port_in_use_and_a_second_process_on_one_directory() {
    let world = World::new();
    let control = world.control_plane(None);
    let taken = control.ready().admin.clone().unwrap().replace("http://", "");
    let line = refused("portcullis", &standalone_args(&world.path("other"), &taken), &[]);
    assert!(line.contains("--listen") && line.contains("choose another port"), "{line}");
    let same = world.path("control-plane");
    let line = refused("portcullis", &standalone_args(&same, "127.0.0.1:0"), &[]);
    assert!(line.contains("--data-dir") && line.contains("in use by another process"), "{line}");
}

#[test]
fn weak_secrets_and_nonsense_settings() {
    let world = World::new();
    let dir = world.path("data");
    let args = standalone_args(&dir, "127.0.0.1:0");
    let zeros = "0".repeat(64);
    for (name, value) in [
        ("PORTCULLIS_MASTER_KEY", "changeme"),
        ("PORTCULLIS_MASTER_KEY", zeros.as_str()),
        ("PORTCULLIS_ADMIN_TOKEN", "hunter2"),
        ("PORTCULLIS_JOIN_TOKEN", "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"),
    ] {
        let line = refused("portcullis", &args, &[(name, value)]);
        assert!(!line.contains(value), "the secret is repeated: {line}");
    }
    let config = world.path("bad.yaml");
    let pool = "targets: [ p/m ]";
    for (routes, expected) in [
        ("a: { targets: [ nowhere/m ] }".to_owned(), "routes.a.targets[0]: there is no provider"),
        (
            "a: { pools: { x: { route: b } } }, b: { pools: { x: { route: a } } }".to_owned(),
            "routes.a.pools.x.route: a cycle: a → b → a",
        ),
        ("a: { pools: { x: { route: gone } } }".to_owned(), "routes.a.pools.x.route: there is no route"),
        (
            "a: { strategy: weighted, targets: [ { model: p/m, weight: 0 } ] }".to_owned(),
            "routes.a.targets[0].weight: must be 1",
        ),
        (
            format!("a: {{ rules: [ {{ when: 'request.', pool: x }} ], pools: {{ x: {{ {pool} }} }} }}"),
            "routes.a.rules[0].when: line 1",
        ),
    ] {
        let providers = "providers: { p: { kind: ollama, base_url: 'https://p.example/v1' } }";
        fs::write(&config, format!("apiVersion: portcullis/v1\n{providers}\nroutes: {{ {routes} }}\n"))
            .unwrap();
        let mut with_config = args.clone();
        with_config.extend(["--config", text(&config)]);
        let line = refused("portcullis", &with_config, &[]);
        assert!(line.contains(expected), "{line}");
    }
}

#[test]
fn a_damaged_database_is_left_as_it_is() {
    let world = World::new();
    let mut control = world.control_plane(None);
    control.kill9().unwrap();
    let dir = world.path("control-plane");
    for side in ["portcullis.db-wal", "portcullis.db-shm"] {
        let _ = fs::remove_file(dir.join(side));
    }
    let damaged = b"this was a database once, and somebody wrote over it".repeat(100);
    fs::write(dir.join("portcullis.db"), &damaged).unwrap();
    let line = refused("portcullis", &standalone_args(&dir, "127.0.0.1:0"), &[]);
    assert!(line.contains("portcullis.db"), "{line}");
    assert_eq!(fs::read(dir.join("portcullis.db")).unwrap(), damaged);
}

#[test]
fn a_damaged_spool_is_left_as_it_is() {
    let world = World::new();
    let mut control = world.control_plane(None);
    let key = apply(&admin(&control), &world.document()).unwrap();
    let grpc = control.ready().grpc.clone().unwrap();
    let mut proxy = world.proxy(&grpc, "proxy-1");
    // With the ledger gone the usage stays in the spool.
    control.kill9().unwrap();
    for _ in 0..10 {
        assert_eq!(client(&proxy, &key).post("/v1/chat/completions", &chat("hi")).unwrap().status, 200);
    }
    proxy.kill9().unwrap();
    let spool = world.path("proxy-1/spool");
    let segments = fs::read_dir(&spool).unwrap().map(|entry| entry.unwrap().path());
    let segment =
        segments.filter(|path| path.extension().is_some_and(|extension| extension == "seg")).max().unwrap();
    let mut bytes = fs::read(&segment).unwrap();
    let middle = bytes.len() / 2;
    bytes[middle] ^= 0xff;
    fs::write(&segment, &bytes).unwrap();
    let args = world.proxy_args(&grpc, "proxy-1", &[]);
    let args: Vec<&str> = args.iter().map(String::as_str).collect();
    let line = refused("portcullis-proxy", &args, &[]);
    assert!(line.contains("--data-dir") && line.contains(".seg"), "{line}");
    assert_eq!(fs::read(&segment).unwrap(), bytes);
}

#[test]
fn a_proxy_needs_its_master_key_and_a_way_to_join() {
    let world = World::new();
    let args = world.proxy_args("http://127.0.0.1:1", "proxy-1", &[]);
    let args: Vec<&str> = args.iter().map(String::as_str).collect();
    let run = |env: &[(&str, &str)]| {
        let output =
            Command::new(binary("portcullis-proxy").unwrap()).args(&args).envs(env.iter().copied()).output();
        let output = output.unwrap();
        assert_eq!(output.status.code(), Some(64));
        String::from_utf8(output.stderr).unwrap()
    };
    let without_key = run(&[("PORTCULLIS_JOIN_TOKEN", JOIN_TOKEN)]);
    assert!(without_key.contains("PORTCULLIS_MASTER_KEY"), "{without_key}");
    let without_token = run(&[("PORTCULLIS_MASTER_KEY", MASTER_KEY)]);
    assert!(without_token.contains("--join-token"), "{without_token}");
}
