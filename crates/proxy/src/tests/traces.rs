//! Spans as a real OTLP collector receives them: which requests have them, what they say, and what a collector that
//! fails may not do.

use std::{sync::Arc, time::Duration};

use domain::UsageEvent;
use http_body_util::BodyExt as _;
use opentelemetry_proto::tonic::{
    metrics::v1::{HistogramDataPoint, metric::Data, number_data_point},
    trace::v1::{Span, span::SpanKind},
};
use testkit::{Collector, FaultProxy, Refusal, attribute};

use super::harness::{Bench, Plan, account, soon};
use crate::{
    context::{RequestContext, RequestTimings, span_id, to_hex},
    otel::Dropped,
    settings::{ContextIn, ContextOut, OtlpHeaders, OtlpProtocol, TraceSettings},
};

const SOON: Duration = Duration::from_secs(20);
const PARENT: &str = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01";
const BODY: &str = r#"{"model":"chat","messages":[{"role":"user","content":"hi"}]}"#;

fn to(url: String, share: f64) -> TraceSettings {
    TraceSettings { otlp_endpoint: Some(url), trace_sample: share, ..TraceSettings::default() }
}

async fn start(simulators: usize, trace: TraceSettings) -> Bench {
    Bench::start(Plan { simulators, trace, ..Plan::default() }).await
}

/// Waits on a thread of its own, as the collector wants it.
async fn trace(collector: &Arc<Collector>, id: &[u8], spans: usize) -> Vec<Span> {
    let (collector, id) = (Arc::clone(collector), id.to_vec());
    tokio::task::spawn_blocking(move || collector.trace(&id, spans, SOON)).await.unwrap()
}

fn said(span: &Span, key: &str) -> String {
    attribute(&span.attributes, key).unwrap_or_default()
}

#[tokio::test]
async fn a_fallback_is_traced_though_nothing_is_sampled() {
    for otlp_protocol in [OtlpProtocol::Grpc, OtlpProtocol::Http] {
        let collector = Arc::new(Collector::start().unwrap());
        let otlp_headers = Some(OtlpHeaders::from("authorization=Bearer%20let-me-in".to_owned()));
        let mut bench =
            start(2, TraceSettings { otlp_protocol, otlp_headers, ..to(collector.url(), 0.0) }).await;
        bench.client.say("not this one").await;
        bench.event().await;
        bench.sim().script(r#"{"status":503}"#).await;
        let reply = bench.client.stream("hi").await;
        let event = bench.event().await;
        let spans = trace(&collector, event.request.0.as_bytes(), 3).await;
        let [server, first, second] = spans.as_slice() else { panic!("{spans:#?}") };
        assert_eq!((server.kind, first.kind), (SpanKind::Server.into(), SpanKind::Client.into()));
        assert_eq!(
            (server.name.as_str(), first.name.as_str()),
            ("POST /v1/chat/completions", "chat echo-large")
        );
        assert!(server.parent_span_id.is_empty());
        assert_eq!((&first.parent_span_id, &second.parent_span_id), (&server.span_id, &server.span_id));
        let cost = account(reply.text())["cost_usd"].as_str().unwrap().to_owned();
        for (span, key, value) in [
            (server, "portcullis.request_id", reply.header("x-portcullis-request-id")),
            (server, "portcullis.cost.usd", cost.as_str()),
            (server, "portcullis.fallback", "server_error"),
            (server, "portcullis.tenant", "acme"),
            (server, "http.response.status_code", "200"),
            (first, "http.response.status_code", "503"),
            (first, "error.type", "server_error"),
            (first, "portcullis.provider", "a"),
            (first, "portcullis.cost.usd", "0"),
            (second, "error.type", ""),
            (second, "gen_ai.operation.name", "chat"),
            (second, "gen_ai.request.model", "echo-large"),
            (second, "server.address", "127.0.0.1"),
            (second, "portcullis.cost.usd", cost.as_str()),
        ] {
            assert_eq!(said(span, key), value, "{key} of {}", span.name);
        }
        let nanos = event.cost().unwrap().nanos().to_string();
        assert_eq!(said(server, "portcullis.cost.usd_nanos"), nanos);
        assert_eq!(said(second, "gen_ai.usage.output_tokens"), event.attempts[1].usage.output().to_string());
        assert!(!said(second, "gen_ai.response.time_to_first_chunk").is_empty());
        assert_eq!(first.status.as_ref().map(|status| status.code), Some(2));
        assert_eq!((&server.status, &second.status), (&None, &None));
        assert!(server.start_time_unix_nano <= first.start_time_unix_nano);
        assert!(first.end_time_unix_nano <= server.end_time_unix_nano);
        assert_eq!(attribute(&collector.resource(), "service.instance.id").as_deref(), Some("proxy-1"));
        assert_eq!(collector.authorization().as_deref(), Some("Bearer let-me-in"));
        // The request that went well was not reported.
        assert_eq!(collector.spans().len(), 3);
        bench.finish().await;
    }
}

#[tokio::test]
async fn errors_and_refusals_are_traced_by_their_code() {
    let collector = Arc::new(Collector::start().unwrap());
    let mut bench = start(1, to(collector.url(), 0.0)).await;
    bench.sim().script(r#"{"status":500}"#).await;
    let failed = bench.client.say("hi").await;
    let event = bench.event().await;
    assert_eq!(failed.status, 502);
    let spans = trace(&collector, event.request.0.as_bytes(), 2).await;
    assert_eq!(
        (said(&spans[0], "error.type"), spans[0].status.as_ref().unwrap().code),
        ("server_error".into(), 2)
    );
    let mut request = bench.client.asking(BODY, &[]);
    request.headers_mut().remove("authorization");
    let refused = bench.client.plain.send(request).await;
    let id: uuid::Uuid = refused.header("x-portcullis-request-id").parse().unwrap();
    let spans = trace(&collector, id.as_bytes(), 1).await;
    assert_eq!(
        (said(&spans[0], "error.type"), said(&spans[0], "http.response.status_code")),
        ("invalid_key".into(), "401".into())
    );
    // By the convention a client's own fault is no error of the server's span.
    assert_eq!(spans[0].status, None);
    bench.finish().await;
}

#[tokio::test]
async fn a_stream_that_the_drain_cuts_is_an_error_and_no_client_that_hung_up() {
    let collector = Arc::new(Collector::start().unwrap());
    let mut plan = Plan { trace: to(collector.url(), 0.0), ..Plan::default() };
    plan.edge.drain_seconds = 0;
    let mut bench = Bench::start(plan).await;
    bench.sim().script(r#"{"chunks":3,"hang":{"after_chunks":1}}"#).await;
    let mut response = bench.client.open_stream("hi").await;
    soon(response.body_mut().frame()).await.unwrap().unwrap();
    bench.stop.cancel();
    assert!(soon(response.into_body().collect()).await.is_err());
    let event = bench.event().await;
    let spans = trace(&collector, event.request.0.as_bytes(), 2).await;
    for (key, value) in
        [("error.type", "cut"), ("portcullis.outcome", "cut"), ("portcullis.estimated", "true")]
    {
        assert_eq!(said(&spans[0], key), value, "{key}");
    }
    assert_eq!(spans[0].status.as_ref().map(|status| status.code), Some(2));
    bench.finish().await;
}

#[tokio::test]
async fn a_clients_trace_is_continued_and_providers_learn_it_only_where_that_is_allowed() {
    let collector = Arc::new(Collector::start().unwrap());
    let trace_id = (0..16).map(|at| u8::from_str_radix(&PARENT[3 + 2 * at..5 + 2 * at], 16).unwrap());
    let trace_id: Vec<u8> = trace_id.collect();
    for (trace_context_out, expected) in [(ContextOut::Off, false), (ContextOut::On, true)] {
        let mut bench = start(1, TraceSettings { trace_context_out, ..to(collector.url(), 0.0) }).await;
        let headers = [("traceparent", PARENT), ("tracestate", "vendor=secret"), ("baggage", "user=secret")];
        bench.client.plain.send(bench.client.asking(BODY, &headers)).await;
        let event = bench.event().await;
        let asked = bench.sim().requests().await[0].to_string();
        assert!(!asked.contains("secret"), "{asked}");
        let told = format!("00-{}-{}-01", to_hex(&trace_id), to_hex(&span_id(event.request, 1)));
        assert_eq!((asked.contains("traceparent"), asked.contains(&told)), (expected, expected), "{asked}");
        bench.finish().await;
    }
    // The client recorded it, so both were sampled.
    let spans = trace(&collector, &trace_id, 4).await;
    assert_eq!(spans.len(), 4);
    assert_eq!(to_hex(&spans[0].parent_span_id), PARENT[36..52]);
    assert!(spans.iter().all(|span| span.trace_state == "vendor=secret"));
    let trace_context_in = ContextIn::Link;
    let mut bench = start(1, TraceSettings { trace_context_in, ..to(collector.url(), 1.0) }).await;
    bench.client.plain.send(bench.client.asking(BODY, &[("traceparent", PARENT)])).await;
    let event = bench.event().await;
    let spans = trace(&collector, event.request.0.as_bytes(), 2).await;
    assert_eq!((spans[0].links[0].trace_id.as_slice(), spans[0].links.len()), (trace_id.as_slice(), 1));
    bench.finish().await;
}

#[tokio::test]
async fn hostile_trace_headers_change_nothing() {
    let collector = Arc::new(Collector::start().unwrap());
    let mut bench = start(1, to(collector.url(), 1.0)).await;
    let (long, upper) = ("0".repeat(8_000), PARENT.to_uppercase());
    let zeros = PARENT.replace("0af7651916cd43dd8448eb211c80319c", &"0".repeat(32));
    for parent in [&PARENT.replacen("00", "ff", 1), &zeros, &upper, &PARENT[..54], "", "é", long.as_str()] {
        let mut request = bench.client.asking(BODY, &[("tracestate", &"a=b,".repeat(300))]);
        request
            .headers_mut()
            .insert("traceparent", http::HeaderValue::from_bytes(parent.as_bytes()).unwrap());
        assert_eq!(bench.client.plain.send(request).await.status, 200, "{parent}");
        let event = bench.event().await;
        let spans = trace(&collector, event.request.0.as_bytes(), 2).await;
        assert_eq!(
            (spans.len(), spans[0].parent_span_id.len(), spans[0].trace_state.as_str()),
            (2, 0, ""),
            "{parent}"
        );
    }
    bench.finish().await;
}

#[tokio::test]
async fn the_conventions_metrics_are_sent_where_they_are_asked_for() {
    for otlp_protocol in [OtlpProtocol::Grpc, OtlpProtocol::Http] {
        let collector = Collector::start().unwrap();
        let trace = TraceSettings { otlp_metrics: true, otlp_protocol, ..to(collector.url(), 0.0) };
        let mut bench = start(2, trace).await;
        bench.sim().script(r#"{"status":503}"#).await;
        bench.client.stream("hi").await;
        let event = bench.event().await;
        bench.stop_exporting().await;
        let metrics = collector.metrics();
        let names: Vec<&str> = metrics.iter().map(|metric| metric.name.as_str()).collect();
        let client = "gen_ai.client";
        let [duration, first, tokens] =
            ["operation.duration", "operation.time_to_first_chunk", "token.usage"]
                .map(|name| format!("{client}.{name}"));
        assert_eq!(names, [duration.as_str(), &first, &tokens, "portcullis.cost.usd"]);
        let points: Vec<_> = metrics[..3]
            .iter()
            .map(|metric| match metric.data.as_ref().unwrap() {
                Data::Histogram(histogram) => histogram.data_points.clone(),
                other => panic!("{other:?}"),
            })
            .collect();
        // Two attempts, one of which had content and tokens, of two kinds.
        assert_eq!(points.iter().map(Vec::len).collect::<Vec<_>>(), [2, 1, 2]);
        let failed = |point: &HistogramDataPoint| attribute(&point.attributes, "error.type");
        assert_eq!(points[0].iter().filter_map(failed).collect::<Vec<_>>(), ["server_error"]);
        let usage = event.attempts[1].usage;
        for (point, (kind, count)) in
            points[2].iter().zip([("input", usage.input()), ("output", usage.output())])
        {
            assert_eq!(attribute(&point.attributes, "gen_ai.token.type").as_deref(), Some(kind));
            assert_eq!((point.count, point.sum), (1, Some(count as f64)));
            assert_eq!(point.bucket_counts.len(), point.explicit_bounds.len() + 1);
        }
        let Data::Sum(cost) = metrics[3].data.as_ref().unwrap() else { panic!("{metrics:?}") };
        let cost = cost.data_points.iter().map(|point| match point.value {
            Some(number_data_point::Value::AsDouble(dollars)) => dollars,
            ref other => panic!("{other:?}"),
        });
        let nanos = event.cost().unwrap().nanos();
        assert_eq!(format!("{:.0}", cost.sum::<f64>() * 1e9), nanos.to_string());
        bench.finish().await;
    }
}

#[tokio::test]
async fn a_collector_is_reached_over_tls_by_its_own_authority() {
    let made = rcgen::generate_simple_self_signed(["localhost".to_owned()]).unwrap();
    let collector = Collector::start_tls(&made.cert.pem(), &made.signing_key.serialize_pem()).unwrap();
    let collector = Arc::new(collector);
    let dir = tempfile::tempdir().unwrap();
    let ca = dir.path().join("ca.pem");
    std::fs::write(&ca, made.cert.pem()).unwrap();
    let url = format!("https://localhost:{}", collector.addr.port());
    let mut bench = start(1, TraceSettings { otlp_ca: Some(ca), ..to(url.clone(), 1.0) }).await;
    bench.client.say("hi").await;
    let event = bench.event().await;
    assert_eq!(trace(&collector, event.request.0.as_bytes(), 2).await.len(), 2);
    bench.finish().await;
    // Without it the collector's certificate is not trusted.
    let mut bench = start(1, to(url, 1.0)).await;
    assert_eq!(bench.client.say("hi").await.status, 200);
    bench.event().await;
    bench.stop_exporting().await;
    let spans = bench.spans.clone().unwrap();
    assert_eq!((spans.exported(), spans.dropped(Dropped::Shutdown)), (0, 2));
    bench.finish().await;
    for (text, name) in
        [("", "empty"), ("-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n", "bad")]
    {
        let ca = dir.path().join(name);
        std::fs::write(&ca, text).unwrap();
        let settings = TraceSettings { otlp_ca: Some(ca), ..to("https://c".to_owned(), 1.0) };
        assert_eq!(crate::otel::start(&settings, "", "").err().unwrap().field, "--otlp-ca", "{name}");
    }
}

#[tokio::test]
async fn a_collector_that_refuses_gets_them_later_or_they_are_counted() {
    let collector = Arc::new(Collector::start().unwrap());
    collector.refuse(Some(Refusal::Busy));
    let mut bench = start(1, to(collector.url(), 1.0)).await;
    assert_eq!(bench.client.say("hi").await.status, 200);
    let event = bench.event().await;
    let busy = Arc::clone(&collector);
    assert!(tokio::task::spawn_blocking(move || busy.wait_for_exports(2, SOON)).await.unwrap());
    collector.refuse(None);
    assert_eq!(trace(&collector, event.request.0.as_bytes(), 2).await.len(), 2);
    let so_far = collector.exports();
    collector.refuse(Some(Refusal::Never));
    assert_eq!(bench.client.say("hi").await.status, 200);
    bench.event().await;
    let never = Arc::clone(&collector);
    assert!(tokio::task::spawn_blocking(move || never.wait_for_exports(so_far + 1, SOON)).await.unwrap());
    bench.stop_exporting().await;
    let spans = bench.spans.clone().unwrap();
    assert_eq!((spans.exported(), spans.dropped(Dropped::Rejected)), (2, 2));
    bench.finish().await;
}

#[tokio::test]
async fn a_collector_that_swallows_everything_costs_requests_nothing() {
    let collector = Collector::start().unwrap();
    let fault = FaultProxy::to(collector.addr).unwrap();
    fault.blackhole();
    let mut bench = start(1, to(fault.url("http"), 1.0)).await;
    assert_eq!(bench.client.stream("hi").await.status, 200);
    let event = bench.event().await;
    // More than the queue takes: what is too much is dropped at once and counted.
    let more = UsageEvent { attempts: Vec::new(), ..event };
    for _ in 0..5_000 {
        let (observers, propagation) = (Arc::clone(&bench.proxy.observers), &bench.proxy.propagation);
        let mut context = RequestContext::new(observers, propagation, &http::Request::new(()));
        let zero = Duration::ZERO;
        context.settled(&more, &[], RequestTimings { duration: zero, overhead: zero, ttft: None });
    }
    let spans = bench.spans.clone().unwrap();
    assert!(spans.dropped(Dropped::QueueFull) > 0);
    assert_eq!(soon(bench.client.say("still there")).await.status, 200);
    bench.event().await;
    // The end of the process waits five seconds for it and no longer; nothing is lost without being counted.
    bench.stop_exporting().await;
    assert_eq!(spans.dropped(Dropped::QueueFull) + spans.dropped(Dropped::Shutdown), 5_004);
}
