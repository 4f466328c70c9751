//! A provider's endpoint, and the credentials to use it.

use std::{fmt, sync::Arc};

use domain::{CredentialLimits, ProbeSpec, ResourceId};
use wire::{BasePath, Dialect, DialectEndpoint, ProviderRow};

use crate::{
    cloud::{AwsKeys, ServiceAccount},
    health::{CredentialState, OutlierDetection},
};

/// A provider's endpoint with the credentials to use it.
#[derive(Debug)]
pub struct Endpoint {
    /// Its id.
    pub id: ResourceId,
    /// Its name.
    pub name: String,
    /// The row of the provider table.
    pub row: &'static ProviderRow,
    /// Scheme, host and port.
    pub scheme: http::uri::Scheme,
    /// Host and port.
    pub authority: http::uri::Authority,
    /// Path that goes before the API's own, without a trailing slash.
    pub prefix: String,
    /// The dialect that the operator named for it, in place of the row's.
    pub dialect: Option<Dialect>,
    /// Its region, in the operator's words.
    pub region: Option<String>,
    /// Usable credentials; empty only where the row needs none.
    pub credentials: Vec<Arc<Credential>>,
    /// The tenant that owns it. `None` for the operator's.
    pub owner: Option<ResourceId>,
    /// Requests of the gateway's own that find out whether it answers.
    pub probe: ProbeSpec,
    /// When its targets are taken out of use.
    pub outlier: OutlierDetection,
}

/// One of a provider's API keys, ready to be sent.
#[derive(Clone)]
pub struct Credential {
    /// Its id.
    pub id: ResourceId,
    /// Its name, `provider/name`.
    pub name: String,
    /// Its share of traffic.
    pub weight: u32,
    /// How it signs a request.
    pub sign: Sign,
    /// What the provider grants it, as far as the operator wrote it.
    pub limits: CredentialLimits,
    /// What was seen of it.
    pub state: Arc<CredentialState>,
    /// The secret, to be blotted out of whatever a provider sends back.
    pub secret: Arc<zeroize::Zeroizing<String>>,
}

/// How a credential signs a request.
#[derive(Clone)]
pub enum Sign {
    /// By a header; its value is marked sensitive.
    Header(http::HeaderName, http::HeaderValue),
    /// By what the secret makes of the request: AWS Signature Version 4.
    Aws(Arc<AwsKeys>),
    /// By a token that the secret is exchanged for.
    Google(Arc<ServiceAccount>),
}

impl fmt::Debug for Credential {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Credential").field("name", &self.name).finish_non_exhaustive()
    }
}

impl Endpoint {
    /// The dialect it speaks first.
    #[must_use]
    pub fn own_dialect(&self) -> Dialect {
        let first = self.row.speaks.first().map_or(Dialect::OpenAiChat, |speaks| speaks.dialect);
        self.dialect.unwrap_or(first)
    }

    /// The dialect in which a call goes to a model, and where that dialect's paths begin.
    #[must_use]
    pub fn dialect_for(&self, client: Dialect, model: &str) -> DialectEndpoint {
        match self.dialect {
            Some(dialect) => DialectEndpoint { dialect, root: BasePath::Base },
            None => self.row.dialect_for(client, model),
        }
    }
}
