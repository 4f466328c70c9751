//! `reasoning_details`: thoughts as some vendors write them, to be sent back as they came.

use std::borrow::Cow;

use serde_json::{Map, Value};

use crate::{
    canonical::{Family, Signature, Text},
    json::{Json, JsonKind},
    sse::MAX_EVENT,
};

/// The text of a plain answer's details, and the details themselves as a seal.
pub(super) fn read(details: Json<'_>) -> Option<(Text<'_>, Signature<'_>)> {
    let list = details.array().ok().flatten().filter(|list| !list.is_empty())?;
    let mut text = String::new();
    list.iter().filter_map(|entry| entry_text(*entry)).for_each(|part| text.push_str(&part));
    let signature = Signature { family: Family::Compatible, text: details.raw().into(), item: None };
    Some((text.into(), signature))
}

fn entry_text(entry: Json<'_>) -> Option<Cow<'_, str>> {
    let fields = entry.object().ok().flatten()?;
    fields.peek("text").or(fields.peek("summary"))?.text()
}

/// Details that come in fragments.
#[derive(Debug, Default)]
pub(super) struct Fragments {
    entries: Vec<Map<String, Value>>,
    size: usize,
}

impl Fragments {
    /// Takes a delta's details and gives their text. More than an event's size of them is forgotten: without all of
    /// them none can be sent back.
    pub(super) fn push(&mut self, details: Json<'_>) -> Option<String> {
        if details.kind() != JsonKind::Array {
            return None;
        }
        self.size = self.size.saturating_add(details.raw().len());
        let list: Vec<Map<String, Value>> = serde_json::from_str(details.raw()).ok()?;
        let mut text = String::new();
        for entry in list {
            let said = entry.get("text").or(entry.get("summary")).and_then(Value::as_str);
            text.push_str(said.unwrap_or_default());
            if self.size <= MAX_EVENT {
                self.join(entry);
            }
        }
        Some(text).filter(|text| !text.is_empty())
    }

    /// A fragment continues the entry before it when both have the same type and index.
    fn join(&mut self, entry: Map<String, Value>) {
        let same = |last: &Map<String, Value>| {
            last.get("type") == entry.get("type") && last.get("index") == entry.get("index")
        };
        let Some(last) = self.entries.last_mut().filter(|last| same(last)) else {
            return self.entries.push(entry);
        };
        for (key, value) in entry {
            match (last.get_mut(&key), value) {
                (Some(Value::String(text)), Value::String(more))
                    if matches!(&*key, "text" | "summary" | "data") =>
                {
                    text.push_str(&more);
                }
                (Some(_), Value::Null) => {}
                (_, value) => {
                    last.insert(key, value);
                }
            }
        }
    }

    /// All of them as a seal; none are left.
    pub(super) fn seal(&mut self) -> Option<Signature<'static>> {
        let Self { entries, size } = std::mem::take(self);
        if entries.is_empty() || size > MAX_EVENT {
            return None;
        }
        let text = serde_json::to_string(&entries).ok()?;
        Some(Signature { family: Family::Compatible, text: text.into(), item: None })
    }
}
