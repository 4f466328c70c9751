//! Gemini's content generation, also behind Vertex's paths.

use serde_json::{Value, json};

use super::{IMAGE, SEEN, chunks, joined, post};
use crate::client::{Reply, Sim};

const KEY: [&str; 1] = ["x-goog-api-key: k"];
const TEXT: &str = "/candidates/0/content/parts/0/text";

fn user(text: &str) -> Value {
    json!({"contents": [{"role": "user", "parts": [{"text": text}]}]})
}

fn with_tool(text: &str) -> Value {
    let mut body = user(text);
    body["tools"] = json!([{"functionDeclarations": [{"name": "weather", "parametersJsonSchema":
        {"type": "object", "properties": {"city": {"type": "string"}}}}]}]);
    body
}

async fn send(verb: &str, body: &Value) -> Reply {
    let sim = Sim::start().await;
    post(&sim, &format!("/v1beta/models/gemini-3:{verb}"), &KEY, body).await
}

async fn answer(body: &Value) -> Value {
    send("generateContent", body).await.json()
}

async fn refused(body: &Value) -> String {
    let reply = send("generateContent", body).await;
    assert_eq!((reply.status, &reply.json()["error"]["status"]), (400, &json!("INVALID_ARGUMENT")));
    reply.json()["error"]["message"].as_str().unwrap().to_owned()
}

#[tokio::test]
async fn a_plain_answer_and_its_count() {
    let plain = answer(&user("hello")).await;
    assert_eq!(plain.pointer(TEXT), Some(&json!("echo: hello")));
    assert_eq!(
        (&plain["candidates"][0]["finishReason"], &plain["modelVersion"]),
        (&json!("STOP"), &json!("gemini-3"))
    );
    assert_eq!(plain["usageMetadata"]["totalTokenCount"], 5);
    assert_eq!(send("countTokens", &user("hello")).await.json()["totalTokens"], 2);
}

#[tokio::test]
async fn streams_are_events_or_one_array() {
    let mut body = user("one two");
    body["generationConfig"] = json!({"thinkingConfig": {"includeThoughts": true}});
    let events = chunks(&send("streamGenerateContent?alt=sse", &body).await);
    let (thoughts, words): (Vec<Value>, Vec<Value>) = events
        .clone()
        .into_iter()
        .partition(|event| event["candidates"][0]["content"]["parts"][0]["thought"] == true);
    assert_eq!(
        (joined(&thoughts, TEXT), joined(&words, TEXT)),
        ("I think about: one two".into(), "echo: one two".into())
    );
    let last = events.last().unwrap();
    assert_eq!(last["candidates"][0]["finishReason"], "STOP");
    assert!(last.pointer("/candidates/0/content/parts/0/thoughtSignature").is_some_and(Value::is_string));
    assert_eq!(
        (&last["usageMetadata"]["thoughtsTokenCount"], &last["usageMetadata"]["candidatesTokenCount"]),
        (&json!(6), &json!(4))
    );
    let array = send("streamGenerateContent", &body).await;
    assert_eq!(array.header("content-type"), Some("application/json"));
    assert_eq!(array.json().as_array().unwrap(), &events);
}

#[tokio::test]
async fn calls_are_signed_and_their_signature_must_come_back() {
    let body = with_tool("call:weather {\"city\":\"Rome\"}\ncall:weather {}");
    let first = answer(&body).await["candidates"][0]["content"].clone();
    assert_eq!(first["parts"][0]["functionCall"], json!({"name": "weather", "args": {"city": "Rome"}}));
    assert!(first["parts"][1].get("thoughtSignature").is_none());
    let result = json!({"functionResponse": {"name": "weather", "response": {"output": "sun"}}});
    let turn = |call: &Value, results: &[&Value]| {
        let mut body = body.clone();
        let contents = body["contents"].as_array_mut().unwrap();
        contents.extend([call.clone(), json!({"role": "user", "parts": results})]);
        body
    };
    let both = [&result, &result];
    assert_eq!(answer(&turn(&first, &both)).await.pointer(TEXT), Some(&json!("results: sun | sun")));
    assert!(refused(&turn(&first, &[&result])).await.contains("number of function response parts"));
    let mut altered = first.clone();
    altered["parts"][0]["thoughtSignature"] = "AAAA".into();
    assert!(refused(&turn(&altered, &both)).await.contains("Invalid/Corrupted thought signature"));
    altered["parts"][0]["thoughtSignature"] = "skip_thought_signature_validator".into();
    assert_eq!(send("generateContent", &turn(&altered, &both)).await.status, 200);
    altered["parts"][0]["thoughtSignature"] = "c2tpcF90aG91Z2h0X3NpZ25hdHVyZV92YWxpZGF0b3I=".into();
    assert_eq!(send("generateContent", &turn(&altered, &both)).await.status, 200, "as bytes in base64");
    altered["parts"][0].as_object_mut().unwrap().remove("thoughtSignature");
    assert!(refused(&turn(&altered, &both)).await.contains("missing a thought_signature"));
}

#[tokio::test]
async fn what_does_not_fit_is_refused() {
    let config = |value: Value| {
        let mut body = user("hi");
        body["generationConfig"] = value;
        body
    };
    for (body, want) in [
        (json!({}), "contents is not specified"),
        (json!({"contents": []}), "contents is not specified"),
        (json!({"contents": [{"parts": []}]}), "parts must not be empty"),
        (
            json!({"contents": [{"parts": [{"text": "a", "fileData": {"fileUri": "b"}}]}]}),
            "one initialized field",
        ),
        (json!({"contents": [{"role": "assistant", "parts": [{"text": "a"}]}]}), "contents[0].role"),
        (config(json!({"max_tokens": 1})), "Unknown name \"maxTokens\" at 'generationConfig'"),
        (config(json!({"responseJsonSchema": {}})), "requires response_mime_type"),
        (config(json!({"thinkingConfig": {"thinkingBudget": 1, "thinkingLevel": "LOW"}})), "only one of"),
    ] {
        let why = refused(&body).await;
        assert!(why.contains(want), "{why}");
    }
    let sim = Sim::start().await;
    let path = "/v1/models/g:generateContent";
    assert_eq!(post(&sim, path, &["x-api-key: k"], &user("hi")).await.status, 403);
    assert_eq!(post(&sim, &format!("{path}?key=secret"), &[], &user("hi")).await.status, 200);
    assert!(!String::from_utf8(sim.get("/_sim/requests").await.body).unwrap().contains("secret"));
}

#[tokio::test]
async fn images_structure_limits_refusals_and_errors() {
    let mut body = user("what?");
    let image = json!({"inlineData": {"mimeType": "image/png", "data": IMAGE}});
    body["contents"][0]["parts"].as_array_mut().unwrap().push(image);
    assert_eq!(
        answer(&body).await.pointer(TEXT),
        Some(&json!(format!("echo: what?\nsaw 1 image(s) {SEEN}")))
    );
    let mut body = user("hello");
    body["generationConfig"] = json!({"responseMimeType": "application/json", "responseSchema":
        {"type": "OBJECT", "properties": {"n": {"type": "INTEGER"}}}});
    assert_eq!(answer(&body).await.pointer(TEXT), Some(&json!(r#"{"n":0}"#)));
    body["generationConfig"] = json!({"maxOutputTokens": 2, "candidateCount": 2});
    let cut = answer(&body).await;
    assert_eq!(
        (&cut["candidates"][1]["finishReason"], cut.pointer(TEXT)),
        (&json!("MAX_TOKENS"), Some(&json!("echo: he")))
    );
    assert_eq!(answer(&user("refuse: no")).await["candidates"][0]["finishReason"], "SAFETY");
    let blocked = answer(&user("filter:")).await;
    assert_eq!(
        (&blocked["promptFeedback"]["blockReason"], blocked.get("candidates")),
        (&json!("SAFETY"), None)
    );
    let limited = send("generateContent", &user("error:429 retry-after:7")).await;
    assert_eq!((limited.status, &limited.json()["error"]["details"][0]["retryDelay"]), (429, &json!("7s")));
}

#[tokio::test]
async fn embeddings_and_vertex_paths() {
    let one = json!({"content": {"parts": [{"text": "a"}]}, "outputDimensionality": 8});
    assert_eq!(send("embedContent", &one).await.json()["embedding"]["values"].as_array().unwrap().len(), 8);
    let many = send("batchEmbedContents", &json!({"requests": [one, one]})).await.json();
    assert_eq!(many["embeddings"].as_array().unwrap().len(), 2);
    let sim = Sim::start().await;
    let path = "/v1/projects/p/locations/l/publishers/google/models/g";
    let bearer = ["authorization: Bearer t"];
    let instances = json!({"instances": [{"content": "abcd"}]});
    let predicted = post(&sim, &format!("{path}:predict"), &bearer, &instances).await.json();
    assert_eq!(predicted["predictions"][0]["embeddings"]["statistics"]["token_count"], 1);
    let plain = post(&sim, &format!("{path}:generateContent"), &bearer, &user("hi")).await;
    assert_eq!(plain.json().pointer(TEXT), Some(&json!("echo: hi")));
}
