//! The simulator's dialects over real sockets: what each answers, streams and refuses, steered by the prompt alone.

#[path = "dialects/anthropic.rs"]
mod anthropic;
#[path = "dialects/bedrock.rs"]
mod bedrock;
#[path = "dialects/chat.rs"]
mod chat;
#[path = "dialects/cohere.rs"]
mod cohere;
#[path = "dialects/gemini.rs"]
mod gemini;
#[path = "dialects/junk.rs"]
mod junk;
#[path = "dialects/odd.rs"]
mod odd;
#[path = "dialects/responses.rs"]
mod responses;

use serde_json::Value;

use crate::client::{Reply, Sim};

/// Base64 of an image as far as the simulator looks, which is its bytes.
const IMAGE: &str = "iVBORw0KGgo=";
/// What the simulator says about it.
const SEEN: &str = "image/png 8 4c4b6a3be1314ab8";

/// A POST with header lines.
async fn post(sim: &Sim, path: &str, headers: &[&str], body: &Value) -> Reply {
    let mut connection = sim.connect().await;
    headers.iter().for_each(|line| connection.extra_header(line));
    connection.call("POST", path, body).await
}

/// The data of a stream's events as JSON, without the terminal `[DONE]`.
fn chunks(reply: &Reply) -> Vec<Value> {
    let text = String::from_utf8(reply.body.clone()).unwrap();
    let data = text.lines().filter_map(|line| line.strip_prefix("data: ")).filter(|data| *data != "[DONE]");
    data.map(|data| serde_json::from_str(data).unwrap()).collect()
}

/// All strings at `pointer` in the events, joined.
fn joined(events: &[Value], pointer: &str) -> String {
    events.iter().filter_map(|event| event.pointer(pointer)?.as_str()).collect()
}
