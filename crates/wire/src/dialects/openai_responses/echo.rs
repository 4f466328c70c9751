//! What a response repeats of its call.

use crate::{
    canonical::{Call, OutputFormat, Part, PartKind, Role, Tool},
    json::{
        Json,
        out::{self, ArrayOut, ObjectOut},
    },
};

/// Writes the fields as one object.
pub(super) fn write(call: &Call<'_>) -> Vec<u8> {
    let mut echo = Vec::with_capacity(512);
    out::object(&mut echo, |o| {
        instructions(call, o);
        match call.max_output {
            Some(limit) => o.number("max_output_tokens", limit),
            None => o.null("max_output_tokens"),
        }
        o.object("metadata", |o| call.metadata.iter().for_each(|(key, value)| o.text(key, value)));
        o.bool("parallel_tool_calls", call.parallel_tools.unwrap_or(true));
        o.null("previous_response_id");
        o.object("reasoning", |o| {
            let reasoning = &call.reasoning;
            nullable("effort", reasoning.effort.map(crate::canonical::Effort::name), o);
            nullable("summary", reasoning.show.and_then(super::fields::summary), o);
        });
        // Nothing is stored here, whatever was asked (docs/spec/cases.md#case-21).
        o.bool("store", false);
        o.bool("background", false);
        o.raw("temperature", call.sampling.temperature.unwrap_or(Json::NULL));
        o.raw("top_p", call.sampling.top_p.unwrap_or(Json::NULL));
        o.number("top_logprobs", call.sampling.top_logprobs.unwrap_or(0));
        o.object("text", |o| text(call, o));
        match &call.tool_choice {
            Some(choice) => super::fields::tool_choice(choice, o),
            None => o.text("tool_choice", "auto"),
        }
        o.array("tools", |a| call.tools.iter().for_each(|tool| write_tool(tool, a)));
        o.text("truncation", "disabled");
        nullable("user", call.user.as_deref(), o);
    });
    echo
}

fn nullable(key: &str, text: Option<&str>, o: &mut ObjectOut<'_>) {
    match text {
        Some(text) => o.text(key, text),
        None => o.null(key),
    }
}

fn instructions(call: &Call<'_>, o: &mut ObjectOut<'_>) {
    let first = call.turns.first().filter(|turn| turn.role == Role::System);
    match first.map(|turn| &turn.parts[..]) {
        Some([Part { kind: PartKind::Text(text), .. }]) => o.text("instructions", text),
        _ => o.null("instructions"),
    }
}

fn text(call: &Call<'_>, o: &mut ObjectOut<'_>) {
    o.object("format", |o| match &call.format {
        OutputFormat::Text => o.text("type", "text"),
        OutputFormat::Json => o.text("type", "json_object"),
        OutputFormat::Schema(schema) => super::fields::schema(schema, o),
    });
    o.text_if("verbosity", call.verbosity.as_deref());
}

fn write_tool(tool: &Tool<'_>, a: &mut ArrayOut<'_>) {
    if let Some(raw) = tool.foreign {
        return a.raw(raw);
    }
    a.object(|o| {
        o.text("type", "function");
        o.text("name", &tool.name);
        nullable("description", tool.description.as_deref(), o);
        o.raw("parameters", tool.schema.unwrap_or(Json::NULL));
        match tool.strict {
            Some(strict) => o.bool("strict", strict),
            None => o.null("strict"),
        }
    });
}
