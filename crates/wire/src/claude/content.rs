//! What Claude's two dialects have in common in content blocks: ids, seals and arguments of calls.

use std::borrow::Cow;

use crate::{
    canonical::{Extra, Family, Signature, SignatureMac, Text, ToolCall, Unsupported, signed_id},
    codec::Envelope,
    json::Json,
    read::Members,
};

/// Reads blocks, and collects members that the canonical call has no place for.
pub(crate) struct Content<'a, 's> {
    pub(crate) seal: &'s dyn SignatureMac,
    pub(crate) extra: Vec<Extra<'a>>,
}

impl<'a> Content<'a, '_> {
    /// An id without the seal of another family that the gateway hid in it.
    pub(crate) fn id(&self, id: Text<'a>) -> (Text<'a>, Option<Signature<'a>>) {
        let (own, signature) = signed_id::extract_signature(&id, self.seal);
        let len = own.len();
        // The id's own part stands in front of what was hidden in it.
        let own = match id {
            Text::Borrowed(id) => Text::Borrowed(&id[..len]),
            Text::Owned(mut id) => {
                id.truncate(len);
                Text::Owned(id)
            }
        };
        (own, signature)
    }

    /// A seal: Anthropic's own, or another family's that the gateway wrapped.
    pub(crate) fn signature(&self, text: Text<'a>) -> Signature<'a> {
        match signed_id::extract_signature(&text, self.seal) {
            ("", Some(signature)) => signature,
            _ => Signature { family: Family::Anthropic, text, item: None },
        }
    }

    /// Keeps the members that were not read: other dialects cannot place them.
    pub(crate) fn keep(&mut self, members: Members<'a, '_>) {
        let place = *members.place;
        for (name, value) in members.rest() {
            self.extra.push(Extra { name: place.key(&name).to_string().into(), value });
        }
    }
}

/// The arguments of a call in a history as the object that these dialects want (docs/spec/cases.md#case-3, #case-4).
pub(crate) fn arguments<'c>(call: &'c ToolCall<'_>, target: &str) -> Result<Json<'c>, Unsupported> {
    let text = call.arguments.trim();
    if text.is_empty() {
        return Ok(Json::EMPTY_OBJECT);
    }
    object(text).ok_or_else(|| Unsupported {
        field: format!("arguments of the tool call {:?}", call.id),
        target: format!("{target}: they are no JSON object"),
    })
}

/// A text that is a JSON object, `null` being an empty one.
pub(crate) fn object(text: &str) -> Option<Json<'_>> {
    let json = Json::parse(text.as_bytes()).ok()?;
    match json.object() {
        _ if json.is_null() => Some(Json::EMPTY_OBJECT),
        Ok(Some(_)) => Some(json),
        _ => None,
    }
}

/// The id of a call: the provider's or a minted one, with the seal of another family inside
/// (docs/spec/cases.md#case-8).
pub(crate) fn call_id(id: &str, at: usize, signature: Option<&Signature<'_>>, envelope: &Envelope) -> String {
    let own = if id.is_empty() { format!("toolu_{}_{at}", envelope.request) } else { id.to_owned() };
    match signature {
        Some(signature) => signed_id::embed_signature(&own, signature, &*envelope.seal),
        None => own,
    }
}

/// A seal as this dialect's clients carry it: Anthropic's as it is, another family's wrapped.
pub(crate) fn sealed<'s>(signature: &'s Signature<'_>, envelope: &Envelope) -> Cow<'s, str> {
    match signature.family {
        Family::Anthropic => (&*signature.text).into(),
        _ => signed_id::embed_signature("", signature, &*envelope.seal).into(),
    }
}
