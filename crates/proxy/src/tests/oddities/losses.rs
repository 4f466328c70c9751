//! What a provider's answer holds beside text arrives in the best place that the client's dialect has, or is named.

use serde_json::{Value, json};

use super::{
    clients::{CLIENTS, Speaks},
    two,
};
use crate::tests::harness::{Bench, Plan, Raw, Reply};

async fn answered(kinds: &'static [&'static str], media: &str, body: &str) -> Bench {
    let bench = two(kinds).await;
    let script = json!({ "content_type": media, "raw_body": body });
    bench.sim().script(&script.to_string()).await;
    bench
}

/// The names of what was lost, in the header of a plain answer or the comment of a stream.
fn dropped(reply: &Reply) -> Vec<String> {
    if let Some(header) = reply.headers.get("x-portcullis-dropped") {
        return header.to_str().unwrap().split(", ").map(str::to_owned).collect();
    }
    let text = String::from_utf8_lossy(&reply.body).into_owned();
    let comment = text.lines().find_map(|line| line.strip_prefix(": portcullis ").map(str::to_owned));
    let account: Value = comment.map(|json| serde_json::from_str(&json).unwrap()).unwrap_or_default();
    serde_json::from_value(account["dropped"].clone()).unwrap_or_default()
}

fn events(events: &[Value]) -> String {
    events.iter().map(|event| format!("data: {event}\n\n")).collect()
}

fn candidate(parts: &Value) -> Value {
    json!({ "candidates": [{ "content": { "role": "model", "parts": parts }, "finishReason": "STOP", "index": 0,
        "groundingMetadata": { "groundingChunks": [{ "web": { "uri": "https://a.example" } }] } }],
        "usageMetadata": { "promptTokenCount": 3, "candidatesTokenCount": 2 } })
}

#[tokio::test]
async fn images_and_citations_of_gemini_are_shown_or_named() {
    let parts = json!([{ "text": "echo: one two" }, { "inlineData": { "mimeType": "image/png", "data": "iVBORw0=" } }]);
    for stream in [false, true] {
        let body = candidate(&parts);
        let (media, body) = match stream {
            true => ("text/event-stream", format!("data: {body}\n\n")),
            false => ("application/json", body.to_string()),
        };
        let mut bench = answered(&["gemini", "gemini"], media, &body).await;
        for client in CLIENTS {
            let case = format!("{client:?}, streamed: {stream}");
            let reply = client.ask(&bench, stream).await;
            assert_eq!(reply.header("x-portcullis-provider"), "a", "{case}: {reply:?}");
            let shown = String::from_utf8_lossy(&reply.body).contains("iVBORw0=");
            let names = dropped(&reply);
            let own = client == Speaks::Gemini;
            let binary = client == Speaks::Converse && stream;
            assert!(shown || binary || names.contains(&"image".to_owned()), "{case}: {names:?} {reply:?}");
            assert!(!shown || !names.contains(&"image".to_owned()), "{case}: {names:?}");
            assert_eq!(names.contains(&"citations".to_owned()), !own && !binary, "{case}: {names:?}");
            let places = match client {
                Speaks::Chat | Speaks::Gemini => true,
                Speaks::Responses | Speaks::Converse => !stream,
                Speaks::Messages | Speaks::Cohere => false,
            };
            assert_eq!(shown, places, "{case}: {reply:?}");
            bench.event().await;
        }
        bench.finish().await;
    }
}

#[tokio::test]
async fn speech_is_shown_as_its_transcript() {
    let audio = json!({ "id": "a", "data": "UklGRg==", "expires_at": 9, "transcript": "echo: one two" });
    let usage = json!({ "prompt_tokens": 3, "completion_tokens": 2 });
    let plain = json!({ "id": "c", "model": "m", "usage": usage, "choices": [{ "index": 0, "finish_reason": "stop",
        "message": { "role": "assistant", "content": null, "audio": audio,
            "annotations": [{ "type": "url_citation", "url_citation": { "url": "https://a.example" } }] } }] });
    let delta = |delta: Value, reason: Value| json!({ "id": "c", "model": "m", "choices": [{ "index": 0, "delta": delta, "finish_reason": reason }] });
    let stream = events(&[
        delta(json!({ "audio": audio }), Value::Null),
        delta(json!({ "annotations": [{ "type": "url_citation" }] }), json!("stop")),
        json!({ "choices": [], "usage": usage }),
    ]) + "data: [DONE]\n\n";
    for (media, body, streamed) in
        [("application/json", plain.to_string(), false), ("text/event-stream", stream, true)]
    {
        let mut bench = answered(&["custom", "custom"], media, &body).await;
        for client in CLIENTS.into_iter().filter(|client| *client != Speaks::Chat) {
            let case = format!("{client:?}, streamed: {streamed}");
            let reply = client.ask(&bench, streamed).await;
            let text = if streamed { client.said(&reply.body).text } else { client.text(&reply) };
            assert_eq!(text, "echo: one two", "{case}: {reply:?}");
            let tells = !streamed || !matches!(client, Speaks::Gemini | Speaks::Converse);
            assert_eq!(dropped(&reply), if tells { vec!["audio", "citations"] } else { vec![] }, "{case}");
            bench.event().await;
        }
        bench.finish().await;
    }
}

#[tokio::test]
async fn citations_of_others_are_named() {
    let text = "echo: one two";
    let anthropic = json!({ "id": "msg_1", "type": "message", "role": "assistant", "model": "m",
        "content": [{ "type": "text", "text": text, "citations": [{ "type": "page_location" }] }],
        "stop_reason": "end_turn", "usage": { "input_tokens": 1, "output_tokens": 1 } });
    let cohere = json!({ "id": "c", "finish_reason": "COMPLETE", "usage": { "tokens": { "input_tokens": 1, "output_tokens": 1 } },
        "message": { "role": "assistant", "content": [{ "type": "text", "text": text }], "citations": [{ "start": 0 }] } });
    let bedrock = json!({ "output": { "message": { "role": "assistant", "content": [{ "citationsContent":
        { "content": [{ "text": text }], "citations": [{ "title": "a" }] } }] } }, "stopReason": "end_turn",
        "usage": { "inputTokens": 1, "outputTokens": 1, "totalTokens": 2 }, "metrics": { "latencyMs": 1 } });
    for (kinds, body) in [
        (&["anthropic", "anthropic"], anthropic),
        (&["cohere", "cohere"], cohere),
        (&["bedrock", "bedrock"], bedrock),
    ] {
        let mut bench = answered(kinds, "application/json", &body.to_string()).await;
        let reply = Speaks::Chat.ask(&bench, false).await;
        assert_eq!(Speaks::Chat.text(&reply), text, "{}", kinds[0]);
        assert!(dropped(&reply).contains(&"citations".to_owned()), "{}: {reply:?}", kinds[0]);
        bench.event().await;
        bench.finish().await;
    }
}

#[tokio::test]
async fn what_stands_only_in_the_last_event_of_a_responses_stream_is_told() {
    let message = json!({ "type": "message", "id": "m", "role": "assistant", "status": "completed",
        "content": [{ "type": "output_text", "text": "echo: one two", "annotations": [] }] });
    let call = json!({ "type": "function_call", "id": "f", "call_id": "call_1", "name": "north", "arguments": "{\"a\":1}",
        "status": "completed" });
    let response = |output: Value| {
        json!({ "type": "response.completed", "response": { "id": "r", "object": "response", "status": "completed",
            "model": "m", "output": output, "usage": { "input_tokens": 3, "output_tokens": 2, "total_tokens": 5 } } })
    };
    let created =
        json!({ "type": "response.created", "response": { "id": "r", "model": "m", "output": [] } });
    let done = |index: u32, item: &Value| json!({ "type": "response.output_item.done", "output_index": index, "item": item });
    let both = json!([message, call]);
    for stream in [
        events(&[created.clone(), response(both.clone())]),
        events(&[created.clone(), done(0, &message), done(1, &call), response(both.clone())]),
        events(&[created.clone(), done(0, &message), response(both.clone())]),
        events(&[created.clone(), done(0, &message), done(1, &call), response(json!([]))]),
    ] {
        let codec = wire::codec(wire::Dialect::OpenAiResponses);
        let read = wire::answer::streamed(codec, stream.as_bytes()).unwrap();
        assert_eq!((read.text.as_str(), read.tool_calls), ("echo: one two", 1), "{stream}");
        // This kind speaks Responses first.
        let mut bench = answered(&["xai", "xai"], "text/event-stream", &stream).await;
        for client in CLIENTS.into_iter().filter(|client| !matches!(client, Speaks::Responses | Speaks::Chat))
        {
            let reply = client.ask(&bench, true).await;
            let said = client.said(&reply.body);
            let shown = String::from_utf8_lossy(&reply.body).into_owned();
            let plan = client == Speaks::Cohere;
            assert!(plan || said.text == "echo: one two", "{client:?}: {shown}");
            assert!(said.whole && shown.matches("echo: one two").count() == 1, "{client:?}: {shown}");
            assert!(shown.contains("north"), "{client:?}: {shown}");
            bench.event().await;
        }
        bench.finish().await;
    }
}

#[tokio::test]
async fn plain_words_of_a_provider_and_each_line_of_a_header_arrive() {
    for (words, told) in [
        ("max_tokens must be at least 1", Some("max_tokens must be at least 1")),
        ("This model's maximum context length is 8192 tokens.", Some("maximum context length")),
        ("<html>Bad Request</html>", None),
    ] {
        let head = "HTTP/1.1 400 Bad Request\r\ncontent-type: text/plain\r\n";
        let answer = format!("{head}content-length: {}\r\n\r\n{words}", words.len());
        let raw = Raw::start(move |_| Some(answer.clone().into_bytes())).await;
        let mut bench =
            Bench::start(Plan { simulators: 0, others: vec![raw.url.clone()], ..Plan::default() }).await;
        for client in CLIENTS {
            let reply = client.ask(&bench, false).await;
            assert!((400..500).contains(&reply.status) || told.is_none(), "{client:?}: {reply:?}");
            let shown = reply.text();
            assert!(told.is_none_or(|told| shown.contains(told)), "{client:?}: {shown}");
            assert!(!shown.contains("<html"), "{client:?}: {shown}");
            bench.event().await;
        }
        bench.finish().await;
    }
    let mut bench = two(&["anthropic", "anthropic"]).await;
    bench.sim().script(r#"{"headers":{"openai-version":"2020-10-01"}}"#).await;
    let mut request =
        bench.client.request(http::Method::POST, "/v1/messages", &Speaks::Messages.body(false).to_string());
    request.headers_mut().insert("anthropic-version", "2023-06-01".parse().unwrap());
    for beta in ["interleaved-thinking-2025-05-14", "context-1m-2025-08-07"] {
        request.headers_mut().append("anthropic-beta", beta.parse().unwrap());
    }
    let reply = bench.client.plain.send(request).await;
    assert_eq!((reply.status, reply.header("openai-version")), (200, "2020-10-01"), "{reply:?}");
    let seen = bench.sim().requests().await[0]["headers"]["anthropic-beta"].clone();
    assert_eq!(seen, "interleaved-thinking-2025-05-14,context-1m-2025-08-07");
    bench.event().await;
    bench.finish().await;
}
