//! Reading a client's call.

use super::items_in::{Items, stored};
use crate::{
    canonical::{
        Call, Extra, Malformed, OutputFormat, Reasoning, Role, Sampling, ServiceTier, Show, SignatureMac,
        Tool, ToolChoice, ToolMode, Turn, join_name,
        pairs::{self, Order},
    },
    json::{Json, JsonKind},
    openai::decode::{effort, metadata, schema, tool_mode},
    read::{Members, Place},
};

/// Reads a call.
pub(super) fn decode<'a>(body: Json<'a>, seal: &dyn SignatureMac) -> Result<Call<'a>, Malformed> {
    let mut body = Members::open(body, &Place::ROOT)?;
    let mut items = Items::new(seal);
    let mut call = Call { model: body.need_text("model")?, stream_usage: true, ..Call::default() };
    stateless(&mut body)?;
    call.stream = body.bool("stream")?.unwrap_or(false);
    // Padding, of which a translation has none.
    body.raw("stream_options");
    if let Some(instructions) = body.raw("instructions") {
        let parts = items.content(instructions, &Place::ROOT.key("instructions"))?;
        items.turns.push(Turn::new(Role::System, parts));
    }
    input(&mut body, &mut items)?;
    let list = Place::ROOT.key("tools");
    for (at, json) in body.array("tools")?.into_iter().enumerate() {
        call.tools.push(tool(&mut items, json, &list.index(at))?);
    }
    if let Some(json) = body.raw("tool_choice") {
        tool_choice(json, &mut items, &mut call)?;
    }
    call.parallel_tools = body.bool("parallel_tool_calls")?;
    if let Some(json) = body.raw("text") {
        text(json, &mut items, &mut call)?;
    }
    if let Some(json) = body.raw("reasoning") {
        call.reasoning = reasoning(json, &mut items)?;
    }
    call.sampling = sampling(&mut body, &mut items)?;
    call.max_output = body.u64("max_output_tokens")?;
    call.metadata = metadata(&mut body)?;
    let (user, safety) = (body.text("user")?, body.text("safety_identifier")?);
    call.user = user.or(safety);
    call.service_tier = body.text("service_tier")?.map(ServiceTier);
    call.store = body.bool("store")?;
    call.turns = items.turns;
    call.extra = items.extra;
    let rest = body.rest().map(|(name, value)| Extra { name, value });
    // What is said by leaving it out as well.
    let usual = |extra: &Extra<'_>| extra.name == "truncation" && extra.value.raw() == "\"disabled\"";
    call.extra.extend(rest.filter(|extra| !usual(extra)));
    Ok(call)
}

/// Refuses what needs state on the provider's side (docs/spec/cases.md#case-21).
fn stateless(body: &mut Members<'_, '_>) -> Result<(), Malformed> {
    for key in ["previous_response_id", "conversation", "prompt"] {
        if body.raw(key).is_some() {
            return Err(stored(&Place::ROOT.key(key)));
        }
    }
    if body.bool("background")?.unwrap_or(false) {
        return Err(Place::ROOT.key("background").malformed("needs a provider that stores the answer"));
    }
    Ok(())
}

fn input<'a>(body: &mut Members<'a, '_>, items: &mut Items<'a, '_>) -> Result<(), Malformed> {
    let place = Place::ROOT.key("input");
    match body.peek("input").map(Json::kind) {
        None => return Err(body.missing("input")),
        Some(JsonKind::String) => {
            let text = body.need_text("input")?;
            items.turns.push(Turn::new(Role::User, vec![crate::canonical::Part::text(text)]));
        }
        Some(_) => {
            for (at, item) in body.array("input")?.into_iter().enumerate() {
                items.read(item, &place.index(at))?;
            }
        }
    }
    pairs::check(&items.turns, "input", Order::Later)
}

fn tool<'a>(items: &mut Items<'a, '_>, json: Json<'a>, place: &Place<'_>) -> Result<Tool<'a>, Malformed> {
    let mut tool = Members::open(json, place)?;
    let kind = tool.need_text("type")?;
    if kind != "function" {
        let name = tool.text("name")?.unwrap_or_default();
        let foreign = Some(json);
        return Ok(Tool { name, description: None, schema: None, strict: None, cache: None, foreign });
    }
    let read = Tool {
        name: tool.need_text("name")?,
        description: tool.text("description")?,
        schema: tool.object("parameters")?,
        strict: tool.bool("strict")?,
        cache: None,
        foreign: None,
    };
    items.keep(tool);
    Ok(read)
}

fn tool_choice<'a>(json: Json<'a>, items: &mut Items<'a, '_>, call: &mut Call<'a>) -> Result<(), Malformed> {
    let place = Place::ROOT.key("tool_choice");
    let plain = |mode| Some(ToolChoice { mode, allowed: Vec::new() });
    let unknown = |word: &str| place.malformed(format!("has the unknown value {word:?}"));
    if let Some(word) = json.text() {
        call.tool_choice = plain(tool_mode(&word).ok_or_else(|| unknown(&word))?);
        return Ok(());
    }
    let mut choice = Members::open(json, &place)?;
    match &*choice.need_text("type")? {
        "function" | "custom" => {
            let name = join_name(choice.text("namespace")?, choice.need_text("name")?);
            call.tool_choice = plain(ToolMode::Named(name));
        }
        "allowed_tools" => {
            let word = choice.need_text("mode")?;
            let mode = tool_mode(&word).ok_or_else(|| unknown(&word))?;
            let list = place.key("tools");
            let mut allowed = Vec::new();
            for (at, tool) in choice.array("tools")?.into_iter().enumerate() {
                let place = list.index(at);
                let mut tool = Members::open(tool, &place)?;
                allowed.push(join_name(tool.text("namespace")?, tool.need_text("name")?));
            }
            call.tool_choice = Some(ToolChoice { mode, allowed });
        }
        // One of the provider's own tools.
        _ => {
            items.extra.push(Extra { name: "tool_choice".into(), value: json });
            return Ok(());
        }
    }
    items.keep(choice);
    Ok(())
}

fn text<'a>(json: Json<'a>, items: &mut Items<'a, '_>, call: &mut Call<'a>) -> Result<(), Malformed> {
    let place = Place::ROOT.key("text");
    let mut text = Members::open(json, &place)?;
    call.verbosity = text.text("verbosity")?;
    if let Some(json) = text.raw("format") {
        let place = place.key("format");
        let mut format = Members::open(json, &place)?;
        call.format = match &*format.need_text("type")? {
            "text" => OutputFormat::Text,
            "json_object" => OutputFormat::Json,
            "json_schema" => OutputFormat::Schema(schema(&mut format)?),
            other => return Err(place.key("type").malformed(format!("has the unknown value {other:?}"))),
        };
        items.keep(format);
    }
    items.keep(text);
    Ok(())
}

fn reasoning<'a>(json: Json<'a>, items: &mut Items<'a, '_>) -> Result<Reasoning, Malformed> {
    let place = Place::ROOT.key("reasoning");
    let mut reasoning = Members::open(json, &place)?;
    let effort = effort(&mut reasoning, "effort")?;
    let (new, old) = (reasoning.text("summary")?, reasoning.text("generate_summary")?);
    let show = match new.or(old).as_deref() {
        None => None,
        Some("auto") => Some(Show::Auto),
        Some("concise") => Some(Show::Concise),
        Some("detailed") => Some(Show::Detailed),
        Some(other) => {
            return Err(place.key("summary").malformed(format!("has the unknown value {other:?}")));
        }
    };
    // What is said by leaving it out as well.
    for (key, usual) in [("mode", "standard"), ("context", "auto")] {
        if reasoning.peek(key).and_then(Json::text).as_deref() == Some(usual) {
            reasoning.raw(key);
        }
    }
    items.keep(reasoning);
    Ok(Reasoning { effort, show, ..Reasoning::default() })
}

fn sampling<'a>(body: &mut Members<'a, '_>, items: &mut Items<'a, '_>) -> Result<Sampling<'a>, Malformed> {
    let mut sampling = Sampling {
        temperature: body.number("temperature")?,
        top_p: body.number("top_p")?,
        top_logprobs: body.u64("top_logprobs")?,
        ..Sampling::default()
    };
    let include = body.peek("include");
    let mut others = false;
    for word in body.texts("include")? {
        match &*word {
            "message.output_text.logprobs" => sampling.logprobs = true,
            // It always comes.
            "reasoning.encrypted_content" => {}
            _ => others = true,
        }
    }
    if let Some(value) = include.filter(|_| others) {
        items.extra.push(Extra { name: "include".into(), value });
    }
    Ok(sampling)
}
