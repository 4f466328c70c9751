//! Writing a call for a provider.

mod assistant;
mod messages;
mod options;
mod results;
mod tools;

use self::messages::Writer;
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
    let quirks = target.quirks;
    o.text("model", target.model);
    let mut writer = Writer::new(losses, quirks);
    o.array("messages", |a| writer.messages(call, a))?;
    tools::tools(call, quirks, losses, o)?;
    options::format(call, quirks, losses, o)?;
    options::sampling(call, target, losses, o)?;
    options::reasoning(call, quirks, losses, o)?;
    let limit = if quirks.old_limit_name { "max_tokens" } else { "max_completion_tokens" };
    o.number_if(limit, call.max_output);
    if call.stream {
        o.bool("stream", true);
        if !quirks.no_stream_options {
            o.object("stream_options", |o| o.bool("include_usage", true));
        }
    }
    options::account(call, quirks, losses, o)?;
    options::extra(call, quirks, losses, o)
}
