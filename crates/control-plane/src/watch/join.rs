//! The join token: compared by digest, and failures bounded in what they cost.

use std::{
    fmt,
    sync::{Arc, Mutex, PoisonError},
    time::Instant,
};

use runtime::ConfigError;
use secrets::{Digest, Keyring};
use tonic::Status;

/// Longer than any token that we make.
const MAX_TOKEN: usize = 1_024;
/// Failures per second that are logged and explained; beyond that they are only counted.
const FAILURES: u32 = 10;

/// What a proxy must know to join.
pub struct JoinToken {
    keyring: Arc<Keyring>,
    digest: Digest,
    failures: Mutex<(Instant, u32)>,
}

impl fmt::Debug for JoinToken {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("JoinToken(…)")
    }
}

impl JoinToken {
    /// Keeps the digest of the token.
    ///
    /// # Errors
    /// When it could be guessed.
    pub fn new(keyring: Arc<Keyring>, token: &str) -> Result<Self, ConfigError> {
        secrets::check_token_strength(token).map_err(|weak| ConfigError::new("--join-token", weak))?;
        let digest = keyring.digest(token);
        Ok(Self { keyring, digest, failures: Mutex::new((Instant::now(), 0)) })
    }

    /// The right token always joins, so that failed attempts cannot lock the fleet out; what is bounded is the noise
    /// of failures. No rate of guessing gets anywhere with 24 random characters.
    #[allow(clippy::result_large_err, reason = "tonic's own error type")]
    pub(super) fn check(&self, presented: &str) -> Result<(), Status> {
        if presented.len() <= MAX_TOKEN && same(self.keyring.digest(presented.trim()), self.digest) {
            return Ok(());
        }
        if self.count_failure() > FAILURES {
            return Err(Status::resource_exhausted("too many failed joins"));
        }
        tracing::warn!("a join was refused: wrong token");
        Err(Status::unauthenticated("wrong join token"))
    }

    /// Failures within the current second, this one included.
    fn count_failure(&self) -> u32 {
        let mut failures = self.failures.lock().unwrap_or_else(PoisonError::into_inner);
        if failures.0.elapsed().as_secs() >= 1 {
            *failures = (Instant::now(), 0);
        }
        failures.1 = failures.1.saturating_add(1);
        failures.1
    }
}

/// Takes as long for a near miss as for any other.
fn same(a: Digest, b: Digest) -> bool {
    a.0.iter().zip(b.0).fold(0, |difference, (a, b)| difference | (a ^ b)) == 0
}

#[cfg(test)]
mod tests {
    use secrets::MasterKey;
    use tonic::Code;

    use super::*;

    #[test]
    fn the_right_token_joins_even_amid_failures() {
        let keyring = Arc::new(Keyring::new(&MasterKey::generate(), &[]));
        let token = secrets::random_token("pc-join-");
        let join = JoinToken::new(Arc::clone(&keyring), &token).unwrap();
        assert_eq!(join.check("").unwrap_err().code(), Code::Unauthenticated);
        let codes: Vec<_> = (0..1_000).map(|_| join.check(&token[1..]).unwrap_err().code()).collect();
        assert!(codes.contains(&Code::ResourceExhausted));
        assert!(join.check(&token).is_ok());
        assert!(join.check(&"x".repeat(2_000)).is_err());
        assert!(JoinToken::new(keyring, "changeme").is_err());
    }
}
