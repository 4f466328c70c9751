//! Log level and sampling of running processes, and settings of telemetry that cannot work.

use domain::RequestId;
use serde_json::{Value, json};
use testkit::{Collector, Http, Process, eventually};

use crate::{
    bad_start::refused,
    world::{SOON, World, admin, apply, chat, client, text},
};

fn ops(process: &Process) -> Http {
    Http::new(process.ready().ops.as_ref().unwrap(), None)
}

fn change(process: &Process, to: &Value) -> Value {
    let reply = ops(process).put("/telemetry", to).unwrap();
    assert_eq!(reply.status, 200, "{}", reply.text());
    reply.json().unwrap()
}

#[test]
fn sampling_and_log_level_change_while_processes_run() {
    let (world, collector) = (World::new(), Collector::start().unwrap());
    let control = world.control_plane(None);
    let key = apply(&admin(&control), &world.document()).unwrap();
    let url = collector.url();
    let flags = ["--otlp-endpoint", &url, "--trace-sample", "0", "--log", "warn", "--log-format", "json"];
    let proxy = world.proxy_with(control.ready().grpc.as_ref().unwrap(), "proxy-1", &flags);
    let http = client(&proxy, &key);
    let ask = || {
        let reply = http.post("/v1/chat/completions", &chat("hi")).unwrap();
        assert_eq!(reply.status, 200, "{}", reply.text());
        reply.header("x-portcullis-request-id").unwrap().parse::<RequestId>().unwrap()
    };
    let is_logged = |id: RequestId| proxy.stderr().contains(&format!("\"request\":\"{id}\""));

    let unseen = ask();
    assert_eq!(
        change(&proxy, &json!({ "trace_sample": 1, "log": "info" })),
        json!({ "log": "info", "trace_sample": 1.0 })
    );
    let seen = ask();
    assert_eq!(collector.trace(seen.0.as_bytes(), 2, SOON).len(), 2);
    assert!(eventually(SOON, || is_logged(seen)), "{}", proxy.stderr());
    // A change that is refused in one field changes nothing in the other.
    let reply = ops(&proxy).put("/telemetry", &json!({ "log": "trace", "trace_sample": 1.5 })).unwrap();
    assert_eq!((reply.status, reply.json().unwrap()["field"].clone()), (400, json!("trace_sample")));
    change(&proxy, &json!({ "log": "info,portcullis::request=off" }));
    let unlogged = ask();
    assert_eq!(collector.trace(unlogged.0.as_bytes(), 2, SOON).len(), 2);
    change(&proxy, &json!({ "log": "info" }));
    let last = ask();
    assert!(eventually(SOON, || is_logged(last)), "{}", proxy.stderr());
    assert!(!is_logged(unseen) && !is_logged(unlogged), "{}", proxy.stderr());
    assert!(collector.spans().iter().all(|span| span.trace_id != unseen.0.as_bytes()));

    // A control plane traces nothing, but it logs.
    assert_eq!(change(&control, &json!({ "log": "debug" })), json!({ "log": "debug", "trace_sample": null }));
    let reply = ops(&control).put("/telemetry", &json!({ "trace_sample": 0.5 })).unwrap();
    assert_eq!((reply.status, reply.json().unwrap()["field"].clone()), (400, json!("trace_sample")));
}

#[test]
fn settings_that_cannot_work_are_named_and_never_repeat_a_secret() {
    let world = World::new();
    let dir = world.path("proxy");
    let args = ["--data-dir", text(&dir), "--listen", "127.0.0.1:0", "--ops-listen", "127.0.0.1:0"];
    for (name, value) in [
        ("PORTCULLIS_OTLP_ENDPOINT", "collector:4317"),
        ("PORTCULLIS_OTLP_ENDPOINT", "http://user:hunter2@collector"),
        ("PORTCULLIS_OTLP_PROTOCOL", "smoke-signals"),
        ("PORTCULLIS_OTLP_HEADERS", "hunter2"),
        ("PORTCULLIS_OTLP_HEADERS", "authorization=hunter2%"),
        ("PORTCULLIS_TRACE_SAMPLE", "1.5"),
        ("PORTCULLIS_TRACE_SAMPLE", "many"),
        ("PORTCULLIS_TRACE_CONTEXT_IN", "maybe"),
        ("PORTCULLIS_LOG", "inof"),
        ("PORTCULLIS_OPS_TOKEN", "hunter2"),
    ] {
        let line = refused("portcullis-proxy", &args, &[(name, value)]);
        assert!(line.contains(name), "{name}: {line}");
        assert!(!line.contains("hunter2"), "{line}");
    }
    assert!(!dir.exists(), "a proxy that cannot start leaves no directory");
}
