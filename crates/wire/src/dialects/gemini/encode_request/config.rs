//! Writing `generationConfig`.

use super::extras::Extras;
use crate::{
    canonical::{
        Call, Effort, Field, LossReport, OutputFormat, Reasoning, ReasoningMode, Sampling, Show, Support,
        TargetFacts, Unsupported,
    },
    json::out::{self, ObjectOut},
};

/// Writes the configuration; nothing where it would be empty.
pub(super) fn write(
    call: &Call<'_>,
    target: &TargetFacts<'_>,
    extras: &Extras<'_, '_>,
    losses: &mut LossReport,
    o: &mut ObjectOut<'_>,
) -> Result<(), Unsupported> {
    if call.verbosity.is_some() {
        losses.field(Field::Verbosity)?;
    }
    let sampling = sampling(&call.sampling, target, losses)?;
    let mut config = Vec::new();
    out::object(&mut config, |o| {
        o.number_if("maxOutputTokens", call.max_output);
        draw(&call.sampling, sampling, o);
        match &call.format {
            OutputFormat::Text => {}
            OutputFormat::Json => o.text("responseMimeType", "application/json"),
            OutputFormat::Schema(schema) => {
                o.text("responseMimeType", "application/json");
                o.raw("responseJsonSchema", schema.schema);
            }
        }
        thinking(call, target, extras, losses, o);
        extras.write(Some("generationConfig."), o);
    });
    if let Ok(config) = crate::json::Json::parse(&config)
        && config != crate::json::Json::EMPTY_OBJECT
    {
        o.raw("generationConfig", config);
    }
    Ok(())
}

/// Whether the model takes temperature and its like.
fn sampling(
    sampling: &Sampling<'_>,
    target: &TargetFacts<'_>,
    losses: &mut LossReport,
) -> Result<bool, Unsupported> {
    if target.sampling != Support::Unsupported {
        return Ok(true);
    }
    let fields = [
        (Field::Temperature, sampling.temperature),
        (Field::TopP, sampling.top_p),
        (Field::TopK, sampling.top_k),
    ];
    for (field, _) in fields.into_iter().filter(|(_, value)| value.is_some()) {
        losses.field(field)?;
    }
    Ok(false)
}

fn draw(sampling: &Sampling<'_>, takes: bool, o: &mut ObjectOut<'_>) {
    if takes {
        o.raw_if("temperature", sampling.temperature);
        o.raw_if("topP", sampling.top_p);
        o.raw_if("topK", sampling.top_k);
    }
    o.raw_if("seed", sampling.seed);
    o.raw_if("frequencyPenalty", sampling.frequency_penalty);
    o.raw_if("presencePenalty", sampling.presence_penalty);
    if !sampling.stop.is_empty() {
        o.array("stopSequences", |a| sampling.stop.iter().for_each(|stop| a.text(stop)));
    }
    if sampling.logprobs {
        o.bool("responseLogprobs", true);
    }
    o.number_if("logprobs", sampling.top_logprobs);
    if sampling.choices > 1 {
        o.number("candidateCount", sampling.choices);
    }
}

/// Thinking: by level for models of the third generation and later, by budget for older ones
/// (docs/spec/reasoning.md#asking-for-reasoning).
fn thinking(
    call: &Call<'_>,
    target: &TargetFacts<'_>,
    extras: &Extras<'_, '_>,
    losses: &mut LossReport,
    o: &mut ObjectOut<'_>,
) {
    const PREFIX: &str = "generationConfig.thinkingConfig.";
    let reasoning = &call.reasoning;
    let wanted = match super::super::common::is_newer(target.model) {
        true => newer(reasoning),
        false => older(call, target, losses),
    };
    let show = reasoning.expected(losses.client());
    if wanted.is_none() && show.is_none() && !extras.any(PREFIX) {
        return;
    }
    o.object("thinkingConfig", |o| {
        if let Some(show) = show {
            o.bool("includeThoughts", show != Show::Hidden);
        }
        match wanted {
            None => {}
            Some(Thinking::Level(level)) => o.text("thinkingLevel", level),
            Some(Thinking::Budget(budget)) => o.number("thinkingBudget", budget),
            Some(Thinking::Automatic) => {
                if let Ok(number) = crate::json::Json::parse(b"-1") {
                    o.raw("thinkingBudget", number);
                }
            }
        }
        extras.write(Some(PREFIX), o);
    });
}

/// How a model is told how much to think.
enum Thinking {
    Level(&'static str),
    Budget(u64),
    Automatic,
}

fn newer(reasoning: &Reasoning) -> Option<Thinking> {
    let off = reasoning.mode == Some(ReasoningMode::Off);
    let level = match (reasoning.effort, reasoning.budget) {
        // These models refuse to be switched off.
        (Some(Effort::None | Effort::Minimal), _) => "MINIMAL",
        (None, None) if off => "MINIMAL",
        (Some(Effort::Low), _) => "LOW",
        (Some(Effort::Medium), _) => "MEDIUM",
        (Some(Effort::High), _) => "HIGH",
        (Some(Effort::XHigh | Effort::Max), _) => "XHIGH",
        (None, Some(budget)) => return Some(Thinking::Budget(budget)),
        (None, None) => return None,
    };
    Some(Thinking::Level(level))
}

/// Largest budget of the smaller and of the larger models of the second generation, and the smallest of the latter,
/// which cannot be switched off (the vendor's documentation of `thinkingBudget`).
const FLASH_MOST: u64 = 24_576;
const PRO_MOST: u64 = 32_768;
const PRO_LEAST: u64 = 128;

fn older(call: &Call<'_>, target: &TargetFacts<'_>, losses: &mut LossReport) -> Option<Thinking> {
    let reasoning = &call.reasoning;
    let (least, most) = if target.model.contains("pro") { (PRO_LEAST, PRO_MOST) } else { (0, FLASH_MOST) };
    let limit = call.max_output.or(target.max_output);
    let wanted = match (reasoning.budget, reasoning.effort, reasoning.mode) {
        (Some(budget), _, _) => return Some(Thinking::Budget(budget)),
        (None, Some(effort), _) => effort.budget(limit),
        (None, None, Some(ReasoningMode::Off)) => 0,
        (None, None, Some(ReasoningMode::On | ReasoningMode::Adaptive)) => {
            return Some(Thinking::Automatic);
        }
        (None, None, None) => return None,
    };
    if wanted < least {
        losses.hint(Field::Reasoning.name_in(losses.client()));
    }
    Some(Thinking::Budget(wanted.clamp(least, most)))
}
