//! TLS towards the control plane and the ledger, from PEM files.

use std::path::Path;

use runtime::ConfigError;
use rustls::pki_types::{CertificateDer, PrivateKeyDer, pem::PemObject as _};
use tonic::transport::{Certificate, ClientTlsConfig, Identity};

/// The PEM contents for TLS between planes.
#[derive(Clone)]
pub struct PeerTls {
    ca: Certificate,
    identity: Option<Identity>,
}

impl PeerTls {
    /// Reads `--grpc-ca`, and `--grpc-cert` with `--grpc-key` where the proxy shows a certificate of its own.
    ///
    /// # Errors
    /// When a file cannot be read or one of certificate and key is missing; names the flag.
    pub fn read(ca: &Path, cert: Option<&Path>, key: Option<&Path>) -> Result<Self, ConfigError> {
        let ca = read("--grpc-ca", ca)?;
        let identity = match (cert, key) {
            (None, None) => None,
            (Some(cert), Some(key)) => Some((read("--grpc-cert", cert)?, read("--grpc-key", key)?)),
            (Some(_), None) => return Err(ConfigError::new("--grpc-key", "--grpc-cert needs its key")),
            (None, Some(_)) => {
                return Err(ConfigError::new("--grpc-cert", "--grpc-key needs its certificate"));
            }
        };
        Self::from_pem(&ca, identity.as_ref().map(|(cert, key)| (cert.as_slice(), key.as_slice())))
    }

    /// From PEM text; `identity` is certificate chain and private key.
    ///
    /// # Errors
    /// When one of them is something else; names the flag it came by.
    pub fn from_pem(ca: &[u8], identity: Option<(&[u8], &[u8])>) -> Result<Self, ConfigError> {
        check_certificates("--grpc-ca", ca)?;
        if let Some((cert, key)) = identity {
            check_certificates("--grpc-cert", cert)?;
            let key = PrivateKeyDer::from_pem_slice(key);
            key.map_err(|_| ConfigError::new("--grpc-key", "holds no private key in PEM"))?;
        }
        Ok(Self {
            ca: Certificate::from_pem(ca),
            identity: identity.map(|(cert, key)| Identity::from_pem(cert, key)),
        })
    }

    /// Whether the proxy shows a certificate.
    pub(crate) fn has_identity(&self) -> bool {
        self.identity.is_some()
    }

    pub(crate) fn config(&self) -> ClientTlsConfig {
        let config = ClientTlsConfig::new().ca_certificate(self.ca.clone());
        match &self.identity {
            Some(identity) => config.identity(identity.clone()),
            None => config,
        }
    }
}

fn read(flag: &str, path: &Path) -> Result<Vec<u8>, ConfigError> {
    std::fs::read(path).map_err(|error| ConfigError::new(flag, format!("{}: {error}", path.display())))
}

/// tonic takes a file without any certificate for an empty list, and then refuses every server without naming the cause.
fn check_certificates(flag: &str, pem: &[u8]) -> Result<(), ConfigError> {
    let certificates = CertificateDer::pem_slice_iter(pem).collect::<Result<Vec<_>, _>>();
    match certificates {
        Ok(certificates) if !certificates.is_empty() => Ok(()),
        Ok(_) => Err(ConfigError::new(flag, "holds no certificate in PEM")),
        Err(error) => Err(ConfigError::new(flag, error)),
    }
}
