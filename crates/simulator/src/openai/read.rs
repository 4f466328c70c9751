//! From a chat completion request to what it asks for.

use serde_json::{Value, json};

use super::{fields, fits};
use crate::canonical_request::{CacheMark, CanonicalRequest, Choice, Format, Kind, Role, Tool};
use crate::identifiers;
use crate::problem::Problem;
use crate::request::SimRequest;

/// Most stop sequences of a request.
const MAX_STOPS: usize = 4;

/// Reads a request, refusing what OpenAI refuses.
pub(super) fn read(request: &SimRequest<'_>) -> Result<CanonicalRequest, Problem> {
    fits(request, &fields::CHAT)?;
    let json = request.json;
    identifiers::chat(json)?;
    let mut intent = CanonicalRequest {
        stream: json["stream"] == true,
        thinking: json["reasoning_effort"].as_str().is_some_and(|effort| effort != "none"),
        max_tokens: json["max_completion_tokens"].as_u64().or(json["max_tokens"].as_u64()),
        n: json["n"].as_u64().and_then(|n| usize::try_from(n).ok()).unwrap_or(1),
        single_call: json["parallel_tool_calls"] == false,
        stops: stops(&json["stop"])?,
        tools: tools(&json["tools"]),
        choice: choice(&json["tool_choice"]),
        format: format(&json["response_format"]),
        ..CanonicalRequest::default()
    };
    if !json["tool_choice"].is_null() && intent.tools.is_empty() {
        return Err(Problem::bad("'tool_choice' is only allowed when 'tools' are specified.")
            .with_param("tool_choice"));
    }
    let messages = json["messages"].as_array().map(Vec::as_slice).unwrap_or_default();
    follow(messages)?;
    for (index, message) in messages.iter().enumerate() {
        one(&mut intent, message)
            .map_err(|why| Problem::bad(why).with_param(format!("messages[{index}].content")))?;
    }
    Ok(intent)
}

fn stops(stop: &Value) -> Result<Vec<String>, Problem> {
    let stops: Vec<String> = match stop {
        Value::String(one) => vec![one.clone()],
        many => many.as_array().into_iter().flatten().filter_map(Value::as_str).map(str::to_owned).collect(),
    };
    match stops.len() > MAX_STOPS {
        true => Err(Problem::bad(format!("'stop' takes at most {MAX_STOPS} sequences.")).with_param("stop")),
        false => Ok(stops),
    }
}

fn tools(tools: &Value) -> Vec<Tool> {
    let one = |tool: &Value| {
        let function = if tool["type"] == "custom" { &tool["custom"] } else { &tool["function"] };
        Some(Tool { name: function["name"].as_str()?.to_owned(), schema: function["parameters"].clone() })
    };
    tools.as_array().into_iter().flatten().filter_map(one).collect()
}

fn choice(choice: &Value) -> Choice {
    let named = |tool: &Value| tool["function"]["name"].as_str().map(str::to_owned);
    match choice.as_str().or(choice["type"].as_str()) {
        Some("none") => Choice::None,
        Some("required") => Choice::Required(Vec::new()),
        Some("function") => Choice::Required(named(choice).into_iter().collect()),
        Some("allowed_tools") if choice["allowed_tools"]["mode"] == "required" => {
            let tools = choice["allowed_tools"]["tools"].as_array().into_iter().flatten();
            Choice::Required(tools.filter_map(named).collect())
        }
        _ => Choice::Auto,
    }
}

fn format(format: &Value) -> Format {
    match format["type"].as_str() {
        Some("json_object") => Format::Json,
        Some("json_schema") => Format::Schema(format["json_schema"]["schema"].clone()),
        _ => Format::Text,
    }
}

/// Results follow the calls that they answer, and every call is answered.
fn follow(messages: &[Value]) -> Result<(), Problem> {
    let mut open: Vec<&str> = Vec::new();
    for (index, message) in messages.iter().enumerate() {
        let place = format!("messages[{index}].role");
        if message["role"] == "tool" {
            let id = message["tool_call_id"].as_str().unwrap_or_default();
            let Some(at) = open.iter().position(|call| *call == id) else {
                return Err(Problem::bad(
                    "Invalid parameter: messages with role 'tool' must be a response to a preceding message with \
                     'tool_calls'.",
                )
                .with_param(place));
            };
            open.remove(at);
            continue;
        }
        unanswered(&open, &place)?;
        let calls = message["tool_calls"].as_array().into_iter().flatten();
        open = calls.filter_map(|call| call["id"].as_str()).collect();
    }
    unanswered(&open, "messages")
}

fn unanswered(open: &[&str], place: &str) -> Result<(), Problem> {
    if open.is_empty() {
        return Ok(());
    }
    Err(Problem::bad(format!(
        "An assistant message with 'tool_calls' must be followed by tool messages responding to each \
         'tool_call_id'. The following tool_call_ids did not have response messages: {}",
        open.join(", ")
    ))
    .with_param(place))
}

fn one(intent: &mut CanonicalRequest, message: &Value) -> Result<(), String> {
    let role = match message["role"].as_str() {
        Some("user") => Role::User,
        Some("assistant") => Role::Assistant,
        Some("tool" | "function") => Role::Tool,
        _ => Role::System,
    };
    intent.turn(role);
    let text = json!({"type": "text", "text": message["content"]});
    let parts = match &message["content"] {
        Value::Array(parts) => parts.as_slice(),
        Value::String(_) => std::slice::from_ref(&text),
        _ => &[],
    };
    if role == Role::Tool {
        intent.result(parts.iter().filter_map(|part| part["text"].as_str()).collect());
    }
    for part in parts {
        if role != Role::Tool {
            self::part(intent, part)?;
        }
        let mark = &part["prompt_cache_breakpoint"];
        intent.cacheable(
            &json!([message["role"], part]),
            mark.is_object().then(|| CacheMark::of(mark["ttl"] == "12h")),
        );
    }
    Ok(())
}

fn part(intent: &mut CanonicalRequest, part: &Value) -> Result<(), String> {
    let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
    match part["type"].as_str() {
        Some("image_url") => intent.link(Kind::Image, &text(&part["image_url"]["url"])),
        Some("input_audio") => {
            let audio = &part["input_audio"];
            intent.base64(Kind::Audio, &format!("audio/{}", text(&audio["format"])), &text(&audio["data"]))
        }
        Some("file") => {
            let file = &part["file"];
            intent.link(Kind::Document, &text(file.get("file_data").unwrap_or(&file["file_id"])))
        }
        _ => {
            intent.text(&text(&part["text"]));
            Ok(())
        }
    }
}
