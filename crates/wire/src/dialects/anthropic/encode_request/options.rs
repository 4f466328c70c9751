//! Writing everything of a call but the conversation.

use super::content;
use crate::{
    canonical::{
        Call, Field, LossReport, NumberField, OutputFormat, Tool, ToolChoice, ToolMode, Unsupported,
        account::end_user,
        tool_schema::{self, SchemaForm},
    },
    claude::{
        sampling::none_of,
        thinking::{Thinking, ThinkingContext, display, effort_name, plan, write_thinking},
    },
    dialect::Dialect,
    json::{
        Json,
        out::{ArrayOut, ObjectOut},
    },
};

/// Writes `tools` and `tool_choice`; a subset of allowed tools becomes the list itself.
pub(super) fn tools(
    call: &Call<'_>,
    losses: &mut LossReport,
    o: &mut ObjectOut<'_>,
) -> Result<(), Unsupported> {
    let allowed = call.tool_choice.as_ref().map_or(&[][..], |choice| &choice.allowed);
    let mut offered = Vec::new();
    for tool in &call.tools {
        if !allowed.is_empty() && !allowed.contains(&tool.name) {
            continue;
        }
        if tool.foreign.is_some() && losses.client() != Dialect::Anthropic {
            losses.tool(tool)?;
            continue;
        }
        offered.push(tool);
    }
    let forced = call
        .tool_choice
        .as_ref()
        .is_some_and(|choice| matches!(choice.mode, ToolMode::Required | ToolMode::Named(_)));
    if call.tools.is_empty() && !forced && call.has_tool_history() {
        called_tools(call, losses, o);
        return Ok(());
    }
    if !offered.is_empty() {
        o.array("tools", |a| offered.iter().for_each(|tool| write_tool(tool, a)));
    }
    tool_choice(call, offered.is_empty(), o);
    Ok(())
}

/// Writes the tools that were called: some models refuse calls in a history without tools on offer. What they take is
/// not known, and none of them may be called again, since the client offers none.
fn called_tools(call: &Call<'_>, losses: &mut LossReport, o: &mut ObjectOut<'_>) {
    let called = call.called_tools();
    if called.is_empty() {
        return;
    }
    losses.hint("tools");
    o.array("tools", |a| {
        for name in called {
            a.object(|o| {
                o.text("name", name);
                o.object("input_schema", |o| o.text("type", "object"));
            });
        }
    });
    o.object("tool_choice", |o| o.text("type", "none"));
}

fn write_tool(tool: &Tool<'_>, a: &mut ArrayOut<'_>) {
    if let Some(raw) = tool.foreign {
        return a.raw(raw);
    }
    a.object(|o| {
        o.text("name", &tool.name);
        o.text_if("description", tool.description.as_deref());
        tool_schema::write("input_schema", tool.schema, SchemaForm::default(), o);
        if let Some(strict) = tool.strict {
            o.bool("strict", strict);
        }
        content::cache(tool.cache, o);
    });
}

fn tool_choice(call: &Call<'_>, no_tools: bool, o: &mut ObjectOut<'_>) {
    let mode = call.tool_choice.as_ref().map(|ToolChoice { mode, .. }| mode);
    let one_at_a_time = call.parallel_tools == Some(false);
    if (no_tools && !matches!(mode, Some(ToolMode::Required | ToolMode::Named(_))))
        || (mode.is_none() && call.parallel_tools.is_none())
    {
        return;
    }
    o.object("tool_choice", |o| {
        let mode = mode.unwrap_or(&ToolMode::Auto);
        match mode {
            ToolMode::Auto => o.text("type", "auto"),
            ToolMode::None => o.text("type", "none"),
            ToolMode::Required => o.text("type", "any"),
            ToolMode::Named(name) => {
                o.text("type", "tool");
                o.text("name", name);
            }
        }
        if call.parallel_tools.is_some() && *mode != ToolMode::None {
            o.bool("disable_parallel_tool_use", one_at_a_time);
        }
    });
}

const TEMPERATURE: NumberField = NumberField { field: Field::Temperature, key: "temperature", default: 1.0 };
const TOP_P: NumberField = NumberField { field: Field::TopP, key: "top_p", default: 1.0 };

/// Writes what shapes the answer's text; `taken`: the model takes temperature and its like.
pub(super) fn sampling(
    call: &Call<'_>,
    taken: bool,
    losses: &mut LossReport,
    o: &mut ObjectOut<'_>,
) -> Result<(), Unsupported> {
    let sampling = &call.sampling;
    // Temperature ends at 1 here, and 1 is the default of both: what says only that may be left out.
    let above_one = |value: Json<'_>| value.f64().is_some_and(|value| value > 1.0);
    match sampling.temperature {
        Some(value) if taken && above_one(value) => {
            losses.field(Field::Temperature)?;
            o.number("temperature", 1);
        }
        temperature => TEMPERATURE.write(temperature, taken, losses, o)?,
    }
    TOP_P.write(sampling.top_p, taken, losses, o)?;
    match sampling.top_k {
        Some(value) if taken => o.raw("top_k", value),
        Some(_) => losses.field(Field::TopK)?,
        None => {}
    }
    if !sampling.stop.is_empty() {
        o.array("stop_sequences", |a| sampling.stop.iter().for_each(|stop| a.text(stop)));
    }
    none_of(call, losses)
}

/// Writes `thinking` and `output_config` (docs/spec/reasoning.md#asking-for-reasoning).
pub(super) fn reasoning(
    call: &Call<'_>,
    context: &ThinkingContext,
    losses: &mut LossReport,
    o: &mut ObjectOut<'_>,
) -> Result<(), Unsupported> {
    let plan = plan(&call.reasoning, context, losses)?;
    if let Some(thinking) = plan.thinking {
        o.object("thinking", |o| {
            write_thinking(thinking, o);
            if thinking != Thinking::Disabled {
                o.text_if("display", call.reasoning.show.map(display));
            }
        });
    } else if call.reasoning.show.is_some() {
        losses.hint(Field::ShowReasoning.name_in(losses.client()));
    }
    let schema = match &call.format {
        OutputFormat::Text => None,
        OutputFormat::Json => {
            losses.field(Field::Format)?;
            None
        }
        OutputFormat::Schema(schema) => Some(schema.schema),
    };
    if plan.effort.is_some() || schema.is_some() {
        o.object("output_config", |o| {
            o.text_if("effort", plan.effort.map(effort_name));
            if let Some(schema) = schema {
                o.object("format", |o| {
                    o.text("type", "json_schema");
                    o.raw("schema", schema);
                });
            }
        });
    }
    Ok(())
}

/// Longest `metadata.user_id`.
const MAX_USER: usize = 256;

/// Writes the rest.
pub(super) fn others(
    call: &Call<'_>,
    losses: &mut LossReport,
    o: &mut ObjectOut<'_>,
) -> Result<(), Unsupported> {
    if let Some(user) = end_user(call, MAX_USER, losses) {
        o.object("metadata", |o| o.text("user_id", &user));
    }
    if !call.metadata.is_empty() {
        losses.field(Field::Metadata)?;
    }
    if call.store == Some(true) {
        losses.hint(Field::Store.name_in(losses.client()));
    }
    match call.service_tier.as_ref().map(|tier| &*tier.0) {
        None => {}
        Some("auto") => o.text("service_tier", "auto"),
        Some("standard_only" | "default" | "standard") => o.text("service_tier", "standard_only"),
        Some(_) => losses.field(Field::ServiceTier)?,
    }
    content::cache(call.cache, o);
    let own = losses.client() == Dialect::Anthropic;
    for extra in &call.extra {
        // A member deep inside the client's body has no place at the top of this one.
        if own && extra.is_top() {
            o.raw(&extra.name, extra.value);
        } else {
            losses.extra(extra)?;
        }
    }
    Ok(())
}
