//! From a generateContent request to what it asks for.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use serde_json::Value;

use super::base64_alphabets::standard;
use super::{check, fields, rules};
use crate::canonical_request::{CanonicalRequest, Choice, Format, Kind, Role, Tool};
use crate::problem::Problem;
use crate::request::SimRequest;

/// Reads a request, refusing what Gemini refuses.
pub(super) fn read(request: &SimRequest<'_>) -> Result<CanonicalRequest, Problem> {
    check(request, &fields::GENERATE, request.json)?;
    let json = request.json;
    let config = &json["generationConfig"];
    let calling = &json["toolConfig"]["functionCallingConfig"];
    let names = || texts(&calling["allowedFunctionNames"]);
    let mut intent = CanonicalRequest {
        thinking: config["thinkingConfig"].is_object() && config["thinkingConfig"]["thinkingBudget"] != 0,
        max_tokens: config["maxOutputTokens"].as_u64(),
        n: config["candidateCount"].as_u64().and_then(|n| usize::try_from(n).ok()).unwrap_or(1),
        stops: texts(&config["stopSequences"]),
        tools: tools(&json["tools"]),
        choice: match calling["mode"].as_str() {
            Some("NONE") => Choice::None,
            Some("ANY") => Choice::Required(names()),
            _ => Choice::Auto,
        },
        format: format(config),
        ..CanonicalRequest::default()
    };
    let contents = json["contents"].as_array().map(Vec::as_slice).unwrap_or_default();
    rules::check(request, contents)?;
    intent.turn(Role::System);
    system(&mut intent, &json["systemInstruction"]);
    for content in contents {
        self::content(&mut intent, content).map_err(Problem::bad)?;
    }
    Ok(intent)
}

/// The text of a system instruction.
pub(super) fn system(intent: &mut CanonicalRequest, instruction: &Value) {
    for part in instruction["parts"].as_array().into_iter().flatten() {
        intent.text(part["text"].as_str().unwrap_or_default());
    }
}

/// One message.
pub(super) fn content(intent: &mut CanonicalRequest, content: &Value) -> Result<(), String> {
    intent.turn(if content["role"] == "model" { Role::Assistant } else { Role::User });
    content["parts"].as_array().into_iter().flatten().try_for_each(|part| self::part(intent, part))
}

fn texts(list: &Value) -> Vec<String> {
    list.as_array().into_iter().flatten().filter_map(Value::as_str).map(str::to_owned).collect()
}

fn tools(tools: &Value) -> Vec<Tool> {
    let declared = tools.as_array().into_iter().flatten();
    let functions = declared.flat_map(|tool| tool["functionDeclarations"].as_array().into_iter().flatten());
    let one = |function: &Value| {
        let schema = function.get("parametersJsonSchema").unwrap_or(&function["parameters"]).clone();
        Some(Tool { name: function["name"].as_str()?.to_owned(), schema })
    };
    functions.filter_map(one).collect()
}

fn format(config: &Value) -> Format {
    if config["responseMimeType"] != "application/json" {
        return Format::Text;
    }
    match config.get("responseJsonSchema").or_else(|| config.get("responseSchema")) {
        Some(schema) if schema.is_object() => Format::Schema(schema.clone()),
        _ => Format::Json,
    }
}

fn part(intent: &mut CanonicalRequest, part: &Value) -> Result<(), String> {
    if let Some(text) = part["text"].as_str() {
        if part["thought"] != true {
            intent.text(text);
        }
    } else if part["inlineData"].is_object() {
        blob(intent, &part["inlineData"])?;
    } else if part["fileData"].is_object() {
        file(intent, &part["fileData"])?;
    } else if part["functionResponse"].is_object() {
        let result = &part["functionResponse"];
        for part in result["parts"].as_array().into_iter().flatten() {
            if part["inlineData"].is_object() {
                blob(intent, &part["inlineData"])?;
            } else {
                file(intent, &part["fileData"])?;
            }
        }
        intent.result(told(&result["response"]));
    }
    Ok(())
}

/// A result's text: the documented field of it, where it has one with text.
fn told(response: &Value) -> String {
    match (response["output"].as_str(), response["result"].as_str(), &response["error"]) {
        (Some(text), _, _) | (None, Some(text), _) => text.to_owned(),
        (None, None, Value::Null) => response.to_string(),
        (None, None, error) => {
            format!("error: {}", error.as_str().map_or_else(|| error.to_string(), str::to_owned))
        }
    }
}

fn blob(intent: &mut CanonicalRequest, blob: &Value) -> Result<(), String> {
    let mime = blob["mimeType"].as_str().unwrap_or_default();
    let data = standard(blob["data"].as_str().unwrap_or_default());
    let bytes = STANDARD.decode(data).map_err(|_| {
        "Invalid value at 'contents[0].parts[0].inline_data.data' (TYPE_BYTES), Base64 decoding failed"
            .to_owned()
    })?;
    intent.bytes(Kind::of(mime), mime, &bytes);
    Ok(())
}

fn file(intent: &mut CanonicalRequest, file: &Value) -> Result<(), String> {
    let mime = file["mimeType"].as_str().unwrap_or("image/*");
    intent.link(Kind::of(mime), file["fileUri"].as_str().unwrap_or_default())
}
