//! As much of JSON Schema (2020-12) as the schema makes use of; a keyword that is not known here fails the test.

use regex::Regex;
use serde_json::{Map, Value};

/// What is wrong with a document, each with its JSON pointer.
pub(crate) fn faults(root: &Value, document: &Value) -> Vec<String> {
    let mut found = Vec::new();
    Check { root, found: &mut found }.value(root, document, "");
    found
}

struct Check<'a> {
    root: &'a Value,
    found: &'a mut Vec<String>,
}

impl Check<'_> {
    fn need(&mut self, holds: bool, at: &str, what: &str) {
        if !holds {
            self.found.push(format!("{at}: {what}"));
        }
    }

    fn value(&mut self, schema: &Value, value: &Value, at: &str) {
        let schema = match schema {
            Value::Bool(any) => return self.need(*any, at, "is not allowed"),
            schema => schema.as_object().unwrap(),
        };
        for (keyword, rule) in schema {
            let number = || (value.as_f64(), rule.as_f64().unwrap());
            let length = || (value.as_str().map(|text| text.chars().count() as u64), rule.as_u64().unwrap());
            let items = || (value.as_array().map(|items| items.len() as u64), rule.as_u64().unwrap());
            match keyword.as_str() {
                "$ref" => {
                    let target = self.root.pointer(rule.as_str().unwrap().trim_start_matches('#')).unwrap();
                    self.value(target, value, at);
                }
                "type" => self.need(is_of(rule, value), at, &format!("is no {rule}")),
                "const" => self.need(rule == value, at, &format!("is not {rule}")),
                "enum" => {
                    self.need(rule.as_array().unwrap().contains(value), at, &format!("is none of {rule}"))
                }
                "oneOf" => self.forms(rule, value, at, |fitting| fitting == 1),
                "anyOf" => self.forms(rule, value, at, |fitting| fitting >= 1),
                "pattern" => {
                    let fits = value.as_str().is_none_or(|text| matches(rule.as_str().unwrap(), text));
                    self.need(fits, at, &format!("does not match {rule}"));
                }
                "minimum" => self.need(number().0.is_none_or(|have| have >= number().1), at, "is too small"),
                "maximum" => self.need(number().0.is_none_or(|have| have <= number().1), at, "is too large"),
                "minLength" => {
                    self.need(length().0.is_none_or(|have| have >= length().1), at, "is too short")
                }
                "maxLength" => self.need(length().0.is_none_or(|have| have <= length().1), at, "is too long"),
                "minItems" => self.need(items().0.is_none_or(|have| have >= items().1), at, "has too few"),
                "maxItems" => self.need(items().0.is_none_or(|have| have <= items().1), at, "has too many"),
                "items" => {
                    for (index, item) in value.as_array().into_iter().flatten().enumerate() {
                        self.value(rule, item, &format!("{at}/{index}"));
                    }
                }
                "properties"
                | "patternProperties"
                | "additionalProperties"
                | "propertyNames"
                | "required" => {
                    if let Value::Object(fields) = value {
                        self.object(schema, keyword, fields, at);
                    }
                }
                "$schema" | "$defs" | "title" | "description" | "default" | "examples" | "format"
                | "writeOnly" => {}
                other => self.need(false, at, &format!("the schema says {other}, which is not known here")),
            }
        }
    }

    fn object(&mut self, schema: &Map<String, Value>, keyword: &str, fields: &Map<String, Value>, at: &str) {
        let rule = &schema[keyword];
        let own = schema.get("properties").and_then(Value::as_object);
        let patterns =
            schema.get("patternProperties").and_then(Value::as_object).cloned().unwrap_or_default();
        match keyword {
            "required" => {
                for name in rule.as_array().unwrap() {
                    let there = fields.contains_key(name.as_str().unwrap());
                    self.need(there, at, &format!("has no {name}"));
                }
            }
            "propertyNames" => {
                fields.keys().for_each(|name| self.value(rule, &Value::from(name.as_str()), at));
            }
            _ => {
                for (name, value) in fields {
                    let own = own.and_then(|own| own.get(name));
                    let alike: Vec<_> =
                        patterns.iter().filter(|(pattern, _)| matches(pattern, name)).collect();
                    let at = format!("{at}/{}", name.replace('~', "~0").replace('/', "~1"));
                    match (keyword, own) {
                        ("properties", Some(own)) => self.value(own, value, &at),
                        ("patternProperties", _) => {
                            alike.iter().for_each(|(_, rule)| self.value(rule, value, &at))
                        }
                        ("additionalProperties", None) if alike.is_empty() => self.value(rule, value, &at),
                        _ => {}
                    }
                }
            }
        }
    }

    fn forms(&mut self, forms: &Value, value: &Value, at: &str, enough: impl Fn(usize) -> bool) {
        let each = forms.as_array().unwrap().iter().map(|form| {
            let mut found = Vec::new();
            Check { root: self.root, found: &mut found }.value(form, value, at);
            found
        });
        let each: Vec<_> = each.collect();
        if !enough(each.iter().filter(|found| found.is_empty()).count()) {
            self.found.push(format!("{at}: fits not one of its forms"));
            self.found.extend(each.into_iter().flatten());
        }
    }
}

fn matches(pattern: &str, text: &str) -> bool {
    Regex::new(pattern).unwrap().is_match(text)
}

fn is_of(rule: &Value, value: &Value) -> bool {
    match rule {
        Value::Array(any) => any.iter().any(|rule| is_of(rule, value)),
        rule => match rule.as_str().unwrap() {
            "object" => value.is_object(),
            "array" => value.is_array(),
            "string" => value.is_string(),
            "boolean" => value.is_boolean(),
            "integer" => value.is_u64() || value.is_i64(),
            "number" => value.is_number(),
            "null" => value.is_null(),
            _ => false,
        },
    }
}
