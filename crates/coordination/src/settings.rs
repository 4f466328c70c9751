//! How the shared store is reached.

use std::{fmt, time::Duration};

/// How the shared store is reached.
#[derive(Clone)]
pub struct Settings {
    /// `redis://[USER][:PASSWORD@]HOST[:PORT][/DB]` or `redis+unix:///PATH`; secret, because of the password.
    pub url: String,
    /// The longest that a request waits for the store; then the store counts as lost.
    pub command_timeout: Duration,
    /// The longest that connecting and checking the store may take.
    pub connect_timeout: Duration,
    /// How long after a failed attempt to reach a lost store the next one starts.
    pub probe_interval: Duration,
    /// How often slots are looked through for renewal, and an idle store is asked whether it is there.
    pub heartbeat: Duration,
}

impl Settings {
    /// The store at `url`, with times that suit a store in the same data centre.
    #[must_use]
    pub fn new(url: impl Into<String>) -> Self {
        Self {
            url: url.into(),
            command_timeout: Duration::from_millis(250),
            connect_timeout: Duration::from_secs(1),
            probe_interval: Duration::from_millis(500),
            heartbeat: Duration::from_secs(1),
        }
    }
}

impl fmt::Debug for Settings {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Settings")
            .field("command_timeout", &self.command_timeout)
            .field("connect_timeout", &self.connect_timeout)
            .field("probe_interval", &self.probe_interval)
            .field("heartbeat", &self.heartbeat)
            .finish_non_exhaustive()
    }
}
