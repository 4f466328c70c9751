//! Clients that ask for nothing more, or take nothing of what they asked for.

use std::time::Duration;

use domain::RequestOutcome;
use http_body_util::Full;
use hyper::{body::Bytes, client::conn::http2};
use hyper_util::rt::{TokioExecutor, TokioIo};
use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    net::TcpStream,
    task::JoinHandle,
    time::Instant,
};

use super::harness::{Bench, Plan, soon, stream_body};

type Sender = http2::SendRequest<Full<Bytes>>;

fn plan() -> Plan {
    let timeouts = r#"{"connect":"1s","first_token":"1s","between_tokens":"1s","total":"1s"}"#;
    let mut plan = Plan { timeouts, ..Plan::default() };
    plan.edge.header_timeout_seconds = 1;
    plan.edge.idle_timeout_seconds = 3;
    plan.edge.write_timeout_seconds = 1;
    plan
}

/// An HTTP/2 connection that takes so many bytes of an unread answer, and answers every ping.
async fn http2(bench: &Bench, window: u32) -> (Sender, JoinHandle<()>) {
    let stream = TcpStream::connect(bench.address).await.unwrap();
    let mut builder = http2::Builder::new(TokioExecutor::new());
    let built = builder.initial_stream_window_size(window).handshake(TokioIo::new(stream)).await;
    let (sender, connection) = built.unwrap();
    let connection = tokio::spawn(async move {
        let _ = connection.await;
    });
    (sender, connection)
}

#[tokio::test]
async fn an_http2_connection_without_requests_is_closed() {
    let bench = Bench::start(plan()).await;
    let (mut sender, connection) = http2(&bench, 65_535).await;
    let request = bench.client.request(http::Method::GET, "/v1/models", "");
    assert_eq!(soon(sender.send_request(request)).await.unwrap().status(), 200);
    soon(connection).await.unwrap();
    bench.finish().await;
}

#[tokio::test]
async fn a_kept_http1_connection_may_be_idle_longer_than_a_head_may_take() {
    let bench = Bench::start(plan()).await;
    let key = &bench.client.keys.good;
    let sent = format!("GET /v1/models HTTP/1.1\r\nhost: x\r\nauthorization: Bearer {key}\r\n\r\n");
    let mut stream = TcpStream::connect(bench.address).await.unwrap();
    stream.write_all(sent.as_bytes()).await.unwrap();
    let (begun, mut read) = (Instant::now(), Vec::new());
    soon(stream.read_to_end(&mut read)).await.unwrap();
    assert!(read.starts_with(b"HTTP/1.1 200"));
    assert!(begun.elapsed() > Duration::from_secs(2), "closed after {:?}", begun.elapsed());
    bench.finish().await;
}

#[tokio::test]
async fn an_http2_client_that_takes_nothing_loses_its_request() {
    let mut bench = Bench::start(plan()).await;
    bench.sim().script(r#"{"chunks":1000}"#).await;
    let (mut sender, connection) = http2(&bench, 1).await;
    let request = bench.client.asking(&stream_body("hi"), &[]);
    let unread = soon(sender.send_request(request)).await.unwrap();
    assert_eq!(unread.status(), 200);
    assert_eq!(bench.event().await.outcome, RequestOutcome::Cancelled);
    soon(connection).await.unwrap();
    drop(unread);
    bench.finish().await;
}
