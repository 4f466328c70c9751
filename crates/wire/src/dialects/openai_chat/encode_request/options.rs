//! Writing everything of a call but the conversation and its tools.

use super::super::decode_request::FIELDS;
use crate::{
    canonical::{
        Call, Effort, Field, LossReport, OutputFormat, Reasoning, ReasoningMode, Support, TargetFacts,
        Unsupported,
    },
    dialect::Dialect,
    json::{Json, out::ObjectOut},
    openai::encode::{
        FREQUENCY_PENALTY, PRESENCE_PENALTY, TEMPERATURE, TOP_K, TOP_P, account as end_user_and_metadata,
        nearest, service_tier, shared_extra,
    },
    quirks::{Quirks, Seed, Thinking},
};

/// Writes `response_format`.
pub(super) fn format(
    call: &Call<'_>,
    quirks: &Quirks,
    losses: &mut LossReport,
    o: &mut ObjectOut<'_>,
) -> Result<(), Unsupported> {
    match &call.format {
        OutputFormat::Text => {}
        OutputFormat::Json if quirks.no_json_object => losses.field(Field::Format)?,
        OutputFormat::Json => o.object("response_format", |o| o.text("type", "json_object")),
        OutputFormat::Schema(schema) => o.object("response_format", |o| {
            o.text("type", "json_schema");
            o.object("json_schema", |o| {
                o.text("name", schema.name.as_deref().unwrap_or("answer"));
                o.text_if("description", schema.description.as_deref());
                o.raw("schema", schema.schema);
                if let (Some(strict), false) = (schema.strict, quirks.no_strict) {
                    o.bool("strict", strict);
                }
            });
        }),
    }
    Ok(())
}

/// Writes what shapes the answer's text.
pub(super) fn sampling(
    call: &Call<'_>,
    target: &TargetFacts<'_>,
    losses: &mut LossReport,
    o: &mut ObjectOut<'_>,
) -> Result<(), Unsupported> {
    /// Most stop sequences that OpenAI takes.
    const STOPS: usize = 4;
    let (sampling, quirks) = (&call.sampling, target.quirks);
    let taken = target.sampling != Support::Unsupported;
    match sampling.temperature {
        Some(value) if quirks.temperature_to_one && value.f64().is_some_and(|value| value > 1.0) => {
            losses.field(Field::Temperature)?;
            o.number("temperature", 1);
        }
        value => TEMPERATURE.write(value, taken, losses, o)?,
    }
    TOP_P.write(sampling.top_p, taken, losses, o)?;
    TOP_K.write(sampling.top_k, quirks.top_k, losses, o)?;
    let penalties = taken && !quirks.no_penalties;
    FREQUENCY_PENALTY.write(sampling.frequency_penalty, penalties, losses, o)?;
    PRESENCE_PENALTY.write(sampling.presence_penalty, penalties, losses, o)?;
    match (quirks.seed, sampling.seed) {
        (_, None) => {}
        (Seed::Seed, Some(seed)) => o.raw("seed", seed),
        (Seed::RandomSeed, Some(seed)) => o.raw("random_seed", seed),
        (Seed::None, Some(_)) => losses.field(Field::Seed)?,
    }
    if sampling.stop.len() > STOPS {
        losses.field(Field::Stop)?;
    }
    if !sampling.stop.is_empty() {
        o.array("stop", |a| sampling.stop.iter().take(STOPS).for_each(|stop| a.text(stop)));
    }
    if sampling.logprobs && quirks.no_logprobs {
        losses.field(Field::Logprobs)?;
    } else if sampling.logprobs {
        o.bool("logprobs", true);
        o.number_if("top_logprobs", sampling.top_logprobs);
    }
    match sampling.choices {
        0 | 1 => {}
        _ if quirks.no_choices => losses.field(Field::Choices)?,
        choices => o.number("n", choices),
    }
    Ok(())
}

/// Writes how the model is to think, in the provider's way (docs/spec/reasoning.md#asking-for-reasoning).
pub(super) fn reasoning(
    call: &Call<'_>,
    quirks: &Quirks,
    losses: &mut LossReport,
    o: &mut ObjectOut<'_>,
) -> Result<(), Unsupported> {
    let asked = &call.reasoning;
    if asked.show.is_some() {
        losses.hint(Field::ShowReasoning.name_in(losses.client()));
    }
    let Some(effort) = asked.asked_effort() else {
        // It thinks when it likes; who only wants it on has that by default.
        if asked.mode == Some(ReasoningMode::On) {
            switch(quirks.thinking, true, o);
        }
        return Ok(());
    };
    let known = nearest(effort, quirks.efforts);
    let budget_kept = matches!(quirks.thinking, Thinking::Enable | Thinking::Object);
    if asked.budget.is_some() && !budget_kept {
        losses.hint(Field::Budget.name_in(losses.client()));
    } else if asked.effort.is_some_and(|asked| asked != known) {
        losses.hint(Field::Effort.name_in(losses.client()));
    }
    let on = effort != Effort::None;
    match quirks.thinking {
        Thinking::Effort => o.text("reasoning_effort", known.name()),
        Thinking::TypeAndEffort => {
            switch(quirks.thinking, on, o);
            if on {
                o.text("reasoning_effort", known.name());
            }
        }
        Thinking::Type => {
            switch(quirks.thinking, on, o);
            if on && asked.effort.is_some() {
                losses.hint(Field::Effort.name_in(losses.client()));
            }
        }
        Thinking::Enable => {
            switch(quirks.thinking, on, o);
            if on {
                o.number("thinking_budget", asked.budget.unwrap_or(effort.budget(call.max_output)));
            }
        }
        Thinking::Object => o.object("reasoning", |o| match asked.budget {
            Some(budget) if on => o.number("max_tokens", budget),
            _ => o.text("effort", known.name()),
        }),
        Thinking::None if on => losses.field(Field::Reasoning)?,
        Thinking::None => losses.note(Field::Reasoning.name_in(losses.client())),
    }
    Ok(())
}

fn switch(thinking: Thinking, on: bool, o: &mut ObjectOut<'_>) {
    match thinking {
        Thinking::Type | Thinking::TypeAndEffort => {
            o.object("thinking", |o| o.text("type", if on { "enabled" } else { "disabled" }));
        }
        Thinking::Enable => o.bool("enable_thinking", on),
        Thinking::Object => o.object("reasoning", |o| o.bool("enabled", on)),
        Thinking::Effort | Thinking::None => {}
    }
}

/// Writes verbosity, and what concerns the account rather than the model.
pub(super) fn account(
    call: &Call<'_>,
    quirks: &Quirks,
    losses: &mut LossReport,
    o: &mut ObjectOut<'_>,
) -> Result<(), Unsupported> {
    match &call.verbosity {
        Some(_) if quirks.no_verbosity => losses.field(Field::Verbosity)?,
        verbosity => o.text_if("verbosity", verbosity.as_deref()),
    }
    let unknown = quirks.no_account_fields;
    if unknown {
        let said = [
            (Field::User, call.user.is_some()),
            (Field::Metadata, !call.metadata.is_empty()),
            (Field::Store, call.store == Some(true)),
        ];
        for (field, _) in said.into_iter().filter(|(_, said)| *said) {
            losses.hint(field.name_in(losses.client()));
        }
    } else {
        end_user_and_metadata(call, losses, o);
        if let Some(store) = call.store {
            o.bool("store", store);
        }
    }
    if call.cache.is_some() {
        losses.hint(Field::Cache.name_in(losses.client()));
    }
    let tier = call.service_tier.as_ref().map(|tier| service_tier(&tier.0, losses.client()));
    match tier {
        None => {}
        Some(Some(tier)) if !unknown && !quirks.no_service_tier => o.text("service_tier", tier),
        Some(Some("auto" | "default")) => {}
        Some(_) => losses.field(Field::ServiceTier)?,
    }
    Ok(())
}

/// Writes what the canonical call has no place for, and what the provider always needs.
pub(super) fn extra(
    call: &Call<'_>,
    quirks: &Quirks,
    losses: &mut LossReport,
    o: &mut ObjectOut<'_>,
) -> Result<(), Unsupported> {
    for (name, json) in quirks.always {
        if let Ok(json) = Json::parse(json.as_bytes()) {
            o.raw(name, json);
        }
    }
    /// What vendors call thinking, and `top_k`: written only where they were asked for.
    const THINKING: [&str; 5] = ["enable_thinking", "reasoning", "thinking", "thinking_budget", "top_k"];
    let own = losses.client() == Dialect::OpenAiChat;
    let asked = call.reasoning != Reasoning::default() || call.sampling.top_k.is_some();
    for extra in &call.extra {
        // A field of this dialect that an unknown one happens to be called like would stand there twice.
        let mine = FIELDS.contains(&&*extra.name)
            || (asked && THINKING.contains(&&*extra.name))
            || quirks.always.iter().any(|(name, _)| *name == extra.name);
        if shared_extra(&extra.name, losses.client()) || (own && extra.is_top() && !mine) {
            o.raw(&extra.name, extra.value);
        } else {
            losses.extra(extra)?;
        }
    }
    Ok(())
}
