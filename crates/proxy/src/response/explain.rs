//! `x-portcullis-explain: 1`: what decided over one request, as one JSON object of bounded size.

use std::{fmt::Write as _, sync::Arc};

use domain::Attempt;
use http::{HeaderMap, HeaderName, HeaderValue};
use policy::{Plan, RoutingError, RuleSeen, SkippedTarget};
use serde_json::{Map, Value, json};

use crate::context::AttemptTarget;

/// Most bytes of the object: intermediaries commonly reject larger headers.
const MOST: usize = 8 << 10;
/// Most bytes of one text in it.
const LONGEST: usize = 480;
/// Kept free for the brackets of lists and the counts of what was cut.
const FRAME: usize = 256;

/// What was decided before the first attempt; kept only where the client asked for it.
#[derive(Clone, Debug)]
pub(crate) struct RoutingTrace {
    route: String,
    rule: Option<String>,
    pool: Option<Arc<str>>,
    rules: Vec<RuleSeen>,
    passed_over: Vec<SkippedTarget>,
}

impl RoutingTrace {
    /// What a plan came from.
    pub(crate) fn plan(plan: &Plan) -> Self {
        Self {
            route: plan.route.clone(),
            rule: plan.rule.clone(),
            pool: Some(Arc::clone(&plan.pool)),
            rules: plan.rules.clone(),
            passed_over: plan.passed_over.clone(),
        }
    }

    /// Why there is no plan for this model.
    pub(crate) fn refusal(refusal: &RoutingError, model: &str) -> Self {
        let mut decided = Self {
            route: model.to_owned(),
            rule: None,
            pool: None,
            rules: Vec::new(),
            passed_over: Vec::new(),
        };
        if let RoutingError::NoAvailableTarget { pool, passed_over, chosen_by, .. }
        | RoutingError::NoCapableTarget { pool, passed_over, chosen_by, .. } = refusal
        {
            decided.pool = Some(Arc::clone(pool));
            decided.rule.clone_from(&chosen_by.rule);
            decided.rules.clone_from(&chosen_by.rules);
            decided.passed_over.clone_from(passed_over);
        }
        decided
    }

    /// The object; `later`: targets that were not tried when their turn came.
    pub(crate) fn object(&self, attempts: Vec<Value>, later: &[SkippedTarget]) -> Map<String, Value> {
        let rule = |RuleSeen { route, rule, matched }: &RuleSeen| match matched {
            Ok(matched) => json!({ "route": text(route), "rule": text(rule), "matched": matched }),
            Err(why) => json!({ "route": text(route), "rule": text(rule), "error": text(why) }),
        };
        let passed = |SkippedTarget { model, why }: &SkippedTarget| json!({ "model": text(&model.to_string()), "why": text(&why.to_string()) });
        let head = json!({
            "route": text(&self.route),
            "rule": self.rule.as_deref().map(text),
            "pool": self.pool.as_deref().map(text),
        });
        let room = MOST - FRAME - ascii(&head).len();
        let passed_over = self.passed_over.iter().chain(later).map(passed).collect();
        let rules = self.rules.iter().map(rule).collect();
        let lists = fitted([("attempts", attempts), ("passed_over", passed_over), ("rules", rules)], room);
        let mut object = Map::new();
        let mut cut = Map::new();
        if let Value::Object(head) = head {
            object.extend(head);
        }
        for (name, list, more) in lists {
            object.insert(name.to_owned(), Value::Array(list));
            if more > 0 {
                cut.insert(name.to_owned(), Value::from(more));
            }
        }
        if !cut.is_empty() {
            object.insert("cut".to_owned(), Value::Object(cut));
        }
        object
    }
}

/// An attempt as the client reads it; the credential stays between the operator and the provider.
pub(crate) fn attempt_line(attempt: &Attempt, tried: &AttemptTarget) -> Value {
    let usage = &attempt.usage;
    let mut line = json!({
        "attempt": attempt.number,
        "provider": text(&attempt.provider),
        "model": text(&attempt.model),
        "reason": attempt.reason.as_deref().map(text),
        "outcome": attempt.outcome.as_str(),
        "status": attempt.status,
        "duration_us": attempt.duration_us,
        // The cost of usage without a price is unknown.
        "cost_usd": attempt.is_priced().then_some(attempt.cost),
        "tokens_in": usage.input(),
        "tokens_cached": usage.cache_read,
        "tokens_out": usage.output(),
        "estimated": attempt.estimated,
    });
    if let Some(why) = &tried.rejected {
        line["why"] = text(why).into();
    }
    line
}

/// An attempt that has not ended yet, where the head of the answer goes out before.
pub(crate) fn active_attempt_line(number: u32, tried: &AttemptTarget) -> Value {
    let model = &tried.target.model;
    json!({
        "attempt": number,
        "provider": text(&model.provider),
        "model": text(&model.model),
        "reason": text(&tried.reason.to_string()),
        "outcome": null,
    })
}

/// Writes the object into the response's headers.
pub(crate) fn write_explanation(object: &Map<String, Value>, headers: &mut HeaderMap) {
    if let Ok(value) = HeaderValue::from_str(&ascii(&json!(object))) {
        headers.insert(HeaderName::from_static("x-portcullis-explain"), value);
    }
}

/// Takes entries from the end of the longest list until all fit; with how many each list lost.
fn fitted<const N: usize>(
    lists: [(&'static str, Vec<Value>); N],
    room: usize,
) -> [(&'static str, Vec<Value>, usize); N] {
    let size = |value: &Value| ascii(value).len() + 1;
    let mut sizes = lists.each_ref().map(|(_, list)| list.iter().map(size).sum::<usize>());
    let mut lists = lists.map(|(name, list)| (name, list, 0));
    while sizes.iter().sum::<usize>() > room {
        let Some(longest) = (0..N).max_by_key(|index| sizes[*index]) else { break };
        let (_, list, cut) = &mut lists[longest];
        let Some(last) = list.pop() else { break };
        sizes[longest] -= size(&last);
        *cut += 1;
    }
    lists
}

/// A text, cut where it would take more than its room.
fn text(whole: &str) -> String {
    let mut taken = 0;
    let too_much = |c: char| {
        taken += written(c);
        taken > LONGEST
    };
    match whole.find(too_much) {
        Some(end) => format!("{}...", &whole[..end]),
        None => whole.to_owned(),
    }
}

/// Bytes that a character takes in the object.
const fn written(c: char) -> usize {
    match c {
        '"' | '\\' => 2,
        ' '..='~' => 1,
        _ => 6 * c.len_utf16(),
    }
}

/// JSON in visible ASCII: no header carries anything else safely.
fn ascii(value: &Value) -> String {
    let json = value.to_string();
    let plain = |c: char| matches!(c, ' '..='~');
    if json.chars().all(plain) {
        return json;
    }
    let mut escaped = String::with_capacity(json.len() * 2);
    for c in json.chars() {
        if plain(c) {
            escaped.push(c);
            continue;
        }
        // Outside of texts JSON is ASCII; within them any character may be escaped.
        for unit in c.encode_utf16(&mut [0; 2]) {
            let _ = write!(escaped, "\\u{unit:04x}");
        }
    }
    escaped
}

#[cfg(test)]
mod tests {
    use domain::ModelRef;
    use policy::SkipReason;
    use proptest::prelude::*;

    use super::*;

    fn decided(texts: &[String], count: usize) -> RoutingTrace {
        let text = |index: usize| texts[index % texts.len()].clone();
        let rule = |index| RuleSeen {
            route: text(index),
            rule: text(index + 1),
            matched: if index % 3 == 0 { Err(text(index + 2)) } else { Ok(index % 2 == 0) },
        };
        let passed = |index| SkippedTarget {
            model: ModelRef { provider: text(index), model: text(index + 1) },
            why: SkipReason::Unusable(text(index + 2)),
        };
        RoutingTrace {
            route: text(0),
            rule: Some(text(1)),
            pool: Some(text(2).into()),
            rules: (0..count).map(rule).collect(),
            passed_over: (0..count).map(passed).collect(),
        }
    }

    proptest! {
        #[test]
        fn it_always_parses_fits_and_says_what_was_cut(
            texts in prop::collection::vec(any::<String>(), 1..6),
            stretch in 1_usize..400,
            count in 0_usize..60,
        ) {
            let texts: Vec<String> = texts.iter().map(|text| text.repeat(stretch)).collect();
            let attempts: Vec<Value> = (0..count).map(|n| json!({ "attempt": n, "reason": text(&texts[0]) })).collect();
            let object = decided(&texts, count).object(attempts, &[]);
            let mut headers = HeaderMap::new();
            write_explanation(&object, &mut headers);
            let header = headers["x-portcullis-explain"].to_str().unwrap();
            prop_assert!(header.len() <= MOST, "{}", header.len());
            let read: Map<String, Value> = serde_json::from_str(header).unwrap();
            for list in ["attempts", "passed_over", "rules"] {
                let cut = read.get("cut").and_then(|cut| cut[list].as_u64()).unwrap_or_default();
                prop_assert_eq!(read[list].as_array().unwrap().len() as u64 + cut, count as u64);
            }
            prop_assert_eq!(read, object);
        }
    }

    #[test]
    fn the_end_of_a_line_stays_within_its_text() {
        let object = decided(&["a\r\nx-evil: 1 \u{7f} grüße 👋".to_owned()], 2).object(Vec::new(), &[]);
        let header = ascii(&json!(object));
        assert!(header.bytes().all(|byte| (b' '..=b'~').contains(&byte)), "{header}");
    }
}
