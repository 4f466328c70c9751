//! Cohere's `logprobs`, read and written.

use crate::{
    canonical::{Logprob, Malformed},
    json::{
        Json,
        out::{ArrayOut, ObjectOut},
    },
    read::{Members, Place},
};

/// Reads one item: a piece of text and the logarithms of its tokens. Only the first token of a piece carries its
/// text, because the answer does not say where in it the others begin.
pub(super) fn read<'a>(
    json: Json<'a>,
    place: &Place<'_>,
    to: &mut Vec<Logprob<'a>>,
) -> Result<(), Malformed> {
    let mut item = Members::open(json, place)?;
    let mut text = item.text("text")?.unwrap_or_default();
    for logprob in item.array("logprobs")? {
        to.push(Logprob { token: std::mem::take(&mut text), logprob, bytes: None, top: Vec::new() });
    }
    Ok(())
}

/// Writes items.
pub(super) fn write(logprobs: &[Logprob<'_>], a: &mut ArrayOut<'_>) {
    logprobs.iter().for_each(|logprob| a.object(|o| item(logprob, o)));
}

/// Writes one item; the ids of tokens are Cohere's own, so there are none.
pub(super) fn item(logprob: &Logprob<'_>, o: &mut ObjectOut<'_>) {
    o.text("text", &logprob.token);
    o.array("token_ids", |_| ());
    o.array("logprobs", |a| a.raw(logprob.logprob));
}
