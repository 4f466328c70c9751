//! A certificate authority of a test's own.

use config_client::PeerTls;
use rcgen::{BasicConstraints, CertificateParams, CertifiedIssuer, IsCa, KeyPair, KeyUsagePurpose};

pub(crate) struct Authority(CertifiedIssuer<'static, KeyPair>);

impl Authority {
    pub(crate) fn new() -> Self {
        let mut params = CertificateParams::new(Vec::new()).unwrap();
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        params.key_usages = vec![KeyUsagePurpose::KeyCertSign];
        Self(CertifiedIssuer::self_signed(params, KeyPair::generate().unwrap()).unwrap())
    }

    pub(crate) fn pem(&self) -> String {
        self.0.pem()
    }

    /// Certificate and key, valid for the loopback address.
    pub(crate) fn issue(&self) -> (String, String) {
        let key = KeyPair::generate().unwrap();
        let params = CertificateParams::new(vec!["127.0.0.1".to_owned()]).unwrap();
        (params.signed_by(&key, &self.0).unwrap().pem(), key.serialize_pem())
    }

    /// A proxy that trusts this authority and shows a certificate of another, or none.
    pub(crate) fn peer(&self, identity: Option<&Self>) -> PeerTls {
        let identity = identity.map(Self::issue);
        let identity = identity.as_ref().map(|(cert, key)| (cert.as_bytes(), key.as_bytes()));
        PeerTls::from_pem(self.pem().as_bytes(), identity).unwrap()
    }
}
