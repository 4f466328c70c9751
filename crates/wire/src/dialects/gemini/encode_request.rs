//! Writing a call for Gemini.

mod config;
mod contents;
mod extras;
mod groups;

use self::extras::Extras;
use crate::{
    canonical::{
        Call, Encoded, Field, LossReport, PartKind, TargetFacts, Tool, ToolChoice, ToolMode, Unsupported,
        account::{MetadataRule, metadata},
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
    hints(call, losses);
    system(call, losses, o)?;
    contents::write(call, super::common::is_newer(target.model), losses, o)?;
    let extras = Extras::sort(call, losses)?;
    tools(call, losses, o)?;
    tool_config(call, &extras, losses, o)?;
    config::write(call, target, &extras, losses, o)?;
    let labels = metadata(call, LABELS, losses);
    if !labels.is_empty() {
        o.object("labels", |o| labels.iter().for_each(|(key, value)| o.text(key, value)));
    }
    service_tier(call, losses, o)?;
    if let Some(store) = call.store {
        o.bool("store", store);
    }
    extras.write(None, o);
    Ok(())
}

/// What Google takes as labels.
const LABELS: MetadataRule = MetadataRule {
    pairs: 64,
    name: |name| name.starts_with(|letter: char| letter.is_lowercase()) && is_label(name),
    value: is_label,
};

fn is_label(text: &str) -> bool {
    let letter =
        |letter: char| (letter.is_alphanumeric() && !letter.is_uppercase()) || matches!(letter, '_' | '-');
    text.chars().count() <= 63 && text.chars().all(letter)
}

/// What Gemini does by itself or not at all, without harm.
fn hints(call: &Call<'_>, losses: &mut LossReport) {
    losses.cache_marks(call);
    if call.user.is_some() {
        losses.hint(Field::User.name_in(losses.client()));
    }
}

fn system(call: &Call<'_>, losses: &mut LossReport, o: &mut ObjectOut<'_>) -> Result<(), Unsupported> {
    let mut texts = Vec::new();
    for part in call.turns[..call.leading_system()].iter().flat_map(|turn| &turn.parts) {
        match &part.kind {
            PartKind::Text(text) if text.is_empty() => {}
            PartKind::Text(text) => texts.push(text),
            _ => losses.field(Field::System)?,
        }
    }
    if !texts.is_empty() {
        o.object("systemInstruction", |o| {
            o.array("parts", |a| texts.iter().for_each(|text| a.object(|o| o.text("text", text))));
        });
    }
    Ok(())
}

fn tools(call: &Call<'_>, losses: &mut LossReport, o: &mut ObjectOut<'_>) -> Result<(), Unsupported> {
    let own = losses.client() == Dialect::Gemini;
    let (built_in, functions): (Vec<_>, Vec<_>) = call.tools.iter().partition(|tool| tool.foreign.is_some());
    if !own {
        for tool in &built_in {
            losses.tool(tool)?;
        }
    }
    if functions.is_empty() && (built_in.is_empty() || !own) {
        return Ok(());
    }
    o.array("tools", |a| {
        if !functions.is_empty() {
            a.object(|o| {
                o.array("functionDeclarations", |a| {
                    functions.iter().for_each(|tool| a.object(|o| function(tool, o)))
                });
            });
        }
        for (name, raw) in
            built_in.iter().filter(|_| own).filter_map(|tool| Some((&tool.name, tool.foreign?)))
        {
            a.object(|o| o.raw(name, raw));
        }
    });
    Ok(())
}

fn function(tool: &Tool<'_>, o: &mut ObjectOut<'_>) {
    o.text("name", &tool.name);
    o.text_if("description", tool.description.as_deref());
    o.raw_if("parametersJsonSchema", tool.schema);
}

fn tool_config(
    call: &Call<'_>,
    extras: &Extras<'_, '_>,
    losses: &mut LossReport,
    o: &mut ObjectOut<'_>,
) -> Result<(), Unsupported> {
    if call.parallel_tools == Some(false) && !call.tools.is_empty() {
        losses.field(Field::ParallelTools)?;
    }
    let strict = call.tools.iter().any(|tool| tool.strict == Some(true));
    let auto = ToolChoice { mode: ToolMode::Auto, allowed: Vec::new() };
    let choice = match &call.tool_choice {
        None if !strict => None,
        None => Some(&auto),
        Some(choice) => Some(choice),
    };
    if choice.is_none() && !extras.any("toolConfig.") {
        return Ok(());
    }
    o.object("toolConfig", |o| {
        if let Some(choice) = choice {
            o.object("functionCallingConfig", |o| {
                calling(choice, strict, o);
                extras.write(Some("toolConfig.functionCallingConfig."), o);
            });
        }
        extras.write(Some("toolConfig."), o);
    });
    Ok(())
}

/// Names may be restricted only where calls are checked against their schemas: `ANY` and `VALIDATED`.
fn calling(choice: &ToolChoice<'_>, strict: bool, o: &mut ObjectOut<'_>) {
    let mode = match &choice.mode {
        ToolMode::None => "NONE",
        ToolMode::Required | ToolMode::Named(_) => "ANY",
        ToolMode::Auto if strict || !choice.allowed.is_empty() => "VALIDATED",
        ToolMode::Auto => "AUTO",
    };
    o.text("mode", mode);
    match &choice.mode {
        ToolMode::Named(name) => o.array("allowedFunctionNames", |a| a.text(name)),
        ToolMode::Required | ToolMode::Auto if !choice.allowed.is_empty() => {
            o.array("allowedFunctionNames", |a| choice.allowed.iter().for_each(|name| a.text(name)));
        }
        _ => {}
    }
}

fn service_tier(call: &Call<'_>, losses: &mut LossReport, o: &mut ObjectOut<'_>) -> Result<(), Unsupported> {
    let Some(tier) = &call.service_tier else { return Ok(()) };
    match &*tier.0 {
        "auto" | "unspecified" => {}
        "default" | "standard" | "standard_only" => o.text("serviceTier", "standard"),
        "flex" => o.text("serviceTier", "flex"),
        "priority" => o.text("serviceTier", "priority"),
        _ => losses.field(Field::ServiceTier)?,
    }
    Ok(())
}
