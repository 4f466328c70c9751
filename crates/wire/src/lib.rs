//! Bytes on the wire: request scanning and splicing, stream tapping, error rendering and the provider table.
//!
//! No I/O and no clock lives here: everything is a function of the bytes it is given.

pub mod answer;
pub mod api;
pub mod bound;
pub mod canonical;
mod claude;
pub mod codec;
pub mod dialect;
pub mod dialects;
pub mod embed;
pub mod error;
mod error_phrases;
pub mod facts;
pub mod json;
pub mod logprobs;
pub mod models;
pub mod multipart;
mod openai;
pub mod path;
pub mod percent;
pub mod provider;
pub mod quirks;
pub mod ratelimit;
mod read;
pub mod registry;
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
pub use dialects::openai_chat::{chat_blocked, chat_error};
pub use error::{ProviderError, provider_error};
pub use facts::RequestFacts;
pub use logprobs::{ask_logprobs, has_logprobs};
pub use openai::usage::{chat_usage, tail_usage};
pub use path::{Destination, upstream_path};
pub use provider::{
    Addressing, Auth, BasePath, DialectEndpoint, ProviderRow, Quirks, provider_kinds, provider_row,
};
pub use ratelimit::{RateLimitHeaders, retry_after};
pub use registry::codec;
pub use scan::{PathParamsRef, ScanError, scan};
pub use shape::{Shape, shape};
pub use splice::{Edits, splice};
pub use tap::{ChatTap, OutputChunk, StreamPipe, StreamSummary, TapError};
