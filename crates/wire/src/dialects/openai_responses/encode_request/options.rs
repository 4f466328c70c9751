//! Writing everything of a call but the conversation.

use super::super::fields::{schema, summary, tool_choice};
use crate::{
    canonical::{
        Call, Effort, Field, LossReport, OutputFormat, ReasoningMode, Support, TargetFacts, Tool, ToolMode,
        Unsupported,
        tool_schema::{self, SchemaForm},
    },
    dialect::Dialect,
    json::out::{ArrayOut, ObjectOut},
    openai::custom_tool,
    openai::encode::{
        FREQUENCY_PENALTY, PRESENCE_PENALTY, TEMPERATURE, TOP_K, TOP_P, account as end_user_and_metadata,
        nearest, service_tier, shared_extra,
    },
    quirks::Quirks,
};

/// Every field that the gateway writes here.
const FIELDS: [&str; 25] = [
    "background",
    "conversation",
    "include",
    "input",
    "instructions",
    "max_output_tokens",
    "metadata",
    "model",
    "parallel_tool_calls",
    "previous_response_id",
    "prompt",
    "reasoning",
    "safety_identifier",
    "service_tier",
    "store",
    "stream",
    "stream_options",
    "temperature",
    "text",
    "tool_choice",
    "tools",
    "top_logprobs",
    "top_p",
    "truncation",
    "user",
];

/// Writes `tools`, `tool_choice` and `parallel_tool_calls`.
pub(super) fn tools(
    call: &Call<'_>,
    quirks: &Quirks,
    losses: &mut LossReport,
    o: &mut ObjectOut<'_>,
) -> Result<(), Unsupported> {
    let mut offered = Vec::new();
    for tool in &call.tools {
        let same = losses.client() == Dialect::OpenAiChat && custom_tool::is_custom(tool);
        if tool.foreign.is_some() && losses.client() != Dialect::OpenAiResponses && !same {
            losses.tool(tool)?;
            continue;
        }
        if let Some(ttl) = tool.cache {
            losses.cache_mark(ttl);
        }
        offered.push(tool);
    }
    if offered.is_empty() {
        return match call.tool_choice.as_ref().map(|choice| &choice.mode) {
            Some(ToolMode::Required | ToolMode::Named(_)) => losses.field(Field::ToolChoice),
            _ => Ok(()),
        };
    }
    o.array("tools", |a| offered.iter().for_each(|tool| write_tool(tool, a)));
    if let Some(choice) = &call.tool_choice {
        tool_choice(choice, o);
    }
    match call.parallel_tools {
        Some(parallel) if !quirks.no_parallel_flag => o.bool("parallel_tool_calls", parallel),
        Some(false) => losses.field(Field::ParallelTools)?,
        _ => {}
    }
    Ok(())
}

fn write_tool(tool: &Tool<'_>, a: &mut ArrayOut<'_>) {
    if let Some(raw) = tool.foreign {
        if custom_tool::is_custom(tool) {
            return custom_tool::write_flat(tool, a);
        }
        return a.raw(raw);
    }
    a.object(|o| {
        o.text("type", "function");
        o.text("name", &tool.name);
        o.text_if("description", tool.description.as_deref());
        let form = SchemaForm { properties: true, ..SchemaForm::default() };
        tool_schema::write("parameters", tool.schema, form, o);
        // Here strict is the default, and it refuses optional fields (docs/spec/cases.md#case-22).
        o.bool("strict", tool.strict.unwrap_or(false));
    });
}

/// Writes `text`.
pub(super) fn text(
    call: &Call<'_>,
    quirks: &Quirks,
    losses: &mut LossReport,
    o: &mut ObjectOut<'_>,
) -> Result<(), Unsupported> {
    if call.format == OutputFormat::Json && quirks.no_json_object {
        return losses.field(Field::Format);
    }
    if call.format == OutputFormat::Text && call.verbosity.is_none() {
        return Ok(());
    }
    o.object("text", |o| {
        match &call.format {
            OutputFormat::Text => {}
            OutputFormat::Json => o.object("format", |o| o.text("type", "json_object")),
            OutputFormat::Schema(inner) => o.object("format", |o| schema(inner, o)),
        }
        o.text_if("verbosity", call.verbosity.as_deref());
    });
    Ok(())
}

/// Writes what shapes the answer's text, and `include`.
pub(super) fn sampling(
    call: &Call<'_>,
    target: &TargetFacts<'_>,
    losses: &mut LossReport,
    o: &mut ObjectOut<'_>,
) -> Result<(), Unsupported> {
    let sampling = &call.sampling;
    let taken = target.sampling != Support::Unsupported;
    TEMPERATURE.write(sampling.temperature, taken, losses, o)?;
    TOP_P.write(sampling.top_p, taken, losses, o)?;
    TOP_K.write(sampling.top_k, target.quirks.top_k, losses, o)?;
    // Responses has no penalties.
    FREQUENCY_PENALTY.write(sampling.frequency_penalty, false, losses, o)?;
    PRESENCE_PENALTY.write(sampling.presence_penalty, false, losses, o)?;
    let lost = [
        (Field::Seed, sampling.seed.is_some()),
        (Field::Stop, !sampling.stop.is_empty()),
        (Field::Choices, sampling.choices > 1),
        (Field::Logprobs, sampling.logprobs && target.quirks.no_logprobs),
    ];
    lost.into_iter().filter(|(_, there)| *there).try_for_each(|(field, _)| losses.field(field))?;
    let logprobs = sampling.logprobs && !target.quirks.no_logprobs;
    // Models that do not think refuse to be asked for it.
    let thinks = target.reasoning == Support::Supported || call.reasoning.wanted();
    let include = [(thinks, "reasoning.encrypted_content"), (logprobs, "message.output_text.logprobs")];
    if thinks || logprobs {
        o.array("include", |a| include.iter().filter(|(asked, _)| *asked).for_each(|(_, name)| a.text(name)));
    }
    o.number_if("top_logprobs", sampling.top_logprobs.filter(|_| logprobs));
    Ok(())
}

/// Writes `reasoning`.
pub(super) fn reasoning(
    call: &Call<'_>,
    quirks: &Quirks,
    losses: &mut LossReport,
    o: &mut ObjectOut<'_>,
) -> Result<(), Unsupported> {
    let asked = &call.reasoning;
    let effort = asked.asked_effort().map(|effort| nearest(effort, quirks.efforts));
    if asked.budget.is_some() && asked.mode != Some(ReasoningMode::Off) {
        losses.hint(Field::Budget.name_in(losses.client()));
    }
    let summary = asked.expected(losses.client()).and_then(summary);
    if effort.is_some() || summary.is_some() {
        o.object("reasoning", |o| {
            o.text_if("effort", effort.map(Effort::name));
            o.text_if("summary", summary);
        });
    }
    Ok(())
}

/// Writes what concerns the account rather than the model.
pub(super) fn account(
    call: &Call<'_>,
    losses: &mut LossReport,
    o: &mut ObjectOut<'_>,
) -> Result<(), Unsupported> {
    // What is stored there would be a second copy that the client did not ask for (docs/spec/cases.md#case-21).
    o.bool("store", false);
    if call.store == Some(true) {
        losses.hint(Field::Store.name_in(losses.client()));
    }
    if call.cache.is_some() {
        losses.hint(Field::Cache.name_in(losses.client()));
    }
    end_user_and_metadata(call, losses, o);
    match call.service_tier.as_ref().map(|tier| service_tier(&tier.0, losses.client())) {
        Some(Some(tier)) => o.text("service_tier", tier),
        Some(None) => losses.field(Field::ServiceTier)?,
        None => {}
    }
    Ok(())
}

/// Writes what the canonical call has no place for.
pub(super) fn extra(
    call: &Call<'_>,
    losses: &mut LossReport,
    o: &mut ObjectOut<'_>,
) -> Result<(), Unsupported> {
    let own = losses.client() == Dialect::OpenAiResponses;
    for extra in &call.extra {
        // See Chat Completions' `extra`.
        let mine = FIELDS.contains(&&*extra.name) || (extra.name == "top_k" && call.sampling.top_k.is_some());
        if shared_extra(&extra.name, losses.client()) || (own && extra.is_top() && !mine) {
            o.raw(&extra.name, extra.value);
        } else {
            losses.extra(extra)?;
        }
    }
    Ok(())
}
