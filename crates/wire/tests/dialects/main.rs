//! The dialects as their users see them: fixtures, the cases of docs/spec/cases.md, pairs of dialects, damaged streams.

#![allow(clippy::panic, clippy::unwrap_used, unreachable_pub, reason = "helpers of tests may fail the test")]

mod anthropic;
mod anthropic_cases;
mod bedrock;
mod bedrock_cases;
mod chat;
mod chat_cases;
mod chat_quirks;
mod claude_pairs;
mod claude_thoughts;
mod cohere;
mod cohere_cases;
mod custom_calls;
mod fields_page;
mod fixtures;
mod gemini;
mod gemini_cases;
mod gemini_clients;
mod gemini_cohere_pairs;
mod identifiers;
mod model_fit;
mod mutated_streams;
mod namespaces;
mod providers_page;
mod responses;
mod responses_cases;
mod support;
mod trailing_seals;
