//! Bytes on the wire: request scanning and splicing, stream tapping, error rendering and the provider table.
//!
//! No I/O and no clock lives here: everything is a function of the bytes it is given.

pub mod answer;
pub mod anthropic;
pub mod api;
pub mod bedrock;
pub mod bound;
pub mod canonical;
pub mod cohere;
pub mod dialect;
pub mod embed;
pub mod gemini;
pub mod json;
pub mod logprobs;
pub mod models;
pub mod multipart;
pub mod openai;
pub mod path;
mod phrases;
pub mod provider;
pub mod quirks;
pub mod ratelimit;
mod read;
pub mod responses;
pub mod scan;
pub mod shape;
pub mod splice;
pub mod sse;
pub mod tap;
#[cfg(feature = "exact-tokens")]
pub mod tokens;

pub use api::Api;
pub use bound::input_bound;
pub use dialect::Dialect;
pub use logprobs::{ask_logprobs, has_logprobs};
pub use openai::{
    error::{ProviderError, provider_error},
    render::{error_body, error_event},
    reply::{chat_blocked, chat_usage, tail_usage},
    stream::{ChatTap, OutputChunk, StreamSummary, TapError},
};
pub use path::{Destination, upstream_path};
pub use provider::{
    Addressing, Auth, BasePath, DialectEndpoint, ProviderRow, Quirks, provider_kinds, provider_row,
};
pub use ratelimit::{RateLimitHeaders, retry_after};
pub use scan::{RequestFacts, ScanError, scan};
pub use shape::{Shape, shape};
pub use splice::{Edits, splice};
pub use tap::StreamPipe;
