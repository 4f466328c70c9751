//! What Anthropic refuses although every field has its right shape.

use serde_json::Value;

use super::blocks::blocks;
use super::{DIALECT, VERSION};
use crate::canonical_request::{CanonicalRequest, Choice};
use crate::identifiers;
use crate::problem::Problem;
use crate::request::SimRequest;
use crate::signature;

/// Most cache marks of a request.
const MAX_MARKS: usize = 4;
/// What `anthropic-beta` must name for a request that says how its context is shortened.
const CONTEXT_MANAGEMENT: &str = "context-management-2025-06-27";
/// The newest version of Claude that takes no system messages among the others.
const LAST_WITHOUT_SYSTEM: [u8; 2] = [4, 7];

/// Whether a name or an id has only letters, digits, `_` and `-`.
pub(super) fn portable(name: &str) -> bool {
    name.bytes().all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'_' | b'-'))
}

/// Checks everything that is more than the shape of a field.
pub(super) fn check(
    request: &SimRequest<'_>,
    messages: &[Value],
    intent: &CanonicalRequest,
) -> Result<(), Problem> {
    let version = super::version(request)?;
    options(request.json, intent, version)?;
    if !request.json["context_management"].is_null() && !beta(request, CONTEXT_MANAGEMENT) {
        return Err(Problem::bad("context_management: Extra inputs are not permitted"));
    }
    let system = messages.iter().position(|message| message["role"] == "system");
    if let Some(at) = system.filter(|_| older(request.model)) {
        return Err(Problem::bad(format!(
            "messages.{at}.role: role 'system' is not supported on this model; use the top-level `system` parameter"
        )));
    }
    identifiers::message(request.json)?;
    match messages.first() {
        None => return Err(Problem::bad("messages: at least one message is required")),
        Some(first) if first["role"] != "user" => {
            return Err(Problem::bad("messages: first message must use the \"user\" role"));
        }
        Some(_) => {}
    }
    for (at, message) in messages.iter().enumerate() {
        content(request, at, message, version)?;
        results(messages, at)?;
    }
    if messages.last().is_some_and(|last| last["role"] == "assistant") {
        let text = messages.last().map(|last| blocks(&last["content"])).unwrap_or_default();
        if text.last().and_then(|block| block["text"].as_str()).is_some_and(|text| text.trim_end() != text) {
            return Err(Problem::bad(
                "messages: final assistant content cannot end with trailing whitespace",
            ));
        }
    }
    if request.json["thinking"]["type"] == "enabled" {
        reasoned(messages)?;
    }
    if marks(request.json) > MAX_MARKS {
        return Err(Problem::bad(format!(
            "A maximum of {MAX_MARKS} blocks with cache_control may be provided."
        )));
    }
    Ok(())
}

/// Whether a header of the request asks for a feature that is not general yet.
fn beta(request: &SimRequest<'_>, name: &str) -> bool {
    let lines = request.headers.get_all("anthropic-beta").iter();
    lines.filter_map(|line| line.to_str().ok()).flat_map(|line| line.split(',')).any(|one| one.trim() == name)
}

/// Whether the name of the model says that it is a Claude of before system messages; dates are no versions.
fn older(model: &str) -> bool {
    let Some((_, rest)) = model.split_once("claude-") else { return false };
    let mut numbers = rest.split(['-', '.', '@']).filter(|part| part.len() <= 2).flat_map(str::parse::<u8>);
    numbers.next().is_some_and(|major| [major, numbers.next().unwrap_or_default()] <= LAST_WITHOUT_SYSTEM)
}

fn options(json: &Value, intent: &CanonicalRequest, version: &str) -> Result<(), Problem> {
    if version == VERSION {
        // The newest version took sampling away, whatever the value.
        if let Some(name) = ["temperature", "top_p", "top_k"].iter().find(|name| !json[**name].is_null()) {
            return Err(Problem::bad(format!("{name}: Extra inputs are not permitted")));
        }
    }
    let forced = matches!(intent.choice, Choice::Required(_));
    if !json["tool_choice"].is_null() && json["tools"].as_array().is_none_or(Vec::is_empty) {
        return Err(Problem::bad("tool_choice: tool_choice may only be specified while providing tools"));
    }
    if let Some(budget) = json["thinking"]["budget_tokens"].as_u64() {
        if intent.max_tokens.is_some_and(|most| most <= budget) {
            return Err(Problem::bad("`max_tokens` must be greater than `thinking.budget_tokens`"));
        }
        if forced {
            return Err(Problem::bad("Thinking may not be enabled when tool_choice forces tool use."));
        }
    }
    Ok(())
}

/// Blocks in the wrong place, and reasoning that is not the model's own.
fn content(request: &SimRequest<'_>, at: usize, message: &Value, version: &str) -> Result<(), Problem> {
    let assistant = message["role"] == "assistant";
    for (index, block) in blocks(&message["content"]).iter().enumerate() {
        let place = format!("messages.{at}.content.{index}");
        match block["type"].as_str() {
            Some("tool_use" | "thinking" | "redacted_thinking") if !assistant => {
                let kind = block["type"].as_str().unwrap_or_default();
                return Err(Problem::bad(format!(
                    "{place}: `{kind}` blocks can only be in `assistant` messages"
                )));
            }
            Some("tool_result") if assistant => {
                return Err(Problem::bad(format!(
                    "{place}: `tool_result` blocks can only be in `user` messages"
                )));
            }
            Some("tool_use") if !block["id"].as_str().is_some_and(|id| !id.is_empty() && portable(id)) => {
                return Err(Problem::bad(format!(
                    "{place}.tool_use.id: String should match pattern '^[a-zA-Z0-9_-]+$'"
                )));
            }
            Some("thinking") => {
                let text = |name: &str| block[name].as_str().unwrap_or_default();
                if !signature::fits(text("signature"), DIALECT, request.model, text("thinking")) {
                    return Err(Problem::bad(format!("{place}: Invalid `signature` in `thinking` block")));
                }
            }
            Some("redacted_thinking")
                if !signature::fits(
                    block["data"].as_str().unwrap_or_default(),
                    DIALECT,
                    request.model,
                    "",
                ) =>
            {
                return Err(Problem::bad(format!("{place}: Invalid `data` in `redacted_thinking` block")));
            }
            Some("document") if assistant && version == VERSION => {
                return Err(Problem::bad(format!(
                    "{place}: `document` blocks cannot be in `assistant` messages"
                )));
            }
            Some("text")
                if !assistant
                    && version == VERSION
                    && block["citations"].as_array().is_some_and(|c| !c.is_empty()) =>
            {
                return Err(Problem::bad(format!(
                    "{place}.text.citations: citations are not allowed in user messages"
                )));
            }
            _ => {}
        }
    }
    Ok(())
}

/// Each call of the message at `at` is answered first thing in the next message, and nothing else is.
fn results(messages: &[Value], at: usize) -> Result<(), Problem> {
    let ids = |message: Option<&Value>, kind: &str, field: &str| -> Vec<String> {
        let all = message.map(|message| blocks(&message["content"])).unwrap_or_default();
        let named = all.iter().filter(|block| block["type"] == kind);
        named.filter_map(|block| block[field].as_str()).map(str::to_owned).collect()
    };
    let next = messages.get(at + 1);
    let calls = ids(messages.get(at), "tool_use", "id");
    let answered = ids(next, "tool_result", "tool_use_id");
    let open: Vec<String> = calls.into_iter().filter(|id| !answered.contains(id)).collect();
    if !open.is_empty() {
        return Err(Problem::bad(format!(
            "messages.{at}: `tool_use` ids were found without `tool_result` blocks immediately after: {}. Each \
             `tool_use` block must have a corresponding `tool_result` block in the next message.",
            open.join(", ")
        )));
    }
    let before = at.checked_sub(1).and_then(|before| messages.get(before));
    let known = ids(before, "tool_use", "id");
    let here = messages.get(at).map(|message| blocks(&message["content"])).unwrap_or_default();
    let mut other = false;
    for (index, block) in here.iter().enumerate() {
        if block["type"] != "tool_result" {
            other = true;
            continue;
        }
        let id = block["tool_use_id"].as_str().unwrap_or_default();
        let place = format!("messages.{at}.content.{index}");
        if !known.iter().any(|known| known == id) {
            return Err(Problem::bad(format!(
                "{place}: unexpected `tool_use_id` found in `tool_result` blocks: {id}. Each `tool_result` block \
                 must have a corresponding `tool_use` block in the previous message."
            )));
        }
        if other {
            return Err(Problem::bad(format!(
                "{place}: `tool_result` blocks must come before all other content"
            )));
        }
    }
    Ok(())
}

/// While tools run, the turn that called them still begins with its reasoning.
fn reasoned(messages: &[Value]) -> Result<(), Problem> {
    let in_loop = messages
        .last()
        .is_some_and(|last| blocks(&last["content"]).iter().any(|block| block["type"] == "tool_result"));
    let Some(at) = messages.iter().rposition(|message| message["role"] == "assistant").filter(|_| in_loop)
    else {
        return Ok(());
    };
    let first = messages.get(at).and_then(|message| blocks(&message["content"]).into_iter().next());
    let kind = first.as_ref().and_then(|block| block["type"].as_str()).unwrap_or_default();
    if matches!(kind, "thinking" | "redacted_thinking") {
        return Ok(());
    }
    Err(Problem::bad(format!(
        "messages.{at}.content.0.type: Expected `thinking` or `redacted_thinking`, but found `{kind}`. When \
         `thinking` is enabled, a final `assistant` message must start with a thinking block."
    )))
}

fn marks(value: &Value) -> usize {
    match value {
        Value::Array(all) => all.iter().map(marks).sum(),
        Value::Object(fields) => {
            let own = usize::from(fields.get("cache_control").is_some_and(Value::is_object));
            // A tool's arguments and schema are the client's own affair.
            let inner = fields.iter().filter(|(key, _)| !matches!(key.as_str(), "input" | "input_schema"));
            own + inner.map(|(_, value)| marks(value)).sum::<usize>()
        }
        _ => 0,
    }
}
