//! What requests count: each one once, whatever ends it; in agreement with the usage events; and never too many series.

use std::{
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    thread,
    time::Duration,
};

use domain::{AttemptOutcome, RequestOutcome, ResourceId, UsageEvent};
use http::{Method, Request};
use http_body_util::BodyExt as _;
use policy::{ApiKey, Tenant};
use tokio::{io::AsyncWriteExt as _, net::TcpStream};

use super::harness::{Bench, Plan, count, plain_body, render, soon};
use crate::{
    context::{CompletedRequest, Observer as _, RequestContext, RequestTimings},
    metrics::RequestMetrics,
    state::ProxyState,
};

const REQUESTS: &str = "portcullis_requests_total";

/// Waits until one more request was counted, and that it was counted so.
async fn one_more(bench: &Bench, before: f64, labels: &[&str]) {
    soon(async {
        while count(&bench.metrics(), REQUESTS, &[]) == before {
            tokio::task::yield_now().await;
        }
    })
    .await;
    let text = bench.metrics();
    assert_eq!(count(&text, REQUESTS, &[]), before + 1.0, "{text}");
    assert!(count(&text, REQUESTS, labels) >= 1.0, "{labels:?} in {text}");
}

#[tokio::test]
async fn a_refused_request_is_counted_once_with_its_reason() {
    let limits: &[&str] = &[r#"{"requests":"1/min","per":"user"}"#];
    let bench = Bench::start(Plan { limits, ..Plan::default() }).await;
    let ask = |method, path: &str, key: bool, body: &str| {
        let mut request = bench.client.request(method, path, body);
        if !key {
            request.headers_mut().remove("authorization");
        }
        bench.client.plain.send(request)
    };
    let (chat, hi) = ("/v1/chat/completions", plain_body("hi"));
    let nope = hi.replace("\"chat\"", "\"nope\\n{}\"");
    let chat_api = r#"api="chat""#;
    for (n, (method, path, key, body, kind, labels)) in [
        (Method::POST, chat, false, hi.as_str(), "invalid_key", [chat_api, r#"outcome="client_error""#]),
        (Method::POST, chat, true, "nonsense", "invalid_request", [chat_api, r#"provider="""#]),
        (Method::POST, chat, true, &nope, "route_not_found", [chat_api, r#"route="""#]),
        (Method::GET, "/nowhere", true, "", "route_not_found", [r#"api="""#, r#"fallback="none""#]),
        (Method::PUT, chat, true, "", "invalid_request", [r#"api="""#, r#"cache="off""#]),
    ]
    .into_iter()
    .enumerate()
    {
        let before = count(&bench.metrics(), "portcullis_refusals_total", &[&format!("kind={kind:?}")]);
        let reply = ask(method, path, key, body).await;
        assert!(reply.status >= 400, "{path} {}", reply.status);
        one_more(&bench, n as f64, &labels).await;
        let text = bench.metrics();
        assert_eq!(count(&text, "portcullis_refusals_total", &[&format!("kind={kind:?}")]), before + 1.0);
        assert!(!text.contains("nope"), "a client's word became a label: {text}");
    }
    assert_eq!(ask(Method::GET, "/v1/models", true, "").await.status, 200);
    one_more(&bench, 5.0, &[r#"api="models""#, r#"outcome="ok""#]).await;
    assert_eq!(count(&bench.metrics(), "portcullis_request_duration_seconds_count", &[]), 6.0);
}

#[tokio::test]
async fn a_limit_that_refuses_is_counted_by_its_kind_and_on_its_route() {
    let limits: &[&str] = &[r#"{"requests":"2/min"}"#, r#"{"requests":"1/min","per":"user"}"#];
    let mut bench = Bench::start(Plan { limits, ..Plan::default() }).await;
    assert_eq!(bench.client.say("hi").await.status, 200);
    bench.event().await;
    // The limit per user waits for the body, and the route is known by then.
    assert_eq!(bench.client.say("hi").await.status, 429);
    one_more(&bench, 1.0, &[r#"route="chat""#, r#"provider="""#, r#"outcome="client_error""#]).await;
    let text = bench.metrics();
    assert_eq!(count(&text, "portcullis_limit_rejections_total", &[r#"kind="requests""#]), 1.0, "{text}");
    // The limit of the tenant does not wait.
    assert_eq!(bench.client.say("hi").await.status, 429);
    one_more(&bench, 2.0, &[r#"route="""#, r#"provider="""#, r#"outcome="client_error""#]).await;
    let text = bench.metrics();
    assert_eq!(count(&text, "portcullis_limit_rejections_total", &[r#"kind="requests""#]), 2.0, "{text}");
    bench.finish().await;
}

#[tokio::test]
async fn a_client_that_hangs_up_within_its_body_is_counted_once() {
    let bench = Bench::one().await;
    let mut half = TcpStream::connect(bench.address).await.unwrap();
    let head = format!(
        "POST /v1/chat/completions HTTP/1.1\r\nhost: x\r\nauthorization: Bearer {}\r\ncontent-length: 99\r\n\r\n{{",
        bench.client.keys.good
    );
    half.write_all(head.as_bytes()).await.unwrap();
    soon(async {
        while bench.proxy.activity.in_flight() == 0 {
            tokio::task::yield_now().await;
        }
    })
    .await;
    drop(half);
    one_more(&bench, 0.0, &[r#"outcome="c"#, r#"provider="""#]).await;
    bench.finish().await;
}

#[tokio::test]
async fn attempts_tokens_and_cost_are_those_of_the_usage_events() {
    let mut bench = Bench::two().await;
    bench.sims[0].script(r#"[{},{"status":500},{"chunks":3},{"chunks":5,"hang":{"after_chunks":2}}]"#).await;
    let mut events = Vec::new();
    for stream in [false, true, true] {
        let reply = if stream { bench.client.stream("hi").await } else { bench.client.say("hi").await };
        assert_eq!(reply.status, 200);
        events.push(bench.event().await);
    }
    assert_eq!(bench.proxy.activity.streams(), 0);
    let mut hung_up = bench.client.open_stream("hi").await;
    soon(hung_up.body_mut().frame()).await.unwrap().unwrap();
    assert_eq!(bench.proxy.activity.streams(), 1);
    drop(hung_up);
    events.push(bench.event().await);
    let text = bench.metrics();
    for (labels, want) in [
        (&[r#"provider="a""#, r#"outcome="ok""#, r#"fallback="none""#][..], 2.0),
        (&[r#"provider="b""#, r#"outcome="ok""#, r#"fallback="server_error""#], 1.0),
        (&[r#"provider="a""#, r#"outcome="cancelled""#, r#"route="chat""#, r#"model="m""#], 1.0),
    ] {
        assert_eq!(count(&text, REQUESTS, labels), want, "{labels:?} in {text}");
    }
    let attempts = || events.iter().flat_map(|event| &event.attempts);
    let failed = count(&text, "portcullis_attempts_total", &[r#"provider="a""#, r#"outcome="server_error""#]);
    assert_eq!((failed, count(&text, "portcullis_attempts_total", &[])), (1.0, attempts().count() as f64));
    let tokens: u64 = attempts().map(|attempt| attempt.usage.input() + attempt.usage.output()).sum();
    assert_eq!(count(&text, "portcullis_tokens_total", &[]), tokens as f64, "{text}");
    for provider in ["a", "b"] {
        let of_it = attempts().filter(|attempt| attempt.provider == provider);
        let nanos: i64 = of_it.map(|attempt| attempt.cost.nanos()).sum();
        let labels = [format!("provider={provider:?}"), r#"tenant="acme""#.to_owned()];
        let dollars = count(&text, "portcullis_cost_usd_total", &[&labels[0], &labels[1]]);
        assert_eq!(dollars, nanos as f64 / 1e9, "{text}");
    }
    assert_eq!(count(&text, "portcullis_overhead_seconds_count", &[]), 4.0);
    assert_eq!(count(&text, "portcullis_time_to_first_token_seconds_count", &[]), 4.0);
    bench.finish().await;
    assert_eq!(
        count(&text, "portcullis_request_duration_seconds_bucket", &[r#"le="1200.0""#]),
        4.0,
        "{text}"
    );
}

#[tokio::test]
async fn what_was_cut_and_what_has_no_price_is_counted_as_it_is_booked() {
    let mut bench = Bench::one().await;
    bench.sim().script(r#"[{"cut_after":1,"chunks":3},{}]"#).await;
    bench.client.stream("hi").await;
    let cut = bench.event().await;
    let unpriced = r#"{"model":"a/unpriced","messages":[{"role":"user","content":"hi"}]}"#;
    assert_eq!(bench.client.chat(unpriced).await.status, 200);
    let free = bench.event().await;
    assert_eq!((cut.outcome, cut.attempts[0].estimated), (RequestOutcome::Cut, true));
    assert_eq!((cut.attempts.len(), free.cost()), (1, None));
    let text = bench.metrics();
    let model = r#"model="unpriced""#;
    for (metric, labels, want) in [
        (REQUESTS, [r#"outcome="cut""#, r#"model="m""#], 1.0),
        ("portcullis_attempts_total", [r#"outcome="cut""#, r#"model="m""#], 1.0),
        ("portcullis_unpriced_attempts_total", [r#"provider="a""#, model], 1.0),
        ("portcullis_cost_usd_total", [r#"provider="a""#, model], 0.0),
        ("portcullis_cost_usd_total", [r#"provider="a""#, ""], cut.cost().unwrap().nanos() as f64 / 1e9),
    ] {
        assert_eq!(count(&text, metric, &labels), want, "{metric} {labels:?} in {text}");
    }
    assert!(cut.cost().unwrap().nanos() > 0);
    bench.finish().await;
}

/// An event as it is written, and the proxy that wrote it.
async fn specimen() -> (Bench, UsageEvent) {
    let mut bench = Bench::one().await;
    assert_eq!(bench.client.say("hi").await.status, 200);
    let event = bench.event().await;
    (bench, event)
}

fn settle(counts: &RequestMetrics, proxy: &Arc<ProxyState>, event: &UsageEvent, tenant: &str) {
    let observers = Arc::clone(&proxy.observers);
    let mut context = RequestContext::new(observers, &proxy.propagation, &Request::new(()));
    let id = ResourceId::new();
    let tenant = Tenant::unlimited(id, tenant.to_owned(), domain::TenantSpec::default());
    let (name, spec) = ("k".to_owned(), serde_json::from_str("{}").unwrap());
    context.key = Some(Arc::new(ApiKey { id, name, tenant: Arc::new(tenant), spec, until: None }));
    let times = RequestTimings { duration: Duration::from_secs(1), overhead: Duration::ZERO, ttft: None };
    counts.settled(&CompletedRequest { context: &context, event, tried: &[], times });
}

#[tokio::test]
async fn eighty_thousand_targets_and_tenants_stay_below_twenty_thousand_lines_and_lose_nothing() {
    let (bench, specimen) = specimen().await;
    let counts = Arc::new(RequestMetrics::default());
    let each = specimen.attempts[0].cost.nanos();
    assert!(each > 0);
    for n in 0..82_000_u32 {
        let mut event = specimen.clone();
        event.route = format!("route {}", n % 600);
        event.attempts[0].provider = format!("p{}\n\"{{}}\\", n % 211);
        event.attempts[0].model =
            format!("m{}{}", n % 1_009, "é".repeat(5_000 * usize::from(n % 1_000 == 0)));
        event.attempts[0].outcome = AttemptOutcome::ALL[n as usize % AttemptOutcome::ALL.len()];
        settle(&counts, &bench.proxy, &event, &format!("tenant {}", n % 2_003));
    }
    let text = render(&counts);
    assert!(text.lines().count() < 20_000, "{} lines", text.lines().count());
    assert!(text.lines().all(|line| line.len() < 1_000));
    for metric in [REQUESTS, "portcullis_attempts_total", "portcullis_request_duration_seconds_count"] {
        assert_eq!(count(&text, metric, &[]), 82_000.0, "{metric}");
    }
    let dollars = count(&text, "portcullis_cost_usd_total", &[]);
    assert!((dollars - (each * 82_000) as f64 / 1e9).abs() < 1e-6, "{dollars}");
    for of in ["route", "provider", "model", "tenant", "requests", "targets", "cost"] {
        let labels = [format!("of={of:?}")];
        assert!(count(&text, "portcullis_metrics_overflow_total", &[&labels[0]]) > 0.0, "{of}");
    }
    bench.finish().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn whoever_scrapes_while_workers_count_sees_numbers_that_agree_and_never_fall() {
    const EACH: u32 = 5_000;
    let (bench, specimen) = specimen().await;
    let (counts, done) = (Arc::new(RequestMetrics::default()), AtomicBool::new(false));
    thread::scope(|scope| {
        let (counts, done, proxy, specimen) = (&counts, &done, &bench.proxy, &specimen);
        let workers: Vec<_> = (0..4)
            .map(|_| scope.spawn(move || (0..EACH).for_each(|_| settle(counts, proxy, specimen, "acme"))))
            .collect();
        let scraping = scope.spawn(move || {
            let (mut before, mut scrapes) = (0.0, 0);
            while !done.load(Ordering::Relaxed) {
                let text = render(counts);
                let whole = count(&text, "portcullis_request_duration_seconds_bucket", &[r#"le="+Inf""#]);
                assert_eq!(count(&text, "portcullis_request_duration_seconds_count", &[]), whole);
                let requests = count(&text, REQUESTS, &[]);
                assert!(requests >= before, "{requests} after {before}");
                (before, scrapes) = (requests, scrapes + 1);
            }
            scrapes
        });
        for worker in workers {
            worker.join().unwrap();
        }
        done.store(true, Ordering::Relaxed);
        assert!(scraping.join().unwrap() > 1);
    });
    let text = render(&counts);
    let all = f64::from(4 * EACH);
    assert_eq!(count(&text, REQUESTS, &[]), all);
    assert_eq!(count(&text, "portcullis_attempts_total", &[]), all);
    bench.finish().await;
}
