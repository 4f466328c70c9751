//! Writing a call for a provider.

mod items;
mod options;

use self::items::Writer;
use crate::{
    canonical::{Call, Encoded, LossReport, TargetFacts, Unsupported},
    json::out::{self, ObjectOut},
};

/// Writes a call.
pub(super) fn encode(
    call: &Call<'_>,
    target: &TargetFacts<'_>,
    mut losses: LossReport,
) -> Result<Encoded, Unsupported> {
    let mut body = Vec::with_capacity(4_096);
    out::object(&mut body, |o| write(call, target, &mut losses, o))?;
    losses.encoded(body)
}

fn write(
    call: &Call<'_>,
    target: &TargetFacts<'_>,
    losses: &mut LossReport,
    o: &mut ObjectOut<'_>,
) -> Result<(), Unsupported> {
    o.text("model", target.model);
    let mut writer = Writer::new(losses, target.quirks);
    writer.conversation(call, o)?;
    options::tools(call, target.quirks, losses, o)?;
    options::text(call, target.quirks, losses, o)?;
    options::sampling(call, target, losses, o)?;
    options::reasoning(call, target.quirks, losses, o)?;
    o.number_if("max_output_tokens", call.max_output);
    if call.stream {
        o.bool("stream", true);
    }
    options::account(call, losses, o)?;
    options::extra(call, losses, o)
}
