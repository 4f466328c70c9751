//! Reading a client's call.

mod config;
mod tools;

use super::part_in::{self, Origin};
use crate::{
    canonical::{Call, Extra, Malformed, Part, PartKind, Role, ServiceTier, SignatureMac, Text, Turn},
    json::Json,
    read::{Members, Place},
    scan::PathParamsRef,
};

/// Members of the body, which alone are read in either case.
const KNOWN: [&str; 10] = [
    "contents",
    "systemInstruction",
    "tools",
    "toolConfig",
    "generationConfig",
    "safetySettings",
    "cachedContent",
    "labels",
    "serviceTier",
    "store",
];

/// Reads a call.
pub(super) fn decode<'a>(
    path: PathParamsRef<'a>,
    body: Json<'a>,
    seal: &dyn SignatureMac,
) -> Result<Call<'a>, Malformed> {
    let known =
        |key: &str| Some(super::common::camel(key)).filter(|name| name != key && KNOWN.contains(&&**name));
    let mut top = Members::open_renamed(body, &Place::ROOT, known)?;
    let in_body = top.text("model")?;
    let mut call = Call {
        model: path.model.map(Text::Borrowed).or(in_body).ok_or_else(|| top.missing("model"))?,
        stream: path.stream.unwrap_or(false),
        stream_usage: true,
        store: top.bool("store")?,
        service_tier: top.text("serviceTier")?.map(ServiceTier),
        ..Call::default()
    };
    if let Some(system) = top.raw("systemInstruction") {
        let turn = system_turn(system, &mut Origin::Request { seal, extra: &mut call.extra })?;
        call.turns.push(turn);
    }
    if top.peek("contents").is_none() {
        return Err(top.missing("contents"));
    }
    let mut origin = Origin::Request { seal, extra: &mut call.extra };
    turns(top.array("contents")?, &mut origin, &mut call.turns)?;
    tools::tools(top.array("tools")?, &mut call)?;
    if let Some(choice) = top.raw("toolConfig") {
        tools::choice(choice, &mut call)?;
    }
    if let Some(labels) = top.object("labels")? {
        call.metadata = pairs(labels, &Place::ROOT.key("labels"))?;
    }
    if let Some(config) = top.raw("generationConfig") {
        config::read(config, &mut call)?;
    }
    call.extra.extend(top.rest().map(|(name, value)| Extra { name, value }));
    Ok(call)
}

/// The string members of an object.
fn pairs<'a>(json: Json<'a>, place: &Place<'_>) -> Result<Vec<(Text<'a>, Text<'a>)>, Malformed> {
    let pair = |(key, value): (Text<'a>, Json<'a>)| match value.text() {
        Some(value) => Ok((key, value)),
        None => Err(place.key(&key).malformed("must be a string")),
    };
    Members::open(json, place)?.rest().map(pair).collect()
}

fn system_turn<'a>(json: Json<'a>, origin: &mut Origin<'_, 'a>) -> Result<Turn<'a>, Malformed> {
    let place = Place::ROOT.key("systemInstruction");
    let mut content = super::common::open(json, &place)?;
    content.text("role")?;
    let mut parts = Vec::new();
    let list = place.key("parts");
    for (at, part) in content.array("parts")?.into_iter().enumerate() {
        let place = list.index(at);
        part_in::read(part, &place, origin, &mut parts)?;
        if parts.iter().any(|part| !matches!(part.kind, PartKind::Text(_))) {
            return Err(place.malformed("must be text"));
        }
    }
    origin.keep(content);
    Ok(Turn::new(Role::System, parts))
}

/// Calls of the model that have no result yet: id and name.
type Unanswered<'a> = Vec<(Text<'a>, Text<'a>)>;

fn turns<'a>(
    contents: Vec<Json<'a>>,
    origin: &mut Origin<'_, 'a>,
    turns: &mut Vec<Turn<'a>>,
) -> Result<(), Malformed> {
    let list = Place::ROOT.key("contents");
    let mut unanswered = Unanswered::new();
    for (at, content) in contents.into_iter().enumerate() {
        let place = list.index(at);
        let mut content = super::common::open(content, &place)?;
        let role = content.text("role")?;
        let mut parts = Vec::new();
        let list = place.key("parts");
        for (at, part) in content.array("parts")?.into_iter().enumerate() {
            let place = list.index(at);
            let from = parts.len();
            part_in::read(part, &place, origin, &mut parts)?;
            pair_up(&mut parts[from..], &mut unanswered, &place)?;
        }
        origin.keep(content);
        match role.as_deref() {
            Some("model") => model_turn(parts, turns),
            None | Some("user" | "function") => {
                if let Some((_, name)) = unanswered.first() {
                    return Err(place.malformed(format!("lacks the response to the call of {name:?}")));
                }
                user_turns(parts, turns);
            }
            Some(_) => return Err(place.key("role").malformed("must be user or model")),
        }
    }
    Ok(())
}

/// Ties results to calls: by id, and where either side has none by name and order. A result gets the id of its call,
/// so that other dialects, which know calls by their ids alone, find both together (docs/spec/cases.md#case-5).
fn pair_up<'a>(
    parts: &mut [Part<'a>],
    unanswered: &mut Unanswered<'a>,
    place: &Place<'_>,
) -> Result<(), Malformed> {
    for part in parts {
        match &mut part.kind {
            PartKind::ToolCall(_) if unanswered.len() >= super::common::MOST_CALLS => {
                return Err(place.malformed("is one of more than 1024 calls at once"));
            }
            PartKind::ToolCall(call) => unanswered.push((call.id.clone(), call.name.clone())),
            PartKind::ToolResult(result) => {
                let same = |(id, name): &(Text<'_>, Text<'_>)| {
                    if id.is_empty() || result.id.is_empty() {
                        *name == result.name
                    } else {
                        *id == result.id
                    }
                };
                let Some(at) = unanswered.iter().position(same) else {
                    let call = if result.id.is_empty() { &result.name } else { &result.id };
                    let what =
                        format!("answers the call {call:?}, which was not made or is answered already");
                    return Err(place.key("functionResponse").malformed(what));
                };
                result.id = unanswered.remove(at).0;
            }
            _ => {}
        }
    }
    Ok(())
}

/// Results stand in a turn of their own, in front of what the user says.
fn user_turns<'a>(parts: Vec<Part<'a>>, turns: &mut Vec<Turn<'a>>) {
    let is_result = |part: &Part<'_>| matches!(part.kind, PartKind::ToolResult(_));
    let (results, said): (Vec<_>, Vec<_>) = parts.into_iter().partition(is_result);
    for (role, parts) in [(Role::Tool, results), (Role::User, said)] {
        if !parts.is_empty() {
            turns.push(Turn::new(role, parts));
        }
    }
}

/// Clients keep a streamed answer as one content per chunk: it becomes one turn again, its pieces joined.
fn model_turn<'a>(parts: Vec<Part<'a>>, turns: &mut Vec<Turn<'a>>) {
    let mut turn = match turns.pop_if(|turn| turn.role == Role::Assistant) {
        Some(turn) => turn,
        None => Turn::new(Role::Assistant, Vec::with_capacity(parts.len())),
    };
    for part in parts {
        match (turn.parts.last_mut().map(|last| &mut last.kind), part.kind) {
            (Some(PartKind::Text(before)), PartKind::Text(text)) => before.to_mut().push_str(&text),
            (
                Some(PartKind::Reasoning { text: before, signature: seal @ None }),
                PartKind::Reasoning { text, signature },
            ) => {
                if !text.is_empty() {
                    before.to_mut().push_str(&text);
                }
                *seal = signature;
            }
            (_, kind) => turn.parts.push(Part::new(kind)),
        }
    }
    turns.push(turn);
}
