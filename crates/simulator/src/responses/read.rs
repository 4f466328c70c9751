//! From a request for a response to what it asks for.

use serde_json::{Value, json};

use super::{fields, rules};
use crate::canonical_request::{CacheMark, CanonicalRequest, Choice, Format, Kind, Role, Tool};
use crate::openai::fits;
use crate::problem::Problem;
use crate::request::SimRequest;

/// Reads a request, refusing what OpenAI refuses; `count` is one for counting only.
pub(super) fn read(request: &SimRequest<'_>, count: bool) -> Result<CanonicalRequest, Problem> {
    fits(request, if count { &fields::COUNT } else { &fields::CREATE })?;
    let json = request.json;
    let reasoning = &json["reasoning"];
    let mut intent = CanonicalRequest {
        stream: json["stream"] == true,
        thinking: reasoning.is_object() && reasoning["effort"] != "none",
        max_tokens: json["max_output_tokens"].as_u64(),
        single_call: json["parallel_tool_calls"] == false,
        tools: tools(&json["tools"]),
        choice: choice(&json["tool_choice"]),
        format: match json["text"]["format"]["type"].as_str() {
            Some("json_object") => Format::Json,
            Some("json_schema") => Format::Schema(json["text"]["format"]["schema"].clone()),
            _ => Format::Text,
        },
        ..CanonicalRequest::default()
    };
    let items = items(&json["input"]);
    rules::check(request, &items)?;
    intent.turn(Role::System);
    intent.text(json["instructions"].as_str().unwrap_or_default());
    for (index, item) in items.iter().enumerate() {
        self::item(&mut intent, item)
            .map_err(|why| Problem::bad(why).with_param(format!("input[{index}]")))?;
    }
    Ok(intent)
}

/// The input as items, whichever way it is written.
fn items(input: &Value) -> Vec<Value> {
    match input {
        Value::String(text) => vec![json!({"role": "user", "content": text})],
        many => many.as_array().cloned().unwrap_or_default(),
    }
}

fn tools(tools: &Value) -> Vec<Tool> {
    let functions = tools.as_array().into_iter().flatten().filter(|tool| tool["type"] == "function");
    let one = |tool: &Value| {
        Some(Tool { name: tool["name"].as_str()?.to_owned(), schema: tool["parameters"].clone() })
    };
    functions.filter_map(one).collect()
}

fn choice(choice: &Value) -> Choice {
    let named = |tool: &Value| tool["name"].as_str().map(str::to_owned);
    match choice.as_str().or(choice["type"].as_str()) {
        Some("none") => Choice::None,
        Some("required") => Choice::Required(Vec::new()),
        Some("function") => Choice::Required(named(choice).into_iter().collect()),
        Some("allowed_tools") if choice["mode"] == "required" => {
            Choice::Required(choice["tools"].as_array().into_iter().flatten().filter_map(named).collect())
        }
        _ => Choice::Auto,
    }
}

/// Content as parts, whichever way it is written.
fn parts(content: &Value) -> Vec<Value> {
    match content {
        Value::String(text) => vec![json!({"type": "input_text", "text": text})],
        many => many.as_array().cloned().unwrap_or_default(),
    }
}

fn item(intent: &mut CanonicalRequest, item: &Value) -> Result<(), String> {
    match item["type"].as_str() {
        Some("function_call_output") => {
            intent.turn(Role::Tool);
            let mut text = String::new();
            for part in parts(&item["output"]) {
                match part["text"].as_str() {
                    Some(more) => text.push_str(more),
                    None => self::part(intent, &part)?,
                }
            }
            intent.result(text);
            Ok(())
        }
        None | Some("message") => {
            intent.turn(match item["role"].as_str() {
                Some("user") => Role::User,
                Some("assistant") => Role::Assistant,
                _ => Role::System,
            });
            for part in parts(&item["content"]) {
                self::part(intent, &part)?;
                let mark = &part["prompt_cache_breakpoint"];
                intent.cacheable(
                    &json!([item["role"], part]),
                    mark.is_object().then(|| CacheMark::of(mark["ttl"] == "12h")),
                );
            }
            Ok(())
        }
        _ => {
            intent.turn(Role::Assistant);
            Ok(())
        }
    }
}

fn part(intent: &mut CanonicalRequest, part: &Value) -> Result<(), String> {
    let first =
        |names: &[&str]| names.iter().find_map(|name| part[*name].as_str()).unwrap_or_default().to_owned();
    match part["type"].as_str() {
        Some("input_image") => intent.link(Kind::Image, &first(&["image_url", "file_id"])),
        Some("input_file") => intent.link(Kind::Document, &first(&["file_data", "file_url", "file_id"])),
        _ => {
            intent.text(&first(&["text", "refusal"]));
            Ok(())
        }
    }
}
