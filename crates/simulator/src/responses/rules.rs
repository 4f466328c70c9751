//! What OpenAI refuses of a response request although every field has its right shape.

use serde_json::Value;

use super::DIALECT;
use crate::identifiers;
use crate::problem::Problem;
use crate::request::SimRequest;
use crate::signature;

/// What ids of calls that followed reasoning start with.
pub(super) const AFTER_REASONING: &str = "fc_r";

/// Checks everything that is more than the shape of a field.
pub(super) fn check(request: &SimRequest<'_>, items: &[Value]) -> Result<(), Problem> {
    identifiers::response(request.json)?;
    if let Some(id) = request.json["previous_response_id"].as_str() {
        return Err(Problem::bad(format!("Previous response with id '{id}' not found."))
            .with_code("previous_response_not_found")
            .with_param("previous_response_id"));
    }
    for (index, tool) in request.json["tools"].as_array().into_iter().flatten().enumerate() {
        strict(index, tool)?;
    }
    let stored = request.json["store"] != false;
    for (at, item) in items.iter().enumerate() {
        match item["type"].as_str() {
            Some("function_call") => call(stored, items, at, item)?,
            Some("function_call_output") => output(items, at, item)?,
            Some("reasoning") => reasoning(request.model, stored, items, at, item)?,
            _ => {}
        }
    }
    Ok(())
}

fn at(problem: Problem, index: usize) -> Problem {
    problem.with_param(format!("input[{index}]"))
}

/// Functions that call themselves strict are closed objects with every property required. One that says nothing is strict
/// only where its schema allows that.
fn strict(index: usize, tool: &Value) -> Result<(), Problem> {
    let parameters = &tool["parameters"];
    if tool["type"] != "function" || tool["strict"] != true || parameters.is_null() {
        return Ok(());
    }
    let required = |name: &String| {
        parameters["required"].as_array().is_some_and(|all| all.iter().any(|one| one.as_str() == Some(name)))
    };
    let why = if parameters["additionalProperties"] != false {
        "'additionalProperties' is required to be supplied and to be false."
    } else if parameters["properties"].as_object().is_some_and(|all| !all.keys().all(required)) {
        "'required' is required to be supplied and to be an array including every key in properties."
    } else {
        return Ok(());
    };
    let name = tool["name"].as_str().unwrap_or_default();
    Err(Problem::bad(format!("Invalid schema for function '{name}': In context=(), {why}"))
        .with_code("invalid_function_parameters")
        .with_param(format!("tools[{index}].parameters")))
}

fn named<'a>(items: &'a [Value], kind: &'static str, id: &'a Value) -> impl Iterator<Item = &'a Value> {
    items.iter().filter(move |item| item["type"] == kind && item["call_id"] == *id)
}

fn call(stored: bool, items: &[Value], index: usize, item: &Value) -> Result<(), Problem> {
    let id = item["id"].as_str().unwrap_or_default();
    if let Some(rest) = id.strip_prefix(AFTER_REASONING) {
        let wanted = format!("rs_{}", rest.split_at_checked(24).map_or(rest, |(head, _)| head));
        let before = items.get(..index).unwrap_or_default();
        let own = |id: &Value| id == wanted.as_str() || (!stored && id.is_null());
        if !before.iter().any(|item| item["type"] == "reasoning" && own(&item["id"])) {
            return Err(at(
                Problem::bad(format!(
                    "Item '{id}' of type 'function_call' was provided without its required 'reasoning' item: \
                     '{wanted}'."
                )),
                index,
            ));
        }
    }
    let after = items.get(index + 1..).unwrap_or_default();
    if named(after, "function_call_output", &item["call_id"]).next().is_none() {
        let id = item["call_id"].as_str().unwrap_or_default();
        return Err(at(Problem::bad(format!("No tool output found for function call {id}.")), index));
    }
    Ok(())
}

fn output(items: &[Value], index: usize, item: &Value) -> Result<(), Problem> {
    let before = items.get(..index).unwrap_or_default();
    if named(before, "function_call", &item["call_id"]).next().is_none() {
        let id = item["call_id"].as_str().unwrap_or_default();
        return Err(at(
            Problem::bad(format!("No tool call found for function call output with call_id {id}.")),
            index,
        ));
    }
    Ok(())
}

/// Reasoning stands before what it led to and is the model's own; nothing is stored here, so that what is said not to
/// be stored must bring its content along.
fn reasoning(model: &str, stored: bool, items: &[Value], index: usize, item: &Value) -> Result<(), Problem> {
    let id = item["id"].as_str().unwrap_or_default();
    if id.is_empty() && stored {
        let why = format!("Missing required parameter: 'input[{index}].id'.");
        return Err(at(Problem::bad(why).with_code("missing_required_parameter"), index));
    }
    let own = |sealed: &str| match id {
        "" => signature::is_of(sealed, DIALECT, model),
        id => signature::fits(sealed, DIALECT, model, id),
    };
    match item["encrypted_content"].as_str() {
        Some(sealed) if !own(sealed) => {
            let why = format!("The encrypted content for item {id} could not be verified.");
            return Err(at(Problem::bad(why).with_code("invalid_encrypted_content"), index));
        }
        None if !stored => {
            return Err(at(
                Problem::bad(format!(
                    "Item with id '{id}' not found. Items are not persisted when `store` is set to false."
                )),
                index,
            ));
        }
        _ => {}
    }
    let next = items.get(index + 1);
    let leads = next.is_some_and(|next| match next["type"].as_str() {
        Some("function_call_output") => false,
        None | Some("message") => next["role"] == "assistant",
        Some(_) => true,
    });
    if !leads {
        return Err(at(
            Problem::bad(format!(
                "Item '{id}' of type 'reasoning' was provided without its required following item."
            )),
            index,
        ));
    }
    Ok(())
}
