//! A row of configuration: identity, owner, name, specification, revision and sealed material.

use std::{fmt, str::FromStr};

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::{
    BudgetSpec, CredentialSpec, KeySpec, LimitSpec, ModelSpec, PriceSpec, ProviderSpec, ResourceId,
    RouteSpec, TenantSpec,
};

/// What sort of resource a row is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Kind {
    /// See [`TenantSpec`].
    Tenant,
    /// See [`KeySpec`].
    Key,
    /// See [`ProviderSpec`].
    Provider,
    /// See [`CredentialSpec`].
    Credential,
    /// See [`ModelSpec`].
    Model,
    /// See [`PriceSpec`].
    Price,
    /// See [`RouteSpec`].
    Route,
    /// See [`LimitSpec`].
    Limit,
    /// See [`BudgetSpec`].
    Budget,
}

impl Kind {
    /// Every kind, owners before what they own.
    pub const ALL: [Self; 9] = [
        Self::Tenant,
        Self::Provider,
        Self::Credential,
        Self::Model,
        Self::Price,
        Self::Route,
        Self::Limit,
        Self::Budget,
        Self::Key,
    ];

    /// The name in singular, as stored.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Tenant => "tenant",
            Self::Key => "key",
            Self::Provider => "provider",
            Self::Credential => "credential",
            Self::Model => "model",
            Self::Price => "price",
            Self::Route => "route",
            Self::Limit => "limit",
            Self::Budget => "budget",
        }
    }

    /// The name in plural, as in REST paths.
    #[must_use]
    pub const fn plural(self) -> &'static str {
        match self {
            Self::Tenant => "tenants",
            Self::Key => "keys",
            Self::Provider => "providers",
            Self::Credential => "credentials",
            Self::Model => "models",
            Self::Price => "prices",
            Self::Route => "routes",
            Self::Limit => "limits",
            Self::Budget => "budgets",
        }
    }
}

impl fmt::Display for Kind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

impl FromStr for Kind {
    type Err = String;

    /// Reads the singular or the plural.
    fn from_str(text: &str) -> Result<Self, String> {
        let named = |kind: &&Self| kind.as_str() == text || kind.plural() == text;
        Self::ALL.iter().find(named).copied().ok_or_else(|| format!("unknown kind of resource {text:?}"))
    }
}

/// The specification of a resource, by kind.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Spec {
    /// An organisation.
    Tenant(TenantSpec),
    /// An application's key.
    Key(KeySpec),
    /// An endpoint.
    Provider(ProviderSpec),
    /// A provider's API key.
    Credential(CredentialSpec),
    /// A model.
    Model(ModelSpec),
    /// A price.
    Price(Box<PriceSpec>),
    /// A route.
    Route(RouteSpec),
    /// A limit.
    Limit(LimitSpec),
    /// A budget.
    Budget(Box<BudgetSpec>),
}

/// Why a specification could not be read.
#[derive(Debug, thiserror::Error)]
#[error("{kind}: {source}")]
pub struct SpecError {
    /// The kind it was read as.
    pub kind: Kind,
    /// What is wrong with it.
    pub source: serde_json::Error,
}

impl Spec {
    /// Its kind.
    #[must_use]
    pub const fn kind(&self) -> Kind {
        match self {
            Self::Tenant(_) => Kind::Tenant,
            Self::Key(_) => Kind::Key,
            Self::Provider(_) => Kind::Provider,
            Self::Credential(_) => Kind::Credential,
            Self::Model(_) => Kind::Model,
            Self::Price(_) => Kind::Price,
            Self::Route(_) => Kind::Route,
            Self::Limit(_) => Kind::Limit,
            Self::Budget(_) => Kind::Budget,
        }
    }

    /// Reads the JSON form of a kind.
    ///
    /// # Errors
    /// When it is malformed, or holds a field this version does not know.
    pub fn from_json(kind: Kind, json: &[u8]) -> Result<Self, SpecError> {
        let read = match kind {
            Kind::Tenant => serde_json::from_slice(json).map(Self::Tenant),
            Kind::Key => serde_json::from_slice(json).map(Self::Key),
            Kind::Provider => serde_json::from_slice(json).map(Self::Provider),
            Kind::Credential => serde_json::from_slice(json).map(Self::Credential),
            Kind::Model => serde_json::from_slice(json).map(Self::Model),
            Kind::Price => serde_json::from_slice(json).map(Self::Price),
            Kind::Route => serde_json::from_slice(json).map(Self::Route),
            Kind::Limit => serde_json::from_slice(json).map(Self::Limit),
            Kind::Budget => serde_json::from_slice(json).map(Self::Budget),
        };
        read.map_err(|source| SpecError { kind, source })
    }

    /// The JSON form, without the kind.
    #[must_use]
    pub fn to_json(&self) -> serde_json::Value {
        let written = match self {
            Self::Tenant(spec) => serde_json::to_value(spec),
            Self::Key(spec) => serde_json::to_value(spec),
            Self::Provider(spec) => serde_json::to_value(spec),
            Self::Credential(spec) => serde_json::to_value(spec),
            Self::Model(spec) => serde_json::to_value(spec),
            Self::Price(spec) => serde_json::to_value(spec),
            Self::Route(spec) => serde_json::to_value(spec),
            Self::Limit(spec) => serde_json::to_value(spec),
            Self::Budget(spec) => serde_json::to_value(spec),
        };
        written.unwrap_or_default()
    }
}

/// One row of configuration.
///
/// Names are unique per kind and owner. References between resources are by name and resolve to the
/// tenant's own row first, then to the operator's.
#[derive(Clone, PartialEq, Eq)]
pub struct Resource {
    /// The row's id; stays through renames of nothing, a deleted and recreated name gets a new one.
    pub id: ResourceId,
    /// The owning tenant; `None` is the operator's, visible to all.
    pub tenant: Option<ResourceId>,
    /// Tenants, providers, routes: a plain name. Keys, limits, budgets: a plain name within the tenant. Credentials:
    /// `provider/name`. Models: `provider/model`. Prices: `provider/model@effective_from`.
    pub name: String,
    /// What the user wrote.
    pub spec: Spec,
    /// The revision of the store that wrote the row last.
    pub revision: u64,
    /// Keys: digests (`secrets::ApiKeyDigests`). Credentials: the sealed secret. Never readable by itself.
    pub sealed: Option<Vec<u8>>,
}

impl Resource {
    /// Its kind.
    #[must_use]
    pub const fn kind(&self) -> Kind {
        self.spec.kind()
    }
}

impl fmt::Debug for Resource {
    /// Leaves the sealed material out: not a secret by itself, but it does not belong in a log.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Resource")
            .field("id", &self.id)
            .field("kind", &self.kind().as_str())
            .field("name", &self.name)
            .field("revision", &self.revision)
            .finish_non_exhaustive()
    }
}
