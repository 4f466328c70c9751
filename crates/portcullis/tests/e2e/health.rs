//! What three proxies see of a target and a key that fail, in the admin API, the command line, metrics and the log.

use std::process::Command;

use serde_json::{Value, json};
use testkit::{ADMIN_TOKEN, Http, Process, Redis, binary, eventually};

use crate::{
    demo,
    world::{SOON, World, admin, apply, chat, client},
};

const BAD_KEY: &str = "three-secret-0-0123456789";

fn document(world: &World) -> Value {
    let mut document = world.document();
    let base_url = document["providers"]["sim"]["base_url"].clone();
    let key = |number: u32| {
        let secret = format!("three-secret-{number}-0123456789");
        json!({ "name": format!("key-{number}"), "secret": { "value": secret } })
    };
    document["providers"]["first"] = json!({
        "kind": "custom", "base_url": base_url,
        "credentials": [{ "name": "main", "secret": { "value": "first-secret-0123456789" } }],
        "health": { "consecutive": 3, "eject": "5s", "max_eject": "5s", "warm_up": "1s" },
    });
    document["providers"]["three"] =
        json!({ "kind": "custom", "base_url": base_url, "credentials": [key(0), key(1)] });
    document["routes"] = json!({
        "chat": { "targets": ["first/down", "sim/m"] },
        "keyed": { "targets": ["three/keyed"] },
    });
    document
}

fn script(world: &World, model: &str, script: &Value) {
    let sim = Http::new(&format!("http://{}", world.provider.addr), None);
    assert_eq!(sim.put(&format!("/_sim/script/{model}"), script).unwrap().status, 204);
}

fn ask(http: &Http, model: &str) {
    let mut body = chat("hi");
    body["model"] = json!(model);
    assert_eq!(http.post("/v1/chat/completions", &body).unwrap().status, 200);
}

/// The state of a target or a key, and at how many proxies.
fn seen(admin: &Http, list: &str, named: (&str, &str)) -> Option<(String, usize)> {
    let health = admin.get("/api/v1/health/targets").unwrap().json().unwrap();
    let found = health[list].as_array()?.iter().find(|item| item[named.0] == named.1)?;
    assert_eq!(found["region"], json!("eu"));
    Some((found["state"].as_str()?.to_owned(), found["proxies"].as_array()?.len()))
}

/// The sum of what some processes measure.
fn measured(processes: &[Process], metric: &str) -> f64 {
    let of = |process: &Process| {
        let text = Http::new(process.ready().ops.as_ref().unwrap(), None).get("/metrics").unwrap().text();
        let lines = text.lines().filter_map(|line| line.strip_prefix(metric)?.trim().parse::<f64>().ok());
        lines.sum::<f64>()
    };
    processes.iter().map(of).sum()
}

fn health(process: &Process, token: &str, more: &[&str]) -> String {
    let server = process.ready().admin.as_ref().unwrap();
    let mut command = Command::new(binary("portcullis").unwrap());
    command.args(["health", "--server", server]).args(more).env("PORTCULLIS_ADMIN_TOKEN", token);
    let output = command.output().unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8(output.stdout).unwrap()
}

/// The cells of the line about something.
fn line(table: &str, about: &str) -> Vec<String> {
    let line = table.lines().find(|line| line.starts_with(about)).unwrap_or_default();
    line.split_whitespace().map(str::to_owned).collect()
}

const TARGET: (&str, &str) = ("target", "first/down");
const KEY: (&str, &str) = ("credential", "three/key-0");
const HEALTHY: &str = r#"portcullis_target_healthy{provider="first",model="down",region="eu"}"#;
const REFUSED: &str = r#"portcullis_credentials{provider="three",state="refused"}"#;
const DOWN_EVENTS: &str = r#"portcullis_alert_events_total{event="provider.down"}"#;
const KEY_EVENTS: &str = r#"portcullis_alert_events_total{event="credential.refused"}"#;

#[test]
fn an_ejected_target_and_a_refused_key_are_seen_everywhere_until_they_are_back() {
    let (world, redis) = (World::new(), Redis::start().unwrap());
    let control = world.control_plane(None);
    let admin = admin(&control);
    let key = apply(&admin, &document(&world)).unwrap();
    let (grpc, url) = (control.ready().grpc.clone().unwrap(), redis.url());
    let flags = ["--redis-url", &url, "--region", "eu"];
    let mut proxies: Vec<Process> =
        (0..3).map(|n| world.proxy_with(&grpc, &format!("proxy-{n}"), &flags)).collect();
    let clients: Vec<Http> = proxies.iter().map(|proxy| client(proxy, &key)).collect();
    let reaches = |list: &str, named: (&str, &str), want: (&str, usize)| {
        let mut last = None;
        let reached = eventually(SOON, || {
            last = seen(&admin, list, named);
            last.as_ref().is_some_and(|(state, proxies)| (state.as_str(), *proxies) == want)
        });
        assert!(reached, "{named:?} is {last:?}, not {want:?}");
    };
    reaches("items", TARGET, ("healthy", 3));
    reaches("keys", KEY, ("usable", 3));
    assert_eq!(measured(&proxies, HEALTHY), 3.0);

    script(&world, "down", &json!({ "status": 500 }));
    (0..3).for_each(|_| ask(&clients[0], "chat"));
    reaches("items", TARGET, ("ejected", 3));
    let row = line(&health(&control, ADMIN_TOKEN, &[]), "first/down");
    assert_eq!(row[..3], ["first/down", "eu", "ejected,"], "{row:?}");
    assert_eq!(measured(&proxies, HEALTHY), 0.0);
    // One found it out, and two were told.
    assert_eq!(measured(&proxies, DOWN_EVENTS), 1.0);
    assert_eq!(measured(&proxies, r#"portcullis_ejections_total{provider="first",model="down"}"#), 1.0);

    script(&world, "down", &json!({}));
    let recovered = eventually(SOON, || {
        clients.iter().for_each(|client| ask(client, "chat"));
        seen(&admin, "items", TARGET) == Some(("healthy".to_owned(), 3))
    });
    assert!(recovered, "{:?}", seen(&admin, "items", TARGET));
    assert_eq!((measured(&proxies, HEALTHY), measured(&proxies, DOWN_EVENTS)), (3.0, 1.0));

    script(&world, &format!("keyed?key={BAD_KEY}"), &json!({ "status": 401 }));
    let refused = eventually(SOON, || {
        ask(&clients[1], "keyed");
        measured(&proxies, KEY_EVENTS) == 1.0
    });
    assert!(refused);
    reaches("keys", KEY, ("refused", 3));
    assert_eq!((measured(&proxies, REFUSED), measured(&proxies, KEY_EVENTS)), (3.0, 1.0));
    let row = line(&health(&control, ADMIN_TOKEN, &[]), "three/key-0");
    assert_eq!(row[..3], ["three/key-0", "eu", "refused"], "{row:?}");
    let yaml = health(&control, ADMIN_TOKEN, &["-o", "yaml"]);
    assert!(yaml.contains("credential: three/key-0") && !yaml.contains(BAD_KEY), "{yaml}");
    let log = proxies[1].stderr();
    let told = log.lines().filter(|line| line.contains("credential.refused")).count();
    assert!(told == 1 && !log.contains(BAD_KEY), "{log}");

    // Another secret is another key, of which nothing is known.
    let mut changed = document(&world);
    changed["providers"]["three"]["credentials"][0]["secret"]["value"] = json!("three-secret-2-0123456789");
    apply(&admin, &changed);
    reaches("keys", KEY, ("usable", 3));
    assert_eq!(measured(&proxies, REFUSED), 0.0);

    proxies.pop().unwrap().kill9().unwrap();
    reaches("items", TARGET, ("healthy", 2));
}

#[test]
fn standalone_sees_its_own_targets() {
    let world = World::new();
    let process = demo::standalone(&world);
    let token = process.ready().admin_token.clone().unwrap();
    let mut shown = String::new();
    let listed = eventually(SOON, || {
        shown = health(&process, &token, &[]);
        shown.lines().any(|line| line.starts_with("demo/") && line.contains(" healthy "))
    });
    assert!(listed, "{shown}");
}
