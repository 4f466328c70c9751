//! Reading a client's call.

use std::ops::Range;

use bytes::Bytes;

use super::content::{blocks, cache_point, union};
use crate::{
    canonical::{
        Call, Effort, Extra, Malformed, OutputFormat, Part, PartKind, ReasoningMode, Role, Sampling, Schema,
        ServiceTier, SignatureMac, Tool, ToolChoice, ToolMode, Turn,
    },
    claude::{content::Content, thinking::thinking},
    json::{Fault, Json, JsonKind, Reader, decode},
    read::{Members, Place},
    scan::PathParamsRef,
};

/// Where the schema of the answer stands: as a string with JSON in it.
const SCHEMA: [&str; 5] = ["outputConfig", "textFormat", "structure", "jsonSchema", "schema"];

/// The body with the schema of the answer as JSON rather than as a string of it, which the canonical call can borrow.
pub(super) fn prepare(body: &Bytes) -> Bytes {
    // Few bodies have one, and this is cheaper than reading all of them.
    if memchr::memmem::find(body, b"jsonSchema").is_none() {
        return body.clone();
    }
    let mut span = None;
    let found = find(&mut Reader::new(body), &SCHEMA, &mut span).ok().and(span);
    let text = found.clone().and_then(|span: Range<usize>| {
        let inside = body.get(span)?.strip_prefix(b"\"")?.strip_suffix(b"\"")?;
        decode(inside).filter(|text| Json::parse(text.as_bytes()).is_ok())
    });
    let (Some(span), Some(text)) = (found, text) else { return body.clone() };
    [&body[..span.start], text.as_bytes(), &body[span.end..]].concat().into()
}

/// Finds a member deep inside.
fn find(reader: &mut Reader<'_>, path: &[&str], span: &mut Option<Range<usize>>) -> Result<(), Fault> {
    let Some((first, rest)) = path.split_first() else {
        *span = Some(reader.value()?);
        return Ok(());
    };
    reader.members_if_object(|reader, key| match decode(key).as_deref() {
        Some(key) if key == *first => find(reader, rest, span),
        _ => reader.ignore(),
    })
}

/// Reads a call from a prepared body.
pub(super) fn decode_request<'a>(
    path: PathParamsRef<'a>,
    body: Json<'a>,
    seal: &dyn SignatureMac,
) -> Result<Call<'a>, Malformed> {
    let mut body = Members::open(body, &Place::ROOT)?;
    let mut content = Content { seal, extra: Vec::new() };
    let model = path.model.ok_or_else(|| body.missing("modelId"))?.into();
    let stream = path.stream.unwrap_or(false);
    let mut call = Call { model, stream, stream_usage: true, ..Call::default() };
    let system = blocks(&mut content, body.array("system")?, &Place::ROOT.key("system"))?;
    if !system.is_empty() {
        call.turns.push(Turn::new(Role::System, system));
    }
    let list = Place::ROOT.key("messages");
    for (at, message) in body.array("messages")?.into_iter().enumerate() {
        turns(&mut content, message, &list.index(at), &mut call.turns)?;
    }
    if let Some(config) = body.raw("inferenceConfig") {
        inference(config, &mut content, &mut call)?;
    }
    if let Some(config) = body.raw("toolConfig") {
        tools(config, &mut content, &mut call)?;
    }
    if let Some(config) = body.raw("outputConfig") {
        output(config, &mut content, &mut call)?;
    }
    if let Some(fields) = body.raw("additionalModelRequestFields") {
        additional(fields, &mut content, &mut call)?;
    }
    if let Some(tier) = body.raw("serviceTier") {
        let place = Place::ROOT.key("serviceTier");
        call.service_tier = Some(ServiceTier(Members::open(tier, &place)?.need_text("type")?));
    }
    if let Some(metadata) = body.raw("requestMetadata") {
        let place = Place::ROOT.key("requestMetadata");
        for (name, value) in Members::open(metadata, &place)?.rest() {
            let text = value.text().ok_or_else(|| place.key(&name).malformed("must be a string"))?;
            call.metadata.push((name, text));
        }
    }
    // Which stop sequence it was is always reported; other paths mean something to Claude alone.
    let paths = body.peek("additionalModelResponseFieldPaths").and_then(|paths| paths.array().ok().flatten());
    if paths.is_some_and(|paths| paths.iter().all(|path| path.text().as_deref() == Some("/stop_sequence"))) {
        body.raw("additionalModelResponseFieldPaths");
    }
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
    let parts = blocks(content, message.array("content")?, &place.key("content"))?;
    content.keep(message);
    let is_result = |part: &Part<'_>| matches!(part.kind, PartKind::ToolResult(_));
    let (results, parts): (Vec<_>, Vec<_>) = parts.into_iter().partition(is_result);
    let only_results = parts.is_empty() && !results.is_empty();
    if !results.is_empty() {
        turns.push(Turn::new(Role::Tool, results));
    }
    if !only_results {
        turns.push(Turn::new(role, parts));
    }
    Ok(())
}

fn inference<'a>(
    json: Json<'a>,
    content: &mut Content<'a, '_>,
    call: &mut Call<'a>,
) -> Result<(), Malformed> {
    let place = Place::ROOT.key("inferenceConfig");
    let mut config = Members::open(json, &place)?;
    call.max_output = config.u64("maxTokens")?;
    call.sampling = Sampling {
        temperature: config.number("temperature")?,
        top_p: config.number("topP")?,
        stop: config.texts("stopSequences")?,
        ..Sampling::default()
    };
    content.keep(config);
    Ok(())
}

fn tools<'a>(json: Json<'a>, content: &mut Content<'a, '_>, call: &mut Call<'a>) -> Result<(), Malformed> {
    let place = Place::ROOT.key("toolConfig");
    let mut config = Members::open(json, &place)?;
    let list = place.key("tools");
    for (at, json) in config.array("tools")?.into_iter().enumerate() {
        let place = list.index(at);
        let (kind, inner) = union(json, &place)?;
        match &*kind {
            "cachePoint" => {
                let ttl = cache_point(inner, &place.key("cachePoint"))?;
                if let Some(last) = call.tools.last_mut() {
                    last.cache = Some(ttl);
                }
            }
            "toolSpec" => call.tools.push(tool_spec(content, inner, &place.key("toolSpec"))?),
            _ => {
                let name =
                    inner.object().ok().flatten().and_then(|tool| tool.peek("name")).and_then(Json::text);
                call.tools.push(Tool {
                    name: name.unwrap_or_default(),
                    description: None,
                    schema: None,
                    strict: None,
                    cache: None,
                    foreign: Some(json),
                });
            }
        }
    }
    if let Some(choice) = config.raw("toolChoice") {
        let place = place.key("toolChoice");
        let (kind, inner) = union(choice, &place)?;
        let mode = match &*kind {
            "auto" => ToolMode::Auto,
            "any" => ToolMode::Required,
            "tool" => {
                let place = place.key("tool");
                let mut tool = Members::open(inner, &place)?;
                let name = tool.need_text("name")?;
                content.keep(tool);
                ToolMode::Named(name)
            }
            _ => return Err(place.malformed("must hold `auto`, `any` or `tool`")),
        };
        call.tool_choice = Some(ToolChoice { mode, allowed: Vec::new() });
    }
    content.keep(config);
    Ok(())
}

fn tool_spec<'a>(
    content: &mut Content<'a, '_>,
    json: Json<'a>,
    place: &Place<'_>,
) -> Result<Tool<'a>, Malformed> {
    let mut tool = Members::open(json, place)?;
    let schema = tool.object("inputSchema")?.ok_or_else(|| tool.missing("inputSchema"))?;
    let schema_place = place.key("inputSchema");
    let mut holder = Members::open(schema, &schema_place)?;
    let schema = holder.object("json")?;
    content.keep(holder);
    let read = Tool {
        name: tool.need_text("name")?,
        description: tool.text("description")?,
        schema: Some(schema.ok_or_else(|| place.key("inputSchema").key("json").malformed("is missing"))?),
        strict: tool.bool("strict")?,
        cache: None,
        foreign: None,
    };
    content.keep(tool);
    Ok(read)
}

fn output<'a>(json: Json<'a>, content: &mut Content<'a, '_>, call: &mut Call<'a>) -> Result<(), Malformed> {
    let place = Place::ROOT.key("outputConfig");
    let mut config = Members::open(json, &place)?;
    if let Some(effort) = config.text("effort")? {
        let wrong = || place.key("effort").malformed(format!("has the unknown value {effort:?}"));
        call.reasoning.effort = Some(Effort::from_name(&effort).ok_or_else(wrong)?);
    }
    if let Some(format) = config.raw("textFormat") {
        let place = place.key("textFormat");
        let mut format = Members::open(format, &place)?;
        if format.need_text("type")? != "json_schema" {
            return Err(place.key("type").malformed("must be `json_schema`"));
        }
        let structure = format.raw("structure").ok_or_else(|| format.missing("structure"))?;
        content.keep(format);
        let place = place.key("structure");
        let mut structure = Members::open(structure, &place)?;
        let inner = structure.object("jsonSchema")?;
        let inner = inner.ok_or_else(|| place.key("jsonSchema").malformed("is missing"))?;
        content.keep(structure);
        let place = place.key("jsonSchema");
        let mut inner = Members::open(inner, &place)?;
        let schema = inner.raw("schema").ok_or_else(|| inner.missing("schema"))?;
        if schema.kind() != JsonKind::Object {
            // A string that holds JSON is no string any more.
            return Err(place.key("schema").malformed("must be a string that holds a JSON Schema"));
        }
        let (name, description) = (inner.text("name")?, inner.text("description")?);
        content.keep(inner);
        call.format = OutputFormat::Schema(Schema { name, description, schema, strict: None });
    }
    content.keep(config);
    Ok(())
}

/// Fields for the model alone: thinking in Claude's words and Nova's, and what others may understand.
fn additional<'a>(
    json: Json<'a>,
    content: &mut Content<'a, '_>,
    call: &mut Call<'a>,
) -> Result<(), Malformed> {
    let place = Place::ROOT.key("additionalModelRequestFields");
    let mut fields = Members::open(json, &place)?;
    call.sampling.top_k = fields.number("top_k")?;
    if let Some(json) = fields.raw("thinking") {
        thinking(json, content, &mut call.reasoning)?;
    }
    if let Some(json) = fields.raw("reasoningConfig") {
        nova_reasoning(json, &place.key("reasoningConfig"), content, call)?;
    }
    if let Some(json) = fields.raw("tool_choice") {
        let place = place.key("tool_choice");
        let mut choice = Members::open(json, &place)?;
        let mode = match &*choice.need_text("type")? {
            "auto" => ToolMode::Auto,
            "any" => ToolMode::Required,
            "none" => ToolMode::None,
            "tool" => ToolMode::Named(choice.need_text("name")?),
            other => return Err(place.key("type").malformed(format!("has the unknown value {other:?}"))),
        };
        call.tool_choice = Some(ToolChoice { mode, allowed: Vec::new() });
        call.parallel_tools = choice.bool("disable_parallel_tool_use")?.map(|disabled| !disabled);
        content.keep(choice);
    }
    content.keep(fields);
    Ok(())
}

fn nova_reasoning<'a>(
    json: Json<'a>,
    place: &Place<'_>,
    content: &mut Content<'a, '_>,
    call: &mut Call<'a>,
) -> Result<(), Malformed> {
    let mut config = Members::open(json, place)?;
    call.reasoning.mode = Some(match &*config.need_text("type")? {
        "enabled" => ReasoningMode::On,
        "disabled" => ReasoningMode::Off,
        other => return Err(place.key("type").malformed(format!("has the unknown value {other:?}"))),
    });
    if let Some(effort) = config.text("maxReasoningEffort")? {
        let wrong = || place.key("maxReasoningEffort").malformed("must be `low`, `medium` or `high`");
        call.reasoning.effort = Some(Effort::from_name(&effort).ok_or_else(wrong)?);
    }
    content.keep(config);
    Ok(())
}
