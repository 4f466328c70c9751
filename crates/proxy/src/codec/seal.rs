//! The signatures of one tenant's answers, authenticated so that none can be made up or brought from elsewhere.

use std::sync::Arc;

use secrets::Keyring;
use wire::canonical::SignatureMac;

/// Authenticates the signatures that are embedded in a tenant's responses: with the fleet's pepper, so that every proxy
/// accepts what another one embedded, and for that tenant alone.
pub(crate) struct TenantMac {
    keyring: Arc<Keyring>,
    tenant: domain::ResourceId,
}

impl TenantMac {
    /// The authentication of a tenant's signatures.
    pub(crate) fn shared(keyring: &Arc<Keyring>, tenant: domain::ResourceId) -> Arc<dyn SignatureMac> {
        Arc::new(Self { keyring: Arc::clone(keyring), tenant })
    }
}

impl SignatureMac for TenantMac {
    fn tag(&self, bytes: &[u8]) -> [u8; 16] {
        // What is covered is nearly always ASCII; the prefix keeps it apart from the digests of keys.
        let covered = String::from_utf8_lossy(bytes);
        let digest = self.keyring.digest(&format!("carried seal\n{}\n{covered}", self.tenant.0.simple()));
        let mut tag = [0; 16];
        tag.copy_from_slice(&digest.0[..16]);
        tag
    }
}
