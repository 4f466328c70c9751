//! Fields that a call and the response's repetition of it have in common.

use crate::{
    canonical::{NameParts, Schema, Show, ToolChoice, ToolMode, split_name},
    json::out::ObjectOut,
};

/// Writes `tool_choice`.
pub(super) fn tool_choice(choice: &ToolChoice<'_>, o: &mut ObjectOut<'_>) {
    const KEY: &str = "tool_choice";
    let function = |name: &str, o: &mut ObjectOut<'_>| {
        let NameParts { namespace, name } = split_name(name);
        o.text("type", "function");
        o.text("name", name);
        o.text_if("namespace", namespace);
    };
    match (&choice.mode, word(choice)) {
        (ToolMode::Named(name), _) => o.object(KEY, |o| function(name, o)),
        (_, Some(word)) if choice.allowed.is_empty() => o.text(KEY, word),
        (_, word) => o.object(KEY, |o| {
            o.text("type", "allowed_tools");
            o.text("mode", word.filter(|word| *word != "none").unwrap_or("auto"));
            o.array("tools", |a| choice.allowed.iter().for_each(|name| a.object(|o| function(name, o))));
        }),
    }
}

/// Writes the members of a format with a schema.
pub(super) fn schema(schema: &Schema<'_>, o: &mut ObjectOut<'_>) {
    o.text("type", "json_schema");
    o.text("name", schema.name.as_deref().unwrap_or("answer"));
    o.text_if("description", schema.description.as_deref());
    o.raw("schema", schema.schema);
    // The same default as for tools (docs/spec/cases.md#case-22).
    o.bool("strict", schema.strict.unwrap_or(false));
}

/// OpenAI's word for how much of the thoughts is shown, if any of them are.
pub(super) const fn summary(show: Show) -> Option<&'static str> {
    match show {
        Show::Hidden => None,
        Show::Auto => Some("auto"),
        Show::Concise => Some("concise"),
        Show::Detailed => Some("detailed"),
    }
}

/// Whether the word for a mode is enough.
const fn word(choice: &ToolChoice<'_>) -> Option<&'static str> {
    match choice.mode {
        ToolMode::Auto => Some("auto"),
        ToolMode::None => Some("none"),
        ToolMode::Required => Some("required"),
        ToolMode::Named(_) => None,
    }
}
