//! The codec of each dialect.

use crate::{
    codec::DialectCodec,
    dialect::Dialect,
    dialects::{
        anthropic::Anthropic, bedrock::Bedrock, cohere::Cohere, gemini::Gemini, openai_chat::OpenAiChat,
        openai_responses::OpenAiResponses,
    },
};

/// The reader and writer of a dialect.
#[must_use]
pub fn codec(dialect: Dialect) -> &'static dyn DialectCodec {
    match dialect {
        Dialect::OpenAiChat => &OpenAiChat,
        Dialect::OpenAiResponses => &OpenAiResponses,
        Dialect::Anthropic => &Anthropic,
        Dialect::Gemini => &Gemini,
        Dialect::Cohere => &Cohere,
        Dialect::Bedrock => &Bedrock,
    }
}
