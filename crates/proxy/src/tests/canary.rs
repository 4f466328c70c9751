//! Secrets and prompts in no log line of anybody, not even where everything is logged; nor in spans, metrics and errors.

use std::{
    io::{self, Write},
    sync::{Arc, Mutex},
};

use http::Method;
use http_body_util::BodyExt as _;
use testkit::{Collector, attribute};
use tracing::level_filters::LevelFilter;
use tracing_subscriber::{fmt::MakeWriter, layer::SubscriberExt as _};

use super::harness::{Bench, Client, Plain, Plan, Raw, credential, plain_body, soon, stream_body};
use crate::settings::{OtlpHeaders, OtlpProtocol, TraceSettings};

const PROMPT: &str = "the canary sings at midnight";
/// Sent to the collector with every export.
const COLLECTOR_SECRET: &str = "canary-of-the-collector-0123456789";

/// Everything that was logged.
#[derive(Clone, Default)]
struct Log(Arc<Mutex<Vec<u8>>>);

impl Write for Log {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.lock().unwrap().extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl<'a> MakeWriter<'a> for Log {
    type Writer = Self;

    fn make_writer(&'a self) -> Self {
        self.clone()
    }
}

/// Answers, refusals that quote credential and prompt, errors inside streams, cuts and hang-ups. Gives what the client
/// was told.
async fn live(bench: &mut Bench) -> String {
    let mut told = String::new();
    let quoting = format!("{} may not say {PROMPT}", credential("a", 0));
    for script in [
        "{}".to_owned(),
        format!(r#"{{"status":400,"error_message":"{quoting}"}}"#),
        format!(r#"{{"status":401,"error_message":"{quoting}","error_code":"{PROMPT}"}}"#),
        format!(r#"{{"status":500,"error_message":"{quoting}"}}"#),
        format!(r#"{{"error_event_after":0,"error_message":"{quoting}"}}"#),
        format!(r#"{{"error_event_after":1,"error_message":"{quoting}"}}"#),
        r#"{"cut_after":1}"#.to_owned(),
    ] {
        bench.sim().script(&script).await;
        for stream in [false, true] {
            bench.new_keys();
            let body = if stream { stream_body(PROMPT) } else { plain_body(PROMPT) };
            let request = bench.client.asking(&body, &[("x-portcullis-explain", "1")]);
            let reply = bench.client.plain.send(request).await;
            let explained = reply.headers.contains_key("x-portcullis-explain");
            assert!(explained || reply.text().contains("\"passed_over\":"), "{script}: {reply:?}");
            told += &format!("{:?} {}\n", reply.headers, reply.text());
            bench.event().await;
        }
    }
    bench.new_keys();
    bench.sim().script("{}").await;
    told += &bearers_of_every_sdk(bench).await;
    bench.client.chat(&format!(r#"{{"model":"chat","messages":"{PROMPT}""#)).await;
    bench.sim().script(r#"{"chunks":9,"hang":{"after_chunks":4}}"#).await;
    let mut hung = bench.client.open_stream(PROMPT).await;
    soon(hung.body_mut().frame()).await.unwrap().unwrap();
    drop(hung);
    bench.event().await;
    told
}

/// The key wherever SDKs put it, on a path that is known and on one that is not.
async fn bearers_of_every_sdk(bench: &mut Bench) -> String {
    let (mut told, key) = (String::new(), bench.client.keys.good.clone());
    for path in ["/v1/chat/completions", "/nowhere"] {
        for header in [None, Some("x-api-key"), Some("x-goog-api-key")] {
            let place = if header.is_some() { path.to_owned() } else { format!("{path}?alt=sse&key={key}") };
            let mut request = bench.client.request(Method::POST, &place, &plain_body(PROMPT));
            request.headers_mut().remove("authorization");
            if let Some(header) = header {
                request.headers_mut().insert(header, key.parse().unwrap());
            }
            let reply = bench.client.plain.send(request).await;
            assert_eq!(reply.status == 200, path != "/nowhere", "{header:?}: {}", reply.text());
            told += &format!("{:?} {}\n", reply.headers, reply.text());
            if reply.status == 200 {
                bench.event().await;
            }
        }
    }
    told
}

#[tokio::test]
async fn nothing_secret_is_logged_at_any_level() {
    let log = Log::default();
    let lines = tracing_subscriber::fmt::layer().with_ansi(false).with_writer(log.clone());
    let subscriber = tracing_subscriber::registry().with(LevelFilter::TRACE).with(lines);
    // The whole of the test, tasks included, runs on this thread.
    let _capturing = tracing::subscriber::set_default(subscriber);
    let collector = Collector::start().unwrap();
    let mut secrets = vec![PROMPT.to_owned(), credential("a", 0), COLLECTOR_SECRET.to_owned()];
    let (mut told, mut metrics) = (String::new(), String::new());
    for (plain, otlp_protocol) in [(Plain::http1(), OtlpProtocol::Grpc), (Plain::http2(), OtlpProtocol::Http)]
    {
        let otlp_headers = Some(OtlpHeaders::from(format!("authorization={COLLECTOR_SECRET}")));
        let otlp_endpoint = Some(collector.url());
        let trace = TraceSettings {
            otlp_endpoint,
            otlp_protocol,
            otlp_headers,
            trace_sample: 1.0,
            ..TraceSettings::default()
        };
        let mut bench = Bench::start(Plan { trace, ..Plan::default() }).await;
        bench.client = Client { plain, ..bench.client };
        secrets.push(bench.client.keys.good.clone());
        told += &live(&mut bench).await;
        metrics += &bench.metrics();
        bench.finish().await;
        assert_eq!(collector.authorization().as_deref(), Some(COLLECTOR_SECRET));
    }
    let raw = Raw::start(|_| Some(format!("HTTP/9.9 {PROMPT}\r\n\r\n").into_bytes())).await;
    let others = vec![raw.url.clone()];
    let mut bench = Bench::start(Plan { simulators: 0, others, ..Plan::default() }).await;
    secrets.push(bench.client.keys.good.clone());
    bench.client.say(PROMPT).await;
    bench.event().await;
    bench.finish().await;
    let log = String::from_utf8(log.0.lock().unwrap().clone()).unwrap();
    for target in ["proxy::", "hyper", "h2::", "portcullis::request"] {
        assert!(log.lines().any(|line| line.contains(target)), "nothing was captured of {target}");
    }
    let spans = format!("{:?}", collector.spans());
    for (what, text, known) in
        [("spans", &spans, "echo-large"), ("metrics", &metrics, "chat"), ("answers", &told, "chat")]
    {
        assert!(text.contains(known), "nothing was captured of {what}");
    }
    for secret in secrets {
        // Not even in bytes, as a debug print of a buffer would show them.
        let bytes: Vec<String> = secret.bytes().map(|byte| byte.to_string()).collect();
        for form in [secret.as_str(), &bytes.join(", ")] {
            let leak = log.lines().find(|line| line.contains(form));
            assert!(leak.is_none(), "{leak:?}");
            assert!(!spans.contains(form) && !metrics.contains(form), "{form} in spans or metrics");
        }
        // Clients may hear their own prompt again.
        assert!(secret == PROMPT || !told.contains(&secret), "{secret} in what clients were told");
    }
}

#[tokio::test]
async fn nor_is_what_other_dialects_sign_in_with() {
    const KINDS: [&[&str]; 4] = [&["anthropic"], &["gemini"], &["cohere"], &["bedrock"]];
    let log = Log::default();
    let lines = tracing_subscriber::fmt::layer().with_ansi(false).with_writer(log.clone());
    let subscriber = tracing_subscriber::registry().with(LevelFilter::TRACE).with(lines);
    let _capturing = tracing::subscriber::set_default(subscriber);
    let (mut secrets, mut told) = (vec![credential("a", 0)], String::new());
    for kinds in KINDS {
        let mut bench = Bench::start(Plan { kinds, ..Plan::default() }).await;
        told += &live(&mut bench).await;
        secrets.push(bench.client.keys.good.clone());
        bench.finish().await;
    }
    let log = String::from_utf8(log.0.lock().unwrap().clone()).unwrap();
    assert!(log.contains("hyper") && log.contains("attempt failed"), "nothing was captured");
    for secret in &secrets {
        let leak = log.lines().find(|line| line.contains(secret));
        assert!(leak.is_none() && !told.contains(secret), "{leak:?}, or in what clients were told");
    }
    let prompt = log.lines().find(|line| line.contains(PROMPT));
    assert!(prompt.is_none(), "{prompt:?}");
}

#[tokio::test]
async fn whom_a_limit_refused_is_in_line_and_span() {
    let log = Log::default();
    let lines = tracing_subscriber::fmt::layer().with_ansi(false).with_writer(log.clone());
    let subscriber = tracing_subscriber::registry().with(LevelFilter::INFO).with(lines);
    let _capturing = tracing::subscriber::set_default(subscriber);
    let collector = Collector::start().unwrap();
    let otlp_endpoint = Some(collector.url());
    let trace = TraceSettings { otlp_endpoint, trace_sample: 0.0, ..TraceSettings::default() };
    let limits: &[&str] = &[r#"{"requests":"1/min","per":"user"}"#];
    let mut bench = Bench::start(Plan { limits, trace, ..Plan::default() }).await;
    let whose =
        [("x-portcullis-user", "ada"), ("x-portcullis-feature", "search"), ("x-portcullis-tags", "k=v")];
    let body = plain_body("hi").replacen('{', r#"{"user":"ada","#, 1);
    let ask = |headers| bench.client.plain.send(bench.client.asking(&body, headers));
    // The body names the user, then a header.
    let [_, in_body @ ..] = &whose;
    assert_eq!(
        (ask(in_body).await.status, ask(in_body).await.status, ask(&whose).await.status),
        (200, 429, 429)
    );
    bench.event().await;
    bench.stop_exporting().await;
    bench.finish().await;
    let log = String::from_utf8(log.0.lock().unwrap().clone()).unwrap();
    let refused: Vec<&str> = log.lines().filter(|line| line.contains("status=429")).collect();
    assert_eq!(refused.len(), 2, "{log}");
    for (field, line) in [r#"user="ada""#, r#"feature="search""#, r#"limit="requests""#]
        .into_iter()
        .flat_map(|field| refused.iter().map(move |line| (field, line)))
    {
        assert!(line.contains(field), "no {field} in {line}");
    }
    // Before the body is read no route is known.
    assert_eq!([0, 1].map(|n| refused[n].contains(r#"route="chat""#)), [true, false], "{refused:?}");
    let spans = collector.spans();
    assert_eq!(spans.len(), 2, "{spans:#?}");
    for refused in &spans {
        for (name, value) in [("user", "ada"), ("feature", "search"), ("limit", "requests")] {
            let said = attribute(&refused.attributes, &format!("portcullis.{name}"));
            assert_eq!(said.as_deref(), Some(value), "{name}");
        }
    }
}

#[tokio::test]
async fn no_client_writes_a_line_of_its_own_into_the_log() {
    let log = Log::default();
    let lines = tracing_subscriber::fmt::layer().with_ansi(false).with_writer(log.clone());
    let subscriber = tracing_subscriber::registry().with(LevelFilter::INFO).with(lines);
    let _capturing = tracing::subscriber::set_default(subscriber);
    let mut bench = Bench::one().await;
    let user = r"eve\n2026-01-01T00:00:00Z ERROR forged\u001b[2J";
    let body = format!(r#"{{"model":"chat","user":"{user}","messages":[{{"role":"user","content":"hi"}}]}}"#);
    assert_eq!(bench.client.chat(&body).await.status, 200);
    bench.event().await;
    bench.client.chat(&body.replace("chat", r"nowhere\nforged")).await;
    bench.finish().await;
    let log = String::from_utf8(log.0.lock().unwrap().clone()).unwrap();
    assert_eq!(log.lines().filter(|line| line.contains("portcullis::request")).count(), 2, "{log}");
    assert!(
        log.lines().all(|line| line.contains("portcullis::request") || !line.contains("forged")),
        "{log}"
    );
    assert!(log.contains("eve") && !log.contains('\u{1b}'), "{log}");
}
