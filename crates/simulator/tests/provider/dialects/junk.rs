//! Requests that are wrong in every place: each is answered, none breaks the connection.

use serde_json::{Value, json};

use super::IMAGE;
use crate::client::Sim;

/// Good requests, with the tool loop, media and options that each dialect has.
fn chats() -> Vec<(&'static str, Value)> {
    let schema = json!({"type": "object", "properties": {"city": {"type": "string"}}});
    let uri = format!("data:image/png;base64,{IMAGE}");
    vec![
        (
            "/v1/chat/completions",
            json!({"model": "m", "stream": true, "stop": ["x"], "n": 2, "logprobs": true, "max_tokens": 50,
                "tools": [{"type": "function", "function": {"name": "f", "parameters": schema}}], "tool_choice": "auto",
                "messages": [{"role": "user", "content": [{"type": "text", "text": "call:f"},
                    {"type": "image_url", "image_url": {"url": uri}}]},
                    {"role": "assistant", "tool_calls": [{"id": "a", "type": "function",
                        "function": {"name": "f", "arguments": "{}"}}]},
                    {"role": "tool", "tool_call_id": "a", "content": "x"}]}),
        ),
        (
            "/v1/responses",
            json!({"model": "m", "stream": true, "reasoning": {"effort": "low", "summary": "auto"},
                "text": {"format": {"type": "json_schema", "name": "s", "schema": schema}},
                "tools": [{"type": "function", "name": "f", "parameters": schema, "strict": false}],
                "input": [{"role": "user", "content": [{"type": "input_text", "text": "call:f"},
                    {"type": "input_image", "image_url": uri}]},
                    {"type": "function_call", "call_id": "a", "name": "f", "arguments": "{}"},
                    {"type": "function_call_output", "call_id": "a", "output": "x"}]}),
        ),
    ]
}

fn more_chats() -> Vec<(&'static str, Value)> {
    let schema = json!({"type": "object", "properties": {"city": {"type": "string"}}});
    let uri = format!("data:image/png;base64,{IMAGE}");
    vec![
        (
            "/v1/messages",
            json!({"model": "m", "stream": true, "max_tokens": 3000, "thinking": {"type": "adaptive"},
                "system": [{"type": "text", "text": "s", "cache_control": {"type": "ephemeral"}}],
                "tools": [{"name": "f", "input_schema": schema}], "tool_choice": {"type": "auto"},
                "messages": [{"role": "user", "content": [{"type": "image",
                    "source": {"type": "base64", "media_type": "image/png", "data": IMAGE}}]},
                    {"role": "assistant", "content": [{"type": "tool_use", "id": "a", "name": "f", "input": {}}]},
                    {"role": "user", "content": [{"type": "tool_result", "tool_use_id": "a", "content": "x"}]}]}),
        ),
        (
            "/v1/models/gemini-2:streamGenerateContent",
            json!({"systemInstruction": {"parts": [{"text": "s"}]}, "generationConfig": {"candidateCount": 2,
                "responseLogprobs": true, "logprobs": 1, "thinkingConfig": {"includeThoughts": true}},
                "tools": [{"functionDeclarations": [{"name": "f", "parametersJsonSchema": schema}]}],
                "contents": [{"role": "user", "parts": [{"inlineData": {"mimeType": "image/png", "data": IMAGE}}]},
                    {"role": "model", "parts": [{"functionCall": {"name": "f", "args": {}}}]},
                    {"role": "user", "parts": [{"functionResponse": {"name": "f", "response": {"output": "x"}}}]}]}),
        ),
        (
            "/v2/chat",
            json!({"model": "m", "stream": true, "logprobs": true, "thinking": {"type": "enabled"},
                "tools": [{"type": "function", "function": {"name": "f", "parameters": schema}}],
                "messages": [{"role": "user", "content": [{"type": "image_url", "image_url": {"url": uri}}]},
                    {"role": "assistant", "tool_calls": [{"id": "a", "type": "function",
                        "function": {"name": "f", "arguments": "{}"}}]},
                    {"role": "tool", "tool_call_id": "a", "content": "x"}]}),
        ),
        (
            "/model/m/converse-stream",
            json!({"system": [{"text": "s"}, {"cachePoint": {"type": "default"}}], "inferenceConfig": {"maxTokens": 9},
                "toolConfig": {"tools": [{"toolSpec": {"name": "f", "inputSchema": {"json": schema}}}]},
                "messages": [{"role": "user", "content": [{"image": {"format": "png", "source": {"bytes": IMAGE}}}]},
                    {"role": "assistant", "content": [{"toolUse": {"toolUseId": "a", "name": "f", "input": {}}}]},
                    {"role": "user", "content": [{"toolResult": {"toolUseId": "a", "content": [{"text": "x"}]}}]}]}),
        ),
    ]
}

fn others() -> Vec<(&'static str, Value)> {
    vec![
        (
            "/v2/embed",
            json!({"model": "m", "input_type": "search_query", "texts": ["a"], "embedding_types": ["int8"]}),
        ),
        ("/v2/rerank", json!({"model": "m", "query": "a", "documents": ["a", {"text": "b"}], "top_n": 1})),
        ("/v1/embeddings", json!({"model": "m", "input": ["a"], "dimensions": 8})),
        ("/v1/completions", json!({"model": "m", "prompt": "a", "n": 2, "stream": true})),
        ("/v1/moderations", json!({"model": "m", "input": [{"type": "text", "text": "a"}]})),
        (
            "/v1/models/g:predict",
            json!({"instances": [{"content": "a"}], "parameters": {"outputDimensionality": 8}}),
        ),
        ("/v1/models/g:batchEmbedContents", json!({"requests": [{"content": {"parts": [{"text": "a"}]}}]})),
        ("/model/amazon.titan/invoke", json!({"inputText": "a", "dimensions": 8})),
    ]
}

/// Where everything in a document is, as JSON pointers.
fn places(value: &Value, at: &str, out: &mut Vec<String>) {
    out.push(at.to_owned());
    match value {
        Value::Array(all) => all.iter().enumerate().for_each(|(i, v)| places(v, &format!("{at}/{i}"), out)),
        Value::Object(all) => all.iter().for_each(|(key, v)| places(v, &format!("{at}/{key}"), out)),
        _ => {}
    }
}

#[tokio::test]
async fn whatever_stands_in_the_wrong_place_is_answered() {
    let sim = Sim::start().await;
    let mut connection = sim.connect().await;
    for line in ["authorization: Bearer k", "anthropic-version: 2023-06-01", "x-goog-api-key: k"] {
        connection.extra_header(line);
    }
    let junk = [
        json!(null),
        json!(true),
        json!(-1),
        json!(1e300),
        json!(""),
        json!("cache:18446744073709551615"),
        json!([]),
        json!([[null]]),
        json!({}),
        json!({"type": "text", "": {}}),
    ];
    for (path, good) in [chats(), more_chats(), others()].concat() {
        let reply = connection.call("POST", path, &good).await;
        assert_eq!(reply.status, 200, "{path}: {}", String::from_utf8_lossy(&reply.body));
        let mut all = Vec::new();
        places(&good, "", &mut all);
        for place in all.iter().filter(|place| !place.is_empty()) {
            for value in &junk {
                let mut body = good.clone();
                *body.pointer_mut(place).unwrap() = value.clone();
                let reply = connection.call("POST", path, &body).await;
                let told = String::from_utf8_lossy(&reply.body).into_owned();
                assert!(
                    reply.complete && reply.status < 500,
                    "{path} {place} {value}: {} {told}",
                    reply.status
                );
            }
        }
    }
}
