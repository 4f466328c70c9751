//! What a schema says of an array.

use serde_json::Value;

use super::{Check, SchemaRule, Verdict, count};

impl<'s> Check<'s> {
    pub(super) fn array(&mut self, member: SchemaRule<'s>, elements: &[Value]) -> Verdict {
        let SchemaRule { name, rule, siblings } = member;
        match (name, rule) {
            ("minItems", _) => Ok(elements.len() >= count(rule)?),
            ("maxItems", _) => Ok(elements.len() <= count(rule)?),
            ("uniqueItems", Value::Bool(unique)) => Ok(!unique || self.unique(elements)?),
            // A list under `items` is what `prefixItems` was before 2020-12.
            ("prefixItems" | "items", Value::Array(schemas)) => {
                for (schema, element) in schemas.iter().zip(elements) {
                    if !self.valid(schema, element)? {
                        return Ok(false);
                    }
                }
                Ok(true)
            }
            ("items", _) => self.all(rule, behind(siblings.get("prefixItems"), elements)),
            ("additionalItems", _) => match siblings.get("items") {
                Some(items @ Value::Array(_)) => self.all(rule, behind(Some(items), elements)),
                _ => Ok(true),
            },
            ("contains", _) => self.contains(member, elements),
            _ => Ok(true),
        }
    }

    fn all(&mut self, schema: &'s Value, elements: &[Value]) -> Verdict {
        for element in elements {
            if !self.valid(schema, element)? {
                return Ok(false);
            }
        }
        Ok(true)
    }

    fn contains(&mut self, member: SchemaRule<'s>, elements: &[Value]) -> Verdict {
        let bound = |name: &str| member.siblings.get(name).map(count).transpose();
        let (least, most) = (bound("minContains")?.unwrap_or(1), bound("maxContains")?);
        let mut found = 0;
        for element in elements {
            found += usize::from(self.valid(member.rule, element)?);
        }
        Ok(found >= least && most.is_none_or(|most| found <= most))
    }

    fn unique(&mut self, elements: &[Value]) -> Verdict {
        for (at, one) in elements.iter().enumerate() {
            for other in elements.get(at + 1..).unwrap_or_default() {
                if self.same(one, other)? {
                    return Ok(false);
                }
            }
        }
        Ok(true)
    }
}

/// The elements behind those that a list of schemas is for.
fn behind<'e>(schemas: Option<&Value>, elements: &'e [Value]) -> &'e [Value] {
    let schemas = schemas.and_then(Value::as_array).map_or(0, Vec::len);
    elements.get(schemas..).unwrap_or_default()
}
