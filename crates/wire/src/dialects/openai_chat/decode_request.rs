//! Reading a client's call.

mod vendor_thinking;

use super::messages_in::Messages;
use crate::{
    canonical::{
        Call, Extra, Malformed, OutputFormat, Reasoning, Sampling, ServiceTier, SignatureMac, Tool,
        ToolChoice, ToolMode,
        pairs::{self, Order},
    },
    json::{Json, JsonKind},
    openai::decode::{effort, metadata, schema, tool_mode},
    openai::part::cache_control,
    read::{Members, Place},
};

/// Every field that the gateway reads or writes here.
pub(super) const FIELDS: [&str; 29] = [
    "frequency_penalty",
    "logprobs",
    "max_completion_tokens",
    "max_tokens",
    "messages",
    "metadata",
    "model",
    "n",
    "parallel_tool_calls",
    "presence_penalty",
    "random_seed",
    "reasoning_effort",
    "response_format",
    "safety_identifier",
    "seed",
    "service_tier",
    "stop",
    "store",
    "stream",
    "stream_options",
    "temperature",
    "tool_choice",
    "tool_stream",
    "tools",
    "top_logprobs",
    "top_p",
    "user",
    "verbosity",
    "web_search_options",
];

/// Reads a call.
pub(super) fn decode<'a>(body: Json<'a>, seal: &dyn SignatureMac) -> Result<Call<'a>, Malformed> {
    let mut body = Members::open(body, &Place::ROOT)?;
    let mut messages = Messages::new(seal);
    let mut call = Call { model: body.need_text("model")?, ..Call::default() };
    call.stream = body.bool("stream")?.unwrap_or(false);
    if let Some(json) = body.object("stream_options")? {
        let place = Place::ROOT.key("stream_options");
        let mut options = Members::open(json, &place)?;
        call.stream_usage = options.bool("include_usage")?.unwrap_or(false);
        // Padding, of which a translation has none.
        options.raw("include_obfuscation");
        messages.keep(options);
    }
    if body.peek("messages").is_none() {
        return Err(body.missing("messages"));
    }
    let list = Place::ROOT.key("messages");
    for (at, message) in body.array("messages")?.into_iter().enumerate() {
        messages.read(message, &list.index(at))?;
    }
    pairs::check(&messages.turns, "messages", Order::Next)?;
    let list = Place::ROOT.key("tools");
    for (at, json) in body.array("tools")?.into_iter().enumerate() {
        call.tools.push(tool(&mut messages, json, &list.index(at))?);
    }
    if let Some(json) = body.raw("tool_choice") {
        call.tool_choice = Some(tool_choice(&mut messages, json, &Place::ROOT.key("tool_choice"))?);
    }
    call.parallel_tools = body.bool("parallel_tool_calls")?;
    if let Some(json) = body.raw("response_format") {
        call.format = format(&mut messages, json)?;
    }
    call.sampling = sampling(&mut body)?;
    let (new, old) = (body.u64("max_completion_tokens")?, body.u64("max_tokens")?);
    // The larger one, as the scan has it: that is what was reserved.
    call.max_output = new.max(old);
    account(&mut body, &mut call)?;
    call.turns = messages.turns;
    call.extra = messages.extra;
    let rest = body.rest().map(|(name, value)| Extra { name, value });
    // Text alone is what everybody answers.
    call.extra.extend(rest.filter(|extra| !(extra.name == "modalities" && only_text(extra.value))));
    Ok(call)
}

fn only_text(modalities: Json<'_>) -> bool {
    let list = modalities.array().ok().flatten().unwrap_or_default();
    matches!(&list[..], [only] if only.text().as_deref() == Some("text"))
}

/// Effort, verbosity, and what concerns the account rather than the model.
fn account<'a>(body: &mut Members<'a, '_>, call: &mut Call<'a>) -> Result<(), Malformed> {
    call.reasoning = Reasoning { effort: effort(body, "reasoning_effort")?, ..Reasoning::default() };
    vendor_thinking::read(body, &mut call.reasoning);
    call.verbosity = body.text("verbosity")?;
    call.metadata = metadata(body)?;
    let (user, safety) = (body.text("user")?, body.text("safety_identifier")?);
    call.user = user.or(safety);
    call.service_tier = body.text("service_tier")?.map(ServiceTier);
    call.store = body.bool("store")?;
    Ok(())
}

fn sampling<'a>(body: &mut Members<'a, '_>) -> Result<Sampling<'a>, Malformed> {
    let stop = match body.peek("stop").map(Json::kind) {
        Some(JsonKind::String) => vec![body.need_text("stop")?],
        _ => body.texts("stop")?,
    };
    Ok(Sampling {
        temperature: body.number("temperature")?,
        top_p: body.number("top_p")?,
        // Many servers of this dialect know it; what they mean by a negative one is what they do anyway.
        top_k: body.peek("top_k").filter(|value| value.u64().is_some()).and_then(|_| body.raw("top_k")),
        seed: body.number("seed")?,
        frequency_penalty: body.number("frequency_penalty")?,
        presence_penalty: body.number("presence_penalty")?,
        stop,
        logprobs: body.bool("logprobs")?.unwrap_or(false),
        top_logprobs: body.u64("top_logprobs")?,
        choices: body.u64("n")?.unwrap_or(0),
    })
}

fn tool<'a>(
    messages: &mut Messages<'a, '_>,
    json: Json<'a>,
    place: &Place<'_>,
) -> Result<Tool<'a>, Malformed> {
    let mut tool = Members::open(json, place)?;
    let kind = tool.need_text("type")?;
    if kind != "function" {
        let name = tool.raw(&kind).and_then(|inner| inner.object().ok().flatten()?.take("name")?.text());
        let (name, foreign) = (name.unwrap_or_default(), Some(json));
        return Ok(Tool { name, description: None, schema: None, strict: None, cache: None, foreign });
    }
    let inner = tool.raw("function").ok_or_else(|| tool.missing("function"))?;
    let inner_place = place.key("function");
    let mut inner = Members::open(inner, &inner_place)?;
    let cache = cache_control(&mut tool).or_else(|| cache_control(&mut inner));
    let read = Tool {
        name: inner.need_text("name")?,
        description: inner.text("description")?,
        schema: inner.object("parameters")?,
        strict: inner.bool("strict")?,
        cache,
        foreign: None,
    };
    messages.keep(inner);
    messages.keep(tool);
    Ok(read)
}

fn tool_choice<'a>(
    messages: &mut Messages<'a, '_>,
    json: Json<'a>,
    place: &Place<'_>,
) -> Result<ToolChoice<'a>, Malformed> {
    let unknown = |place: Place<'_>, value: &str| place.malformed(format!("has the unknown value {value:?}"));
    let plain = |mode| ToolChoice { mode, allowed: Vec::new() };
    if let Some(word) = json.text() {
        return tool_mode(&word).map(plain).ok_or_else(|| unknown(*place, &word));
    }
    let mut choice = Members::open(json, place)?;
    let kind = choice.need_text("type")?;
    let inner = choice.raw(&kind).ok_or_else(|| choice.missing(&kind))?;
    let inner_place = place.key(&kind);
    let mut inner = Members::open(inner, &inner_place)?;
    messages.keep(choice);
    let read = match &*kind {
        "function" | "custom" => plain(ToolMode::Named(inner.need_text("name")?)),
        "allowed_tools" => {
            let word = inner.need_text("mode")?;
            let mode = tool_mode(&word).ok_or_else(|| unknown(inner_place.key("mode"), &word))?;
            let list = inner_place.key("tools");
            let mut allowed = Vec::new();
            for (at, tool) in inner.array("tools")?.into_iter().enumerate() {
                let place = list.index(at);
                let mut tool = Members::open(tool, &place)?;
                let kind = tool.need_text("type")?;
                let function = tool.raw(&kind).ok_or_else(|| tool.missing(&kind))?;
                allowed.push(Members::open(function, &place.key(&kind))?.need_text("name")?);
            }
            ToolChoice { mode, allowed }
        }
        other => return Err(unknown(place.key("type"), other)),
    };
    messages.keep(inner);
    Ok(read)
}

fn format<'a>(messages: &mut Messages<'a, '_>, json: Json<'a>) -> Result<OutputFormat<'a>, Malformed> {
    let place = Place::ROOT.key("response_format");
    let mut format = Members::open(json, &place)?;
    let read = match &*format.need_text("type")? {
        "text" => OutputFormat::Text,
        "json_object" => OutputFormat::Json,
        "json_schema" => {
            let inner = format.raw("json_schema").ok_or_else(|| format.missing("json_schema"))?;
            let place = place.key("json_schema");
            let mut inner = Members::open(inner, &place)?;
            let schema = schema(&mut inner)?;
            messages.keep(inner);
            OutputFormat::Schema(schema)
        }
        other => return Err(place.key("type").malformed(format!("has the unknown value {other:?}"))),
    };
    messages.keep(format);
    Ok(read)
}
