//! What is read of a plain answer on its way through.

use domain::{ServiceTier, Usage};

pub use super::error::{ProviderError, provider_error};
use super::usage;
use crate::json::{Fault, Reader};

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

/// The usage of an answer of which only the last bytes are known: the last `"usage"` object among them.
#[must_use]
pub fn tail_usage(tail: &[u8]) -> Option<Usage> {
    const KEY: &[u8] = b"\"usage\"";
    let at = memchr::memmem::rfind(tail, KEY)?;
    let value = tail[at + KEY.len()..].trim_ascii_start().strip_prefix(b":")?;
    usage::read(&mut Reader::new(value)).ok().flatten()
}
