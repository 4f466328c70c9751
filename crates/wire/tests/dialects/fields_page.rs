//! `docs/spec/fields.md` lists exactly what is declared of fields, and translations do what is declared.

use std::{fmt::Write as _, fs, path::Path};

use serde_json::{Value, json};
use wire::{
    Dialect,
    canonical::{Content, Field, FieldClass, HOSTED_TOOLS, OWN_FIELDS, OwnField, Strictness},
    scan::PathParamsRef,
};

use crate::support::{target, translated};

const fn word(class: FieldClass) -> &'static str {
    match class {
        FieldClass::Hint => "hint",
        FieldClass::Meaning => "meaning",
    }
}

/// The page's table of canonical fields, as it has to be.
fn canonical() -> String {
    let mut table = "|".to_owned();
    for dialect in Dialect::ALL {
        let _ = write!(table, " `{}` |", dialect.name());
    }
    table.push_str(" loss | why |\n|---|---|---|---|---|---|---|---|\n");
    for row in Field::TABLE {
        table.push('|');
        for name in row.names {
            let _ = if name.is_empty() { write!(table, " |") } else { write!(table, " `{name}` |") };
        }
        let _ = writeln!(table, " {} | {} |", word(row.class), row.reason);
    }
    table
}

/// The page's table of one dialect's own fields.
fn own(dialect: Dialect) -> String {
    let mut table = format!("### `{}`\n\n| field | loss | why |\n|---|---|---|\n", dialect.name());
    for field in OWN_FIELDS.iter().filter(|field| field.dialect == dialect) {
        let _ = writeln!(table, "| `{}` | {} | {} |", field.name, word(field.class), field.reason);
    }
    table
}

/// The page's table of content, as it has to be.
fn content() -> String {
    let mut table = "| content | loss | why |\n|---|---|---|\n".to_owned();
    for row in Content::TABLE {
        let _ = writeln!(table, "| {} | {} | {} |", row.words, word(row.class), row.reason);
    }
    table
}

/// The page's table of tools that providers run, as it has to be.
fn hosted_tools() -> String {
    let mut table = "| dialect | tools that its providers run |\n|---|---|\n".to_owned();
    for dialect in Dialect::ALL {
        let of_dialect = HOSTED_TOOLS.iter().filter(|tool| tool.dialect == dialect);
        let kinds: Vec<_> = of_dialect.map(|tool| format!("`{}`", tool.kind)).collect();
        let kinds = if kinds.is_empty() { "none".to_owned() } else { kinds.join(", ") };
        let _ = writeln!(table, "| `{}` | {kinds} |", dialect.name());
    }
    table
}

#[test]
fn the_page_lists_the_fields() {
    let page = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../docs/spec/fields.md");
    let page = fs::read_to_string(page).unwrap();
    for expected in [canonical(), content(), hosted_tools()].into_iter().chain(Dialect::ALL.map(own)) {
        assert!(page.contains(&expected), "docs/spec/fields.md must hold this table:\n\n{expected}");
    }
}

/// A call of a dialect that every target takes: a question with an image, a call of a tool with its result, a tool and a
/// schema of the answer.
fn body(dialect: Dialect) -> Value {
    const PNG: &str = "iVBORw0KGgo=";
    let schema = json!({"type": "object", "properties": {}, "additionalProperties": false});
    let uri = format!("data:image/png;base64,{PNG}");
    let function = json!({"name": "f", "description": "d", "parameters": schema});
    let call = json!({"id": "call_1", "type": "function", "function": {"name": "f", "arguments": "{}"}});
    match dialect {
        Dialect::OpenAiChat | Dialect::Cohere => json!({"model": "m", "max_tokens": 99,
            "messages": [{"role": "system", "content": "rules"},
                {"role": "user", "content": [{"type": "text", "text": "hi"},
                    {"type": "image_url", "image_url": {"url": uri}}]},
                {"role": "assistant", "tool_calls": [call]},
                {"role": "tool", "tool_call_id": "call_1", "content": [{"type": "text", "text": "so"}]},
                {"role": "user", "content": "and"}],
            "response_format": match dialect {
                Dialect::Cohere => json!({"type": "json_object", "json_schema": schema}),
                _ => json!({"type": "json_schema", "json_schema": {"name": "n", "schema": schema}}),
            },
            "tool_choice": match dialect {
                Dialect::Cohere => json!("REQUIRED"),
                _ => json!({"type": "function", "function": {"name": "f"}}),
            },
            "tools": [{"type": "function", "function": function}]}),
        Dialect::OpenAiResponses => json!({"model": "m", "max_output_tokens": 99, "instructions": "rules",
            "input": [{"role": "user", "content": [{"type": "input_text", "text": "hi"},
                    {"type": "input_image", "image_url": uri}]},
                {"type": "function_call", "call_id": "call_1", "name": "f", "arguments": "{}"},
                {"type": "function_call_output", "call_id": "call_1", "output": [{"type": "input_text", "text": "so"}]},
                {"role": "user", "content": "and"}],
            "text": {"format": {"type": "json_schema", "name": "n", "schema": schema}},
            "tool_choice": {"type": "function", "name": "f"},
            "tools": [{"type": "function", "name": "f", "parameters": schema}]}),
        Dialect::Anthropic => {
            json!({"model": "m", "max_tokens": 99, "system": [{"type": "text", "text": "rules"}],
            "messages": [{"role": "user", "content": [{"type": "text", "text": "hi"},
                    {"type": "image", "source": {"type": "base64", "media_type": "image/png", "data": PNG}}]},
                {"role": "assistant", "content": [{"type": "tool_use", "id": "call_1", "name": "f", "input": {}}]},
                {"role": "user", "content": [{"type": "tool_result", "tool_use_id": "call_1",
                    "content": [{"type": "text", "text": "so"}]}]}],
            "output_config": {"format": {"type": "json_schema", "schema": schema}},
            "tool_choice": {"type": "tool", "name": "f"},
            "tools": [{"name": "f", "input_schema": schema}]})
        }
        Dialect::Gemini => json!({"systemInstruction": {"parts": [{"text": "rules"}]},
            "contents": [{"role": "user", "parts": [{"text": "hi"},
                    {"inlineData": {"mimeType": "image/png", "data": PNG}}]},
                {"role": "model", "parts": [{"functionCall": {"id": "call_1", "name": "f", "args": {}}}]},
                {"role": "user", "parts": [{"functionResponse": {"id": "call_1", "name": "f",
                    "response": {"output": "so"}}}]}],
            "generationConfig": {"maxOutputTokens": 99, "responseMimeType": "application/json",
                "responseJsonSchema": schema},
            "toolConfig": {"functionCallingConfig": {"mode": "ANY"}},
            "tools": [{"functionDeclarations": [{"name": "f", "parametersJsonSchema": schema}]}]}),
        Dialect::Bedrock => json!({"system": [{"text": "rules"}],
            "messages": [{"role": "user", "content": [{"text": "hi"},
                    {"image": {"format": "png", "source": {"bytes": PNG}}}]},
                {"role": "assistant", "content": [{"toolUse": {"toolUseId": "call_1", "name": "f", "input": {}}}]},
                {"role": "user", "content": [{"toolResult": {"toolUseId": "call_1", "content": [{"text": "so"}]}}]}],
            "inferenceConfig": {"maxTokens": 99},
            "outputConfig": {"textFormat": {"type": "json_schema",
                "structure": {"jsonSchema": {"name": "n", "schema": schema.to_string()}}}},
            "toolConfig": {"toolChoice": {"tool": {"name": "f"}},
                "tools": [{"toolSpec": {"name": "f", "inputSchema": {"json": schema}}}]}}),
    }
}

/// A value that says something at the place of a field.
fn value(field: &OwnField) -> Value {
    match field.name {
        "include" => json!(["file_search_call.results"]),
        "tool_choice" => json!({"type": "web_search"}),
        "thinking" => json!({"type": "novel"}),
        "generationConfig.responseMimeType" => json!("text/x.enum"),
        name if name.starts_with("generationConfig.response") => json!({"type": "object"}),
        "citation_options" => json!({"mode": "FAST"}),
        _ => json!(["novel"]),
    }
}

/// Puts a value at a declared place, into the first element of every list; the place as the client has it.
fn put(body: &mut Value, place: &str, value: Value) -> String {
    let mut at = body;
    let steps: Vec<_> = place.split('.').collect();
    for step in &steps {
        at = match step.strip_suffix("[]") {
            Some(list) => &mut at[list][0],
            None => &mut at[*step],
        };
    }
    *at = value;
    place.replace("[]", "[0]")
}

/// What a field of a client's dialect becomes at a target: its place in what was dropped, or the refusal.
fn outcome(from: (Dialect, &Value), to: Dialect, strictness: Strictness) -> Result<Vec<String>, String> {
    let path = PathParamsRef { model: Some("m"), stream: Some(false) };
    let (client, body) = from;
    translated((client, path, &body.to_string()), to, &target("m"), strictness).map(|(_, dropped)| dropped)
}

/// What is wrong with how a field is lost on the way to a target.
fn wrong(field: &OwnField, place: &str, body: &Value, to: Dialect) -> Vec<&'static str> {
    let [strict, default, lenient] = Strictness::ALL.map(|mode| outcome((field.dialect, body), to, mode));
    let both_openai = field.dialect.is_openai() && to.is_openai();
    if both_openai && (field.name.starts_with("prompt_cache") || field.name == "moderation") {
        return if default == Ok(Vec::new()) { Vec::new() } else { vec!["does not pass"] };
    }
    let listed = |outcome: &Result<Vec<String>, String>| {
        outcome.as_ref().is_ok_and(|dropped| dropped.iter().any(|name| name.starts_with(place)))
    };
    let refused = |outcome: &Result<Vec<String>, String>| {
        outcome.as_ref().is_err_and(|refused| refused.starts_with(&format!("`{place}")))
    };
    let as_declared = match field.class {
        FieldClass::Hint => listed(&default),
        FieldClass::Meaning => refused(&default),
    };
    let checks = [
        (refused(&strict), "is not refused in strict mode"),
        (as_declared, "is not treated by its class"),
        (listed(&lenient), "is not left out in lenient mode"),
    ];
    checks.into_iter().filter(|(holds, _)| !holds).map(|(_, what)| what).collect()
}

#[test]
fn translations_lose_the_fields_of_one_dialect_as_declared() {
    let mut found = Vec::new();
    for field in OWN_FIELDS {
        let mut body = body(field.dialect);
        let place = put(&mut body, field.name, value(field));
        for to in Dialect::ALL.into_iter().filter(|to| *to != field.dialect) {
            let wrong = wrong(field, &place, &body, to);
            found.extend(wrong.iter().map(|what| format!("{:?} {place} to {to:?} {what}", field.dialect)));
        }
    }
    assert!(found.is_empty(), "{found:#?}");
}

#[test]
fn hosted_tools_and_their_calls_are_left_out_and_other_tools_are_refused() {
    let chat = |tools: &str| {
        format!(
            r#"{{"model":"m","input":"hi","tools":[{{"type":"function","name":"f","parameters":{{}}}},{tools}]}}"#
        )
    };
    let path = PathParamsRef { model: Some("m"), stream: Some(false) };
    let responses = |body: &str, to, mode: Strictness| {
        translated((Dialect::OpenAiResponses, path, body), to, &target("m"), mode)
    };
    let others = Dialect::ALL.into_iter().filter(|to| *to != Dialect::OpenAiResponses);
    for to in others {
        let hosted =
            chat(r#"{"type":"web_search_preview_2025_03_11"},{"type":"code_interpreter","container":{}}"#);
        let empty = chat(r#"{"type":"namespace","name":"n","description":"d","tools":[]}"#);
        assert!(responses(&empty, to, Strictness::Strict).is_ok(), "{to:?}: nothing is offered in it");
        let (_, dropped) = responses(&hosted, to, Strictness::Default).unwrap();
        for kind in ["web_search_preview_2025_03_11", "code_interpreter"] {
            assert!(dropped.contains(&format!("tools[] ({kind})")), "{to:?} {dropped:?}");
        }
        let refused = responses(&hosted, to, Strictness::Strict).unwrap_err();
        assert!(refused.starts_with("`tools[] (web_search_preview_2025_03_11)`"), "{to:?} {refused}");
        for kind in ["computer_use_preview", "mcp", "local_shell", "file_search", "web"] {
            let own = chat(&format!(r#"{{"type":"{kind}"}}"#));
            let refused = responses(&own, to, Strictness::Default).unwrap_err();
            assert!(refused.starts_with(&format!("`tools[] ({kind})`")), "{to:?} {refused}");
            let (_, dropped) = responses(&own, to, Strictness::Lenient).unwrap();
            assert!(dropped.contains(&format!("tools[] ({kind})")), "{to:?} {dropped:?}");
        }
        let history = r#"{"model":"m","input":[{"role":"user","content":"hi"},
            {"type":"web_search_call","id":"ws_1","status":"completed","action":{"type":"search","query":"q"}},
            {"role":"assistant","content":"so"},{"role":"user","content":"and"}]}"#;
        let (written, dropped) = responses(history, to, Strictness::Default).unwrap();
        assert!(
            dropped.iter().any(|place| place == "input[].content[] (call of a hosted tool)"),
            "{dropped:?}"
        );
        assert!(
            written.to_string().contains("so") && !written.to_string().contains("ws_1"),
            "{to:?} {written}"
        );
    }
}

/// The place of every object of a body that is the dialect's own.
fn objects(value: &Value, place: &str, places: &mut Vec<String>) {
    match value {
        Value::Object(members) => {
            // Schemas, arguments and results are the client's own text, and go with everything that is in them.
            if members.contains_key("properties")
                || matches!(place.rsplit('.').next(), Some("args" | "input" | "response"))
            {
                return;
            }
            for (name, inner) in members {
                let inside = if place.is_empty() { name.clone() } else { format!("{place}.{name}") };
                objects(inner, &inside, places);
            }
            places.push(place.to_owned());
        }
        Value::Array(list) => {
            for (at, inner) in list.iter().enumerate() {
                objects(inner, &format!("{place}[{at}]"), places);
            }
        }
        _ => {}
    }
}

/// The object at a place.
fn object_at<'v>(body: &'v mut Value, place: &str) -> &'v mut Value {
    let mut at = body;
    for step in place.split('.').filter(|step| !step.is_empty()) {
        let mut steps = step.split('[');
        at = &mut at[steps.next().unwrap()];
        for index in steps {
            at = &mut at[index.trim_end_matches(']').parse::<usize>().unwrap()];
        }
    }
    at
}

#[test]
fn an_unknown_field_reaches_no_other_dialect_from_any_level() {
    let mut found = Vec::new();
    for from in Dialect::ALL {
        let mut places = Vec::new();
        objects(&body(from), "", &mut places);
        assert!(places.len() > 2, "{from:?} {places:?}");
        // A member of an element of Gemini's `tools` is a tool.
        for place in places.iter().filter(|place| (from, place.as_str()) != (Dialect::Gemini, "tools[0]")) {
            let mut body = body(from);
            object_at(&mut body, place)["xnovelty"] = json!({"a": 1});
            let text = body.to_string();
            let path = PathParamsRef { model: Some("m"), stream: Some(false) };
            for to in Dialect::ALL.into_iter().filter(|to| *to != from) {
                let [strict, default, _] =
                    Strictness::ALL.map(|mode| translated((from, path, &text), to, &target("m"), mode));
                let holds = match &default {
                    Ok((written, dropped)) => {
                        !written.to_string().contains("xnovelty")
                            && dropped.iter().any(|name| name.ends_with("xnovelty"))
                            && strict.as_ref().is_err_and(|refused| refused.contains("xnovelty"))
                    }
                    // A union that has one member alone is no union any more.
                    Err(refused) => refused.contains("exactly one member"),
                };
                if !holds {
                    let default = default.map(|(_, dropped)| dropped);
                    let strict = strict.map(|(_, dropped)| dropped);
                    found.push(format!("{from:?} to {to:?} in `{place}`: {default:?}, strict {strict:?}"));
                }
            }
        }
    }
    assert!(found.is_empty(), "{found:#?}");
}
