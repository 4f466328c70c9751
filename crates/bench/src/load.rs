//! The closed loop: so many connections, each sending its next request when the last one was answered.

use std::{
    net::SocketAddr,
    sync::Arc,
    time::{Duration, Instant},
};

use anyhow::{Context, bail};
use memchr::memmem;
use serde_json::json;
use tokio::task::JoinSet;

use crate::{provider::PACED, wire::Wire};

/// How long a loop may take beyond its time.
const GRACE: Duration = Duration::from_secs(10);
/// Only in events that carry content.
const CONTENT: &[u8] = b" token";

/// What a loop measured.
#[derive(Default)]
pub(crate) struct Measured {
    pub(crate) elapsed: Duration,
    /// From sending to the answer's last byte, one for each request.
    pub(crate) whole: Vec<Duration>,
    /// From sending to the first content of a stream.
    pub(crate) first: Vec<Duration>,
}

impl Measured {
    fn take(&mut self, other: Self) {
        self.whole.extend(other.whole);
        self.first.extend(other.first);
    }
}

/// A chat request with the headers that SDKs send. Its prompt has at least so many bytes; the model `paced` streams.
pub(crate) fn request(key: &str, model: &str, prompt: usize) -> Vec<u8> {
    let sentence = "Explain in two sentences what a \"closed loop\" load generator is.\n";
    let body = json!({
        "model": model,
        "messages": [
            { "role": "system", "content": "You are a concise assistant for engineers." },
            { "role": "user", "content": sentence.repeat(prompt.div_ceil(sentence.len()).max(1)) },
        ],
        "temperature": 0.7,
        "max_tokens": 256,
        "stream": model == PACED,
    })
    .to_string();
    format!(
        "POST /v1/chat/completions HTTP/1.1\r\nhost: gateway.example\r\naccept: application/json\r\n\
         content-type: application/json\r\nuser-agent: OpenAI/Python 2.8.0\r\nx-stainless-lang: python\r\n\
         x-stainless-os: Linux\r\nx-stainless-retry-count: 0\r\nx-stainless-runtime: CPython\r\n\
         authorization: Bearer {key}\r\ncontent-length: {}\r\n\r\n{body}",
        body.len()
    )
    .into_bytes()
}

/// Runs a loop for `time`.
///
/// # Errors
/// When any request is not answered with success.
pub(crate) async fn run(
    target: SocketAddr,
    request: &Arc<Vec<u8>>,
    connections: usize,
    time: Duration,
) -> anyhow::Result<Measured> {
    let started = Instant::now();
    let mut clients = JoinSet::new();
    for _ in 0..connections {
        clients.spawn(client(target, Arc::clone(request), started + time));
    }
    let all = async {
        let mut measured = Measured::default();
        while let Some(client) = clients.join_next().await {
            measured.take(client??);
        }
        Ok(Measured { elapsed: started.elapsed(), ..measured })
    };
    let busy = tokio::spawn(never_sleep());
    let measured = tokio::time::timeout(time + GRACE, all).await.context("a request is never answered")?;
    busy.abort();
    measured
}

/// Keeps this thread from sleeping while it waits for the gateway. To wake it up is not the gateway's work, but on
/// one machine the kernel would charge it for that, and the more the slower it is.
async fn never_sleep() {
    loop {
        tokio::task::yield_now().await;
    }
}

async fn client(target: SocketAddr, request: Arc<Vec<u8>>, end: Instant) -> anyhow::Result<Measured> {
    let mut wire = Wire::connect(target).await?;
    let mut measured = Measured::default();
    while Instant::now() < end {
        let sent = Instant::now();
        wire.send(&request).await?;
        if let Some(first) = answer(&mut wire).await? {
            measured.first.push(first - sent);
        }
        measured.whole.push(sent.elapsed());
    }
    Ok(measured)
}

/// Reads a whole answer; says when the first content of a stream came.
pub(crate) async fn answer(wire: &mut Wire) -> anyhow::Result<Option<Instant>> {
    let Some(head) = wire.head().await? else { bail!("the gateway hung up") };
    if !wire.received().starts_with(b"HTTP/1.1 200 ") {
        bail!("the gateway answered:\n{}", String::from_utf8_lossy(wire.received()));
    }
    match head.body {
        Some(body) => {
            wire.fill(head.length + body).await?;
            wire.consume(head.length + body);
            Ok(None)
        }
        None => {
            let mut first = None;
            let note = |body: &[u8]| {
                if first.is_none() && memmem::find(body, CONTENT).is_some() {
                    first = Some(Instant::now());
                }
            };
            wire.chunked(head.length, note).await?;
            Ok(Some(first.context("a stream without content")?))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn every_answer_of_the_provider_is_read_to_its_end() {
        let provider = crate::provider::start(Duration::from_millis(1)).await.unwrap();
        for (model, streamed) in [("chat", false), (PACED, true)] {
            let request = Arc::new(request("key", model, 20_000));
            let measured = run(provider, &request, 2, Duration::from_millis(20)).await.unwrap();
            assert!(measured.whole.len() >= 2, "{model}");
            assert_eq!(measured.first.len(), if streamed { measured.whole.len() } else { 0 });
        }
    }
}
