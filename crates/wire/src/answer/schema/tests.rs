//! Schemas obeyed and not, and those that must not be evaluated.

use proptest::prelude::*;
use serde_json::{Value, json};

use super::*;

fn check(schema: &Value, text: &str) -> bool {
    obeys(&schema.to_string(), text)
}

/// A schema with texts that obey it and texts that do not.
type Case = (Value, &'static [&'static str], &'static [&'static str]);

fn of_values() -> Vec<Case> {
    vec![
        (json!(true), &["1", " null\n"], &["", "{", "```json\n{}\n```", "1 2"]),
        (json!({}), &["[]"], &["nope"]),
        (json!({ "not": {} }), &[], &["1"]),
        (json!({ "type": "integer" }), &["1", "1.0", "-3"], &["1.5", "\"1\"", "true", "null"]),
        (json!({ "type": ["string", "null"] }), &["\"\"", "null"], &["0", "[]"]),
        (json!({ "type": "STRING", "nullable": true }), &["\"x\"", "null"], &["1"]),
        (
            json!({ "const": { "a": 1, "b": [2] } }),
            &[r#"{"b":[2.0],"a":1}"#],
            &[r#"{"a":1}"#, r#"{"a":1,"b":[3]}"#],
        ),
        (json!({ "enum": ["red", 4, null] }), &["\"red\"", "4", "null"], &["\"blue\"", "false"]),
        (json!({ "minimum": 2, "exclusiveMaximum": 5 }), &["2", "4.99", "\"x\""], &["1.9", "5"]),
        (json!({ "minimum": 9_007_199_254_740_993_u64 }), &["9007199254740993"], &["9007199254740992"]),
        (json!({ "multipleOf": 0.1 }), &["0.3", "7"], &["0.35"]),
        (json!({ "multipleOf": 3 }), &["9"], &["10"]),
        (json!({ "minLength": 2, "maxLength": 3 }), &["\"éé\"", "\"abc\"", "7"], &["\"é\"", "\"abcd\""]),
        (json!({ "pattern": "^[a-z]+\\d$" }), &["\"ab1\""], &["\"ab\"", "\"AB1\""]),
    ]
}

fn of_containers() -> Vec<Case> {
    vec![
        (
            json!({ "type": "object", "required": ["a"], "properties": { "a": { "type": "string" } }, "additionalProperties": false }),
            &[r#"{"a":"x"}"#],
            &["{}", r#"{"a":1}"#, r#"{"a":"x","b":1}"#],
        ),
        (
            json!({ "patternProperties": { "^x-": { "type": "number" } }, "additionalProperties": { "type": "string" } }),
            &[r#"{"x-a":1,"b":"c"}"#],
            &[r#"{"x-a":"1"}"#, r#"{"b":1}"#],
        ),
        (
            json!({ "minProperties": 1, "maxProperties": 1, "propertyNames": { "maxLength": 1 } }),
            &[r#"{"a":1}"#],
            &["{}", r#"{"a":1,"b":2}"#, r#"{"ab":1}"#],
        ),
        (json!({ "dependentRequired": { "a": ["b"] } }), &["{}", r#"{"a":1,"b":1}"#], &[r#"{"a":1}"#]),
        (
            json!({ "dependentSchemas": { "a": { "maxProperties": 1 } } }),
            &[r#"{"a":1}"#, r#"{"c":1,"b":1}"#],
            &[r#"{"a":1,"b":1}"#],
        ),
        (
            json!({ "items": { "type": "string" }, "minItems": 1, "maxItems": 2, "uniqueItems": true }),
            &[r#"["a"]"#, r#"["a","b"]"#],
            &["[]", r#"["a","a"]"#, r#"["a","b","c"]"#, "[1]"],
        ),
        (
            json!({ "prefixItems": [{ "type": "string" }, true], "items": false }),
            &["[]", r#"["a",1]"#],
            &["[1]", r#"["a",1,2]"#],
        ),
        (
            json!({ "items": [{ "type": "string" }], "additionalItems": { "type": "null" } }),
            &[r#"["a",null]"#],
            &[r#"["a",1]"#, "[1]"],
        ),
        (
            json!({ "contains": { "const": 1 }, "maxContains": 2 }),
            &["[1,2]", "[1,1]"],
            &["[]", "[2]", "[1,1,1]"],
        ),
    ]
}

fn of_combinations() -> Vec<Case> {
    let list = json!({
        "$ref": "#/$defs/node",
        "$defs": { "node": {
            "type": "object",
            "properties": { "v": { "type": "integer" }, "next": { "anyOf": [{ "$ref": "#/$defs/node" }, { "type": "null" }] } },
            "required": ["v"], "additionalProperties": false,
        } },
    });
    vec![
        (json!({ "allOf": [{ "minimum": 1 }, { "maximum": 3 }] }), &["2"], &["0", "4"]),
        (json!({ "oneOf": [{ "minimum": 2 }, { "maximum": 3 }] }), &["1", "4"], &["2"]),
        (json!({ "anyOf": [{ "type": "null" }, { "minimum": 3 }] }), &["null", "3"], &["2"]),
        (json!({ "not": { "type": "string" } }), &["1"], &["\"\""]),
        (
            json!({ "if": { "type": "string" }, "then": { "minLength": 1 }, "else": { "minimum": 1 } }),
            &["\"a\"", "1"],
            &["\"\"", "0"],
        ),
        (
            list,
            &[r#"{"v":1,"next":{"v":2,"next":null}}"#],
            &[r#"{"v":1,"next":{"w":2}}"#, r#"{"next":null}"#],
        ),
        (
            json!({ "$defs": { "a/b %": { "type": "null" } }, "$ref": "#/$defs/a~1b%20%25" }),
            &["null"],
            &["1"],
        ),
        (
            json!({ "title": "t", "description": "d", "format": "email", "x-note": 1, "default": 0 }),
            &["\"no mail\""],
            &[],
        ),
    ]
}

#[test]
fn each_keyword() {
    for (schema, good, bad) in [of_values(), of_containers(), of_combinations()].concat() {
        for text in good {
            assert!(check(&schema, text), "{schema} {text}");
        }
        for text in bad {
            assert!(!check(&schema, text), "{schema} {text}");
        }
    }
}

#[test]
fn what_cannot_be_judged_is_not_obeyed() {
    for schema in [
        json!({ "$ref": "https://example.com/schema.json" }),
        json!({ "$ref": "other.json#/a" }),
        json!({ "$ref": "#anchor" }),
        json!({ "$ref": "#/nowhere" }),
        json!({ "$ref": 1 }),
        json!({ "$dynamicRef": "#x" }),
        json!({ "unevaluatedProperties": false }),
        json!({ "pattern": "(?=a)" }),
        json!({ "pattern": "(a{1000}){1000}" }),
        json!({ "type": "word" }),
        json!({ "type": 1 }),
        json!({ "allOf": {} }),
        json!({ "enum": 1 }),
        json!({ "minLength": -1 }),
        json!({ "multipleOf": 0, "maximum": "x" }),
        json!("text"),
    ] {
        for text in ["\"aa\"", "1"] {
            let decided = schema.get("pattern").is_some() || schema.get("minLength").is_some();
            let number = schema.get("multipleOf").is_some();
            if (decided && text == "1") || (number && text != "1") {
                continue;
            }
            assert!(!check(&schema, text), "{schema} {text}");
        }
    }
    assert!(!obeys("{", "1"));
    assert!(!obeys(&format!("{{\"title\":\"{}\"}}", "x".repeat(MAX_SCHEMA)), "1"));
}

#[test]
fn work_without_end_is_given_up() {
    assert!(!check(&json!({ "$ref": "#" }), "1"), "a reference to itself");
    let mut defs = json!({ "a0": { "type": "integer" } });
    for level in 1..60 {
        let below = json!({ "$ref": format!("#/$defs/a{}", level - 1) });
        defs[format!("a{level}")] = json!({ "allOf": [below, below] });
    }
    assert!(!check(&json!({ "$defs": defs, "$ref": "#/$defs/a59" }), "1"), "two to the sixtieth");
    let many = format!("[{}0]", "1,".repeat(100_000));
    assert!(check(&json!({ "items": { "type": "integer" } }), &many), "a long list is no endless work");
    assert!(!check(&json!({ "uniqueItems": true }), &many.replace("1,", "[],")));
    let deep = format!("{}{}", "[".repeat(100), "]".repeat(100));
    assert!(check(&json!({ "items": { "$ref": "#" }, "type": "array" }), &deep[20..180]));
}

fn any_json() -> impl Strategy<Value = Value> {
    let leaf = prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::from),
        (-5_i64..5).prop_map(Value::from),
        (-3.0..3.0_f64).prop_map(Value::from),
        prop::sample::select(vec!["", "a", "string", "object", "integer", "#", "#/$defs/a", "^a"])
            .prop_map(Value::from),
    ];
    leaf.prop_recursive(5, 40, 4, |inner| {
        let key = prop::sample::select(vec![
            "type",
            "$ref",
            "properties",
            "items",
            "prefixItems",
            "allOf",
            "anyOf",
            "oneOf",
            "not",
            "if",
            "then",
            "enum",
            "const",
            "required",
            "pattern",
            "minimum",
            "multipleOf",
            "maxLength",
            "contains",
            "a",
            "$defs",
            "additionalProperties",
            "patternProperties",
            "dependencies",
            "uniqueItems",
            "propertyNames",
        ]);
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..4).prop_map(Value::from),
            prop::collection::vec((key, inner), 0..4).prop_map(|members| members
                .into_iter()
                .map(|(key, value)| (key.to_owned(), value))
                .collect()),
        ]
    })
}

proptest! {
    #[test]
    fn any_schema_and_any_value(schema in any_json(), value in any_json()) {
        let text = value.to_string();
        let (obeyed, not) = (check(&schema, &text), check(&json!({ "not": schema }), &text));
        prop_assert!(!(obeyed && not), "both obeyed and not");
    }

    #[test]
    fn a_value_is_its_own_constant(value in any_json()) {
        let (constant, listed) = (json!({ "const": value }), json!({ "enum": [[1], value] }));
        let text = value.to_string();
        prop_assert!(check(&constant, &text) && check(&listed, &text), "{}", text);
    }
}
