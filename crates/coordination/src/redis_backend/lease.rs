//! Leases in Redis: one key each, which holds its holder and expires by itself.

use std::time::Duration;

use super::RedisBackend;
use crate::counter_key::{MAX_TTL, short_digest};

/// The longest name that a key shows as it is; a longer one is shown as its digest.
const MAX_NAME: usize = 200;

impl RedisBackend {
    /// Takes the lease or renews it; a lost store grants it.
    pub(crate) async fn lease(&self, name: &str, ttl: Duration) -> bool {
        self.hold(name, ttl.clamp(Duration::from_millis(1), MAX_TTL).as_millis()).await
    }

    /// Gives the lease back if this replica holds it.
    pub(crate) async fn release(&self, name: &str) {
        self.hold(name, 0).await;
    }

    async fn hold(&self, name: &str, millis: u128) -> bool {
        let Some(link) = self.link.load_full() else { return true };
        let key = key(name);
        let call = |by| {
            let mut command = self.scripts.lease.call(by, 1);
            command.arg(&key).arg(&self.replica).arg(millis.to_string());
            command
        };
        link.run(call).await.unwrap_or_else(|failure| {
            self.lose(&link, &failure);
            true
        })
    }
}

fn key(name: &str) -> String {
    if name.len() <= MAX_NAME {
        return format!("{{pc:lease}}:{name}");
    }
    format!("{{pc:lease}}:{:032x}", short_digest(name))
}
