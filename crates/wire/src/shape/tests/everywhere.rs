//! One call in the words of every dialect.

use serde_json::{Value, json};

use crate::Api;

/// A call with a system turn, a user turn, a tool and a schema of the answer; `effort`: and thinking that is high.
pub(super) fn everywhere(system: &str, user: &str, effort: bool) -> Vec<(Api, Value)> {
    let parameters = json!({ "type": "object" });
    let function = json!({ "name": "t", "description": "d", "parameters": parameters });
    let schema = json!({ "type": "object", "required": ["a"] });
    let messages = json!([{ "role": "system", "content": system }, { "role": "user", "content": user }]);
    let tools = json!([{ "type": "function", "function": function }]);
    let chat = json!({
        "model": "m", "messages": messages, "tools": tools,
        "response_format": { "type": "json_schema", "json_schema": { "name": "n", "schema": schema } },
    });
    let responses = json!({
        "model": "m", "instructions": system, "input": user,
        "tools": [{ "type": "function", "name": "t", "description": "d", "parameters": parameters }],
        "text": { "format": { "type": "json_schema", "name": "n", "schema": schema } },
    });
    let claude = json!({
        "model": "m", "max_tokens": 20_000, "system": system,
        "messages": [{ "role": "user", "content": user }],
        "tools": [{ "name": "t", "description": "d", "input_schema": parameters }],
        "output_config": { "format": { "type": "json_schema", "schema": schema } },
    });
    let declaration = json!({ "name": "t", "description": "d", "parametersJsonSchema": parameters });
    let gemini = json!({
        "systemInstruction": { "parts": [{ "text": system }] },
        "contents": [{ "role": "user", "parts": [{ "text": user }] }],
        "tools": [{ "functionDeclarations": [declaration] }],
        "generationConfig": { "responseMimeType": "application/json", "responseJsonSchema": schema },
    });
    let cohere = json!({
        "model": "m", "messages": messages, "tools": tools,
        "response_format": { "type": "json_object", "json_schema": schema },
    });
    let tool = json!({ "name": "t", "description": "d", "inputSchema": { "json": parameters } });
    let structure = json!({ "jsonSchema": { "schema": schema.to_string() } });
    let converse = json!({
        "system": [{ "text": system }],
        "messages": [{ "role": "user", "content": [{ "text": user }] }],
        "toolConfig": { "tools": [{ "toolSpec": tool }] },
        "outputConfig": { "textFormat": { "type": "json_schema", "structure": structure } },
    });
    let mut bodies = [chat, responses, claude, gemini, cohere, converse];
    if effort {
        think_hard(&mut bodies);
    }
    let apis = [Api::Chat, Api::Responses, Api::Messages, Api::Gemini, Api::Cohere, Api::Converse];
    apis.into_iter().zip(bodies).collect()
}

fn think_hard([chat, responses, claude, gemini, cohere, converse]: &mut [Value; 6]) {
    chat["reasoning_effort"] = json!("high");
    responses["reasoning"] = json!({ "effort": "high" });
    claude["thinking"] = json!({ "type": "enabled", "budget_tokens": 16_500 });
    gemini["generationConfig"]["thinkingConfig"] = json!({ "thinkingLevel": "HIGH" });
    cohere["thinking"] = json!({ "type": "enabled", "token_budget": 20_000 });
    let thinking = json!({ "type": "enabled", "budget_tokens": 20_000 });
    converse["additionalModelRequestFields"] = json!({ "thinking": thinking });
}
