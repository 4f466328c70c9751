//! What OpenAI's two dialects and the untranslated APIs of its kind have in common.

pub(crate) mod custom_tool;
pub(crate) mod decode;
pub(crate) mod encode;
pub(crate) mod error;
pub(crate) mod finish;
pub(crate) mod part;
pub(crate) mod render;
pub(crate) mod usage;
