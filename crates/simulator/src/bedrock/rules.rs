//! What Bedrock refuses although every field has its right shape.

use serde_json::Value;

use super::DIALECT;
use crate::problem::Problem;
use crate::request::SimRequest;
use crate::signature;

/// Longest id of a call.
const MAX_ID: usize = 64;
/// Longest name of a document.
const MAX_NAME: usize = 200;

/// Checks everything that is more than the shape of a field.
pub(super) fn check(request: &SimRequest<'_>, messages: &[Value]) -> Result<(), Problem> {
    let refuse = |why: String| Err(Problem::bad(why));
    for (at, message) in messages.iter().enumerate() {
        let role = message["role"].as_str().unwrap_or_default();
        let before = at.checked_sub(1).and_then(|before| messages.get(before));
        if at == 0 && role != "user" {
            return refuse("A conversation must start with a user message. Try again with a conversation that starts with a user message.".into());
        }
        if before.is_some_and(|before| before["role"] == role) {
            return refuse(format!(
                "messages.{at}: A conversation must alternate between user and assistant roles. Make sure the \
                 conversation alternates between user and assistant roles and try again."
            ));
        }
        if blocks(message).is_empty() {
            return refuse(format!("The content field in the Message object at messages.{at} is empty."));
        }
        content(request, at, message)?;
        results(messages, at)?;
    }
    if messages.is_empty() {
        return refuse("A conversation must start with a user message.".into());
    }
    tools(request.json, messages)?;
    thinking(request.json, messages)
}

fn blocks(message: &Value) -> &[Value] {
    message["content"].as_array().map(Vec::as_slice).unwrap_or_default()
}

fn portable(text: &str, more: &str) -> bool {
    !text.is_empty()
        && text.chars().all(|c| c.is_ascii_alphanumeric() || matches!(c, '_' | '-') || more.contains(c))
}

fn content(request: &SimRequest<'_>, at: usize, message: &Value) -> Result<(), Problem> {
    let assistant = message["role"] == "assistant";
    let texts = blocks(message).iter().any(|block| block["text"].is_string());
    for (index, block) in blocks(message).iter().enumerate() {
        let place = format!("messages.{at}.content.{index}");
        let misplaced = match assistant {
            true => ["toolResult", "image", "document"].into_iter().find(|kind| block[*kind].is_object()),
            false => ["toolUse", "reasoningContent"].into_iter().find(|kind| block[*kind].is_object()),
        };
        if let Some(kind) = misplaced {
            let role = if assistant { "assistant" } else { "user" };
            return Err(Problem::bad(format!("{place}: {kind} blocks cannot be in {role} messages")));
        }
        let call = &block["toolUse"];
        if call.is_object() {
            let id = call["toolUseId"].as_str().unwrap_or_default();
            if id.len() > MAX_ID || !portable(id, ".:") {
                return Err(Problem::bad(format!(
                    "1 validation error detected: Value '{id}' at '{place}.toolUse.toolUseId' failed to satisfy \
                     constraint: Member must satisfy regular expression pattern: [a-zA-Z0-9_.:-]+"
                )));
            }
            if !call["input"].is_object() {
                return Err(Problem::bad(format!(
                    "The format of the value at {place}.toolUse.input is invalid. Provide a json object for the field and try again."
                )));
            }
        }
        let document = &block["document"];
        if document.is_object() {
            document_rules(document, &place, texts)?;
        }
        reasoning(request.model, block, &place)?;
    }
    Ok(())
}

fn document_rules(document: &Value, place: &str, texts: bool) -> Result<(), Problem> {
    let name = document["name"].as_str().unwrap_or_default();
    let fits =
        name.chars().all(|c| c.is_ascii_alphanumeric() || " -()[]".contains(c)) && !name.contains("  ");
    if name.is_empty() || name.len() > MAX_NAME || !fits {
        return Err(Problem::bad(format!(
            "The document file name at {place} can only contain alphanumeric characters, whitespace characters, \
             hyphens, parentheses, and square brackets. The name can't contain more than one consecutive whitespace \
             character."
        )));
    }
    match texts {
        true => Ok(()),
        false => Err(Problem::bad(format!("{place}: a text block is required in a message with a document"))),
    }
}

fn reasoning(model: &str, block: &Value, place: &str) -> Result<(), Problem> {
    let content = &block["reasoningContent"];
    let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
    let own = if content["reasoningText"].is_object() {
        let shown = &content["reasoningText"];
        signature::fits(&text(&shown["signature"]), DIALECT, model, &text(&shown["text"]))
    } else if content.is_object() {
        signature::fits(&text(&content["redactedContent"]), DIALECT, model, "")
    } else {
        true
    };
    match own {
        true => Ok(()),
        false => Err(Problem::bad(format!(
            "The model returned the following errors: {place}: Invalid `signature` in `thinking` block"
        ))),
    }
}

/// Each call is answered in the very next message, and nothing else is.
fn results(messages: &[Value], at: usize) -> Result<(), Problem> {
    let ids = |message: Option<&Value>, kind: &'static str| -> Vec<String> {
        let all = message.map(blocks).unwrap_or_default();
        all.iter().filter_map(|block| block[kind]["toolUseId"].as_str()).map(str::to_owned).collect()
    };
    let calls = ids(messages.get(at), "toolUse");
    let answered = ids(messages.get(at + 1), "toolResult");
    let open: Vec<String> = calls.into_iter().filter(|id| !answered.contains(id)).collect();
    if !open.is_empty() {
        return Err(Problem::bad(format!(
            "Expected toolResult blocks at messages.{}.content for the following Ids: {}",
            at + 1,
            open.join(", ")
        )));
    }
    let before = at.checked_sub(1).and_then(|before| messages.get(before));
    let known = ids(before, "toolUse");
    let here = ids(messages.get(at), "toolResult");
    if here.len() > known.len() || here.iter().any(|id| !known.contains(id)) {
        return Err(Problem::bad(format!(
            "The number of toolResult blocks at messages.{at}.content exceeds the number of toolUse blocks of previous \
             turn."
        )));
    }
    Ok(())
}

fn tools(json: &Value, messages: &[Value]) -> Result<(), Problem> {
    let config = &json["toolConfig"];
    let used =
        messages.iter().flat_map(blocks).any(|b| b["toolUse"].is_object() || b["toolResult"].is_object());
    if used && !config.is_object() {
        return Err(Problem::bad(
            "The toolConfig field must be defined when using toolUse and toolResult content blocks.",
        ));
    }
    let tools = config["tools"].as_array().map(Vec::as_slice).unwrap_or_default();
    if config.is_object() && tools.is_empty() {
        return Err(Problem::bad("toolConfig.tools: Member must have length greater than or equal to 1"));
    }
    for (index, tool) in tools.iter().enumerate() {
        let name = tool["toolSpec"]["name"].as_str();
        if name.is_some_and(|name| name.len() > MAX_ID || !portable(name, "")) {
            return Err(Problem::bad(format!(
                "1 validation error detected: Value at 'toolConfig.tools.{index}.member.toolSpec.name' failed to satisfy \
                 constraint: Member must satisfy regular expression pattern: [a-zA-Z0-9_-]+"
            )));
        }
    }
    Ok(())
}

/// With thinking on, the budget leaves room, nothing is forced, and a turn whose tools run begins with its reasoning.
fn thinking(json: &Value, messages: &[Value]) -> Result<(), Problem> {
    let thinking = &json["additionalModelRequestFields"]["thinking"];
    if thinking["type"] != "enabled" {
        return Ok(());
    }
    let model_error =
        |why: String| Err(Problem::bad(format!("The model returned the following errors: {why}")));
    let Some(budget) = thinking["budget_tokens"].as_u64() else {
        return model_error("thinking.enabled.budget_tokens: Field required".into());
    };
    if json["inferenceConfig"]["maxTokens"].as_u64().is_some_and(|most| most <= budget) {
        return model_error("`max_tokens` must be greater than `thinking.budget_tokens`".into());
    }
    let choice = &json["toolConfig"]["toolChoice"];
    if choice["any"].is_object() || choice["tool"].is_object() {
        return model_error("Thinking may not be enabled when tool_choice forces tool use.".into());
    }
    let in_loop =
        messages.last().is_some_and(|last| blocks(last).iter().any(|b| b["toolResult"].is_object()));
    let turn = messages.iter().rposition(|message| message["role"] == "assistant").filter(|_| in_loop);
    let first = turn.and_then(|at| messages.get(at)).and_then(|message| blocks(message).first());
    match first.is_some_and(|block| !block["reasoningContent"].is_object()) {
        true => model_error(format!(
            "messages.{}.content.0.type: Expected `thinking` or `redacted_thinking`, but found `tool_use`.",
            turn.unwrap_or_default()
        )),
        false => Ok(()),
    }
}
