//! What a schema says of an object.

use serde_json::{Map, Value};

use super::{Check, SchemaRule, Undecided, Verdict, count};

impl<'s> Check<'s> {
    pub(super) fn object(&mut self, member: SchemaRule<'s>, value: &Value) -> Verdict {
        let SchemaRule { name, rule, .. } = member;
        let Value::Object(members) = value else { return Ok(true) };
        match name {
            "required" => self.has_all(rule, members),
            "minProperties" => Ok(members.len() >= count(rule)?),
            "maxProperties" => Ok(members.len() <= count(rule)?),
            "properties" => {
                for (key, schema) in rule.as_object().ok_or(Undecided)? {
                    self.spend(1)?;
                    if let Some(value) = members.get(key)
                        && !self.valid(schema, value)?
                    {
                        return Ok(false);
                    }
                }
                Ok(true)
            }
            "patternProperties" => self.by_pattern(rule, members),
            "additionalProperties" => self.additional(member, members),
            "propertyNames" => {
                for key in members.keys() {
                    self.spend(key.len() / 16)?;
                    if !self.valid(rule, &Value::String(key.clone()))? {
                        return Ok(false);
                    }
                }
                Ok(true)
            }
            // `dependencies` is what both were before 2019-09.
            "dependentRequired" | "dependentSchemas" | "dependencies" => self.dependent(rule, members, value),
            _ => Ok(true),
        }
    }

    fn has_all(&mut self, names: &Value, members: &Map<String, Value>) -> Verdict {
        for name in names.as_array().ok_or(Undecided)? {
            self.spend(1)?;
            if !members.contains_key(name.as_str().ok_or(Undecided)?) {
                return Ok(false);
            }
        }
        Ok(true)
    }

    fn by_pattern(&mut self, rule: &'s Value, members: &Map<String, Value>) -> Verdict {
        for (pattern, schema) in rule.as_object().ok_or(Undecided)? {
            for (key, value) in members {
                self.spend(1)?;
                if self.matches(pattern, key)? && !self.valid(schema, value)? {
                    return Ok(false);
                }
            }
        }
        Ok(true)
    }

    /// Members that neither `properties` nor `patternProperties` name.
    fn additional(&mut self, member: SchemaRule<'s>, members: &Map<String, Value>) -> Verdict {
        let SchemaRule { rule, siblings, .. } = member;
        let named = siblings.get("properties").and_then(Value::as_object);
        let patterns = siblings.get("patternProperties").and_then(Value::as_object);
        'members: for (key, value) in members {
            self.spend(1)?;
            if named.is_some_and(|named| named.contains_key(key)) {
                continue;
            }
            for pattern in patterns.into_iter().flat_map(Map::keys) {
                if self.matches(pattern, key)? {
                    continue 'members;
                }
            }
            if !self.valid(rule, value)? {
                return Ok(false);
            }
        }
        Ok(true)
    }

    fn dependent(&mut self, rule: &'s Value, members: &Map<String, Value>, whole: &Value) -> Verdict {
        for (key, needed) in rule.as_object().ok_or(Undecided)? {
            self.spend(1)?;
            if !members.contains_key(key) {
                continue;
            }
            let obeyed =
                if needed.is_array() { self.has_all(needed, members)? } else { self.valid(needed, whole)? };
            if !obeyed {
                return Ok(false);
            }
        }
        Ok(true)
    }
}
