//! TLS as a client.

use std::sync::Arc;

/// The settings of a TLS client that trusts `roots`, without a certificate of its own.
#[must_use]
pub fn tls_config(roots: rustls::RootCertStore) -> rustls::ClientConfig {
    let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
    let builder = rustls::ClientConfig::builder_with_provider(provider);
    match builder.with_safe_default_protocol_versions() {
        Ok(builder) => builder.with_root_certificates(roots).with_no_client_auth(),
        // The provider is compiled in and offers both protocol versions.
        Err(_) => std::process::abort(),
    }
}
