//! The data plane over real sockets, in front of scripted providers; nothing in between is replaced.

mod admission;
mod after_content;
mod bounds;
mod canary;
mod cascade;
mod client_errors;
mod clouds;
mod connections;
mod dialects;
mod failover;
mod failures;
mod hangup;
mod harness;
mod headers;
mod limits;
mod long;
mod metrics;
mod oddities;
mod outbound;
mod patience;
mod plain;
mod probes;
mod routing;
mod sharing;
mod streams;
mod traces;
