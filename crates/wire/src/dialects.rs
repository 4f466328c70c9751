//! The six dialects: how each reads and writes calls, answers, streams and errors.

pub mod anthropic;
pub mod bedrock;
pub mod cohere;
pub mod gemini;
pub mod openai_chat;
pub mod openai_responses;
