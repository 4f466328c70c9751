//! Reading a client's call.

mod documents;
mod messages;
mod options;

use self::documents::document;
use crate::{
    canonical::{
        Call, Extra, Malformed, Role, ServiceTier, SignatureMac,
        pairs::{self, Order},
    },
    json::Json,
    read::{Members, Place},
};

/// Reads a call.
pub(super) fn decode<'a>(body: Json<'a>, seal: &dyn SignatureMac) -> Result<Call<'a>, Malformed> {
    let mut top = Members::open(body, &Place::ROOT)?;
    let mut call = Call {
        model: top.need_text("model")?,
        stream: top.bool("stream")?.unwrap_or(false),
        stream_usage: true,
        max_output: top.u64("max_tokens")?,
        service_tier: top.number("priority")?.map(|priority| ServiceTier(priority.raw().into())),
        ..Call::default()
    };
    if top.peek("messages").is_none() {
        return Err(top.missing("messages"));
    }
    messages::read(top.array("messages")?, seal, &mut call)?;
    pairs::check(&call.turns, "messages", Order::Next)?;
    options::tools(&mut top, &mut call)?;
    options::sampling(&mut top, &mut call)?;
    let cite = options::cites(&mut top)?;
    documents(top.array("documents")?, cite, &mut call)?;
    call.extra.extend(top.rest().map(|(name, value)| Extra { name, value }));
    Ok(call)
}

/// Keeps the members that were not read: other dialects cannot place them.
fn keep<'a>(members: Members<'a, '_>, extra: &mut Vec<Extra<'a>>) {
    let place = *members.place;
    for (name, value) in members.rest() {
        extra.push(Extra { name: place.key(&name).to_string().into(), value });
    }
}

/// Documents beside the conversation are what the last user turn is about.
fn documents<'a>(list: Vec<Json<'a>>, cite: bool, call: &mut Call<'a>) -> Result<(), Malformed> {
    let place = Place::ROOT.key("documents");
    let mut documents = Vec::with_capacity(list.len());
    for (at, json) in list.into_iter().enumerate() {
        documents.push(document(json, cite, &place.index(at), &mut call.extra)?);
    }
    if documents.is_empty() {
        return Ok(());
    }
    let last = call.turns.iter_mut().rfind(|turn| turn.role == Role::User);
    let turn = last.ok_or_else(|| place.malformed("need a message of the user"))?;
    turn.parts.splice(0..0, documents);
    Ok(())
}
