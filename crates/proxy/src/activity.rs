//! What is under way: the requests and streams of the process, and the requests of each client connection.

mod connection;
mod process;

pub(crate) use self::{
    connection::{ActiveRequestGuard, ConnectionActivity},
    process::{ActiveStreamGuard, InFlightPermit, ProcessActivity},
};
