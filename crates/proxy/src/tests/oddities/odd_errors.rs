//! Errors and ends of streams in shapes that no dialect describes, verbatim and translated.

use domain::{AttemptOutcome, RequestOutcome};
use serde_json::{Value, json};

use super::{
    PROVIDERS,
    clients::{CLIENTS, Speaks},
    two,
};
use crate::tests::harness::Bench;

/// A body as the provider's answer, typed as such.
async fn answer(bench: &Bench, media: &str, body: &str) {
    let script = json!({ "content_type": media, "raw_body": body });
    bench.sim().script(&script.to_string()).await;
}

const EVENTS: &str = "text/event-stream";
const JSON: &str = "application/json";

/// The second target answers, and the first one failed, for every client.
async fn goes_on(kinds: &'static [&'static str], stream: bool, media: &str, body: &str) {
    let mut bench = two(kinds).await;
    answer(&bench, media, body).await;
    for client in CLIENTS {
        // Clients of Responses are served by a provider of OpenAI's in their own dialect.
        if (client, kinds[0]) == (Speaks::Responses, "openai") {
            continue;
        }
        let case = format!("{client:?} at {}: {body}", kinds[0]);
        let reply = client.ask(&bench, stream).await;
        assert_eq!((reply.status, reply.header("x-portcullis-provider")), (200, "b"), "{case}: {reply:?}");
        let text = if stream { client.said(&reply.body).text } else { client.text(&reply) };
        assert_eq!(text, "echo: one two", "{case}");
        let event = bench.event().await;
        let [first, second] = event.attempts.as_slice() else { panic!("{case}: {event:?}") };
        assert_ne!(first.outcome, AttemptOutcome::Ok, "{case}");
        assert_eq!(second.outcome, AttemptOutcome::Ok, "{case}");
    }
    bench.finish().await;
}

#[tokio::test]
async fn errors_that_look_like_answers_go_to_the_next_target() {
    let error = r#""error":{"code":502,"message":"Provider disconnected"}"#;
    let chat = [
        format!(r#"{{{error},"choices":[{{"index":0,"delta":{{"content":""}},"finish_reason":"error"}}]}}"#),
        format!(r#"{{"choices":[{{"index":0,"delta":{{"content":""}},{error}}}]}}"#),
        r#"{"choices":[{"index":0,"delta":{},"finish_reason":"error"}]}"#.to_owned(),
        r#"{"object":"error","message":"gone","code":500}"#.to_owned(),
        format!("{{{error}}}"),
    ];
    for chunk in &chat {
        goes_on(&["custom", "custom"], true, EVENTS, &format!("data: {chunk}\n\ndata: [DONE]\n\n")).await;
    }
    for body in
        ["data: [DONE]\n\n", "event: error\ndata: {\"message\":\"gone\"}\n\n", "event: error\ndata: gone\n\n"]
    {
        goes_on(&["custom", "custom"], true, EVENTS, body).await;
    }
    let plain = [
        format!(
            r#"{{{error},"choices":[{{"index":0,"message":{{"role":"assistant","content":""}},"finish_reason":"stop"}}]}}"#
        ),
        format!(
            r#"{{"choices":[{{"index":0,"message":{{"role":"assistant","content":""}},"finish_reason":"error",{error}}}],"usage":{{"prompt_tokens":1,"completion_tokens":0}}}}"#
        ),
        r#"{"choices":[{"index":0,"message":{"role":"assistant","content":"ha"},"finish_reason":"error"}]}"#
            .to_owned(),
    ];
    for body in &plain {
        goes_on(&["custom", "custom"], false, JSON, body).await;
    }
}

#[tokio::test]
async fn a_document_where_a_stream_was_asked_is_read_for_its_error() {
    let error = r#"{"error":{"code":503,"message":"busy","type":"overloaded_error","status":"UNAVAILABLE"}}"#;
    for kinds in PROVIDERS {
        for media in [JSON, EVENTS] {
            goes_on(kinds, true, media, error).await;
        }
    }
    goes_on(&["gemini", "gemini"], true, JSON, &format!("[{error}]")).await;
    goes_on(&["anthropic", "anthropic"], true, EVENTS, &format!("data: {error}\n\n")).await;
    goes_on(&["cohere", "cohere"], true, EVENTS, &format!("event: error\ndata: {error}\n\n")).await;
    goes_on(&["anthropic", "anthropic"], true, EVENTS, "event: error\ndata: gone\n\n").await;
}

#[tokio::test]
async fn events_typed_as_json_and_arrays_of_them_are_streams() {
    let chunk = |delta: Value, reason: Value| {
        let choice = json!({ "index": 0, "delta": delta, "finish_reason": reason });
        json!({ "id": "c", "object": "chat.completion.chunk", "created": 1, "model": "m", "choices": [choice] })
    };
    let (first, last) = (chunk(json!({ "content": "hi" }), Value::Null), chunk(json!({}), json!("stop")));
    let usage = json!({ "choices": [], "usage": { "prompt_tokens": 3, "completion_tokens": 1 } });
    let chat = format!("data: {first}\n\ndata: {last}\n\ndata: {usage}\n\ndata: [DONE]\n\n");
    let part =
        |text: &str| json!({ "content": { "role": "model", "parts": [{ "text": text }] }, "index": 0 });
    let mut end = part("i");
    end["finishReason"] = "STOP".into();
    let gemini = json!([
        { "candidates": [part("h")] },
        { "candidates": [end], "usageMetadata": { "promptTokenCount": 3, "candidatesTokenCount": 1 } },
    ]);
    for (kinds, body) in [
        (&["custom", "custom"][..], format!("\n{chat}")),
        (&["gemini", "gemini"][..], serde_json::to_string_pretty(&gemini).unwrap()),
    ] {
        let mut bench =
            Bench::start(crate::tests::harness::Plan { simulators: 2, kinds, ..Default::default() }).await;
        answer(&bench, JSON, &body).await;
        for client in CLIENTS {
            let case = format!("{client:?} at {}", kinds[0]);
            let reply = client.ask(&bench, true).await;
            assert_eq!(reply.header("x-portcullis-provider"), "a", "{case}: {reply:?}");
            let said = client.said(&reply.body);
            assert_eq!((said.text.as_str(), said.whole, said.error), ("hi", true, None), "{case}: {reply:?}");
            let event = bench.event().await;
            assert_eq!((event.attempts[0].usage.output(), event.attempts[0].estimated), (1, false), "{case}");
        }
        bench.finish().await;
    }
}

#[tokio::test]
async fn an_error_in_the_middle_is_told_in_the_clients_words() {
    let text =
        r#"data: {"id":"c","choices":[{"index":0,"delta":{"content":"echo: "},"finish_reason":null}]}"#;
    for error in [
        "event: error\ndata: {\"message\":\"gone\"}",
        "event: error\ndata: gone",
        r#"data: {"object":"error","message":"gone"}"#,
        r#"data: {"choices":[{"index":0,"delta":{},"finish_reason":"error","error":{"message":"gone"}}]}"#,
        r#"data: {"choices":[{"index":0,"delta":{},"finish_reason":"error"}],"error":{"message":"gone"}}"#,
    ] {
        let mut bench = two(&["custom", "custom"]).await;
        // Two writes, so that the first one has reached the client.
        let script = json!({ "content_type": EVENTS, "raw_body": format!("{text}\n\n{error}\n\n") });
        bench.sim().script(&script.to_string()).await;
        for client in CLIENTS {
            let case = format!("{client:?}: {error}");
            let reply = client.ask(&bench, true).await;
            let event = bench.event().await;
            // Where both came at once, the error came in time; content that was seen before is kept all the same.
            let said = client.said(&reply.body);
            assert_eq!(event.outcome, RequestOutcome::Cut, "{case}");
            assert_eq!(said.text, "echo: ", "{case}: {reply:?}");
            let told = said.error.unwrap_or_else(|| panic!("{case}: no error: {reply:?}"));
            assert!(told.to_string().contains("gone") && !said.whole, "{case}: {told}");
        }
        bench.finish().await;
    }
}

#[tokio::test]
async fn calls_without_a_finish_reason_are_calls() {
    let call =
        json!({ "index": 0, "id": "t1", "type": "function", "function": { "name": "f", "arguments": "{}" } });
    let chunk = json!({ "id": "g", "object": "chat.completion.chunk", "created": 1, "model": "m",
        "choices": [{ "index": 0, "delta": { "tool_calls": [call] }, "finish_reason": null }] });
    let mut bench = two(&["custom", "custom"]).await;
    answer(&bench, EVENTS, &format!("data: {chunk}\n\ndata: [DONE]\n\n")).await;
    for (client, reason) in [
        (Speaks::Chat, r#""finish_reason":"tool_calls""#),
        (Speaks::Responses, r#""status":"completed""#),
        (Speaks::Messages, r#""stop_reason":"tool_use""#),
        (Speaks::Gemini, r#""finishReason":"STOP""#),
        (Speaks::Cohere, r#""finish_reason":"TOOL_CALL""#),
        (Speaks::Converse, r#""stopReason":"tool_use""#),
    ] {
        let reply = client.ask(&bench, true).await;
        let shown = String::from_utf8_lossy(&reply.body).into_owned();
        assert!(shown.contains(reason), "{client:?}: {shown}");
        assert_eq!(bench.event().await.attempts[0].outcome, AttemptOutcome::Ok, "{client:?}");
    }
    bench.finish().await;
}
