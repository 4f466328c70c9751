//! OpenAI's dialect: Chat Completions, Embeddings and Models.

pub mod error;
pub mod render;
pub mod reply;
pub mod stream;
mod usage;
