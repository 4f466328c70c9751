//! The canonical call, reply and event: what the six dialects are translated into and out of.
//!
//! Everything borrows from the bytes it was read from, so that an image of some megabytes is not copied on the
//! way. JSON that is not looked into here (arguments, schemas, unknown fields) stays the text it was.

pub(crate) mod account;
mod call;
pub(crate) mod content;
pub(crate) mod data_uri;
pub(crate) mod embedded;
mod encode;
mod event;
mod field;
mod fit;
mod foreign_tool;
pub(crate) mod ids;
mod lost;
mod namespace;
mod number_field;
mod own_field;
pub(crate) mod pairs;
mod part;
mod reply;
pub(crate) mod serial;
mod signature;
pub mod signed_id;
pub(crate) mod tool_schema;
mod tool_table;
pub(crate) mod trailing_seal;

pub(crate) use self::{
    event::{CallIndex, ToolCallRef},
    number_field::NumberField,
};

use std::borrow::Cow;

pub use domain::Strictness;

pub use self::{
    call::{
        Call, Effort, Extra, OutputFormat, Reasoning, ReasoningMode, Role, Sampling, Schema, ServiceTier,
        Show, Tool, ToolChoice, ToolMode, Turn,
    },
    content::{Content, ContentRow},
    encode::{Encoded, LossReport, Malformed, Support, TargetFacts, Unsupported},
    event::{Event, Events},
    field::{Field, FieldClass, FieldRow},
    fit::fit_call,
    foreign_tool::{HOSTED_TOOLS, HostedTool},
    lost::LostParts,
    namespace::{NameParts, join_name, split_name},
    own_field::{OWN_FIELDS, OwnField},
    part::{CacheTtl, Document, Image, Media, Part, PartKind, ToolCall, ToolResult},
    reply::{Choice, Finish, Logprob, Reply},
    signature::{Family, Signature, SignatureMac},
    tool_table::ToolTable,
};

/// Text, borrowed where it could be.
pub type Text<'a> = Cow<'a, str>;

/// The first `len` bytes of a text, without a copy.
pub(crate) fn shortened(text: Text<'_>, len: usize) -> Text<'_> {
    match text {
        Text::Borrowed(text) => Text::Borrowed(&text[..len]),
        Text::Owned(mut text) => {
            text.truncate(len);
            Text::Owned(text)
        }
    }
}
