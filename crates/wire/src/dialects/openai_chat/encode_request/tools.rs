//! Writing tools and how they are chosen.

use crate::{
    canonical::{
        Call, Field, LossReport, Tool, ToolChoice, ToolMode, Unsupported,
        tool_schema::{self, SchemaForm},
    },
    dialect::Dialect,
    json::out::{ArrayOut, ObjectOut},
    openai::custom_tool,
    quirks::{Quirks, ToolChoices},
};

/// Writes `tools`, `tool_choice` and `parallel_tool_calls`.
pub(super) fn tools(
    call: &Call<'_>,
    quirks: &Quirks,
    losses: &mut LossReport,
    o: &mut ObjectOut<'_>,
) -> Result<(), Unsupported> {
    let choice = call.tool_choice.as_ref();
    let cut = cut_down(choice, quirks.tool_choice);
    let mut offered = Vec::new();
    for tool in &call.tools {
        if cut.as_ref().is_some_and(|names| !names.contains(&&*tool.name)) {
            continue;
        }
        let same = losses.client() == Dialect::OpenAiResponses && custom_tool::is_custom(tool);
        if tool.foreign.is_some() && losses.client() != Dialect::OpenAiChat && !same {
            losses.tool(tool)?;
            continue;
        }
        if let Some(ttl) = tool.cache {
            losses.cache_mark(ttl);
        }
        if tool.strict == Some(true) && quirks.no_strict {
            losses.field(Field::StrictTools)?;
        }
        offered.push(tool);
    }
    if offered.is_empty() {
        return forced_without_tools(choice, losses);
    }
    o.array("tools", |a| offered.iter().for_each(|tool| write_tool(tool, quirks, a)));
    if quirks.tool_stream && call.stream {
        o.bool("tool_stream", true);
    }
    if let Some(choice) = choice {
        tool_choice(choice, quirks.tool_choice, losses, o)?;
    }
    match call.parallel_tools {
        Some(parallel) if !quirks.no_parallel_flag => o.bool("parallel_tool_calls", parallel),
        Some(false) => losses.field(Field::ParallelTools)?,
        _ => {}
    }
    Ok(())
}

fn forced_without_tools(choice: Option<&ToolChoice<'_>>, losses: &mut LossReport) -> Result<(), Unsupported> {
    match choice.map(|choice| &choice.mode) {
        Some(ToolMode::Required | ToolMode::Named(_)) => losses.field(Field::ToolChoice),
        _ => Ok(()),
    }
}

/// Names of the tools that are offered where the provider cannot be told so otherwise.
fn cut_down<'c>(choice: Option<&'c ToolChoice<'_>>, known: ToolChoices) -> Option<Vec<&'c str>> {
    let choice = choice?;
    match &choice.mode {
        ToolMode::Named(name) if known == ToolChoices::NoNamed => Some(vec![&**name]),
        _ if choice.allowed.is_empty() || known == ToolChoices::All => None,
        _ => Some(choice.allowed.iter().map(|name| &**name).collect()),
    }
}

fn write_tool(tool: &Tool<'_>, quirks: &Quirks, a: &mut ArrayOut<'_>) {
    if let Some(raw) = tool.foreign {
        if custom_tool::is_custom(tool) {
            return custom_tool::write_nested(tool, a);
        }
        return a.raw(raw);
    }
    a.object(|o| {
        o.text("type", "function");
        o.object("function", |o| {
            o.text("name", &tool.name);
            o.text_if("description", tool.description.as_deref());
            if tool.schema.is_some() {
                let without: &[&str] = if quirks.no_schema_keywords { &["$schema", "$id"] } else { &[] };
                tool_schema::write("parameters", tool.schema, SchemaForm { properties: true, without }, o);
            }
            if let (Some(strict), false) = (tool.strict, quirks.no_strict) {
                o.bool("strict", strict);
            }
        });
    });
}

fn tool_choice(
    choice: &ToolChoice<'_>,
    known: ToolChoices,
    losses: &mut LossReport,
    o: &mut ObjectOut<'_>,
) -> Result<(), Unsupported> {
    use ToolChoices as T;
    const KEY: &str = "tool_choice";
    let required = if known == T::Any { "any" } else { "required" };
    if !choice.allowed.is_empty() && known == T::All {
        allowed(choice, o);
        return Ok(());
    }
    match &choice.mode {
        ToolMode::Auto if known == T::Unknown => {}
        ToolMode::Auto => o.text(KEY, "auto"),
        ToolMode::None if matches!(known, T::Auto | T::Unknown) => losses.field(Field::ToolChoice)?,
        ToolMode::None => o.text(KEY, "none"),
        ToolMode::Required if matches!(known, T::NoRequired | T::AutoNone | T::Auto | T::Unknown) => {
            losses.field(Field::ToolChoice)?;
        }
        ToolMode::Required => o.text(KEY, required),
        ToolMode::Named(_) if known == T::NoNamed => o.text(KEY, required),
        ToolMode::Named(_) if matches!(known, T::AutoNone | T::Auto | T::Unknown) => {
            losses.field(Field::ToolChoice)?;
        }
        ToolMode::Named(name) => o.object(KEY, |o| function(name, o)),
    }
    Ok(())
}

fn allowed(choice: &ToolChoice<'_>, o: &mut ObjectOut<'_>) {
    o.object("tool_choice", |o| {
        o.text("type", "allowed_tools");
        o.object("allowed_tools", |o| {
            o.text("mode", if choice.mode == ToolMode::Required { "required" } else { "auto" });
            o.array("tools", |a| choice.allowed.iter().for_each(|name| a.object(|o| function(name, o))));
        });
    });
}

fn function(name: &str, o: &mut ObjectOut<'_>) {
    o.text("type", "function");
    o.object("function", |o| o.text("name", name));
}
