//! From a messages request to what it asks for.

use serde_json::{Value, json};

use super::blocks::blocks;
use super::{check, fields, rules};
use crate::canonical_request::{CacheMark, CanonicalRequest, Choice, Format, Kind, Role, Tool};
use crate::problem::Problem;
use crate::request::SimRequest;

/// Reads a request, refusing what Anthropic refuses; `count` is one for counting only.
pub(super) fn read(request: &SimRequest<'_>, count: bool) -> Result<CanonicalRequest, Problem> {
    check(request, if count { &fields::COUNT } else { &fields::CREATE }, request.json, "")?;
    let json = request.json;
    let messages = json["messages"].as_array().map(Vec::as_slice).unwrap_or_default();
    let mut intent = CanonicalRequest {
        stream: json["stream"] == true,
        thinking: matches!(json["thinking"]["type"].as_str(), Some("enabled" | "adaptive" | "between_tools")),
        max_tokens: json["max_tokens"].as_u64(),
        single_call: json["tool_choice"]["disable_parallel_tool_use"] == true,
        stops: texts(&json["stop_sequences"]),
        tools: tools(request)?,
        choice: match json["tool_choice"]["type"].as_str() {
            Some("none") => Choice::None,
            Some("any") => Choice::Required(Vec::new()),
            Some("tool") => Choice::Required(
                json["tool_choice"]["name"].as_str().map(str::to_owned).into_iter().collect(),
            ),
            _ => Choice::Auto,
        },
        format: match &json["output_config"]["format"]["schema"] {
            Value::Null => Format::Text,
            schema => Format::Schema(schema.clone()),
        },
        ..CanonicalRequest::default()
    };
    rules::check(request, messages, &intent)?;
    prompt(&mut intent, json);
    for (at, message) in messages.iter().enumerate() {
        intent.turn(match message["role"].as_str() {
            Some("user") => Role::User,
            Some("assistant") => Role::Assistant,
            _ => Role::System,
        });
        for (index, block) in blocks(&message["content"]).iter().enumerate() {
            self::block(&mut intent, block)
                .map_err(|why| Problem::bad(format!("messages.{at}.content.{index}: {why}")))?;
            intent.cacheable(&unmarked(&json!([message["role"], block])), mark(block));
        }
    }
    if json["cache_control"].is_object() {
        intent.cacheable(&Value::Null, mark(json));
    }
    Ok(intent)
}

fn texts(list: &Value) -> Vec<String> {
    list.as_array().into_iter().flatten().filter_map(Value::as_str).map(str::to_owned).collect()
}

/// Whether the block ends a cached prefix.
fn mark(block: &Value) -> Option<CacheMark> {
    let mark = &block["cache_control"];
    mark.is_object().then(|| CacheMark::of(mark["ttl"] == "1h"))
}

/// What is cached does not depend on where the marks are.
fn unmarked(block: &Value) -> Value {
    let mut block = block.clone();
    if let Some(fields) = block[1].as_object_mut() {
        fields.remove("cache_control");
    }
    block
}

fn tools(request: &SimRequest<'_>) -> Result<Vec<Tool>, Problem> {
    let mut tools = Vec::new();
    for (index, tool) in request.json["tools"].as_array().into_iter().flatten().enumerate() {
        let custom = tool["type"].is_null() || tool["type"] == "custom";
        if !custom {
            continue;
        }
        check(request, &fields::TOOL, tool, &format!("tools.{index}.custom."))?;
        let name = tool["name"].as_str().unwrap_or_default();
        if name.is_empty() || name.len() > 128 || !rules::portable(name) {
            return Err(Problem::bad(format!(
                "tools.{index}.custom.name: String should match pattern '^[a-zA-Z0-9_-]{{1,128}}$'"
            )));
        }
        tools.push(Tool { name: name.to_owned(), schema: tool["input_schema"].clone() });
    }
    Ok(tools)
}

/// Tools and system prompt, which come before all messages.
fn prompt(intent: &mut CanonicalRequest, json: &Value) {
    for tool in json["tools"].as_array().into_iter().flatten() {
        intent.cacheable(&unmarked(&json!(["tool", tool])), mark(tool));
    }
    intent.turn(Role::System);
    for block in blocks(&json["system"]) {
        intent.text(block["text"].as_str().unwrap_or_default());
        intent.cacheable(&unmarked(&json!(["system", block])), mark(&block));
    }
}

fn block(intent: &mut CanonicalRequest, block: &Value) -> Result<(), String> {
    match block["type"].as_str() {
        Some("image") => source(intent, Kind::Image, &block["source"]),
        Some("document") => source(intent, Kind::Document, &block["source"]),
        Some("tool_result") => {
            let mut text = String::new();
            for part in blocks(&block["content"]) {
                match part["type"].as_str() {
                    Some("text") => text.push_str(part["text"].as_str().unwrap_or_default()),
                    _ => self::block(intent, &part)?,
                }
            }
            intent.result(if block["is_error"] == true { format!("error: {text}") } else { text });
            Ok(())
        }
        Some("search_result") => {
            intent.text(block["title"].as_str().unwrap_or_default());
            Ok(())
        }
        _ => {
            intent.text(block["text"].as_str().unwrap_or_default());
            Ok(())
        }
    }
}

fn source(intent: &mut CanonicalRequest, kind: Kind, source: &Value) -> Result<(), String> {
    let text = |name: &str| source[name].as_str().unwrap_or_default();
    match text("type") {
        "base64" => intent.base64(kind, text("media_type"), text("data")),
        "text" => {
            intent.bytes(kind, "text/plain", text("data").as_bytes());
            Ok(())
        }
        "content" => {
            let all: String =
                blocks(&source["content"]).iter().filter_map(|part| part["text"].as_str()).collect();
            intent.bytes(kind, "text/plain", all.as_bytes());
            Ok(())
        }
        "file" => intent.link(kind, text("file_id")),
        _ => intent.link(kind, text("url")),
    }
}
