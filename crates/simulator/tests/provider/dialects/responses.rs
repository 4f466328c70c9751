//! OpenAI's responses.

use serde_json::{Value, json};

use super::{IMAGE, SEEN, chunks, joined, post};
use crate::client::{Reply, Sim};

const PATH: &str = "/v1/responses";

fn ask(input: &str) -> Value {
    json!({"model": "m", "input": input})
}

fn tool() -> Value {
    json!({"type": "function", "name": "weather", "strict": false, "parameters":
        {"type": "object", "properties": {"city": {"type": "string"}}}})
}

async fn send(body: &Value) -> Reply {
    let sim = Sim::start().await;
    post(&sim, PATH, &[], body).await
}

async fn refused(body: &Value) -> String {
    let reply = send(body).await;
    assert_eq!(reply.status, 400);
    reply.json()["error"]["message"].as_str().unwrap().to_owned()
}

#[tokio::test]
async fn a_plain_response_and_its_count() {
    let response = send(&ask("hello")).await.json();
    assert_eq!(response["output"][0]["content"][0]["text"], "echo: hello");
    assert_eq!((&response["status"], &response["usage"]["total_tokens"]), (&json!("completed"), &json!(5)));
    let sim = Sim::start().await;
    let counted = post(&sim, "/v1/responses/input_tokens", &[], &ask("hello")).await.json();
    assert_eq!(counted, json!({"object": "response.input_tokens", "input_tokens": 2}));
}

#[tokio::test]
async fn events_are_numbered_and_items_come_one_by_one() {
    let mut body = ask("say: wait\ncall:weather {\"city\":\"Rome\"}\ncall:weather {}");
    (body["tools"], body["stream"]) = (json!([tool()]), true.into());
    body["reasoning"] = json!({"effort": "low", "summary": "auto"});
    let events = chunks(&send(&body).await);
    for (number, event) in events.iter().enumerate() {
        assert_eq!(event["sequence_number"], number);
    }
    let names: Vec<&str> = events.iter().filter_map(|event| event["type"].as_str()).collect();
    assert_eq!((names[0], names[names.len() - 1]), ("response.created", "response.completed"));
    let of = |name: &str| -> Vec<Value> { events.iter().filter(|e| e["type"] == name).cloned().collect() };
    let kinds: Vec<Value> =
        of("response.output_item.added").iter().map(|event| event["item"]["type"].clone()).collect();
    assert_eq!(kinds, ["reasoning", "message", "function_call", "function_call"]);
    assert_eq!(joined(&of("response.output_text.delta"), "/delta"), "wait");
    assert!(
        joined(&of("response.reasoning_summary_text.delta"), "/delta")
            .starts_with("I think about: say: wait")
    );
    assert_eq!(joined(&of("response.function_call_arguments.delta"), "/delta"), r#"{"city":"Rome"}{}"#);
    let done: Vec<Value> =
        of("response.output_item.done").iter().map(|event| event["item"].clone()).collect();
    assert_eq!(events.last().unwrap()["response"]["output"], Value::from(done));
}

#[tokio::test]
async fn reasoning_and_calls_come_back_whole() {
    let sim = Sim::start().await;
    let mut body = ask("call:weather {}");
    (body["tools"], body["store"]) = (json!([tool()]), false.into());
    body["reasoning"] = json!({"effort": "low"});
    let output = post(&sim, PATH, &[], &body).await.json()["output"].as_array().unwrap().clone();
    let back = |items: &[Value]| {
        let mut body = body.clone();
        let mut input = vec![json!({"role": "user", "content": "?"})];
        input.extend(items.iter().cloned());
        input.push(json!({"type": "function_call_output", "call_id": output[1]["call_id"], "output": "sun"}));
        body["input"] = input.into();
        body
    };
    let whole = back(&output);
    let answer = post(&sim, PATH, &[], &whole).await.json();
    assert_eq!(answer["output"][1]["content"][0]["text"], "results: sun");
    assert!(refused(&back(&output[1..])).await.contains("without its required 'reasoning' item"));
    assert!(refused(&back(&output[..1])).await.contains("without its required following item"));
    let mut altered = output.clone();
    altered[0]["encrypted_content"] = "AAAA".into();
    assert!(refused(&back(&altered)).await.contains("could not be verified"));
    altered[0].as_object_mut().unwrap().remove("encrypted_content");
    assert!(refused(&back(&altered)).await.contains("`store` is set to false"));
    let mut nameless = output.clone();
    nameless[0].as_object_mut().unwrap().remove("id");
    assert_eq!(post(&sim, PATH, &[], &back(&nameless)).await.status, 200, "nothing is stored");
    let mut stored = back(&nameless);
    stored["store"] = true.into();
    assert!(refused(&stored).await.contains("'input[1].id'"));
    nameless[0]["encrypted_content"] = "AAAA".into();
    assert!(refused(&back(&nameless)).await.contains("could not be verified"));
    let mut open = whole.clone();
    open["input"].as_array_mut().unwrap().pop();
    assert!(refused(&open).await.contains("No tool output found"));
}

#[tokio::test]
async fn tools_of_agents_are_taken() {
    let mut silent = tool();
    silent.as_object_mut().unwrap().remove("strict");
    let mut body = ask("call:weather {}");
    body["client_metadata"] = json!({"session": "s"});
    body["tools"] = json!([
        silent,
        {"type": "namespace", "name": "agents", "description": "others", "tools": [tool()]},
        {"type": "web_search", "external_web_access": true},
        {"type": "tool_search"},
        {"type": "local_shell"},
    ]);
    assert_eq!(send(&body).await.json()["output"][0]["name"], "weather");
    body["tools"][1]["tools"][0].as_object_mut().unwrap().remove("name");
    assert!(refused(&body).await.contains("tools[1].tools[0].name"));
    body["tools"] = json!([{"type": "telepathy"}]);
    assert!(refused(&body).await.contains("tools[0].type"));
}

#[tokio::test]
async fn what_does_not_fit_is_refused() {
    let mut strict = ask("hi");
    strict["tools"] = json!([tool()]);
    strict["tools"][0]["strict"] = true.into();
    let with = |field: &str, value: Value| {
        let mut body = ask("hi");
        body[field] = value;
        body
    };
    for (body, want) in [
        (strict, "'additionalProperties' is required"),
        (with("stop", json!("x")), "Unknown parameter: 'stop'"),
        (with("max_output_tokens", json!(3)), "max_output_tokens"),
        (with("previous_response_id", json!("resp_1")), "not found"),
        (
            with("input", json!([{"role": "user", "content": [{"type": "text", "text": "x"}]}])),
            "input[0].content[0].type",
        ),
        (
            with("input", json!([{"type": "function_call_output", "call_id": "a", "output": "x"}])),
            "No tool call found",
        ),
    ] {
        let why = refused(&body).await;
        assert!(why.contains(want), "{why}");
    }
}

#[tokio::test]
async fn images_structure_limits_refusals_and_errors() {
    let mut body = ask("");
    body["input"] = json!([{"role": "user", "content": [{"type": "input_text", "text": "what?"},
        {"type": "input_image", "image_url": format!("data:image/png;base64,{IMAGE}")}]}]);
    let seen = send(&body).await.json();
    assert_eq!(seen["output"][0]["content"][0]["text"], format!("echo: what?\nsaw 1 image(s) {SEEN}"));
    let mut body = ask("hello");
    body["text"] = json!({"format": {"type": "json_schema", "name": "s", "schema": {"type": "boolean"}}});
    assert_eq!(send(&body).await.json()["output"][0]["content"][0]["text"], "true");
    let mut body = ask(&"long ".repeat(50));
    body["max_output_tokens"] = 16.into();
    let cut = send(&body).await.json();
    assert_eq!(
        (&cut["status"], &cut["incomplete_details"]["reason"]),
        (&json!("incomplete"), &json!("max_output_tokens"))
    );
    let refusal = send(&ask("refuse: no")).await.json();
    assert_eq!(refusal["output"][0]["content"][0]["type"], "refusal");
    assert_eq!(send(&ask("filter:")).await.json()["incomplete_details"]["reason"], "content_filter");
    let sim = Sim::start().await;
    sim.script("m", r#"{"error_event_after":1}"#).await;
    let mut body = ask("hi");
    body["stream"] = true.into();
    let failed = chunks(&post(&sim, PATH, &[], &body).await);
    let last = failed.last().unwrap();
    assert_eq!((&last["type"], &last["sequence_number"]), (&json!("error"), &json!(3)));
}
