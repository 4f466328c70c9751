//! `docs/spec/fields.md` lists exactly what is declared of fields, and translations do what is declared.

use std::{fmt::Write as _, fs, path::Path};

use serde_json::{Value, json};
use wire::{
    Dialect,
    canonical::{Field, FieldClass, OWN_FIELDS, OwnField, Strictness},
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

#[test]
fn the_page_lists_the_fields() {
    let page = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../docs/spec/fields.md");
    let page = fs::read_to_string(page).unwrap();
    for expected in [canonical()].into_iter().chain(Dialect::ALL.map(own)) {
        assert!(page.contains(&expected), "docs/spec/fields.md must hold this table:\n\n{expected}");
    }
}

/// A call of a dialect that every target takes, with one tool.
fn body(dialect: Dialect) -> Value {
    let schema = json!({"type": "object", "properties": {}});
    let said = json!([{"role": "user", "content": "hi"}]);
    let function = json!({"name": "f", "description": "d", "parameters": schema});
    match dialect {
        Dialect::OpenAiChat | Dialect::Cohere => json!({"model": "m", "max_tokens": 99, "messages": said,
            "tools": [{"type": "function", "function": function}]}),
        Dialect::OpenAiResponses => json!({"model": "m", "max_output_tokens": 99, "input": said,
            "tools": [{"type": "function", "name": "f", "parameters": schema}]}),
        Dialect::Anthropic => json!({"model": "m", "max_tokens": 99, "messages": said,
            "tools": [{"name": "f", "input_schema": schema}]}),
        Dialect::Gemini => json!({"contents": [{"role": "user", "parts": [{"text": "hi"}]}],
            "generationConfig": {"maxOutputTokens": 99},
            "tools": [{"functionDeclarations": [{"name": "f", "parametersJsonSchema": schema}]}]}),
        Dialect::Bedrock => json!({"messages": [{"role": "user", "content": [{"text": "hi"}]}],
            "inferenceConfig": {"maxTokens": 99},
            "toolConfig": {"tools": [{"toolSpec": {"name": "f", "inputSchema": {"json": schema}}}]}}),
    }
}

/// A value that says something at the place of a field.
fn value(field: &OwnField) -> Value {
    match field.name {
        "include" => json!(["file_search_call.results"]),
        "tool_choice" => json!({"type": "web_search"}),
        "thinking" => json!({"type": "novel"}),
        "stream_options" => json!({"novelty": 1}),
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

/// Every object of a body gets a member that no dialect has; the places where it was put.
fn novel_everywhere(value: &mut Value, place: &str, places: &mut Vec<String>) {
    match value {
        Value::Object(members) => {
            for (name, inner) in members.iter_mut() {
                let inside = if place.is_empty() { name.clone() } else { format!("{place}.{name}") };
                // A schema is the client's own text, and goes with everything that is in it.
                if !matches!(&**name, "parameters" | "input_schema" | "parametersJsonSchema" | "inputSchema")
                {
                    novel_everywhere(inner, &inside, places);
                }
            }
            members.insert("xnovelty".to_owned(), json!({"a": 1}));
            places.push(place.to_owned());
        }
        Value::Array(list) => {
            for (at, inner) in list.iter_mut().enumerate() {
                novel_everywhere(inner, &format!("{place}[{at}]"), places);
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
        novel_everywhere(&mut body(from), "", &mut places);
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
                    found.push(format!("{from:?} to {to:?} in `{place}`: {default:?} {strict:?}"));
                }
            }
        }
    }
    assert!(found.is_empty(), "{found:#?}");
}
