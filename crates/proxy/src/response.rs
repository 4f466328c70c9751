//! Responses to clients: bodies, the headers of every response, rendered errors and explanations.

mod body;
mod explain;
mod metadata;
mod refusal;
mod render;

pub(crate) use self::{
    body::{ResponseBody, UpstreamAborted},
    explain::{RoutingTrace, active_attempt_line, attempt_line, write_explanation},
    metadata::{ResponseMetadata, Retirement},
    refusal::Refusal,
    render::{error_event, json_response},
};
