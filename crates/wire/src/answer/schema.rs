//! Whether a text obeys a JSON Schema (draft 2020-12, and what older drafts and OpenAPI write differently).
//!
//! Schemas come from clients: some hundred bytes of references to references make a validator without a bound run for
//! years. This one counts its steps. What it cannot judge (references to other documents, dynamic ones, `unevaluated…`,
//! patterns that are no regular expressions, too much work) is not obeyed: a condition that cannot be checked is not met.

mod array;
mod object;
mod scalar;

use std::collections::HashMap;

use regex::{Regex, RegexBuilder};
use serde_json::{Map, Value};

/// Longest schema and text that are looked at, in bytes.
const MAX_SCHEMA: usize = 256 << 10;
const MAX_TEXT: usize = 4 << 20;
/// Most steps of one check: some milliseconds. A step looks at one schema, one value, or some characters.
const MAX_STEPS: usize = 500_000;
/// Deepest nesting of schemas, references included, so that none can exhaust the stack.
const MAX_DEPTH: usize = 200;
/// Largest program of a pattern, in bytes.
const MAX_PATTERN: usize = 64 << 10;

/// Whether a text, without the white space around it, is JSON that obeys a schema.
#[must_use]
pub fn obeys(schema: &str, text: &str) -> bool {
    if schema.len() > MAX_SCHEMA || text.len() > MAX_TEXT {
        return false;
    }
    let (Ok(root), Ok(value)) = (serde_json::from_str(schema), serde_json::from_str(text.trim())) else {
        return false;
    };
    let mut check = Check { root: &root, steps: 0, depth: 0, patterns: HashMap::new() };
    check.valid(&root, &value) == Ok(true)
}

/// The question cannot be answered.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Undecided;

/// Whether a value is valid, if that can be told.
type Verdict = Result<bool, Undecided>;

/// One member of a schema, and the members beside it, which may change what it means.
#[derive(Clone, Copy)]
struct SchemaRule<'s> {
    name: &'s str,
    rule: &'s Value,
    siblings: &'s Map<String, Value>,
}

/// One check of one text.
struct Check<'s> {
    root: &'s Value,
    steps: usize,
    depth: usize,
    patterns: HashMap<&'s str, Regex>,
}

impl<'s> Check<'s> {
    fn spend(&mut self, steps: usize) -> Result<(), Undecided> {
        self.steps = self.steps.saturating_add(steps);
        if self.steps > MAX_STEPS { Err(Undecided) } else { Ok(()) }
    }

    fn valid(&mut self, schema: &'s Value, value: &Value) -> Verdict {
        self.spend(1)?;
        let rules = match schema {
            Value::Bool(all) => return Ok(*all),
            Value::Object(rules) => rules,
            _ => return Err(Undecided),
        };
        if self.depth == MAX_DEPTH {
            return Err(Undecided);
        }
        self.depth += 1;
        let verdict = self.rules(rules, value);
        self.depth -= 1;
        verdict
    }

    fn rules(&mut self, rules: &'s Map<String, Value>, value: &Value) -> Verdict {
        for (name, rule) in rules {
            self.spend(1)?;
            let member = SchemaRule { name, rule, siblings: rules };
            let obeyed = match &**name {
                "$ref" => {
                    let schema = self.referred(rule)?;
                    self.valid(schema, value)?
                }
                "$dynamicRef" | "$recursiveRef" | "unevaluatedItems" | "unevaluatedProperties" => {
                    return Err(Undecided);
                }
                "allOf" | "anyOf" | "oneOf" | "not" | "if" => self.combined(member, value)?,
                _ => match value {
                    Value::Object(_) => self.object(member, value)?,
                    Value::Array(elements) => self.array(member, elements)?,
                    _ => true,
                },
            };
            if !obeyed || !self.scalar(member, value)? {
                return Ok(false);
            }
        }
        Ok(true)
    }

    /// The schema that a reference within the document names (RFC 6901 §6).
    fn referred(&self, reference: &Value) -> Result<&'s Value, Undecided> {
        let pointer = reference.as_str().and_then(|text| text.strip_prefix('#')).ok_or(Undecided)?;
        let pointer = crate::percent::decode(pointer).ok_or(Undecided)?;
        self.root.pointer(&pointer).ok_or(Undecided)
    }

    fn combined(&mut self, member: SchemaRule<'s>, value: &Value) -> Verdict {
        let SchemaRule { name, rule, siblings } = member;
        match name {
            "not" => return self.valid(rule, value).map(|valid| !valid),
            "if" => {
                let branch = if self.valid(rule, value)? { "then" } else { "else" };
                return siblings.get(branch).map_or(Ok(true), |schema| self.valid(schema, value));
            }
            _ => {}
        }
        let schemas = rule.as_array().ok_or(Undecided)?;
        let mut valid = 0;
        for schema in schemas {
            match (self.valid(schema, value)?, name) {
                (false, "allOf") => return Ok(false),
                (true, "anyOf") => return Ok(true),
                (obeyed, _) => valid += usize::from(obeyed),
            }
        }
        Ok(match name {
            "allOf" => true,
            "anyOf" => false,
            _ => valid == 1,
        })
    }

    fn matches(&mut self, pattern: &'s str, text: &str) -> Verdict {
        self.spend(text.len() / 16)?;
        if let Some(known) = self.patterns.get(pattern) {
            return Ok(known.is_match(text));
        }
        self.spend(100 + pattern.len() * 10)?;
        let compiled = RegexBuilder::new(pattern).size_limit(MAX_PATTERN).build().map_err(|_| Undecided)?;
        let found = compiled.is_match(text);
        self.patterns.insert(pattern, compiled);
        Ok(found)
    }

    /// Whether two values are equal as JSON Schema has it: numbers by value, objects without order.
    fn same(&mut self, one: &Value, other: &Value) -> Verdict {
        self.spend(1)?;
        match (one, other) {
            (Value::Number(one), Value::Number(other)) => Ok(one == other || one.as_f64() == other.as_f64()),
            (Value::String(one), Value::String(other)) => Ok(one == other),
            (Value::Array(one), Value::Array(other)) => {
                if one.len() != other.len() {
                    return Ok(false);
                }
                for (one, other) in one.iter().zip(other) {
                    if !self.same(one, other)? {
                        return Ok(false);
                    }
                }
                Ok(true)
            }
            (Value::Object(one), Value::Object(other)) => {
                if one.len() != other.len() {
                    return Ok(false);
                }
                for (name, value) in one {
                    match other.get(name) {
                        Some(other) if self.same(value, other)? => {}
                        _ => return Ok(false),
                    }
                }
                Ok(true)
            }
            _ => Ok(one == other),
        }
    }
}

/// A count in a schema; `5.0` is one as well.
fn count(rule: &Value) -> Result<usize, Undecided> {
    let number = rule.as_f64().filter(|number| number.fract() == 0.0 && (0.0..=1e15).contains(number));
    #[allow(
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        reason = "checked to be whole and in range"
    )]
    number.map(|number| number as usize).ok_or(Undecided)
}

#[cfg(test)]
mod tests;
