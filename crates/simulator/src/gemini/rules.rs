//! What Gemini refuses although every field has its right shape.

use serde_json::Value;

use super::DIALECT;
use super::base64_alphabets::standard;
use crate::problem::Problem;
use crate::request::SimRequest;
use crate::signature;

/// What may stand for a signature that another provider's answer does not have.
const SKIP: &str = "skip_thought_signature_validator";
/// The same for clients whose type of the field is bytes: they send it in base64.
const SKIP_ENCODED: &str = "c2tpcF90aG91Z2h0X3NpZ25hdHVyZV92YWxpZGF0b3I";
/// Most stop sequences.
const MAX_STOPS: usize = 5;
/// Fields of a part that are its content; exactly one is set.
const DATA: [&str; 9] = [
    "text",
    "inlineData",
    "fileData",
    "functionCall",
    "functionResponse",
    "executableCode",
    "codeExecutionResult",
    "toolCall",
    "toolResponse",
];

/// Checks everything that is more than the shape of a field.
pub(super) fn check(request: &SimRequest<'_>, contents: &[Value]) -> Result<(), Problem> {
    if contents.is_empty() {
        return Err(Problem::bad("* GenerateContentRequest.contents: contents is not specified\n"));
    }
    config(&request.json["generationConfig"])?;
    functions(request.json)?;
    for (at, content) in contents.iter().enumerate() {
        let parts = parts(content);
        if parts.is_empty() {
            return Err(Problem::bad(format!(
                "* GenerateContentRequest.contents[{at}].parts: contents.parts must not be empty.\n"
            )));
        }
        for (index, part) in parts.iter().enumerate() {
            if DATA.iter().filter(|name| !part[**name].is_null()).count() != 1 {
                return Err(Problem::bad(format!(
                    "* GenerateContentRequest.contents[{at}].parts[{index}].data: required oneof field 'data' must \
                     have one initialized field\n"
                )));
            }
        }
        turns(contents, at)?;
    }
    signatures(request.model, contents)
}

fn parts(content: &Value) -> &[Value] {
    content["parts"].as_array().map(Vec::as_slice).unwrap_or_default()
}

/// The parts of a message that have this field.
fn with<'a>(content: &'a Value, field: &'static str) -> Vec<&'a Value> {
    parts(content).iter().filter(|part| part[field].is_object()).collect()
}

fn config(config: &Value) -> Result<(), Problem> {
    let set = |name: &str| !config[name].is_null();
    let thinking = &config["thinkingConfig"];
    let schema = set("responseSchema") || set("responseJsonSchema");
    let problem = if !thinking["thinkingBudget"].is_null() && !thinking["thinkingLevel"].is_null() {
        "You can only set only one of thinking budget and thinking level."
    } else if set("responseSchema") && set("responseJsonSchema") {
        "Only one of response_schema and response_json_schema may be set."
    } else if schema && config["responseMimeType"] != "application/json" {
        "Response schema requires response_mime_type 'application/json'."
    } else if set("logprobs") && config["responseLogprobs"] != true {
        "logprobs requires response_logprobs to be true."
    } else if config["stopSequences"].as_array().is_some_and(|stops| stops.len() > MAX_STOPS) {
        "stop_sequences: at most 5 are allowed."
    } else {
        return Ok(());
    };
    Err(Problem::bad(problem))
}

fn functions(json: &Value) -> Result<(), Problem> {
    let tools = json["tools"].as_array().into_iter().flatten();
    let declared = tools.flat_map(|tool| tool["functionDeclarations"].as_array().into_iter().flatten());
    for (index, function) in declared.enumerate() {
        let name = function["name"].as_str().unwrap_or_default();
        let starts = name.starts_with(|c: char| c.is_ascii_alphabetic() || c == '_');
        let fits = |c: char| c.is_ascii_alphanumeric() || matches!(c, '_' | '.' | ':' | '-');
        if !starts || name.len() > 128 || !name.chars().all(fits) {
            return Err(Problem::bad(format!(
                "* GenerateContentRequest.tools[0].function_declarations[{index}].name: Invalid function name. Must \
                 start with a letter or an underscore.\n"
            )));
        }
        if function["parameters"].is_object() && function["parametersJsonSchema"].is_object() {
            return Err(Problem::bad("Only one of parameters and parameters_json_schema may be set."));
        }
    }
    let calling = &json["toolConfig"]["functionCallingConfig"];
    let narrowed = calling["allowedFunctionNames"].as_array().is_some_and(|names| !names.is_empty());
    if narrowed && !matches!(calling["mode"].as_str(), Some("ANY" | "VALIDATED")) {
        return Err(Problem::bad(
            "allowed_function_names should only be set when the mode is ANY or VALIDATED.",
        ));
    }
    Ok(())
}

/// A turn of results has exactly one for each call of the turn before it, by name.
fn turns(contents: &[Value], at: usize) -> Result<(), Problem> {
    let names = |content: Option<&Value>, field: &'static str| -> Vec<String> {
        let all = content.map(|content| with(content, field)).unwrap_or_default();
        let mut names: Vec<String> =
            all.iter().filter_map(|part| part[field]["name"].as_str()).map(str::to_owned).collect();
        names.sort_unstable();
        names
    };
    let results = names(contents.get(at), "functionResponse");
    let before = at.checked_sub(1).and_then(|before| contents.get(before));
    let calls = names(before, "functionCall");
    if results.is_empty() && calls.is_empty() {
        return Ok(());
    }
    if calls.is_empty() {
        return Err(Problem::bad(
            "Please ensure that function response turn comes immediately after a function call turn.",
        ));
    }
    if calls.len() != results.len() {
        return Err(Problem::bad(
            "Please ensure that the number of function response parts is equal to the number of function call parts \
             of the function call turn.",
        ));
    }
    if calls != results {
        return Err(Problem::bad(
            "Please ensure that function responses have the names of the function calls.",
        ));
    }
    Ok(())
}

/// Signatures are the model's own, and the first call of each step since the user last spoke has one; models before
/// the third generation do not ask for it.
fn signatures(model: &str, contents: &[Value]) -> Result<(), Problem> {
    for content in contents {
        for part in parts(content) {
            let Some(signature) = part["thoughtSignature"].as_str() else { continue };
            let text = part["functionCall"]["name"].as_str().unwrap_or_default();
            let own = signature::fits(&standard(signature), DIALECT, model, text);
            if !own && ![SKIP, SKIP_ENCODED].contains(&signature.trim_end_matches('=')) {
                return Err(Problem::bad("Invalid/Corrupted thought signature."));
            }
        }
    }
    if model.starts_with("gemini-1") || model.starts_with("gemini-2") {
        return Ok(());
    }
    let spoken = |content: &Value| content["role"] != "model" && with(content, "functionResponse").is_empty();
    let start = contents.iter().rposition(spoken).map_or(0, |at| at + 1);
    for (at, content) in contents.iter().enumerate().skip(start) {
        let Some(first) = with(content, "functionCall").into_iter().next() else { continue };
        if first["thoughtSignature"].is_null() {
            let name = first["functionCall"]["name"].as_str().unwrap_or_default();
            return Err(Problem::bad(format!(
                "Function call is missing a thought_signature in functionCall parts. This is required for tools to \
                 work correctly. Additional data, function call `default_api:{name}`, position {at}."
            )));
        }
    }
    Ok(())
}
