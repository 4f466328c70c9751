//! A raw HTTP/1.1 client for the tests, because cut connections and single writes must be seen as they are.

use std::time::Duration;

use serde_json::Value;
use simulator::Simulator;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio_util::sync::CancellationToken;

/// Bound of every read; nothing here takes that long unless it is broken.
const DEADLINE: Duration = Duration::from_secs(20);

pub(crate) struct Sim {
    simulator: Simulator,
    shutdown: CancellationToken,
}

impl Sim {
    pub(crate) async fn start() -> Self {
        let shutdown = CancellationToken::new();
        let simulator = simulator::start("127.0.0.1:0".parse().unwrap(), shutdown.clone()).await.unwrap();
        Self { simulator, shutdown }
    }

    pub(crate) async fn stop(self) {
        self.shutdown.cancel();
        tokio::time::timeout(DEADLINE, self.simulator.wait()).await.expect("ends in time").unwrap();
    }

    pub(crate) async fn connect(&self) -> Connection {
        let stream = TcpStream::connect(self.simulator.addr).await.unwrap();
        Connection { stream, buffer: Vec::new(), extra: String::new() }
    }

    pub(crate) async fn call(&self, method: &str, path: &str, body: &Value) -> Reply {
        self.connect().await.call(method, path, body).await
    }

    pub(crate) async fn get(&self, path: &str) -> Reply {
        self.call("GET", path, &Value::Null).await
    }

    pub(crate) async fn script(&self, model: &str, script: &str) {
        let script = serde_json::from_str(script).unwrap();
        let reply = self.call("PUT", &format!("/_sim/script/{model}"), &script).await;
        assert_eq!(reply.status, 204, "{}", String::from_utf8_lossy(&reply.body));
    }

    pub(crate) async fn wait(&self, goal: &str) {
        let reply = self.get(&format!("/_sim/requests/wait?{goal}&timeout_ms=15000")).await;
        assert_eq!(reply.status, 200, "{goal}: {}", String::from_utf8_lossy(&reply.body));
    }
}

pub(crate) struct Connection {
    stream: TcpStream,
    buffer: Vec<u8>,
    extra: String,
}

impl Connection {
    pub(crate) fn extra_header(&mut self, line: &str) {
        self.extra.push_str(&format!("{line}\r\n"));
    }

    pub(crate) async fn send(&mut self, method: &str, path: &str, body: &Value) {
        let body = if body.is_null() { String::new() } else { body.to_string() };
        let (extra, length) = (&self.extra, body.len());
        let request = format!(
            "{method} {path} HTTP/1.1\r\nhost: sim\r\ncontent-type: application/json\r\n\
             {extra}content-length: {length}\r\n\r\n{body}"
        );
        self.stream.write_all(request.as_bytes()).await.unwrap();
    }

    pub(crate) async fn call(&mut self, method: &str, path: &str, body: &Value) -> Reply {
        self.send(method, path, body).await;
        self.reply().await
    }

    /// Reads more bytes; false at the end of the connection.
    async fn more(&mut self) -> bool {
        let read = tokio::time::timeout(DEADLINE, self.stream.read_buf(&mut self.buffer)).await;
        matches!(read.expect("an answer in time"), Ok(n) if n > 0)
    }

    /// Everything up to and with `text`, which is consumed.
    pub(crate) async fn read_until(&mut self, text: &str) -> String {
        loop {
            if let Some(at) = self.buffer.windows(text.len()).position(|w| w == text.as_bytes()) {
                return String::from_utf8(self.buffer.drain(..at + text.len()).collect()).unwrap();
            }
            assert!(self.more().await, "the connection ended before {text:?}");
        }
    }

    pub(crate) async fn reply(&mut self) -> Reply {
        let head = self.read_until("\r\n\r\n").await;
        let mut lines = head.lines();
        let status = lines.next().unwrap().split(' ').nth(1).unwrap().parse().unwrap();
        let headers: Vec<(String, String)> =
            lines.filter_map(|l| l.split_once(": ")).map(|(k, v)| (k.into(), v.into())).collect();
        let mut reply = Reply { status, headers, body: Vec::new(), complete: true, largest_piece: 0 };
        if reply.header("transfer-encoding") == Some("chunked") {
            self.chunked(&mut reply).await;
        } else {
            let length = reply.header("content-length").map_or(0, |n| n.parse().unwrap());
            reply.complete = self.take(length, &mut reply.body).await;
        }
        reply
    }

    async fn take(&mut self, length: usize, into: &mut Vec<u8>) -> bool {
        while self.buffer.len() < length {
            if !self.more().await {
                into.append(&mut self.buffer);
                return false;
            }
        }
        into.extend(self.buffer.drain(..length));
        true
    }

    async fn chunked(&mut self, reply: &mut Reply) {
        loop {
            let Some(end) = self.buffer.windows(2).position(|w| w == b"\r\n") else {
                if self.more().await {
                    continue;
                }
                reply.complete = false;
                return;
            };
            let line: Vec<u8> = self.buffer.drain(..end + 2).collect();
            let size = usize::from_str_radix(std::str::from_utf8(&line[..end]).unwrap(), 16).unwrap();
            let mut piece = Vec::new();
            reply.complete = self.take(size + 2, &mut piece).await;
            piece.truncate(size);
            reply.largest_piece = reply.largest_piece.max(piece.len());
            reply.body.append(&mut piece);
            if size == 0 || !reply.complete {
                return;
            }
        }
    }
}

pub(crate) struct Reply {
    pub(crate) status: u16,
    pub(crate) headers: Vec<(String, String)>,
    pub(crate) body: Vec<u8>,
    /// False when the connection ended before the announced end.
    pub(crate) complete: bool,
    /// Size of the largest piece of a chunked body, in bytes.
    pub(crate) largest_piece: usize,
}

impl Reply {
    pub(crate) fn header(&self, name: &str) -> Option<&str> {
        self.headers.iter().find(|(k, _)| k == name).map(|(_, v)| v.as_str())
    }

    pub(crate) fn json(&self) -> Value {
        serde_json::from_slice(&self.body).unwrap()
    }

    /// The data of every server-sent event.
    pub(crate) fn events(&self) -> Vec<String> {
        let text = String::from_utf8(self.body.clone()).unwrap().replace("\r\n", "\n");
        text.split("\n\n").filter_map(|event| event.strip_prefix("data: ")).map(str::to_owned).collect()
    }
}
