//! The compiled snapshot: immutable, complete, and shaped for lookups by one request.

use std::{collections::HashMap, fmt, sync::Arc};

use domain::{
    CredentialLimits, KeySpec, LimitSpec, ModelRef, ModelSpec, PriceSpec, Priority, ProbeSpec, ResourceId,
    TenantSpec, Version,
};
use wire::{BasePath, Dialect, DialectEndpoint, ProviderRow};

use crate::{
    cloud::{AwsKeys, ServiceAccount},
    health::{CredentialState, OutlierDetection, TargetState},
    route::Route,
    target::ResourceView,
};

/// A row that this version cannot read; what leans on it is disabled, loudly, and nothing else is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct UnreadableRow {
    /// Its kind, as it came.
    pub kind: String,
    /// Its name.
    pub name: String,
    /// Its owner.
    pub tenant: Option<ResourceId>,
    /// Why it cannot be read.
    pub reason: String,
}

/// Everything one request needs to know, taken once at its start.
#[derive(Debug)]
pub struct Snapshot {
    /// What it was compiled from.
    pub version: Version,
    /// Keys by the digest of their text.
    pub(crate) keys: HashMap<[u8; 32], Arc<ApiKey>>,
    /// The operator's resources.
    pub(crate) operator: Scope,
    /// Each tenant's own resources.
    pub(crate) tenants: HashMap<ResourceId, Scope>,
}

/// The named resources of one owner.
#[derive(Debug, Default)]
pub(crate) struct Scope {
    pub(crate) routes: HashMap<String, Arc<Route>>,
    pub(crate) endpoints: HashMap<String, Resolved<Arc<Endpoint>>>,
    pub(crate) models: HashMap<ModelRef, Resolved<Arc<ModelSpec>>>,
    pub(crate) prices: HashMap<ModelRef, Resolved<Prices>>,
}

/// A resource, or why it is there but cannot be used.
pub(crate) type Resolved<T> = Result<T, String>;

/// Prices of one model, newest first.
pub(crate) type Prices = Arc<[(ResourceId, Arc<PriceSpec>)]>;

/// An organisation.
#[derive(Debug)]
pub struct Tenant {
    /// Its id.
    pub id: ResourceId,
    /// Its name.
    pub name: String,
    /// What the operator wrote.
    pub spec: TenantSpec,
    /// Limits of its requests; all of them must agree.
    pub limits: Vec<(ResourceId, LimitSpec)>,
    /// Why none of its requests can be served: a limit that cannot be read must not be overlooked.
    pub unusable: Option<String>,
}

/// An application's key, under one of its digests.
#[derive(Debug)]
pub struct ApiKey {
    /// Its id.
    pub id: ResourceId,
    /// Its name within the tenant.
    pub name: String,
    /// Its owner.
    pub tenant: Arc<Tenant>,
    /// What the owner wrote.
    pub spec: KeySpec,
    /// Until when this digest is accepted, in µs since the Unix epoch: the grace period after a rotation.
    pub until: Option<i64>,
}

/// A model at an endpoint.
#[derive(Clone, Debug)]
pub struct Target {
    /// How users write it.
    pub model: ModelRef,
    /// Where it is served.
    pub endpoint: Arc<Endpoint>,
    /// What the provider calls it.
    pub upstream: String,
    /// What is known of it.
    pub spec: Arc<ModelSpec>,
    /// The owner's, then the operator's, then the catalogue's.
    pub(crate) prices: [Prices; 3],
    /// What was seen of it.
    pub state: Arc<TargetState>,
    /// The model that the provider names in its place.
    pub successor: Option<Arc<Target>>,
}

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
    /// Whose it is; `None`: the operator's.
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

impl ApiKey {
    /// Whose requests go first: the key's word, as far as the tenant's allows.
    #[must_use]
    pub fn priority(&self) -> Priority {
        let tenant = self.tenant.spec.priority.unwrap_or_default();
        self.spec.priority.map_or(tenant, |own| own.min(tenant))
    }
}

impl Snapshot {
    /// What a tenant sees.
    pub(crate) fn scopes(&self, tenant: ResourceId) -> ResourceView<'_> {
        ResourceView { own: self.tenants.get(&tenant), operator: Some(&self.operator) }
    }

    /// What the owner of a row sees; `None`: the operator.
    pub(crate) fn scopes_of(&self, owner: Option<ResourceId>) -> ResourceView<'_> {
        owner.map_or(ResourceView { own: None, operator: Some(&self.operator) }, |tenant| self.scopes(tenant))
    }

    /// Every route that somebody wrote.
    pub fn routes(&self) -> impl Iterator<Item = &Arc<Route>> {
        self.tenants.values().chain([&self.operator]).flat_map(|scope| scope.routes.values())
    }

    /// Every provider's endpoint that can be used.
    pub fn endpoints(&self) -> impl Iterator<Item = &Arc<Endpoint>> {
        let scopes = self.tenants.values().chain([&self.operator]);
        scopes.flat_map(|scope| scope.endpoints.values().flatten())
    }

    /// Every provider's credentials.
    pub fn credentials(&self) -> impl Iterator<Item = &Arc<Credential>> {
        self.endpoints().flat_map(|endpoint| &endpoint.credentials)
    }

    /// How many keys it knows, for logs.
    #[must_use]
    pub fn key_count(&self) -> usize {
        self.keys.len()
    }
}
