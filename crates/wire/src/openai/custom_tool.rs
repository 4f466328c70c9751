//! Free-form tools: OpenAI's two dialects have the same ones, nested in Chat Completions and flat in Responses.

use crate::{
    canonical::Tool,
    json::{
        Json,
        out::{ArrayOut, ObjectOut},
    },
};

/// The members of a free-form tool, from whichever of the two dialects; `None` where it is no such tool.
fn members<'a>(tool: &Tool<'a>) -> Option<Custom<'a>> {
    let fields = tool.foreign?.object().ok().flatten()?;
    if fields.peek("type").and_then(Json::text).as_deref() != Some("custom") {
        return None;
    }
    let nested = fields.peek("custom").and_then(|custom| custom.object().ok().flatten());
    let fields = nested.unwrap_or(fields);
    Some(Custom { description: fields.peek("description"), format: fields.peek("format") })
}

struct Custom<'a> {
    description: Option<Json<'a>>,
    format: Option<Json<'a>>,
}

/// Whether a tool is a free-form one.
pub(crate) fn is_custom(tool: &Tool<'_>) -> bool {
    members(tool).is_some()
}

/// Writes it for Chat Completions.
pub(crate) fn write_nested(tool: &Tool<'_>, a: &mut ArrayOut<'_>) {
    let Some(custom) = members(tool) else { return };
    a.object(|o| {
        o.text("type", "custom");
        o.object("custom", |o| {
            o.text("name", &tool.name);
            o.raw_if("description", custom.description);
            format(custom.format, true, o);
        });
    });
}

/// Writes it for Responses.
pub(crate) fn write_flat(tool: &Tool<'_>, a: &mut ArrayOut<'_>) {
    let Some(custom) = members(tool) else { return };
    a.object(|o| {
        o.text("type", "custom");
        o.text("name", &tool.name);
        o.raw_if("description", custom.description);
        format(custom.format, false, o);
    });
}

/// Writes the format: a grammar is a member of its own in Chat Completions.
fn format(format: Option<Json<'_>>, nested: bool, o: &mut ObjectOut<'_>) {
    let Some(fields) = format.and_then(|format| format.object().ok().flatten()) else { return };
    let Some(kind) = fields.peek("type").and_then(Json::text) else { return };
    let grammar = fields.peek("grammar").and_then(|grammar| grammar.object().ok().flatten());
    let member = |name: &str| grammar.as_ref().unwrap_or(&fields).peek(name);
    let write = |o: &mut ObjectOut<'_>| {
        o.raw_if("syntax", member("syntax"));
        o.raw_if("definition", member("definition"));
    };
    o.object("format", |o| {
        o.text("type", &kind);
        match (&*kind, nested) {
            ("grammar", true) => o.object("grammar", write),
            ("grammar", false) => write(o),
            _ => {}
        }
    });
}
