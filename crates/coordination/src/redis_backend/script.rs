//! The Lua scripts, called by digest and sent in full where the store does not know them yet.

use redis::{Cmd, Script};

/// Everything the scripts and their callers need, for the message of a store that lacks some.
pub(super) const NEEDED: &str = "EVAL, EVALSHA, TIME, PING, DEL, PEXPIRE, GET, SET, HMGET, HSET, HDEL, HINCRBY, \
    ZADD, ZCARD, ZRANGE, ZRANGEBYSCORE, ZREM and ZREMRANGEBYSCORE";

/// How a script is named to the store.
#[derive(Clone, Copy)]
pub(super) enum By {
    /// By its digest.
    Digest,
    /// By its text, which also makes the store remember it.
    Text,
}

/// One script.
pub(super) struct Text {
    text: &'static str,
    digest: String,
}

/// All scripts.
pub(super) struct Scripts {
    pub(super) acquire: Text,
    pub(super) correct: Text,
    pub(super) renew: Text,
    pub(super) lease: Text,
    pub(super) publish: Text,
    pub(super) poll: Text,
}

impl Scripts {
    pub(super) fn new() -> Self {
        Self {
            acquire: Text::new(concat!(include_str!("debt.lua"), include_str!("acquire.lua"))),
            correct: Text::new(concat!(include_str!("debt.lua"), include_str!("correct.lua"))),
            renew: Text::new(include_str!("renew.lua")),
            lease: Text::new(include_str!("lease.lua")),
            publish: Text::new(include_str!("publish.lua")),
            poll: Text::new(include_str!("poll.lua")),
        }
    }
}

impl Text {
    fn new(text: &'static str) -> Self {
        Self { text, digest: Script::new(text).get_hash().to_owned() }
    }

    /// A call without its keys and arguments.
    pub(super) fn call(&self, by: By, keys: usize) -> Cmd {
        let mut command = match by {
            By::Digest => redis::cmd("EVALSHA"),
            By::Text => redis::cmd("EVAL"),
        };
        command
            .arg(match by {
                By::Digest => self.digest.as_str(),
                By::Text => self.text,
            })
            .arg(keys);
        command
    }
}
