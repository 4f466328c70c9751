//! What Anthropic's own dialect and Bedrock's have in common: both are spoken to Claude.

pub(crate) mod alternate;
pub(crate) mod content;
pub(crate) mod sampling;
pub(crate) mod thinking;
