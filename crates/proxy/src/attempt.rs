//! One attempt: what it takes, the request and the response, and why it may fail.

mod cascade;
mod credentials;
mod error;
mod first_content;
mod prepare;
mod reserve;
mod response;
mod send;
mod turn;

pub(crate) use self::{
    credentials::{lease_credential, needed_tokens, report_change},
    error::{AttemptError, classify_status},
    response::{KeptResponse, UpstreamBody, UpstreamResponse, has_ended, output_estimate},
    send::{Attempt, AttemptResources, Response},
    turn::{Deadlines, TargetTurn},
};
