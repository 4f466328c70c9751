//! A provider that answers at once and always the same: the simulator's scripts and records would cost more than the
//! gateways under test.

use std::{net::SocketAddr, sync::Arc, time::Duration};

use anyhow::bail;
use serde_json::{Value, json};
use tokio::net::TcpListener;

use crate::wire::Wire;

/// The model that answers with a stream; every other one answers with a document.
pub(crate) const PACED: &str = "paced";
/// The route to a provider that answers as Anthropic's Messages API does, which is known by the path.
pub(crate) const TRANSLATED: &str = "translated";
/// The model there: one that takes `temperature`, as newer ones do not.
pub(crate) const CLAUDE: &str = "claude-sonnet-4-5";
const MESSAGES: &[u8] = b"POST /v1/messages ";
/// Parts of a stream, each written by itself.
pub(crate) const PARTS: usize = 20;
/// Between two parts, at full speed.
pub(crate) const PACE: Duration = Duration::from_millis(2);

/// What it answers.
struct Answers {
    document: Vec<u8>,
    message: Vec<u8>,
    /// The head goes out with the first part.
    stream: Vec<Vec<u8>>,
    /// Between two parts of the stream.
    pace: Duration,
}

/// Starts serving on a port of its own, on the current runtime.
pub(crate) async fn start(pace: Duration) -> anyhow::Result<SocketAddr> {
    let listener = TcpListener::bind(("127.0.0.1", 0)).await?;
    let addr = listener.local_addr()?;
    let answers = Arc::new(Answers { document: document(), message: message(), stream: stream(), pace });
    tokio::spawn(async move {
        while let Ok((stream, _)) = listener.accept().await {
            let answers = Arc::clone(&answers);
            // A gateway may close its connections when it ends; what matters is what it answers its clients.
            tokio::spawn(async move { serve(Wire::new(stream)?, &answers).await });
        }
    });
    Ok(addr)
}

async fn serve(mut wire: Wire, answers: &Answers) -> anyhow::Result<()> {
    while let Some(head) = wire.head().await? {
        let Some(body) = head.body else { bail!("a gateway sent a chunked request") };
        wire.fill(head.length + body).await?;
        let document =
            if wire.received().starts_with(MESSAGES) { &answers.message } else { &answers.document };
        let start = &wire.received()[head.length..head.length + body.min(64)];
        let paced = memchr::memmem::find(start, PACED.as_bytes()).is_some();
        wire.consume(head.length + body);
        if !paced {
            wire.send(document).await?;
            continue;
        }
        for (number, part) in answers.stream.iter().enumerate() {
            if number > 0 {
                tokio::time::sleep(answers.pace).await;
            }
            wire.send(part).await?;
        }
    }
    Ok(())
}

fn usage() -> Value {
    json!({ "prompt_tokens": 58, "completion_tokens": 40, "total_tokens": 98 })
}

const CONTENT: &str = "A closed loop sends the next request when the last one is answered, so that the load never \
                       exceeds what the system under test can take.";

fn document() -> Vec<u8> {
    let body = json!({
        "id": "chatcmpl-0123456789abcdef01234567", "object": "chat.completion", "created": 1_767_225_600,
        "model": "chat",
        "choices": [{
            "index": 0, "message": { "role": "assistant", "content": CONTENT, "refusal": null },
            "logprobs": null, "finish_reason": "stop",
        }],
        "usage": usage(),
    });
    answer(&body, "x-request-id: req_0123456789abcdef\r\nopenai-processing-ms: 1")
}

fn message() -> Vec<u8> {
    let body = json!({
        "id": "msg_0123456789abcdef01234567", "type": "message", "role": "assistant", "model": CLAUDE,
        "content": [{ "type": "text", "text": CONTENT }],
        "stop_reason": "end_turn", "stop_sequence": null,
        "usage": {
            "input_tokens": 58, "cache_creation_input_tokens": 0, "cache_read_input_tokens": 0, "output_tokens": 40,
        },
    });
    answer(&body, "request-id: req_0123456789abcdef")
}

fn answer(body: &Value, headers: &str) -> Vec<u8> {
    let body = body.to_string();
    let length = body.len();
    format!(
        "HTTP/1.1 200 OK\r\ncontent-type: application/json\r\n{headers}\r\ncontent-length: {length}\r\n\r\n{body}"
    )
    .into_bytes()
}

/// `PARTS` parts: role and first token, tokens, and finish with usage and the terminal event.
fn stream() -> Vec<Vec<u8>> {
    let event = |choices: Value, usage: Value| {
        let chunk = json!({
            "id": "chatcmpl-0123456789abcdef01234567", "object": "chat.completion.chunk",
            "created": 1_767_225_600, "model": PACED, "choices": choices, "usage": usage,
        });
        format!("data: {chunk}\n\n")
    };
    let delta = |delta: Value, finish: Value| {
        event(json!([{ "index": 0, "delta": delta, "finish_reason": finish }]), Value::Null)
    };
    let chunk = |text: &str| format!("{:x}\r\n{text}\r\n", text.len());
    // nginx passes streams on as they come when the provider says so.
    let head = "HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\nx-accel-buffering: no\r\n\
                transfer-encoding: chunked\r\n\r\n";
    let token = |number: usize| delta(json!({ "content": format!(" token{number:02}") }), Value::Null);
    let role = delta(json!({ "role": "assistant", "content": "" }), Value::Null);
    let last = delta(json!({}), json!("stop")) + &event(json!([]), usage()) + "data: [DONE]\n\n";
    let mut parts = vec![format!("{head}{}", chunk(&(role + &token(0))))];
    parts.extend((1..PARTS - 1).map(|number| chunk(&token(number))));
    parts.push(chunk(&last) + "0\r\n\r\n");
    parts.into_iter().map(String::into_bytes).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_stream_has_its_parts_and_ends_as_the_reader_expects() {
        let parts = stream();
        assert_eq!(parts.len(), PARTS);
        assert!(parts[0].starts_with(b"HTTP/1.1 200 OK\r\n"));
        assert!(parts[PARTS - 1].ends_with(b"data: [DONE]\n\n\r\n0\r\n\r\n"));
    }
}
