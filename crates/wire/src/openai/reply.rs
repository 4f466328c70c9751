//! What is read of a plain answer on its way through.

use domain::{ServiceTier, Usage};

pub use super::error::{ProviderError, provider_error};
use super::{chat::Chat, usage};
use crate::{
    dialect::DialectCodec as _,
    json::{Fault, Json, Reader},
};

/// Finish reasons of filters, as they are written; Azure's annotations of every answer go by longer names.
pub(super) const FILTERS: [&[u8]; 2] = [b"\"content_filter\"", b"\"sensitive\""];

/// The usage of a plain chat or embeddings answer; `None`: it says nothing, so it has to be estimated.
#[must_use]
pub fn chat_usage(body: &[u8]) -> Option<Usage> {
    let (mut found, mut tier) = (None, ServiceTier::Standard);
    // A body that breaks off behind its usage still says what was billed.
    let _: Result<(), Fault> = Reader::new(body).members(|reader, key| {
        match key {
            b"usage" => found = usage::read(reader)?.or(found),
            b"service_tier" => tier = usage::tier(reader)?,
            _ => reader.ignore()?,
        }
        Ok(())
    });
    found.map(|usage| Usage { service_tier: tier, ..usage })
}

/// Whether a plain chat answer is none because a filter refused the prompt, see [`crate::canonical::Reply::blocked`].
///
/// Only a body that names a filter is read for it.
#[must_use]
pub fn chat_blocked(body: &[u8]) -> bool {
    FILTERS.iter().any(|word| memchr::memmem::find(body, word).is_some())
        && Json::parse(body).is_ok_and(|json| Chat.decode_reply(json).is_ok_and(|reply| reply.blocked()))
}

/// The usage of an answer of which only the last bytes are known: the last `"usage"` object among them.
#[must_use]
pub fn tail_usage(tail: &[u8]) -> Option<Usage> {
    const KEY: &[u8] = b"\"usage\"";
    let at = memchr::memmem::rfind(tail, KEY)?;
    let value = tail[at + KEY.len()..].trim_ascii_start().strip_prefix(b":")?;
    usage::read(&mut Reader::new(value)).ok().flatten()
}
