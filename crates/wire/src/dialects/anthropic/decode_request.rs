//! Reading a client's call.

use super::content::cache;
use crate::{
    canonical::{
        Call, Effort, Extra, Malformed, OutputFormat, Part, PartKind, Role, Sampling, Schema, ServiceTier,
        SignatureMac, Tool, ToolChoice, ToolMode, Turn,
    },
    claude::{content::Content, thinking::thinking},
    json::Json,
    read::{Members, Place},
};

/// Reads a call.
pub(super) fn decode<'a>(body: Json<'a>, seal: &dyn SignatureMac) -> Result<Call<'a>, Malformed> {
    let mut body = Members::open(body, &Place::ROOT)?;
    let mut content = Content { seal, extra: Vec::new() };
    let mut call = Call { model: body.need_text("model")?, stream_usage: true, ..Call::default() };
    call.max_output = Some(body.u64("max_tokens")?.ok_or_else(|| body.missing("max_tokens"))?);
    call.stream = body.bool("stream")?.unwrap_or(false);
    if let Some(system) = body.raw("system") {
        let parts = content.read(system, &Place::ROOT.key("system"))?;
        call.turns.push(Turn::new(Role::System, parts));
    }
    if body.peek("messages").is_none() {
        return Err(body.missing("messages"));
    }
    let list = Place::ROOT.key("messages");
    for (at, message) in body.array("messages")?.into_iter().enumerate() {
        turns(&mut content, message, &list.index(at), &mut call.turns)?;
    }
    let list = Place::ROOT.key("tools");
    for (at, json) in body.array("tools")?.into_iter().enumerate() {
        call.tools.push(tool(&mut content, json, &list.index(at))?);
    }
    options(&mut body, &mut content, &mut call)?;
    call.sampling = Sampling {
        temperature: body.number("temperature")?,
        top_p: body.number("top_p")?,
        top_k: body.number("top_k")?,
        stop: body.texts("stop_sequences")?,
        ..Sampling::default()
    };
    call.service_tier = body.text("service_tier")?.map(ServiceTier);
    call.cache = cache(&mut body)?;
    // How the body is written, not what it says.
    body.raw("anthropic_version");
    call.extra = content.extra;
    let rest = body.rest().map(|(name, value)| Extra { name, value });
    call.extra.extend(rest);
    Ok(call)
}

/// Reads one message; results of tools become a turn of their own in front of what is said with them.
fn turns<'a>(
    content: &mut Content<'a, '_>,
    json: Json<'a>,
    place: &Place<'_>,
    turns: &mut Vec<Turn<'a>>,
) -> Result<(), Malformed> {
    let mut message = Members::open(json, place)?;
    let role = match &*message.need_text("role")? {
        "user" => Role::User,
        "assistant" => Role::Assistant,
        "system" => Role::System,
        other => return Err(place.key("role").malformed(format!("has the unknown value {other:?}"))),
    };
    let said = message.raw("content").ok_or_else(|| message.missing("content"))?;
    let parts = content.read(said, &place.key("content"))?;
    content.keep(message);
    let is_result = |part: &Part<'_>| matches!(part.kind, PartKind::ToolResult(_));
    let (results, parts): (Vec<_>, Vec<_>) = parts.into_iter().partition(is_result);
    if !results.is_empty() {
        turns.push(Turn::new(Role::Tool, results));
        if parts.is_empty() {
            return Ok(());
        }
    }
    turns.push(Turn::new(role, parts));
    Ok(())
}

fn tool<'a>(content: &mut Content<'a, '_>, json: Json<'a>, place: &Place<'_>) -> Result<Tool<'a>, Malformed> {
    let mut tool = Members::open(json, place)?;
    let kind = tool.text("type")?;
    if kind.as_deref().is_some_and(|kind| kind != "custom") {
        let name = tool.text("name")?.unwrap_or_default();
        let foreign = Some(json);
        return Ok(Tool { name, description: None, schema: None, strict: None, cache: None, foreign });
    }
    let read = Tool {
        name: tool.need_text("name")?,
        description: tool.text("description")?,
        schema: Some(tool.object("input_schema")?.ok_or_else(|| tool.missing("input_schema"))?),
        strict: tool.bool("strict")?,
        cache: cache(&mut tool)?,
        foreign: None,
    };
    content.keep(tool);
    Ok(read)
}

/// The fields that are objects of several options.
fn options<'a>(
    body: &mut Members<'a, '_>,
    content: &mut Content<'a, '_>,
    call: &mut Call<'a>,
) -> Result<(), Malformed> {
    if let Some(json) = body.raw("tool_choice") {
        let place = Place::ROOT.key("tool_choice");
        let mut choice = Members::open(json, &place)?;
        call.tool_choice = Some(ToolChoice { mode: tool_mode(&mut choice)?, allowed: Vec::new() });
        call.parallel_tools = choice.bool("disable_parallel_tool_use")?.map(|disabled| !disabled);
        content.keep(choice);
    }
    if let Some(json) = body.raw("metadata") {
        let place = Place::ROOT.key("metadata");
        let mut metadata = Members::open(json, &place)?;
        call.user = metadata.text("user_id")?;
        content.keep(metadata);
    }
    if let Some(json) = body.raw("thinking") {
        thinking(json, content, &mut call.reasoning)?;
    }
    if let Some(json) = body.raw("output_config") {
        output_config(json, content, call)?;
    }
    Ok(())
}

fn tool_mode<'a>(choice: &mut Members<'a, '_>) -> Result<ToolMode<'a>, Malformed> {
    Ok(match &*choice.need_text("type")? {
        "auto" => ToolMode::Auto,
        "any" => ToolMode::Required,
        "none" => ToolMode::None,
        "tool" => ToolMode::Named(choice.need_text("name")?),
        other => {
            let what = format!("has the unknown value {other:?}");
            return Err(choice.place.key("type").malformed(what));
        }
    })
}

fn output_config<'a>(
    json: Json<'a>,
    content: &mut Content<'a, '_>,
    call: &mut Call<'a>,
) -> Result<(), Malformed> {
    let place = Place::ROOT.key("output_config");
    let mut config = Members::open(json, &place)?;
    if let Some(effort) = config.text("effort")? {
        let known = Effort::from_name(&effort).filter(|effort| *effort >= Effort::Low);
        let wrong = || place.key("effort").malformed(format!("has the unknown value {effort:?}"));
        call.reasoning.effort = Some(known.ok_or_else(wrong)?);
    }
    if let Some(format) = config.raw("format") {
        let place = place.key("format");
        let mut format = Members::open(format, &place)?;
        if format.need_text("type")? != "json_schema" {
            return Err(place.key("type").malformed("must be `json_schema`"));
        }
        let schema = format.object("schema")?.ok_or_else(|| format.missing("schema"))?;
        call.format = OutputFormat::Schema(Schema { name: None, description: None, schema, strict: None });
        content.keep(format);
    }
    content.keep(config);
    Ok(())
}
