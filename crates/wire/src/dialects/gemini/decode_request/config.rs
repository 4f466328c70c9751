//! Reading `generationConfig`.

use super::tools::keep;
use crate::{
    canonical::{Call, Effort, Malformed, OutputFormat, Reasoning, ReasoningMode, Sampling, Schema, Show},
    json::Json,
    read::{Members, Place},
};

/// Reads the configuration.
pub(super) fn read<'a>(json: Json<'a>, call: &mut Call<'a>) -> Result<(), Malformed> {
    let place = Place::ROOT.key("generationConfig");
    let mut config = super::super::common::open(json, &place)?;
    call.max_output = config.u64("maxOutputTokens")?;
    call.sampling = Sampling {
        temperature: config.number("temperature")?,
        top_p: config.number("topP")?,
        top_k: config.number("topK")?,
        seed: config.number("seed")?,
        frequency_penalty: config.number("frequencyPenalty")?,
        presence_penalty: config.number("presencePenalty")?,
        stop: config.texts("stopSequences")?,
        logprobs: config.bool("responseLogprobs")?.unwrap_or(false),
        top_logprobs: config.u64("logprobs")?,
        choices: config.u64("candidateCount")?.unwrap_or(0),
    };
    call.format = format(&mut config)?;
    if let Some(thinking) = config.raw("thinkingConfig") {
        call.reasoning = reasoning(thinking, &place.key("thinkingConfig"), call)?;
    }
    let modalities = config.peek("responseModalities").and_then(|list| list.array().ok().flatten());
    // Text is what comes anyway.
    if matches!(modalities.as_deref(), Some([one]) if one.text().as_deref() == Some("TEXT")) {
        config.raw("responseModalities");
    }
    keep(config, call);
    Ok(())
}

/// The form of the answer; other media types than JSON stay for the caller to keep.
fn format<'a>(config: &mut Members<'a, '_>) -> Result<OutputFormat<'a>, Malformed> {
    let mime = config.peek("responseMimeType").and_then(Json::text);
    let json = match mime.as_deref() {
        None => false,
        Some("application/json") => true,
        Some("text/plain") => {
            config.text("responseMimeType")?;
            return Ok(OutputFormat::Text);
        }
        Some(_) => return Ok(OutputFormat::Text),
    };
    config.text("responseMimeType")?;
    let schema = config.raw("responseJsonSchema");
    let schema = schema.or(config.object("responseSchema")?);
    Ok(match schema {
        Some(schema) => OutputFormat::Schema(Schema { name: None, description: None, schema, strict: None }),
        None if json => OutputFormat::Json,
        None => OutputFormat::Text,
    })
}

fn reasoning<'a>(json: Json<'a>, place: &Place<'_>, call: &mut Call<'a>) -> Result<Reasoning, Malformed> {
    let mut thinking = super::super::common::open(json, place)?;
    let show = thinking.bool("includeThoughts")?.map(|show| if show { Show::Auto } else { Show::Hidden });
    let effort = match thinking.text("thinkingLevel")?.as_deref() {
        None | Some("THINKING_LEVEL_UNSPECIFIED") => None,
        Some("MINIMAL") => Some(Effort::Minimal),
        Some("LOW") => Some(Effort::Low),
        Some("MEDIUM") => Some(Effort::Medium),
        Some("HIGH") => Some(Effort::High),
        Some("XHIGH") => Some(Effort::XHigh),
        Some(_) => {
            let what = "must be MINIMAL, LOW, MEDIUM, HIGH or XHIGH";
            return Err(place.key("thinkingLevel").malformed(what));
        }
    };
    let (mode, budget) = match thinking.number("thinkingBudget")? {
        None => (None, None),
        Some(budget) => match (budget.raw(), budget.u64()) {
            ("-1", _) => (Some(ReasoningMode::Adaptive), None),
            (_, Some(0)) => (Some(ReasoningMode::Off), None),
            (_, Some(budget)) => (Some(ReasoningMode::On), Some(budget)),
            (_, None) => return Err(place.key("thinkingBudget").malformed("must be a whole number from -1")),
        },
    };
    keep(thinking, call);
    Ok(Reasoning { effort, budget, mode, show })
}
