//! From a converse request to what it asks for.

use serde_json::{Value, json};

use super::{check, fields, rules};
use crate::canonical_request::{CacheMark, CanonicalRequest, Choice, Format, Kind, Role, Tool};
use crate::problem::Problem;
use crate::request::SimRequest;

/// Reads a request, refusing what Bedrock refuses.
pub(super) fn read(request: &SimRequest<'_>) -> Result<CanonicalRequest, Problem> {
    check(request, &fields::CONVERSE)?;
    let json = request.json;
    let (config, more) = (&json["inferenceConfig"], &json["additionalModelRequestFields"]);
    let thinking = matches!(more["thinking"]["type"].as_str(), Some("enabled" | "adaptive"));
    let stops = config["stopSequences"].as_array().into_iter().flatten();
    let mut intent = CanonicalRequest {
        thinking: thinking || more["reasoningConfig"]["type"] == "enabled",
        max_tokens: config["maxTokens"].as_u64(),
        stops: stops.filter_map(Value::as_str).map(str::to_owned).collect(),
        single_call: more["tool_choice"]["disable_parallel_tool_use"] == true,
        tools: tools(&json["toolConfig"]),
        choice: claudes_choice(&more["tool_choice"])
            .unwrap_or_else(|| choice(&json["toolConfig"]["toolChoice"])),
        format: match &more["output_config"]["format"]["schema"] {
            Value::Null => format(&json["outputConfig"])?,
            schema => Format::Schema(schema.clone()),
        },
        ..CanonicalRequest::default()
    };
    let messages = json["messages"].as_array().map(Vec::as_slice).unwrap_or_default();
    rules::check(request, messages)?;
    for block in json["toolConfig"]["tools"].as_array().into_iter().flatten() {
        cached(&mut intent, "tool", block);
    }
    conversation(&mut intent, json)?;
    Ok(intent)
}

/// System prompt and messages.
pub(super) fn conversation(intent: &mut CanonicalRequest, json: &Value) -> Result<(), Problem> {
    intent.turn(Role::System);
    for block in json["system"].as_array().into_iter().flatten() {
        intent.text(block["text"].as_str().unwrap_or_default());
        cached(intent, "system", block);
    }
    for (at, message) in json["messages"].as_array().into_iter().flatten().enumerate() {
        let role = message["role"].as_str().unwrap_or_default();
        intent.turn(match role {
            "user" => Role::User,
            "assistant" => Role::Assistant,
            _ => Role::System,
        });
        for (index, block) in message["content"].as_array().into_iter().flatten().enumerate() {
            self::block(intent, block)
                .map_err(|why| Problem::bad(format!("messages.{at}.content.{index}: {why}")))?;
            cached(intent, role, block);
        }
    }
    Ok(())
}

/// A cache point marks what stands before it.
fn cached(intent: &mut CanonicalRequest, role: &str, block: &Value) {
    let point = &block["cachePoint"];
    match point.is_object() {
        true => intent.cacheable(&Value::Null, Some(CacheMark::of(point["ttl"] == "1h"))),
        false => intent.cacheable(&json!([role, block]), None),
    }
}

fn tools(config: &Value) -> Vec<Tool> {
    let one = |tool: &Value| {
        let spec = &tool["toolSpec"];
        Some(Tool { name: spec["name"].as_str()?.to_owned(), schema: spec["inputSchema"]["json"].clone() })
    };
    config["tools"].as_array().into_iter().flatten().filter_map(one).collect()
}

/// The choice in Claude's own words, where it stands beside Bedrock's.
fn claudes_choice(choice: &Value) -> Option<Choice> {
    match (choice["type"].as_str()?, choice["name"].as_str()) {
        ("any", _) => Some(Choice::Required(Vec::new())),
        ("tool", Some(name)) => Some(Choice::Required(vec![name.to_owned()])),
        _ => None,
    }
}

fn choice(choice: &Value) -> Choice {
    match (choice["any"].is_object(), choice["tool"]["name"].as_str()) {
        (true, _) => Choice::Required(Vec::new()),
        (false, Some(name)) => Choice::Required(vec![name.to_owned()]),
        (false, None) => Choice::Auto,
    }
}

/// The schema is JSON inside a string.
fn format(config: &Value) -> Result<Format, Problem> {
    match config["textFormat"]["structure"]["jsonSchema"]["schema"].as_str() {
        None => Ok(Format::Text),
        Some(text) => serde_json::from_str(text).map(Format::Schema).map_err(|_| {
            Problem::bad(
                "outputConfig.textFormat.structure.jsonSchema.schema: must be a JSON schema as a string",
            )
        }),
    }
}

fn mime(format: &str) -> String {
    match format {
        "pdf" => "application/pdf".into(),
        "docx" => "application/vnd.openxmlformats-officedocument.wordprocessingml.document".into(),
        "doc" => "application/msword".into(),
        "xlsx" => "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet".into(),
        "xls" => "application/vnd.ms-excel".into(),
        "txt" => "text/plain".into(),
        "md" => "text/markdown".into(),
        text => format!("text/{text}"),
    }
}

fn source(intent: &mut CanonicalRequest, kind: Kind, mime: &str, source: &Value) -> Result<(), String> {
    if let Some(data) = source["bytes"].as_str() {
        return intent.base64(kind, mime, data);
    }
    if let Some(uri) = source["s3Location"]["uri"].as_str() {
        return intent.link(kind, uri);
    }
    let parts = source["content"].as_array().into_iter().flatten();
    let text: String =
        source["text"].as_str().into_iter().chain(parts.filter_map(|p| p["text"].as_str())).collect();
    intent.bytes(kind, mime, text.as_bytes());
    Ok(())
}

/// Attachments of a block, if it is one.
fn attached(intent: &mut CanonicalRequest, block: &Value) -> Result<(), String> {
    let word = |kind: &str| block[kind]["format"].as_str().map(str::to_owned);
    if let Some(format) = word("image") {
        source(intent, Kind::Image, &format!("image/{format}"), &block["image"]["source"])
    } else if block["document"].is_object() {
        let format = word("document").unwrap_or_else(|| "txt".into());
        source(intent, Kind::Document, &mime(&format), &block["document"]["source"])
    } else if let Some(format) = word("video") {
        source(intent, Kind::Video, &format!("video/{format}"), &block["video"]["source"])
    } else if let Some(format) = word("audio") {
        source(intent, Kind::Audio, &format!("audio/{format}"), &block["audio"]["source"])
    } else {
        Ok(())
    }
}

fn block(intent: &mut CanonicalRequest, block: &Value) -> Result<(), String> {
    let result = &block["toolResult"];
    if !result.is_object() {
        intent.text(block["text"].as_str().unwrap_or_default());
        return attached(intent, block);
    }
    let mut text = String::new();
    for part in result["content"].as_array().into_iter().flatten() {
        match (part["text"].as_str(), part.get("json")) {
            (Some(more), _) => text.push_str(more),
            (None, Some(json)) => text.push_str(&json.to_string()),
            (None, None) => attached(intent, part)?,
        }
    }
    intent.result(if result["status"] == "error" { format!("error: {text}") } else { text });
    Ok(())
}
