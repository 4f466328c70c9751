//! Free ports for servers that are started by tests.

use std::{
    hash::{BuildHasher, Hasher, RandomState},
    net::TcpListener,
};

use anyhow::Context;

/// Below the range that systems take the ports of outgoing connections from: a server that restarts must find its
/// port free.
const PORTS: std::ops::Range<u64> = 15_000..32_000;

/// A port of this machine on which nothing listens.
pub(crate) fn free_port() -> anyhow::Result<u16> {
    let random = || RandomState::new().build_hasher().finish() % (PORTS.end - PORTS.start) + PORTS.start;
    let ports = std::iter::repeat_with(random).take(100).filter_map(|port| u16::try_from(port).ok());
    let free = |port: &u16| TcpListener::bind(("127.0.0.1", *port)).is_ok();
    ports.into_iter().find(free).context("100 ports tried, none is free")
}
