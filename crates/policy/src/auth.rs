//! Who a caller is: one digest, one lookup, and the reasons to refuse a key.

use std::sync::Arc;

use domain::{ErrorKind, Timestamp};
use secrets::{Keyring, is_well_formed_key};

use crate::snapshot::{ApiKey, Snapshot};

/// A caller who may ask.
#[derive(Clone, Debug)]
pub struct Caller {
    /// The key it signed in with.
    pub key: Arc<ApiKey>,
}

/// Why a caller is refused; the text is for the caller and does not tell which keys exist. The variants are ordered: a later
/// one came further.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, thiserror::Error)]
pub enum AuthError {
    /// No key came with the request.
    #[error("no API key: send it as `Authorization: Bearer sk-pc-…`")]
    Missing,
    /// Not a key of ours, or mistyped.
    #[error("this is not a key of this gateway (keys look like sk-pc-…; check for a typing error)")]
    Malformed,
    /// Unknown, deleted or disabled.
    #[error("unknown or revoked API key")]
    Unknown,
    /// Its time is over.
    #[error("this API key has expired")]
    Expired,
    /// Two keys came that are both usable, so the request has no certain owner.
    #[error("two different API keys came with the request; send one")]
    Ambiguous,
    /// The tenant is switched off, or one above it.
    #[error("this tenant is disabled")]
    TenantDisabled,
    /// Something that governs the tenant cannot be read by this version.
    #[error("this tenant is out of service: the gateway cannot read all of its configuration")]
    OutOfService,
}

impl AuthError {
    /// The contract's kind of error.
    #[must_use]
    pub const fn kind(self) -> ErrorKind {
        match self {
            Self::TenantDisabled => ErrorKind::Forbidden,
            Self::OutOfService => ErrorKind::StoreUnavailable,
            Self::Missing | Self::Malformed | Self::Unknown | Self::Expired | Self::Ambiguous => {
                ErrorKind::InvalidKey
            }
        }
    }
}

/// Finds the key behind a presented text.
///
/// The lookup is by the full HMAC digest, so neither timing nor a prefix tells anything about keys.
///
/// # Errors
/// See [`AuthError`].
pub fn identify(
    snapshot: &Snapshot,
    keyring: &Keyring,
    presented: Option<&str>,
    now: Timestamp,
) -> Result<Caller, AuthError> {
    let presented = presented.ok_or(AuthError::Missing)?;
    if !is_well_formed_key(presented) {
        return Err(AuthError::Malformed);
    }
    let found = keyring.digests(presented).find_map(|digest| snapshot.keys.get(&digest.0));
    Caller::of(found.ok_or(AuthError::Unknown)?, now)
}

/// Finds the one usable key among those that a request presents: those that are not are ignored beside it.
///
/// # Errors
/// See [`AuthError`]; where no key is usable, the error of the one that came furthest.
pub fn identify_one<'k>(
    snapshot: &Snapshot,
    keyring: &Keyring,
    presented: impl Iterator<Item = &'k str>,
    now: Timestamp,
) -> Result<Caller, AuthError> {
    let mut found: Result<Caller, AuthError> = Err(AuthError::Missing);
    for key in presented {
        found = match (found, identify(snapshot, keyring, Some(key), now)) {
            (Ok(first), Ok(second)) if first.key.id != second.key.id => return Err(AuthError::Ambiguous),
            (Ok(first), _) => Ok(first),
            (Err(_), Ok(second)) => Ok(second),
            (Err(first), Err(second)) => Err(first.max(second)),
        };
    }
    found
}

impl Caller {
    /// Who signs in with a key.
    ///
    /// # Errors
    /// The key, or its tenant, may not ask at this moment.
    pub fn of(key: &Arc<ApiKey>, now: Timestamp) -> Result<Self, AuthError> {
        if key.spec.disabled {
            return Err(AuthError::Unknown);
        }
        let over = |end: Option<i64>| end.is_some_and(|end| end <= now.micros());
        if over(key.until) || over(key.spec.expires.map(Timestamp::micros)) {
            return Err(AuthError::Expired);
        }
        if key.tenant.disabled {
            return Err(AuthError::TenantDisabled);
        }
        if key.tenant.unusable.is_some() {
            return Err(AuthError::OutOfService);
        }
        Ok(Self { key: Arc::clone(key) })
    }
}
