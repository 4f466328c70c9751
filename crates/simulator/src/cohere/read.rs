//! From a chat request to what it asks for, refusing what Cohere refuses.

use serde_json::{Value, json};

use super::{check, fields};
use crate::canonical_request::{CanonicalRequest, Choice, Format, Kind, Role, Tool};
use crate::identifiers;
use crate::problem::Problem;
use crate::request::SimRequest;

/// Most stop sequences.
const MAX_STOPS: usize = 5;

pub(super) fn read(request: &SimRequest<'_>) -> Result<CanonicalRequest, Problem> {
    check(request, &fields::CHAT)?;
    let json = request.json;
    identifiers::cohere(json)?;
    let stops = json["stop_sequences"].as_array().into_iter().flatten();
    let format = &json["response_format"];
    let mut intent = CanonicalRequest {
        stream: json["stream"] == true,
        thinking: json["thinking"]["type"] == "enabled",
        max_tokens: json["max_tokens"].as_u64(),
        stops: stops.filter_map(Value::as_str).map(str::to_owned).collect(),
        tools: tools(&json["tools"]),
        choice: match json["tool_choice"].as_str() {
            Some("NONE") => Choice::None,
            Some("REQUIRED") => Choice::Required(Vec::new()),
            _ => Choice::Auto,
        },
        format: match (format["type"].as_str(), &format["json_schema"]) {
            (Some("json_object"), Value::Null) => Format::Json,
            (Some("json_object"), schema) => Format::Schema(schema.clone()),
            _ => Format::Text,
        },
        ..CanonicalRequest::default()
    };
    options(json, &intent)?;
    let messages = json["messages"].as_array().map(Vec::as_slice).unwrap_or_default();
    follow(messages)?;
    for message in messages {
        one(&mut intent, message).map_err(|why| Problem::bad(format!("invalid request: {why}")))?;
    }
    let documents = json["documents"].as_array().into_iter().flatten();
    documents.for_each(|document| {
        intent.bytes(Kind::Document, "application/json", document.to_string().as_bytes())
    });
    Ok(intent)
}

fn options(json: &Value, intent: &CanonicalRequest) -> Result<(), Problem> {
    let some = |name: &str| json[name].as_array().is_some_and(|all| !all.is_empty());
    let why = if intent.format != Format::Text && (some("tools") || some("documents")) {
        "response_format is not supported with tools or documents"
    } else if !json["tool_choice"].is_null() && !some("tools") {
        "tool_choice can only be specified with tools"
    } else if intent.stops.len() > MAX_STOPS {
        "stop_sequences must have at most 5 elements"
    } else {
        return Ok(());
    };
    Err(Problem::bad(format!("invalid request: {why}")))
}

fn tools(tools: &Value) -> Vec<Tool> {
    let one = |tool: &Value| {
        let function = &tool["function"];
        Some(Tool { name: function["name"].as_str()?.to_owned(), schema: function["parameters"].clone() })
    };
    tools.as_array().into_iter().flatten().filter_map(one).collect()
}

/// The last message is a user's or a tool's; results follow their calls, and every call is answered.
fn follow(messages: &[Value]) -> Result<(), Problem> {
    let refuse = |why: String| Err(Problem::bad(format!("invalid request: {why}")));
    if !messages.last().is_some_and(|last| matches!(last["role"].as_str(), Some("user" | "tool"))) {
        return refuse("the last message must be from the user or a tool".into());
    }
    let mut open: Vec<&str> = Vec::new();
    for (index, message) in messages.iter().chain([&Value::Null]).enumerate() {
        if message["role"] == "tool" {
            let id = message["tool_call_id"].as_str().unwrap_or_default();
            let Some(at) = open.iter().position(|call| *call == id) else {
                return refuse(format!(
                    "messages[{index}]: tool call id not found in previous tool calls: {id}"
                ));
            };
            open.remove(at);
            continue;
        }
        if !open.is_empty() {
            return refuse(format!("messages[{index}]: missing results for tool calls: {}", open.join(", ")));
        }
        let calls = message["tool_calls"].as_array().into_iter().flatten();
        open = calls.filter_map(|call| call["id"].as_str()).collect();
    }
    Ok(())
}

fn one(intent: &mut CanonicalRequest, message: &Value) -> Result<(), String> {
    let role = match message["role"].as_str() {
        Some("user") => Role::User,
        Some("assistant") => Role::Assistant,
        Some("tool") => Role::Tool,
        _ => Role::System,
    };
    intent.turn(role);
    let parts = match &message["content"] {
        Value::String(text) => vec![json!({"type": "text", "text": text})],
        many => many.as_array().cloned().unwrap_or_default(),
    };
    if role == Role::Tool {
        let text = |part: &Value| match part["text"].as_str() {
            Some(text) => text.to_owned(),
            None => part["document"]["data"].to_string(),
        };
        intent.result(parts.iter().map(text).collect());
        return Ok(());
    }
    for part in &parts {
        match part["image_url"]["url"].as_str() {
            Some(url) => intent.link(Kind::Image, url)?,
            None => intent.text(part["text"].as_str().unwrap_or_default()),
        }
    }
    Ok(())
}
