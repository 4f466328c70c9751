//! Reading tools, the form of the answer and how it is drawn.

use super::keep;
use crate::{
    canonical::{
        Call, Extra, Malformed, OutputFormat, Reasoning, ReasoningMode, Sampling, Schema, Tool, ToolChoice,
        ToolMode,
    },
    json::Json,
    read::{Members, Place},
};

/// Reads `tools` and how they are chosen.
pub(super) fn tools<'a>(top: &mut Members<'a, '_>, call: &mut Call<'a>) -> Result<(), Malformed> {
    let strict = top.bool("strict_tools")?;
    let list = Place::ROOT.key("tools");
    for (at, json) in top.array("tools")?.into_iter().enumerate() {
        call.tools.push(tool(json, strict, &list.index(at), &mut call.extra)?);
    }
    let mode = match top.text("tool_choice")?.as_deref() {
        None => return Ok(()),
        Some("REQUIRED") => ToolMode::Required,
        Some("NONE") => ToolMode::None,
        Some(_) => return Err(top.place.key("tool_choice").malformed("must be REQUIRED or NONE")),
    };
    call.tool_choice = Some(ToolChoice { mode, allowed: Vec::new() });
    Ok(())
}

fn tool<'a>(
    json: Json<'a>,
    strict: Option<bool>,
    place: &Place<'_>,
    extra: &mut Vec<Extra<'a>>,
) -> Result<Tool<'a>, Malformed> {
    let mut tool = Members::open(json, place)?;
    if let Some(kind) = tool.text("type")?.filter(|kind| kind != "function") {
        return Ok(Tool {
            name: kind,
            description: None,
            schema: None,
            strict: None,
            cache: None,
            foreign: Some(json),
        });
    }
    let function = tool.object("function")?.ok_or_else(|| tool.missing("function"))?;
    let place = place.key("function");
    let mut function = Members::open(function, &place)?;
    let read = Tool {
        name: function.need_text("name")?,
        description: function.text("description")?,
        schema: function.object("parameters")?,
        strict,
        cache: None,
        foreign: None,
    };
    keep(function, extra);
    keep(tool, extra);
    Ok(read)
}

/// Reads the rest of what has a canonical place.
pub(super) fn sampling<'a>(top: &mut Members<'a, '_>, call: &mut Call<'a>) -> Result<(), Malformed> {
    call.sampling = Sampling {
        temperature: top.number("temperature")?,
        top_p: top.number("p")?,
        top_k: top.number("k")?,
        seed: top.number("seed")?,
        frequency_penalty: top.number("frequency_penalty")?,
        presence_penalty: top.number("presence_penalty")?,
        stop: top.texts("stop_sequences")?,
        logprobs: top.bool("logprobs")?.unwrap_or(false),
        ..Sampling::default()
    };
    if let Some(format) = top.raw("response_format") {
        call.format = self::format(format, &mut call.extra)?;
    }
    if let Some(thinking) = top.raw("thinking") {
        call.reasoning = self::thinking(thinking, &mut call.extra)?;
    }
    Ok(())
}

fn format<'a>(json: Json<'a>, extra: &mut Vec<Extra<'a>>) -> Result<OutputFormat<'a>, Malformed> {
    let place = Place::ROOT.key("response_format");
    let mut format = Members::open(json, &place)?;
    let schema = format.object("json_schema")?;
    let kind = format.need_text("type")?;
    keep(format, extra);
    match (&*kind, schema) {
        ("text", _) => Ok(OutputFormat::Text),
        ("json_object", None) => Ok(OutputFormat::Json),
        ("json_object", Some(schema)) => {
            Ok(OutputFormat::Schema(Schema { name: None, description: None, schema, strict: None }))
        }
        _ => Err(place.key("type").malformed("must be text or json_object")),
    }
}

fn thinking<'a>(json: Json<'a>, extra: &mut Vec<Extra<'a>>) -> Result<Reasoning, Malformed> {
    let place = Place::ROOT.key("thinking");
    let mut thinking = Members::open(json, &place)?;
    let mode = match &*thinking.need_text("type")? {
        "enabled" => ReasoningMode::On,
        "disabled" => ReasoningMode::Off,
        _ => return Err(place.key("type").malformed("must be enabled or disabled")),
    };
    let budget = thinking.u64("token_budget")?;
    keep(thinking, extra);
    Ok(Reasoning { mode: Some(mode), budget, ..Reasoning::default() })
}

/// Whether documents are to be cited; they are unless it is switched off. Other modes stay for the caller to keep.
pub(super) fn cites(top: &mut Members<'_, '_>) -> Result<bool, Malformed> {
    let Some(options) = top.peek("citation_options") else { return Ok(true) };
    let place = Place::ROOT.key("citation_options");
    let mode = Members::open(options, &place)?.text("mode")?;
    let off = mode.is_some_and(|mode| matches!(&*mode.to_ascii_uppercase(), "OFF" | "DISABLED"));
    if off {
        top.raw("citation_options");
    }
    Ok(!off)
}
