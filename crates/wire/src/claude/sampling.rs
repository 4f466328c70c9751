//! What shapes the answer's text, where Claude's two dialects write it.

use crate::canonical::{Call, Field, LossReport, Unsupported};

/// Accounts for what Anthropic has nothing like; what changes nothing is only told.
pub(crate) fn none_of(call: &Call<'_>, losses: &mut LossReport) -> Result<(), Unsupported> {
    let sampling = &call.sampling;
    for (field, value) in [
        (Field::FrequencyPenalty, sampling.frequency_penalty),
        (Field::PresencePenalty, sampling.presence_penalty),
    ] {
        match value {
            Some(value) if value.f64() == Some(0.0) => losses.note(field.name_in(losses.client())),
            Some(_) => losses.field(field)?,
            None => {}
        }
    }
    let lost = [
        (Field::Seed, sampling.seed.is_some()),
        (Field::Logprobs, sampling.logprobs),
        (Field::TopLogprobs, sampling.top_logprobs.is_some_and(|most| most > 0)),
        (Field::Choices, sampling.choices > 1),
        (Field::Verbosity, call.verbosity.is_some()),
    ];
    lost.into_iter().filter(|(_, there)| *there).try_for_each(|(field, _)| losses.field(field))
}
