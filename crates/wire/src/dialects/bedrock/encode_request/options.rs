//! Writing everything of a call but the conversation.

use super::{
    content::cache_point,
    target::{ModelVendor, Target},
};
use crate::{
    canonical::{
        Call, Effort, Field, LossReport, NumberField, OutputFormat, ReasoningMode, Support, Tool, ToolChoice,
        ToolMode, Unsupported,
        account::{MetadataRule, metadata},
        tool_schema::{self, SchemaForm},
    },
    claude::{
        sampling::none_of,
        thinking::{Thinking, ThinkingContext, display, effort_name, plan, write_thinking},
    },
    dialect::Dialect,
    json::{
        Json,
        out::{self, ArrayOut, ObjectOut},
    },
};

const TEMPERATURE: NumberField = NumberField { field: Field::Temperature, key: "temperature", default: 1.0 };
const TOP_P: NumberField = NumberField { field: Field::TopP, key: "topP", default: 1.0 };

/// Writes all of it.
pub(super) fn write(
    call: &Call<'_>,
    target: &Target<'_>,
    continues: bool,
    losses: &mut LossReport,
    o: &mut ObjectOut<'_>,
) -> Result<(), Unsupported> {
    let mut additional = Additional(Vec::new());
    nested("inferenceConfig", o, |o| inference(call, target, losses, o))?;
    tools(call, target, losses, &mut additional, o)?;
    let effort = reasoning(call, target, continues, losses, &mut additional)?;
    output_config(call, effort, losses, o)?;
    sampling(call, target, losses, &mut additional)?;
    others(call, losses, &mut additional, o)?;
    if !additional.0.is_empty() {
        let members = additional.0;
        o.object("additionalModelRequestFields", |o| {
            for (name, value) in &members {
                if let Ok(value) = Json::parse(value) {
                    o.raw(name, value);
                }
            }
        });
    }
    if target.vendor == ModelVendor::Anthropic && call.sampling.stop.len() > 1 {
        // Which one it was is told only to who asks (docs/spec/cases.md#case-14).
        o.array("additionalModelResponseFieldPaths", |a| a.text("/stop_sequence"));
    }
    Ok(())
}

/// Members for the model alone, by name.
struct Additional(Vec<(String, Vec<u8>)>);

impl Additional {
    fn put(&mut self, name: &str, value: Json<'_>) {
        self.0.push((name.to_owned(), value.raw().as_bytes().to_vec()));
    }

    fn object(&mut self, name: &str, members: impl FnOnce(&mut ObjectOut<'_>)) {
        let mut value = Vec::new();
        out::object(&mut value, members);
        self.0.push((name.to_owned(), value));
    }
}

/// Writes an object where it has members.
fn nested(
    name: &str,
    o: &mut ObjectOut<'_>,
    members: impl FnOnce(&mut ObjectOut<'_>) -> Result<(), Unsupported>,
) -> Result<(), Unsupported> {
    let mut inner = Vec::new();
    out::object(&mut inner, members)?;
    if let Some(json) = Json::parse(&inner).ok().filter(|json| json.raw() != "{}") {
        o.raw(name, json);
    }
    Ok(())
}

fn inference(
    call: &Call<'_>,
    target: &Target<'_>,
    losses: &mut LossReport,
    o: &mut ObjectOut<'_>,
) -> Result<(), Unsupported> {
    o.number_if("maxTokens", call.max_output);
    let taken = target.facts.sampling != Support::Unsupported;
    let temperature = call.sampling.temperature;
    if taken && temperature.and_then(Json::f64).is_some_and(|value| value > 1.0) {
        losses.field(Field::Temperature)?;
        o.number("temperature", 1);
    } else {
        TEMPERATURE.write(temperature, taken, losses, o)?;
    }
    TOP_P.write(call.sampling.top_p, taken, losses, o)?;
    if !call.sampling.stop.is_empty() {
        o.array("stopSequences", |a| call.sampling.stop.iter().for_each(|stop| a.text(stop)));
    }
    Ok(())
}

fn sampling(
    call: &Call<'_>,
    target: &Target<'_>,
    losses: &mut LossReport,
    additional: &mut Additional,
) -> Result<(), Unsupported> {
    match call.sampling.top_k {
        Some(value)
            if target.vendor == ModelVendor::Anthropic && target.facts.sampling != Support::Unsupported =>
        {
            additional.put("top_k", value);
        }
        Some(value) if losses.client() == Dialect::Bedrock => additional.put("top_k", value),
        Some(_) => losses.field(Field::TopK)?,
        None => {}
    }
    none_of(call, losses)
}

/// Writes `toolConfig` (docs/spec/requests.md#tools, docs/spec/cases.md#case-27).
fn tools(
    call: &Call<'_>,
    target: &Target<'_>,
    losses: &mut LossReport,
    additional: &mut Additional,
    o: &mut ObjectOut<'_>,
) -> Result<(), Unsupported> {
    let choice = call.tool_choice.as_ref();
    let allowed = choice.map_or(&[][..], |choice| &choice.allowed);
    let forbidden = choice.is_some_and(|choice| choice.mode == ToolMode::None);
    let history = call.has_tool_history();
    if forbidden && !history {
        return Ok(());
    }
    if forbidden {
        losses.field(Field::ToolChoice)?;
    }
    let mut offered = Vec::new();
    for tool in &call.tools {
        if !allowed.is_empty() && !allowed.contains(&tool.name) {
            continue;
        }
        if tool.foreign.is_some() && losses.client() != Dialect::Bedrock {
            losses.tool(tool)?;
            continue;
        }
        offered.push(tool);
    }
    let called = if offered.is_empty() && history { call.called_tools() } else { Vec::new() };
    if !called.is_empty() {
        // Calls in the history are refused without tools on offer, and what these tools take is not known.
        losses.hint("tools");
    }
    if offered.is_empty() && called.is_empty() {
        return Ok(());
    }
    let in_claudes_words = one_at_a_time(call, target, losses, additional)?;
    o.object("toolConfig", |o| {
        o.array("tools", |a| {
            for tool in offered {
                write_tool(tool, a);
                if let Some(ttl) = target.cache(tool.cache, losses) {
                    cache_point(ttl, a);
                }
            }
            called.iter().for_each(|name| write_spec(name, None, None, None, a));
        });
        match choice.map(|choice| &choice.mode) {
            Some(ToolMode::Required) if !in_claudes_words => {
                o.object("toolChoice", |o| o.object("any", |_| ()));
            }
            Some(ToolMode::Named(name)) if !in_claudes_words => {
                o.object("toolChoice", |o| o.object("tool", |o| o.text("name", name)));
            }
            Some(ToolMode::Auto) if !in_claudes_words => {
                o.object("toolChoice", |o| o.object("auto", |_| ()));
            }
            _ => {}
        }
    });
    Ok(())
}

/// Forbids several calls at once, which only Claude knows in its own words; whether the choice of tools was said.
fn one_at_a_time(
    call: &Call<'_>,
    target: &Target<'_>,
    losses: &mut LossReport,
    additional: &mut Additional,
) -> Result<bool, Unsupported> {
    if call.parallel_tools != Some(false) {
        return Ok(false);
    }
    let mode = call.tool_choice.as_ref().map_or(&ToolMode::Auto, |ToolChoice { mode, .. }| mode);
    if target.vendor != ModelVendor::Anthropic {
        losses.field(Field::ParallelTools)?;
        return Ok(false);
    }
    if *mode == ToolMode::None {
        return Ok(false);
    }
    additional.object("tool_choice", |o| {
        match mode {
            ToolMode::Auto | ToolMode::None => o.text("type", "auto"),
            ToolMode::Required => o.text("type", "any"),
            ToolMode::Named(name) => {
                o.text("type", "tool");
                o.text("name", name);
            }
        }
        o.bool("disable_parallel_tool_use", true);
    });
    Ok(true)
}

fn write_tool(tool: &Tool<'_>, a: &mut ArrayOut<'_>) {
    match tool.foreign {
        Some(raw) => a.raw(raw),
        None => write_spec(&tool.name, tool.description.as_deref(), tool.schema, tool.strict, a),
    }
}

fn write_spec(
    name: &str,
    description: Option<&str>,
    schema: Option<Json<'_>>,
    strict: Option<bool>,
    a: &mut ArrayOut<'_>,
) {
    a.object(|o| {
        o.object("toolSpec", |o| {
            o.text("name", name);
            // An empty one is refused.
            o.text_if("description", description.filter(|description| !description.is_empty()));
            o.object("inputSchema", |o| tool_schema::write("json", schema, SchemaForm::default(), o));
            if let Some(strict) = strict {
                o.bool("strict", strict);
            }
        });
    });
}

/// Writes how the model is to think, in its maker's words, and gives the effort that Bedrock itself is to be told.
fn reasoning(
    call: &Call<'_>,
    target: &Target<'_>,
    continues: bool,
    losses: &mut LossReport,
    additional: &mut Additional,
) -> Result<Option<Effort>, Unsupported> {
    match target.vendor {
        ModelVendor::Anthropic => {
            let limit = call.max_output.or(target.facts.max_output).unwrap_or(u64::MAX);
            let context = ThinkingContext { sampling: target.facts.sampling, limit, continues };
            claude(call, &context, losses, additional)
        }
        ModelVendor::AmazonNova => {
            nova(call, additional);
            Ok(None)
        }
        // Their words are not known; a client of this dialect knows what it asks for.
        ModelVendor::Other if losses.client() == Dialect::Bedrock => Ok(call.reasoning.effort),
        ModelVendor::Other => {
            other(call, losses)?;
            Ok(None)
        }
    }
}

/// Writes the format of the answer and the effort.
fn output_config(
    call: &Call<'_>,
    effort: Option<Effort>,
    losses: &mut LossReport,
    o: &mut ObjectOut<'_>,
) -> Result<(), Unsupported> {
    nested("outputConfig", o, |o| {
        match &call.format {
            OutputFormat::Text => {}
            OutputFormat::Json => losses.field(Field::Format)?,
            OutputFormat::Schema(schema) => o.object("textFormat", |o| {
                o.text("type", "json_schema");
                o.object("structure", |o| {
                    o.object("jsonSchema", |o| {
                        o.text("schema", schema.schema.raw());
                        o.text_if("name", schema.name.as_deref());
                        o.text_if("description", schema.description.as_deref());
                    });
                });
            }),
        }
        o.text_if("effort", effort.map(effort_name));
        Ok(())
    })
}

/// Claude's own words for thinking; its effort is Bedrock's.
fn claude(
    call: &Call<'_>,
    context: &ThinkingContext,
    losses: &mut LossReport,
    additional: &mut Additional,
) -> Result<Option<Effort>, Unsupported> {
    let plan = plan(&call.reasoning, context, losses)?;
    if let Some(thinking) = plan.thinking {
        additional.object("thinking", |o| {
            write_thinking(thinking, o);
            if thinking != Thinking::Disabled {
                o.text_if("display", call.reasoning.show.map(display));
            }
        });
    }
    Ok(plan.effort)
}

/// Nova's: three efforts and no budget.
fn nova(call: &Call<'_>, additional: &mut Additional) {
    let asked = &call.reasoning;
    let effort = asked.effort.or(asked.budget.map(Effort::from_budget));
    let effort = match effort {
        _ if asked.mode == Some(ReasoningMode::Off) => Some(Effort::None),
        None => asked.mode.map(|_| Effort::Medium),
        effort => effort,
    };
    let Some(effort) = effort else { return };
    additional.object("reasoningConfig", |o| {
        if effort == Effort::None {
            return o.text("type", "disabled");
        }
        o.text("type", "enabled");
        o.text("maxReasoningEffort", effort.clamp(Effort::Low, Effort::High).name());
    });
}

/// Reports what is asked of models for which Bedrock documents no fields.
fn other(call: &Call<'_>, losses: &mut LossReport) -> Result<(), Unsupported> {
    let asked = &call.reasoning;
    match asked.effort {
        // Not to think is what such models do unless told.
        Some(Effort::None) => losses.note(Field::Effort.name_in(losses.client())),
        Some(_) => losses.field(Field::Effort)?,
        None => {}
    }
    if asked.budget.is_some_and(|budget| budget > 0) {
        losses.field(Field::Budget)?;
    } else if asked.mode.is_some() {
        losses.hint(Field::Reasoning.name_in(losses.client()));
    }
    Ok(())
}

fn others(
    call: &Call<'_>,
    losses: &mut LossReport,
    additional: &mut Additional,
    o: &mut ObjectOut<'_>,
) -> Result<(), Unsupported> {
    request_metadata(call, losses, o);
    match call.service_tier.as_ref().map(|tier| &*tier.0) {
        None | Some("auto") => {}
        Some("default" | "standard" | "standard_only") => {
            o.object("serviceTier", |o| o.text("type", "default"));
        }
        Some(tier @ ("priority" | "flex" | "reserved")) => o.object("serviceTier", |o| o.text("type", tier)),
        Some(_) => losses.field(Field::ServiceTier)?,
    }
    if call.user.is_some() {
        losses.hint(Field::User.name_in(losses.client()));
    }
    if call.store == Some(true) {
        losses.hint(Field::Store.name_in(losses.client()));
    }
    let own = losses.client() == Dialect::Bedrock;
    for extra in &call.extra {
        match extra.name.strip_prefix("additionalModelRequestFields.").filter(|_| own) {
            Some(name) if !name.contains(['.', '[']) => additional.put(name, extra.value),
            None if own && extra.is_top() => o.raw(&extra.name, extra.value),
            _ => losses.extra(extra)?,
        }
    }
    Ok(())
}

/// Pairs of a small alphabet.
const METADATA: MetadataRule =
    MetadataRule { pairs: 16, name: |name| !name.is_empty() && is_metadata(name), value: is_metadata };

fn is_metadata(text: &str) -> bool {
    let letter = |byte: u8| {
        byte.is_ascii_alphanumeric() || byte.is_ascii_whitespace() || b":_@$#=/+,-.".contains(&byte)
    };
    text.len() <= 256 && text.bytes().all(letter)
}

/// Writes `requestMetadata`.
fn request_metadata(call: &Call<'_>, losses: &mut LossReport, o: &mut ObjectOut<'_>) {
    let pairs = metadata(call, METADATA, losses);
    if !pairs.is_empty() {
        o.object("requestMetadata", |o| pairs.iter().for_each(|(name, value)| o.text(name, value)));
    }
}
