//! What black-box tests share: processes to start and kill, a small HTTP client, secrets strong enough to be accepted.
//!
//! Only ever a dev-dependency. Everything blocks; an async test runs it on a blocking thread.

mod collector;
mod fault;
mod http;
mod port;
mod postgres;
mod process;
mod prometheus;
mod redis;

use std::{
    fs::OpenOptions,
    io::Write,
    os::unix::fs::OpenOptionsExt,
    path::Path,
    time::{Duration, Instant},
};

pub use collector::{Collector, Refusal, attribute};
pub use fault::FaultProxy;
pub use http::{Http, Reply, Streaming};
pub use postgres::{POSTGRES_PASSWORD, Postgres};
pub use process::{Process, Ready, binary};
pub use prometheus::{Prometheus, Sample};
pub use redis::Redis;
pub use tempfile::TempDir;

/// Master key of test processes, 32 bytes in hexadecimal.
pub const MASTER_KEY: &str = "8f1d6a0b9c27e4535e70b1c98d2a46f37b05c9e1d83f6a2477e9b04c5d1a8263";
/// Another master key, for tests of wrong or rotated keys.
pub const OTHER_MASTER_KEY: &str = "3c92e7f05b18d46a9e0d7c41f2b6853a60d9f1a7c3e58b24017ad6e94c3b5f82";
/// Admin token of test processes.
pub const ADMIN_TOKEN: &str = "d04b7e29a1c8536ff92e6d0b4a7c1835e68f30d19b5c42a7706ed1f38b94c25a";
/// Token with which test proxies join.
pub const JOIN_TOKEN: &str = "61a9d3f4c07e852bb7e14d90f6a3c82d5f0b96e71c48da3309c7e5b2f81d6a4e";

/// Polls `condition` until it holds; false when `deadline` passed first.
///
/// For waiting on another *process*, which cannot signal us; inside one process wait on a signal instead.
#[must_use = "assert the result, or a condition that never held goes unseen"]
pub fn eventually(deadline: Duration, mut condition: impl FnMut() -> bool) -> bool {
    let end = Instant::now() + deadline;
    loop {
        if condition() {
            return true;
        }
        if Instant::now() >= end {
            return false;
        }
        std::thread::sleep(Duration::from_millis(10));
    }
}

/// Writes a file that only its owner may read.
fn write_private(path: &Path, text: &str) -> std::io::Result<()> {
    let mut file = OpenOptions::new().create(true).write(true).truncate(true).mode(0o600).open(path)?;
    file.write_all(text.as_bytes())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn eventually_looks_again_until_it_holds_and_gives_up_in_the_end() {
        let mut looks = 0;
        assert!(eventually(Duration::from_secs(10), || {
            looks += 1;
            looks == 3
        }));
        assert!(!eventually(Duration::ZERO, || false));
    }
}
