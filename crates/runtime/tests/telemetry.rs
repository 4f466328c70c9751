//! Changing the log level at the ops port: who may, what is refused, and what comes of it.

#![allow(clippy::unwrap_used, reason = "helpers of tests count as tests")]

use std::net::SocketAddr;

use runtime::{
    Readiness,
    metrics::Metrics,
    ops,
    telemetry::{self, LogFormat, LogSettings},
};
use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    net::{TcpListener, TcpStream},
};
use tokio_util::sync::CancellationToken;

const TOKEN: &str = "k7Qe2xV9mZ4tB8nLw3Rf6yHs";

/// Sends one request and returns status and body.
async fn ask(to: SocketAddr, method: &str, host: &str, token: Option<&str>, body: &str) -> (u16, String) {
    let mut stream = TcpStream::connect(to).await.unwrap();
    let token = token.map(|token| format!("authorization: Bearer {token}\r\n")).unwrap_or_default();
    let head = format!("{method} /telemetry HTTP/1.1\r\nhost: {host}\r\nconnection: close\r\n{token}");
    let request = format!("{head}content-length: {}\r\n\r\n{body}", body.len());
    stream.write_all(request.as_bytes()).await.unwrap();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).await.unwrap();
    let (head, body) = answer.split_once("\r\n\r\n").unwrap();
    (head[9..12].parse().unwrap(), body.to_owned())
}

/// One test, because the subscriber is the process's.
#[tokio::test]
async fn the_log_level_changes_while_the_process_runs() {
    let settings = |log: &str, token: Option<&str>| LogSettings {
        log: log.to_owned(),
        log_format: LogFormat::Text,
        ops_token: token.map(str::to_owned),
    };
    for (bad, field) in
        [(settings("inof", None), "--log"), (settings("info", Some("feeble")), "PORTCULLIS_OPS_TOKEN")]
    {
        let error = telemetry::init(&bad).unwrap_err();
        assert_eq!(error.field, field);
        assert!(!error.to_string().contains("feeble"), "{error}");
    }
    telemetry::init(&settings("warn", Some(TOKEN))).unwrap();
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let (address, stop) = (listener.local_addr().unwrap(), CancellationToken::new());
    let serving =
        tokio::spawn(ops::serve(listener, Readiness::new(), Metrics::default(), None, stop.clone()));
    let here = address.to_string();

    assert!(!tracing::enabled!(tracing::Level::DEBUG));
    let (status, body) = ask(address, "PUT", &here, None, r#"{"log":"info,telemetry=debug"}"#).await;
    assert_eq!((status, body.as_str()), (200, r#"{"log":"info,telemetry=debug","trace_sample":null}"#));
    assert!(tracing::enabled!(tracing::Level::DEBUG));
    assert!(!tracing::enabled!(target: "proxy", tracing::Level::DEBUG));

    for (body, field) in [
        (r#"{"log":"inof"}"#, "\"field\":\"log\""),
        (r#"{"log":7}"#, "\"field\":\"log\""),
        (r#"{"log":"off","trace_sample":0.5}"#, "\"field\":\"trace_sample\""),
        (r#"{"loud":true}"#, "loud"),
        ("[]", "JSON"),
        ("{", "JSON"),
    ] {
        let (status, answer) = ask(address, "PUT", &here, None, body).await;
        assert_eq!(status, 400, "{body}: {answer}");
        assert!(answer.contains(field), "{body}: {answer}");
    }
    // A name that leads a browser here, and a wrong token, are not this host.
    for (host, token) in [("evil.example", None), (here.as_str(), Some("wrong"))] {
        let (status, _) = ask(address, "PUT", host, token, r#"{"log":"off"}"#).await;
        assert_eq!(status, 403, "{host}");
    }
    // Nor is whoever a proxy on this host stands in for, whatever he says that he is.
    for behind in ["x-forwarded-for: 127.0.0.1", "forwarded: for=127.0.0.1", "via: 1.1 front"] {
        let host = format!("{here}\r\n{behind}");
        let (status, _) = ask(address, "PUT", &host, None, r#"{"log":"off"}"#).await;
        assert_eq!(status, 403, "{behind}");
    }
    let (status, body) = ask(address, "GET", "ops.example", None, "").await;
    assert_eq!((status, body.as_str()), (200, r#"{"log":"info,telemetry=debug","trace_sample":null}"#));
    let (status, _) = ask(address, "PUT", "ops.example", Some(TOKEN), r#"{"log":"error"}"#).await;
    assert_eq!(status, 200);
    assert!(!tracing::enabled!(tracing::Level::WARN));
    stop.cancel();
    serving.await.unwrap().unwrap();
}
