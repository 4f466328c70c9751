//! One streamed request with a fallback, followed by its id wherever it left a trace: all of them agree to the
//! nano-dollar. `cargo test -p portcullis --test e2e followed -- --nocapture` prints the trail.

#![allow(clippy::print_stdout, reason = "the trail is there to be read")]

use std::io::Read as _;

use domain::{Money, RequestId};
use serde_json::{Value, json};
use testkit::{Collector, Http, Process, attribute, eventually};

use crate::world::{Provider, SOON, World, admin, apply, client};

/// A fleet in which the first target says 503 and the second answers; the collector is told of fallbacks only.
struct Fleet {
    _world: World,
    collector: Collector,
    _busy: Provider,
    _control: Process,
    admin: Http,
    proxy: Process,
    key: String,
}

/// What the final comment of the stream said.
struct Told {
    id: String,
    cost: Money,
    comment: Value,
}

fn fleet() -> Fleet {
    let (world, busy, collector) = (World::new(), Provider::start(), Collector::start().unwrap());
    let control = world.control_plane(None);
    let mut document = world.document();
    document["providers"]["busy"] = json!({
        "kind": "custom",
        "base_url": format!("http://{}/v1", busy.addr),
        "credentials": [{ "name": "main", "secret": { "value": "another-secret-0123456789" } }],
    });
    // Prices by which a token costs odd numbers of nano-dollars.
    document["prices"][0]["input"] = json!("$0.123");
    document["prices"][0]["output"] = json!("$4.567");
    document["routes"]["chat"]["targets"] = json!(["busy/m", "sim/m"]);
    let admin = admin(&control);
    let key = apply(&admin, &document).unwrap();
    let script = Http::new(&format!("http://{}", busy.addr), None);
    assert_eq!(script.put("/_sim/script/m", &json!({ "status": 503 })).unwrap().status, 204);
    let url = collector.url();
    let flags = ["--otlp-endpoint", &url, "--trace-sample", "0", "--log-format", "json"];
    let proxy = world.proxy_with(control.ready().grpc.as_ref().unwrap(), "proxy-1", &flags);
    Fleet { _world: world, collector, _busy: busy, _control: control, admin, proxy, key }
}

impl Told {
    /// Why each attempt's target was chosen, by the final comment.
    fn reasons(&self) -> Vec<&str> {
        let attempts = self.comment["attempts"].as_array().unwrap();
        assert_eq!(attempts.len(), 2);
        attempts.iter().map(|attempt| attempt["reason"].as_str().unwrap()).collect()
    }
}

/// Sends it, and reads headers and stream.
fn ask(fleet: &Fleet) -> Told {
    let messages = json!([{ "role": "user", "content": "follow me" }]);
    let body = json!({ "model": "chat", "stream": true, "messages": messages });
    let headers =
        [("x-portcullis-explain", "1"), ("x-portcullis-user", "ada"), ("x-portcullis-feature", "trail")];
    let mut reply = client(&fleet.proxy, &fleet.key).open("/v1/chat/completions", &headers, &body).unwrap();
    let header = |name: &str| reply.headers[&format!("x-portcullis-{name}")].to_str().unwrap().to_owned();
    let id = header("request-id");
    let [provider, attempts, fallback] = ["provider", "attempts", "fallback"].map(header);
    println!("headers            id {id}, provider {provider}, attempts {attempts}, fallback {fallback}");
    assert_eq!([provider.as_str(), &attempts, &fallback], ["sim", "2", "server_error"]);
    let mut text = String::new();
    reply.body.read_to_string(&mut text).unwrap();
    let comment = text.lines().find_map(|line| line.strip_prefix(": portcullis ")).unwrap();
    println!("final comment      {comment}");
    let comment: Value = serde_json::from_str(comment).unwrap();
    assert_eq!(comment["request_id"], id);
    let cost: Money = comment["cost_usd"].as_str().unwrap().parse().unwrap();
    assert!(cost.nanos() > 0);
    Told { id, cost, comment }
}

/// The one log line of the request.
fn in_the_log(fleet: &Fleet, told: &Told) {
    let lines = || -> Vec<Value> {
        let log = fleet.proxy.stderr();
        let parsed = log.lines().filter_map(|line| serde_json::from_str::<Value>(line).ok());
        let of_request = |line: &Value| line["fields"]["request"] == told.id;
        parsed.filter(|line| line["target"] == "portcullis::request" && of_request(line)).collect()
    };
    assert!(eventually(SOON, || !lines().is_empty()), "{}", fleet.proxy.stderr());
    let [line] = <[Value; 1]>::try_from(lines()).unwrap();
    let line = &line["fields"];
    println!("log line           {line}");
    for field in ["cost_usd", "tokens_in", "tokens_out"] {
        assert_eq!(line[field], told.comment[field], "{field}");
    }
    for (field, value) in [("tenant", "acme"), ("user", "ada"), ("fallback", "server_error")] {
        assert_eq!(line[field], value, "{field}");
    }
    assert_eq!(line["trace"], told.id.replace('-', ""));
    assert_eq!((&line["pool"], &line["reasons"]), (&told.comment["pool"], &told.reasons().join("; ").into()));
}

/// One span of the request, two of its attempts, in a trace that is found by the request's id.
fn at_the_collector(fleet: &Fleet, told: &Told) {
    let request: RequestId = told.id.parse().unwrap();
    let spans = fleet.collector.trace(request.0.as_bytes(), 3, SOON);
    let said = |at: usize, name: &str| attribute(&spans[at].attributes, name).unwrap_or_default();
    let nanos = |at| said(at, "portcullis.cost.usd_nanos").parse::<i64>().unwrap();
    for (at, span) in spans.iter().enumerate() {
        let (outcome, cost) = (said(at, "portcullis.outcome"), said(at, "portcullis.cost.usd"));
        println!("span {}             {}: {outcome}, ${cost}, {} nano-dollars", at + 1, span.name, nanos(at));
    }
    let [server, first, second] = spans.as_slice() else { panic!("{spans:#?}") };
    assert_eq!((&first.parent_span_id, &second.parent_span_id), (&server.span_id, &server.span_id));
    assert_eq!((nanos(0), nanos(1) + nanos(2)), (told.cost.nanos(), told.cost.nanos()));
    assert_eq!(
        (said(0, "portcullis.request_id"), said(0, "portcullis.user")),
        (told.id.clone(), "ada".into())
    );
    assert_eq!(said(0, "portcullis.pool"), told.comment["pool"].as_str().unwrap());
    assert_eq!([said(1, "portcullis.reason"), said(2, "portcullis.reason")], *told.reasons());
    assert_eq!(said(1, "error.type"), "server_error");
    assert_eq!(said(2, "gen_ai.usage.input_tokens"), told.comment["tokens_in"].to_string());
    assert_eq!(said(2, "gen_ai.usage.output_tokens"), told.comment["tokens_out"].to_string());
}

/// What Prometheus reads.
fn in_metrics(fleet: &Fleet, told: &Told) {
    let ops = Http::new(fleet.proxy.ready().ops.as_ref().unwrap(), None);
    let text = ops.get("/metrics").unwrap().text();
    let of = |metric: &str| -> Vec<&str> { text.lines().filter(|line| line.starts_with(metric)).collect() };
    let (requests, costs) = (of("portcullis_requests_total{"), of("portcullis_cost_usd_total{"));
    for line in requests.iter().chain(&costs) {
        println!("metric             {line}");
    }
    let value = |line: &&str| line.rsplit(' ').next().unwrap().parse::<f64>().unwrap();
    assert!(requests.iter().any(|line| line.contains("fallback=\"server_error\"") && line.ends_with(" 1")));
    // A float of this size is exact to far less than a nano-dollar.
    let nanos = costs.iter().map(value).sum::<f64>() * 1e9;
    assert_eq!(format!("{nanos:.0}"), told.cost.nanos().to_string());
}

/// What the ledger committed.
fn in_the_ledger(fleet: &Fleet, told: &Told) {
    let get = |path: &str| fleet.admin.get(path).unwrap().json().unwrap();
    let requests = format!("/api/v1/requests?request_id={}", told.id);
    assert!(eventually(SOON, || get(&requests)["items"].as_array().unwrap().len() == 1));
    let (request, usage) = (&get(&requests)["items"][0], get("/api/v1/usage?group_by=tenant"));
    println!("/api/v1/requests   {request}\n/api/v1/usage      {usage}");
    assert_eq!(request["cost_usd"], told.comment["cost_usd"]);
    let reasons: Vec<&str> = request["attempts"]
        .as_array()
        .unwrap()
        .iter()
        .map(|attempt| attempt["reason"].as_str().unwrap())
        .collect();
    assert_eq!((&request["pool"], reasons), (&told.comment["pool"], told.reasons()));
    let items = usage["items"].as_array().unwrap();
    assert_eq!((items.len(), &items[0]["cost_usd"]), (1, &told.comment["cost_usd"]));
}

#[test]
fn one_streamed_request_with_a_fallback_is_followed_by_its_id() {
    let fleet = fleet();
    let told = ask(&fleet);
    in_the_log(&fleet, &told);
    at_the_collector(&fleet, &told);
    in_metrics(&fleet, &told);
    in_the_ledger(&fleet, &told);
    println!("all agree          ${} = {} nano-dollars", told.cost, told.cost.nanos());
}
