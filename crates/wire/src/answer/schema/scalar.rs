//! What a schema says of a value of any type, of numbers and of strings.

use serde_json::{Number, Value};

use super::{Check, SchemaRule, Undecided, Verdict, count};

impl<'s> Check<'s> {
    pub(super) fn scalar(&mut self, member: SchemaRule<'s>, value: &Value) -> Verdict {
        let SchemaRule { name, rule, siblings } = member;
        match (name, value) {
            ("type", _) => {
                let nullable = value.is_null() && siblings.get("nullable") == Some(&Value::Bool(true));
                Ok(nullable || is_type(rule, value)?)
            }
            ("const", _) => self.same(rule, value),
            ("enum", _) => {
                for allowed in rule.as_array().ok_or(Undecided)? {
                    if self.same(allowed, value)? {
                        return Ok(true);
                    }
                }
                Ok(false)
            }
            (
                "minimum" | "maximum" | "exclusiveMinimum" | "exclusiveMaximum" | "multipleOf",
                Value::Number(value),
            ) => number(name, rule, value),
            ("minLength", Value::String(text)) => Ok(self.length(text)? >= count(rule)?),
            ("maxLength", Value::String(text)) => Ok(self.length(text)? <= count(rule)?),
            ("pattern", Value::String(text)) => self.matches(rule.as_str().ok_or(Undecided)?, text),
            _ => Ok(true),
        }
    }

    fn length(&mut self, text: &str) -> Result<usize, Undecided> {
        self.spend(text.len() / 16)?;
        Ok(text.chars().count())
    }
}

/// Types by name, one or several. OpenAPI's schemas, which Gemini takes, write them in capitals.
fn is_type(rule: &Value, value: &Value) -> Verdict {
    match rule {
        Value::String(name) => is_named(name, value),
        Value::Array(names) => {
            for name in names {
                if is_named(name.as_str().ok_or(Undecided)?, value)? {
                    return Ok(true);
                }
            }
            Ok(false)
        }
        _ => Err(Undecided),
    }
}

fn is_named(name: &str, value: &Value) -> Verdict {
    Ok(match &*name.to_ascii_lowercase() {
        "null" => value.is_null(),
        "boolean" => value.is_boolean(),
        "object" => value.is_object(),
        "array" => value.is_array(),
        "string" => value.is_string(),
        "number" => value.is_number(),
        "integer" => {
            value.is_i64() || value.is_u64() || value.as_f64().is_some_and(|number| number.fract() == 0.0)
        }
        _ => return Err(Undecided),
    })
}

fn number(name: &str, rule: &Value, value: &Number) -> Verdict {
    let (Some(bound), Some(number)) = (rule.as_f64(), value.as_f64()) else { return Err(Undecided) };
    // Whole numbers are compared as such: doubles are too coarse for ids.
    let whole = |number: &Number| number.as_i64().map(i128::from).or_else(|| number.as_u64().map(i128::from));
    let exact = rule.as_number().and_then(whole).zip(whole(value));
    let order = exact.map_or_else(|| number.total_cmp(&bound), |(bound, number)| number.cmp(&bound));
    Ok(match name {
        "minimum" => order.is_ge(),
        "maximum" => order.is_le(),
        "exclusiveMinimum" => order.is_gt(),
        "exclusiveMaximum" => order.is_lt(),
        _ if bound <= 0.0 => return Err(Undecided),
        _ => match exact {
            Some((step, number)) => number % step == 0,
            None => {
                let times = number / bound;
                (times - times.round()).abs() < 1e-9
            }
        },
    })
}
