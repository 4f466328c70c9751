//! The lengths and alphabets of names, ids and metadata, which providers check beside the shape of a field.

use serde_json::Value;

use crate::problem::Problem;

/// Longest name of a function, at OpenAI and Cohere.
const MAX_NAME: usize = 64;
/// Longest id of a call in chat completions, and in responses.
const MAX_CHAT_ID: usize = 40;
const MAX_CALL_ID: usize = 64;
/// Longest name of an end user, at OpenAI and at Anthropic.
const MAX_USER: usize = 64;
const MAX_USER_ID: usize = 256;
/// Most pairs of metadata, the longest name and the longest value.
const MAX_PAIRS: usize = 16;
const MAX_KEY: usize = 64;
const MAX_VALUE: usize = 512;

/// Checks a chat completion request.
pub(crate) fn chat(json: &Value) -> Result<(), Problem> {
    account(json)?;
    for (at, tool) in list(&json["tools"]).enumerate() {
        let kind = if tool["type"] == "custom" { "custom" } else { "function" };
        portable(&tool[kind]["name"], &format!("tools[{at}].{kind}.name"))?;
    }
    for (at, message) in list(&json["messages"]).enumerate() {
        length(&message["tool_call_id"], MAX_CHAT_ID, &format!("messages[{at}].tool_call_id"))?;
        for (call, made) in list(&message["tool_calls"]).enumerate() {
            let place = format!("messages[{at}].tool_calls[{call}]");
            length(&made["id"], MAX_CHAT_ID, &format!("{place}.id"))?;
            let kind = if made["type"] == "custom" { "custom" } else { "function" };
            portable(&made[kind]["name"], &format!("{place}.{kind}.name"))?;
        }
    }
    Ok(())
}

/// Checks a request for a response.
pub(crate) fn response(json: &Value) -> Result<(), Problem> {
    account(json)?;
    for (at, tool) in list(&json["tools"]).enumerate() {
        portable(&tool["name"], &format!("tools[{at}].name"))?;
    }
    for (at, item) in list(&json["input"]).enumerate() {
        length(&item["call_id"], MAX_CALL_ID, &format!("input[{at}].call_id"))?;
        if matches!(item["type"].as_str(), Some("function_call" | "custom_tool_call")) {
            portable(&item["name"], &format!("input[{at}].name"))?;
        }
    }
    Ok(())
}

/// Checks an Anthropic message request.
pub(crate) fn message(json: &Value) -> Result<(), Problem> {
    match json["metadata"]["user_id"].as_str() {
        Some(user) if user.chars().count() > MAX_USER_ID => Err(Problem::bad(format!(
            "metadata.user_id: String should have at most {MAX_USER_ID} characters"
        ))),
        _ => Ok(()),
    }
}

/// Checks a Cohere chat request.
pub(crate) fn cohere(json: &Value) -> Result<(), Problem> {
    for tool in list(&json["tools"]) {
        let name = tool["function"]["name"].as_str().unwrap_or_default();
        let starts = name.starts_with(|letter: char| letter.is_ascii_alphabetic() || letter == '_');
        let fits = |letter: char| letter.is_ascii_alphanumeric() || letter == '_';
        if !starts || !name.chars().all(fits) || name.len() > MAX_NAME {
            return Err(Problem::bad(
                "invalid request: tool names can only contain certain characters (A-Za-z0-9_) and can't begin with a \
                 digit",
            ));
        }
    }
    Ok(())
}

/// The end user and the metadata of a request to OpenAI.
fn account(json: &Value) -> Result<(), Problem> {
    length(&json["user"], MAX_USER, "user")?;
    length(&json["safety_identifier"], MAX_USER, "safety_identifier")?;
    let pairs = json["metadata"].as_object();
    if pairs.is_some_and(|pairs| pairs.len() > MAX_PAIRS) {
        return Err(Problem::bad(format!(
            "Invalid 'metadata': too many properties. Expected an object with at most {MAX_PAIRS} properties."
        ))
        .with_code("object_above_max_properties")
        .with_param("metadata"));
    }
    for (name, value) in pairs.into_iter().flatten() {
        length(&Value::from(name.as_str()), MAX_KEY, "metadata")?;
        length(value, MAX_VALUE, &format!("metadata.{name}"))?;
    }
    Ok(())
}

fn list(value: &Value) -> impl Iterator<Item = &Value> {
    value.as_array().into_iter().flatten()
}

fn length(value: &Value, most: usize, place: &str) -> Result<(), Problem> {
    let length = value.as_str().map_or(0, |text| text.chars().count());
    if length <= most {
        return Ok(());
    }
    Err(Problem::bad(format!(
        "Invalid '{place}': string too long. Expected a string with maximum length {most}, but got a string with \
         length {length} instead."
    ))
    .with_code("string_above_max_length")
    .with_param(place))
}

/// A name of letters, digits, `_` and `-`.
fn portable(name: &Value, place: &str) -> Result<(), Problem> {
    let Some(name) = name.as_str() else { return Ok(()) };
    length(&Value::from(name), MAX_NAME, place)?;
    let fits = |letter: char| letter.is_ascii_alphanumeric() || matches!(letter, '_' | '-');
    if !name.is_empty() && name.chars().all(fits) {
        return Ok(());
    }
    Err(Problem::bad(format!(
        "Invalid '{place}': string does not match pattern. Expected a string that matches the pattern \
         '^[a-zA-Z0-9_-]+$'."
    ))
    .with_code("invalid_value")
    .with_param(place))
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn names_and_ids_have_a_length_and_an_alphabet() {
        let tool = |name: &str| json!({"tools": [{"type": "function", "function": {"name": name}}]});
        assert!(chat(&tool("get_weather-2")).is_ok());
        assert!(chat(&tool(&"x".repeat(64))).is_ok());
        for bad in ["a.b", "", "wetter für", &"x".repeat(65)] {
            assert!(chat(&tool(bad)).is_err(), "{bad}");
        }
        let result = |id: usize| json!({"messages": [{"role": "tool", "tool_call_id": "x".repeat(id)}]});
        assert!(chat(&result(40)).is_ok() && chat(&result(41)).is_err());
        let call = |id: usize, name: &str| json!({"input": [{"type": "function_call", "call_id": "x".repeat(id), "name": name}]});
        assert!(response(&call(64, "f")).is_ok());
        assert!(response(&call(65, "f")).is_err() && response(&call(1, "a.b")).is_err());
        let cohere_tool = |name: &str| json!({"tools": [{"function": {"name": name}}]});
        assert!(cohere(&cohere_tool("_a1")).is_ok());
        assert!(cohere(&cohere_tool("a-b")).is_err() && cohere(&cohere_tool("1a")).is_err());
    }

    #[test]
    fn users_and_metadata_have_a_length() {
        for check in [chat, response] {
            assert!(check(&json!({"user": "x".repeat(64), "metadata": {"a": "b"}})).is_ok());
            assert!(check(&json!({"user": "x".repeat(65)})).is_err());
            assert!(check(&json!({"safety_identifier": "x".repeat(65)})).is_err());
            assert!(check(&json!({"metadata": {"a": "x".repeat(513)}})).is_err());
            assert!(check(&json!({"metadata": {"x".repeat(65): "a"}})).is_err());
            let many: serde_json::Map<_, _> = (0..17).map(|at| (at.to_string(), json!(""))).collect();
            assert!(check(&json!({ "metadata": many })).is_err());
        }
        assert!(message(&json!({"metadata": {"user_id": "x".repeat(256)}})).is_ok());
        assert!(message(&json!({"metadata": {"user_id": "x".repeat(257)}})).is_err());
    }
}
