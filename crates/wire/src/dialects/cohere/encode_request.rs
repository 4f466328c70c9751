//! Writing a call for Cohere.

mod documents;
mod messages;
mod options;

use crate::{
    canonical::{
        Call, Encoded, Field, LossReport, TargetFacts, Tool, ToolMode, Unsupported,
        tool_schema::{self, SchemaForm},
    },
    dialect::Dialect,
    json::out::{self, ObjectOut},
};

/// Writes a call.
pub(super) fn encode(
    call: &Call<'_>,
    target: &TargetFacts<'_>,
    mut losses: LossReport,
) -> Result<Encoded, Unsupported> {
    let mut body = Vec::with_capacity(4096);
    out::object(&mut body, |o| write(call, target, &mut losses, o))?;
    losses.encoded(body)
}

fn write(
    call: &Call<'_>,
    target: &TargetFacts<'_>,
    losses: &mut LossReport,
    o: &mut ObjectOut<'_>,
) -> Result<(), Unsupported> {
    lost(call, losses)?;
    o.text("model", target.model);
    if call.stream {
        o.bool("stream", true);
    }
    messages::write(call, losses, o)?;
    documents::write(call, losses, o);
    tools(call, losses, o)?;
    o.number_if("max_tokens", call.max_output);
    options::write(call, target, losses, o)?;
    extras(call, losses, o)
}

/// What Cohere has nothing like; what it does by itself or what only steers costs is told and no more.
fn lost(call: &Call<'_>, losses: &mut LossReport) -> Result<(), Unsupported> {
    let fields = [
        (Field::Verbosity, call.verbosity.is_some()),
        (Field::Metadata, !call.metadata.is_empty()),
        (Field::ParallelTools, call.parallel_tools == Some(false) && !call.tools.is_empty()),
        (Field::Choices, call.sampling.choices > 1),
        (Field::TopLogprobs, call.sampling.top_logprobs.is_some_and(|most| most > 0)),
    ];
    fields.into_iter().filter(|(_, there)| *there).try_for_each(|(field, _)| losses.field(field))?;
    losses.cache_marks(call);
    let hints = [(Field::User, call.user.is_some()), (Field::Store, call.store.is_some())];
    for (field, _) in hints.into_iter().filter(|(_, there)| *there) {
        losses.hint(field.name_in(losses.client()));
    }
    Ok(())
}

/// Tools; where only some may be called, only those are sent, which says the same (docs/spec/requests.md#tools).
fn tools(call: &Call<'_>, losses: &mut LossReport, o: &mut ObjectOut<'_>) -> Result<(), Unsupported> {
    let own = losses.client() == Dialect::Cohere;
    let mut offered: Vec<&Tool<'_>> = Vec::with_capacity(call.tools.len());
    for tool in call.tools.iter().filter(|tool| may_be_called(tool, call)) {
        if tool.foreign.is_some() && !own {
            losses.tool(tool)?;
        } else {
            offered.push(tool);
        }
    }
    let strict = offered.iter().filter(|tool| tool.strict == Some(true)).count();
    if strict > 0 && strict < offered.len() {
        losses.field(Field::StrictTools)?;
    } else if strict > 0 {
        o.bool("strict_tools", true);
    }
    if !offered.is_empty() {
        o.array("tools", |a| {
            for tool in &offered {
                match tool.foreign {
                    Some(raw) => a.raw(raw),
                    None => a.object(|o| function(tool, o)),
                }
            }
        });
    }
    match call.tool_choice.as_ref().map(|choice| &choice.mode) {
        None | Some(ToolMode::Auto) => {}
        Some(ToolMode::None) => o.text("tool_choice", "NONE"),
        // There is nothing left that could be called.
        Some(ToolMode::Required | ToolMode::Named(_)) if offered.is_empty() => {
            losses.field(Field::ToolChoice)?;
        }
        Some(ToolMode::Required | ToolMode::Named(_)) => o.text("tool_choice", "REQUIRED"),
    }
    Ok(())
}

fn may_be_called(tool: &Tool<'_>, call: &Call<'_>) -> bool {
    let Some(choice) = &call.tool_choice else { return true };
    match &choice.mode {
        ToolMode::Named(name) => *name == tool.name,
        _ => choice.allowed.is_empty() || choice.allowed.contains(&tool.name),
    }
}

fn function(tool: &Tool<'_>, o: &mut ObjectOut<'_>) {
    o.text("type", "function");
    o.object("function", |o| {
        o.text("name", &tool.name);
        o.text_if("description", tool.description.as_deref());
        let form = SchemaForm { properties: true, ..SchemaForm::default() };
        tool_schema::write("parameters", tool.schema, form, o);
    });
}

/// Fields outside the canonical call stay in their own dialect.
fn extras(call: &Call<'_>, losses: &mut LossReport, o: &mut ObjectOut<'_>) -> Result<(), Unsupported> {
    let own = losses.client() == Dialect::Cohere;
    for extra in &call.extra {
        if own && extra.is_top() {
            o.raw(&extra.name, extra.value);
        } else {
            losses.extra(extra)?;
        }
    }
    Ok(())
}
