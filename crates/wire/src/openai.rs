//! OpenAI's dialect: Chat Completions, Embeddings and Models.

pub mod chat;
pub mod error;
pub(crate) mod fault;
pub(crate) mod options;
pub(crate) mod pairs;
pub(crate) mod part;
pub mod render;
pub mod reply;
pub mod stream;
pub(crate) mod usage;
