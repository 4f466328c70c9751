//! What is read of a plain answer on its way through.

use domain::Usage;

pub use super::error::{ProviderError, provider_error};
use super::usage;
use crate::json::{Fault, Reader};

/// The usage of a plain chat or embeddings answer; `None`: it says nothing, so it has to be estimated.
#[must_use]
pub fn chat_usage(body: &[u8]) -> Option<Usage> {
    let mut found = None;
    // A body that breaks off behind its usage still says what was billed.
    let _: Result<(), Fault> = Reader::new(body).members(|reader, key| {
        match key {
            b"usage" => found = usage::read(reader)?.or(found),
            _ => reader.ignore()?,
        }
        Ok(())
    });
    found
}
