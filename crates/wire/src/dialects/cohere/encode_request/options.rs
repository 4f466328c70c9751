//! Writing the form of the answer, thinking, and how the answer is drawn.

use crate::{
    canonical::{
        Call, Effort, Field, LossReport, OutputFormat, Reasoning, ReasoningMode, Show, TargetFacts,
        Unsupported,
    },
    json::{Json, out::ObjectOut},
};

/// Most stop sequences that Cohere takes.
const MOST_STOPS: usize = 5;

/// Writes the options.
pub(super) fn write(
    call: &Call<'_>,
    target: &TargetFacts<'_>,
    losses: &mut LossReport,
    o: &mut ObjectOut<'_>,
) -> Result<(), Unsupported> {
    match &call.format {
        OutputFormat::Text => {}
        OutputFormat::Json => o.object("response_format", |o| o.text("type", "json_object")),
        OutputFormat::Schema(schema) => o.object("response_format", |o| {
            o.text("type", "json_object");
            o.raw("json_schema", schema.schema);
        }),
    }
    draw(call, losses, o)?;
    thinking(&call.reasoning, call.max_output.or(target.max_output), losses, o);
    priority(call, losses, o)
}

fn draw(call: &Call<'_>, losses: &mut LossReport, o: &mut ObjectOut<'_>) -> Result<(), Unsupported> {
    let sampling = &call.sampling;
    o.raw_if("temperature", sampling.temperature);
    if sampling.top_p.and_then(Json::f64).is_some_and(|p| p > 0.99 && p <= 1.0) {
        // All but the last hundredth is the most that can be asked for; 1 is what others mean by "no nucleus".
        losses.note(Field::TopP.name_in(losses.client()));
        number(P.name, P.max, o);
    } else {
        within(&P, sampling.top_p, losses, o)?;
    }
    within(&K, sampling.top_k, losses, o)?;
    within(&FREQUENCY_PENALTY, sampling.frequency_penalty, losses, o)?;
    within(&PRESENCE_PENALTY, sampling.presence_penalty, losses, o)?;
    o.raw_if("seed", sampling.seed);
    if sampling.logprobs {
        o.bool("logprobs", true);
    }
    if sampling.stop.len() > MOST_STOPS {
        losses.field(Field::Stop)?;
    }
    if !sampling.stop.is_empty() {
        o.array("stop_sequences", |a| sampling.stop.iter().take(MOST_STOPS).for_each(|stop| a.text(stop)));
    }
    Ok(())
}

/// A number that Cohere takes within bounds, which are JSON numbers.
struct FieldBound {
    field: Field,
    name: &'static str,
    min: &'static str,
    max: &'static str,
}

const P: FieldBound = FieldBound { field: Field::TopP, name: "p", min: "0.01", max: "0.99" };
const K: FieldBound = FieldBound { field: Field::TopK, name: "k", min: "0", max: "500" };
const FREQUENCY_PENALTY: FieldBound =
    FieldBound { field: Field::FrequencyPenalty, name: "frequency_penalty", min: "0", max: "1" };
const PRESENCE_PENALTY: FieldBound =
    FieldBound { field: Field::PresencePenalty, name: "presence_penalty", min: "0", max: "1" };

/// Writes a number that has to lie within bounds: outside it is refused, or brought inside and reported; never scaled,
/// which would change what it means (docs/spec/requests.md#numbers-out-of-range).
fn within(
    bound: &FieldBound,
    value: Option<Json<'_>>,
    losses: &mut LossReport,
    o: &mut ObjectOut<'_>,
) -> Result<(), Unsupported> {
    let Some(value) = value else { return Ok(()) };
    let &FieldBound { field, name, min, max } = bound;
    let bound = |text: &str| text.parse::<f64>().unwrap_or_default();
    match value.f64().unwrap_or_default() {
        number if number < bound(min) => {
            losses.field(field)?;
            self::number(name, min, o);
        }
        number if number > bound(max) => {
            losses.field(field)?;
            self::number(name, max, o);
        }
        _ => o.raw(name, value),
    }
    Ok(())
}

fn number(name: &str, text: &str, o: &mut ObjectOut<'_>) {
    if let Ok(json) = Json::parse(text.as_bytes()) {
        o.raw(name, json);
    }
}

/// Efforts become budgets (docs/spec/reasoning.md#effort-and-budget); thoughts are always shown.
fn thinking(reasoning: &Reasoning, limit: Option<u64>, losses: &mut LossReport, o: &mut ObjectOut<'_>) {
    if reasoning.show == Some(Show::Hidden) {
        losses.hint(Field::ShowReasoning.name_in(losses.client()));
    }
    let off = reasoning.mode == Some(ReasoningMode::Off) || reasoning.effort == Some(Effort::None);
    let budget = reasoning.budget.or(reasoning.effort.map(|effort| effort.budget(limit)));
    if !off && budget.is_none() && reasoning.mode != Some(ReasoningMode::On) {
        return;
    }
    o.object("thinking", |o| {
        o.text("type", if off { "disabled" } else { "enabled" });
        o.number_if("token_budget", budget.filter(|_| !off).map(|budget| budget.max(1)));
    });
}

/// The queue: a number, 0 being the best.
fn priority(call: &Call<'_>, losses: &mut LossReport, o: &mut ObjectOut<'_>) -> Result<(), Unsupported> {
    let Some(tier) = &call.service_tier else { return Ok(()) };
    match &*tier.0 {
        "auto" | "default" | "standard" | "standard_only" => {}
        "priority" => o.number("priority", 0),
        number => match number.parse() {
            Ok(number) => o.number("priority", number),
            Err(_) => losses.field(Field::ServiceTier)?,
        },
    }
    Ok(())
}
