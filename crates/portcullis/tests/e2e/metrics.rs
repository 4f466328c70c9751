//! A real Prometheus scrapes the services and knows what the ledger knows, to the nano-dollar.

use std::{collections::BTreeSet, path::PathBuf};

use serde_json::{Value, json};
use testkit::{ADMIN_TOKEN, Http, Process, Prometheus, eventually};

use crate::{
    demo,
    world::{SOON, World, admin, apply, chat, client},
};

/// Valid in a model's name, and everything but easy in a label.
const MODEL: &str = "m\"{x=\\y},é";

fn repository(path: &str) -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../..").join(path)
}

fn host_port(url: Option<&String>) -> &str {
    url.unwrap().strip_prefix("http://").unwrap()
}

/// A dead first target, a second one of that name, a price for it, and none for a third.
fn document(world: &World) -> Value {
    let mut document = world.document();
    let free = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    document["providers"]["dead"] = json!({
        "kind": "custom",
        "base_url": format!("http://{free}/v1"),
        "credentials": [{ "name": "main", "secret": { "value": "another-secret-0123456789" } }],
    });
    let target = format!("sim/{MODEL}");
    document["models"] = json!({ &target: { "upstream": "echo-large" } });
    document["prices"] = json!([{
        "model": target, "effective_from": "2026-01-01", "input": "$1.234567", "output": "$7.654321",
    }]);
    document["routes"] = json!({
        "chat": { "targets": [target] },
        "fallback": { "targets": ["dead/m", target] },
        "free": { "targets": ["sim/unpriced"] },
    });
    // Twelve that are served and the one for an unknown model: it is charged before its body is read.
    document["tenants"]["acme"]["limits"] = json!([{ "name": "few", "requests": "13/min" }]);
    document
}

/// Twelve requests that are served, streams among them, and three that are refused.
fn traffic(http: &Http) {
    let ask = |model: &str, stream: bool, text: &str| {
        let mut body = chat(text);
        (body["model"], body["stream"]) = (json!(model), json!(stream));
        http.post("/v1/chat/completions", &body).unwrap().status
    };
    for n in 0..4 {
        let text = "words ".repeat(n * 7 + 1);
        assert_eq!((ask("chat", false, &text), ask("chat", true, &text)), (200, 200));
    }
    for model in ["fallback", "fallback", "free", "free"] {
        assert_eq!(ask(model, model == "free", "hi"), 200);
    }
    assert_eq!(ask("nobody's", false, "hi"), 404);
    assert_eq!(ask("chat", false, "one too many"), 429);
    assert_eq!(http.get("/v1/models").unwrap().status, 200);
}

/// Nano-dollars of a decimal text.
fn nanos(usd: &Value) -> f64 {
    let (whole, part) = usd.as_str().unwrap().split_once('.').unwrap_or((usd.as_str().unwrap(), ""));
    format!("{whole}{part:0<9}").parse().unwrap()
}

/// The expression comes to the value: one scrape after the other.
fn reaches(prometheus: &Prometheus, expression: &str, want: f64) {
    let mut value = f64::NAN;
    let reached = eventually(SOON, || {
        value = prometheus.value(expression).unwrap();
        value == want
    });
    assert!(reached, "{expression} is {value}, not {want}; {:?}", prometheus.failing());
}

#[test]
fn prometheus_agrees_with_the_ledger_to_the_nano_dollar() {
    let world = World::new();
    let control = world.control_plane(None);
    let admin = admin(&control);
    let key = apply(&admin, &document(&world)).unwrap();
    // A collector that is not there: what concerns it is measured too.
    let traced = ["--otlp-endpoint", "http://127.0.0.1:1"];
    let proxy = world.proxy_with(control.ready().grpc.as_ref().unwrap(), "proxy-1", &traced);
    let targets = [
        ("proxy", host_port(proxy.ready().ops.as_ref())),
        ("control-plane", host_port(control.ready().ops.as_ref())),
    ];
    let rules = repository("deploy/prometheus/rules.yml");
    let prometheus = Prometheus::start(&targets, Some(&rules)).unwrap();
    traffic(&client(&proxy, &key));
    for (expression, want) in EXPECTED {
        reaches(&prometheus, expression, want);
    }
    agrees_with(&admin, &prometheus);
    let evaluated = eventually(SOON, || {
        let rules = prometheus.rules().unwrap();
        rules.len() > 10 && rules.iter().all(|(_, health)| health == "ok")
    });
    assert!(evaluated, "{:?}", prometheus.rules());
    documented(&[&control, &proxy]);
}

/// What the traffic comes to.
const EXPECTED: [(&str, f64); 14] = [
    ("sum(portcullis_requests_total)", 15.0),
    (
        r#"portcullis_requests_total{route="fallback",fallback="connect",outcome="ok",api="chat",cache="off"}"#,
        2.0,
    ),
    (r#"sum(portcullis_requests_total{outcome="client_error"})"#, 2.0),
    (r#"portcullis_limit_rejections_total{kind="requests"}"#, 1.0),
    (r#"portcullis_refusals_total{kind="route_not_found"}"#, 1.0),
    ("sum(portcullis_request_duration_seconds_count)", 15.0),
    ("sum(portcullis_time_to_first_token_seconds_count)", 12.0),
    ("portcullis_overhead_seconds_count", 12.0),
    ("portcullis_active_streams + portcullis_requests_in_flight + portcullis_usage_spool_events", 0.0),
    (r#"portcullis_ledger_attempts_total{result="inserted"}"#, 14.0),
    ("portcullis_proxies_connected - portcullis_proxies_behind", 1.0),
    ("sum(portcullis_snapshot_version) - sum(portcullis_control_revision)", 0.0),
    ("sum(portcullis_ready)", 2.0),
    (r#"sum(portcullis_admin_requests_total{method="POST",status="200"})"#, 1.0),
];

/// Requests, attempts, tokens and cost of every target are those of `/api/v1/usage`.
fn agrees_with(admin: &Http, prometheus: &Prometheus) {
    let reply = admin.get("/api/v1/usage?group_by=provider,model").unwrap().json().unwrap();
    let groups = reply["items"].as_array().unwrap();
    assert_eq!(groups.len(), 3, "{reply}");
    for group in groups {
        let [provider, model] = ["provider", "model"].map(|name| group[name].as_str().unwrap());
        let of_it = format!("provider={provider:?},model={model:?}");
        let number = |field: &str| group[field].as_f64().unwrap();
        let cost = if group["cost_usd"].is_null() { 0.0 } else { nanos(&group["cost_usd"]) };
        for (expression, want) in [
            (format!("sum(portcullis_requests_total{{{of_it}}})"), number("requests")),
            (format!("sum(portcullis_attempts_total{{{of_it}}})"), number("attempts")),
            (format!("sum(portcullis_tokens_total{{{of_it}}})"), number("tokens_in") + number("tokens_out")),
            (format!(r#"portcullis_tokens_total{{{of_it},kind="output"}}"#), number("tokens_out")),
            (format!("portcullis_unpriced_attempts_total{{{of_it}}}"), number("unpriced")),
            (format!(r#"round(1e9 * portcullis_cost_usd_total{{{of_it},tenant="acme"}})"#), cost),
        ] {
            assert_eq!(prometheus.value(&expression).unwrap(), want, "{expression} {group}");
        }
    }
}

#[test]
fn standalone_has_one_page_for_all_its_parts_and_each_metric_once() {
    let world = World::new();
    let process = demo::standalone(&world);
    let key = process.ready().key.clone().unwrap();
    assert_eq!(client(&process, &key).post("/v1/chat/completions", &chat("hi")).unwrap().status, 200);
    let ops = Http::new(process.ready().ops.as_ref().unwrap(), None);
    let sample = |name: &str| {
        let text = ops.get("/metrics").unwrap().text();
        text.lines().any(|line| {
            line.starts_with(name) && line.rsplit(' ').next().is_some_and(|value| value.parse() == Ok(1.0))
        })
    };
    // Of the data plane, the control plane and the ledger.
    for name in
        ["portcullis_requests_total{", "portcullis_proxies_connected", "portcullis_ledger_attempts_total{"]
    {
        assert!(eventually(SOON, || sample(name)), "{name}");
    }
    let text = ops.get("/metrics").unwrap().text();
    let types: Vec<&str> = text.lines().filter_map(|line| line.strip_prefix("# TYPE ")).collect();
    assert_eq!(types.iter().collect::<BTreeSet<_>>().len(), types.len(), "{types:?}");
}

/// What is measured is in the manual, and nothing else is; the rules ask for what is measured.
fn documented(services: &[&Process]) {
    let scrape = |service: &&Process| {
        let ops = Http::new(service.ready().ops.as_ref().unwrap(), Some(ADMIN_TOKEN));
        ops.get("/metrics").unwrap().text()
    };
    let text: String = services.iter().map(scrape).collect();
    let types = text.lines().filter_map(|line| line.strip_prefix("# TYPE ")?.split(' ').next());
    let measured: BTreeSet<String> =
        types.filter(|name| name.starts_with("portcullis_")).map(str::to_owned).collect();
    let manual = std::fs::read_to_string(repository("docs/metrics.md")).unwrap();
    let rows = manual.lines().filter_map(|line| line.strip_prefix("| `portcullis_")?.split('`').next());
    let listed: BTreeSet<String> =
        rows.map(|name| format!("portcullis_{}", name.split('{').next().unwrap())).collect();
    assert_eq!(listed, measured);
    let rules = std::fs::read_to_string(repository("deploy/prometheus/rules.yml")).unwrap();
    let words = rules.split(|character: char| !character.is_ascii_alphanumeric() && character != '_');
    for asked in words.filter(|word| word.starts_with("portcullis_")) {
        assert!(measured.contains(asked.trim_end_matches("_bucket")), "{asked} is measured nowhere");
    }
}
