//! Rows into a snapshot: references resolved, secrets opened, whatever cannot work refused or set aside.

mod routes;
mod tenants;

use std::{collections::HashMap, sync::Arc};

use domain::{
    CredentialLimits, CredentialSpec, Kind, ModelRef, ProviderSpec, Resource, ResourceId, Spec, Version,
};
use http::Uri;
use secrets::{ApiKeyDigests, Binding, Keyring};
use wire::{Auth, Dialect, provider_row};
use zeroize::Zeroizing;

use self::routes::RouteCompiler;
use crate::{
    cloud::{AwsKeys, ServiceAccount},
    endpoint::{Credential, Endpoint, Sign},
    health::{CredentialState, HealthRegistry},
    route::Route,
    snapshot::{
        ApiKey, Resolved, Scope, Snapshot, Tenant, UnreadableRow,
        lookup::{ResourceView, lineage},
    },
};

/// The rows of one version, those that this build cannot read set apart.
#[derive(Clone, Debug)]
pub struct ConfigRows {
    /// The version.
    pub version: Version,
    /// Rows that were understood.
    pub known: Vec<Resource>,
    /// Rows that were not.
    pub unknown: Vec<UnreadableRow>,
}

/// Why a snapshot is refused as a whole; the last good one serves on.
#[derive(Debug, thiserror::Error)]
#[error("{kind} {name}: {reason}")]
pub struct CompileError {
    /// Kind of the row at fault.
    pub kind: Kind,
    /// Its name.
    pub name: String,
    /// What is wrong.
    pub reason: String,
}

fn refuse(row: &Resource, reason: impl std::fmt::Display) -> CompileError {
    CompileError { kind: row.kind(), name: row.name.clone(), reason: format!("{reason}") }
}

/// Compiles rows; what was seen of their targets and credentials before is attached to them.
///
/// # Errors
/// When a row contradicts itself or cannot be opened with this master key: then nothing of it is used.
pub fn compile(
    rows: &ConfigRows,
    keyring: &Keyring,
    live: &HealthRegistry,
) -> Result<Snapshot, CompileError> {
    let (tenants, parents) = tenants::compile(rows);
    let mut builder = Builder { rows, keyring, live, scopes: HashMap::new(), tenants, parents };
    builder.endpoints()?;
    builder.catalogue();
    builder.routes();
    let keys = builder.keys()?;
    let operator = builder.scopes.remove(&None).unwrap_or_default();
    let tenants = std::mem::take(&mut builder.scopes)
        .into_iter()
        .filter_map(|(owner, scope)| Some((owner?, scope)))
        .collect();
    let (parents, callers) = (builder.parents, builder.tenants);
    Ok(Snapshot { version: rows.version, keys, operator, tenants, parents, callers })
}

/// A credential with its secret opened; what becomes of it depends on the provider's row.
struct Opened<'a> {
    row: &'a Resource,
    weight: u32,
    limits: CredentialLimits,
    state: Arc<CredentialState>,
    secret: Arc<Zeroizing<String>>,
}

/// Opened credentials by owner and name of the provider they are for.
type ByProvider<'a> = HashMap<(Option<ResourceId>, &'a str), Vec<Opened<'a>>>;

/// Rows of one kind with their typed specification.
fn each<'a, T: 'a>(
    rows: &'a ConfigRows,
    pick: impl Fn(&'a Spec) -> Option<&'a T>,
) -> Vec<(&'a Resource, &'a T)> {
    rows.known.iter().filter_map(|row| pick(&row.spec).map(|spec| (row, spec))).collect()
}

struct Builder<'a> {
    rows: &'a ConfigRows,
    keyring: &'a Keyring,
    live: &'a HealthRegistry,
    scopes: HashMap<Option<ResourceId>, Scope>,
    tenants: HashMap<ResourceId, Arc<Tenant>>,
    parents: HashMap<ResourceId, ResourceId>,
}

impl<'a> Builder<'a> {
    /// Rows of one kind with their typed specification.
    fn each<T: 'a>(&self, pick: impl Fn(&'a Spec) -> Option<&'a T>) -> Vec<(&'a Resource, &'a T)> {
        each(self.rows, pick)
    }

    fn scope(&mut self, owner: Option<ResourceId>) -> &mut Scope {
        self.scopes.entry(owner).or_default()
    }

    /// Rows of a kind that cannot be read, each with its reason for people.
    fn unreadable(&self, kind: Kind) -> Vec<(&'a UnreadableRow, String)> {
        let of_kind = self.rows.unknown.iter().filter(|row| row.kind == kind.as_str());
        let reason =
            |row: &UnreadableRow| format!("this version cannot read {kind} {}: {}", row.name, row.reason);
        of_kind.map(|row| (row, reason(row))).collect()
    }

    fn endpoints(&mut self) -> Result<(), CompileError> {
        let mut credentials = self.credentials()?;
        let rows = self.each(|spec| if let Spec::Provider(spec) = spec { Some(spec) } else { None });
        for (row, spec) in rows {
            let own = credentials.remove(&(row.tenant, row.name.as_str())).unwrap_or_default();
            let endpoint = endpoint(row, spec, own)?.map(Arc::new);
            self.scope(row.tenant).endpoints.insert(row.name.clone(), endpoint);
        }
        for (row, reason) in self.unreadable(Kind::Provider) {
            self.scope(row.tenant).endpoints.insert(row.name.clone(), Err(reason));
        }
        Ok(())
    }

    /// Usable credentials by the provider they are for, opened.
    fn credentials(&self) -> Result<ByProvider<'a>, CompileError> {
        let mut by_provider = ByProvider::new();
        for (row, spec) in self.each(|spec| if let Spec::Credential(spec) = spec { Some(spec) } else { None })
        {
            if !spec.disabled && spec.weight > 0 {
                let opened = self.open(row, spec)?;
                by_provider.entry((row.tenant, spec.provider.as_str())).or_default().push(opened);
            }
        }
        Ok(by_provider)
    }

    fn open(&self, row: &'a Resource, spec: &CredentialSpec) -> Result<Opened<'a>, CompileError> {
        let owner = row.tenant.map_or(uuid::Uuid::nil(), |tenant| tenant.0);
        let sealed = row.sealed.as_deref().ok_or_else(|| refuse(row, "has no secret"))?;
        let opened = self
            .keyring
            .open(sealed, Binding { owner, row: row.id.0 })
            .map_err(|error| refuse(row, error))?;
        let text = std::str::from_utf8(&opened).map_err(|_| refuse(row, "the secret is not text"))?;
        let secret = Arc::new(Zeroizing::new(text.to_owned()));
        let state = self.live.configured_credential(row.id, row.revision);
        Ok(Opened { row, weight: spec.weight, limits: spec.limits, state, secret })
    }

    fn catalogue(&mut self) {
        for (row, spec) in self.each(|spec| if let Spec::Model(spec) = spec { Some(spec) } else { None }) {
            if let Ok(model) = row.name.parse::<ModelRef>() {
                self.scope(row.tenant).models.insert(model, Ok(Arc::new(spec.clone())));
            }
        }
        let mut prices: HashMap<_, Vec<_>> = HashMap::new();
        for (row, spec) in self.each(|spec| if let Spec::Price(spec) = spec { Some(&**spec) } else { None }) {
            prices.entry((row.tenant, &spec.model)).or_default().push((row.id, Arc::new(spec.clone())));
        }
        for ((owner, model), mut list) in prices {
            list.sort_by_key(|(_, price)| std::cmp::Reverse(price.effective_from));
            self.scope(owner).prices.insert(model.clone(), Ok(list.into()));
        }
        for (row, reason) in self.unreadable(Kind::Model) {
            if let Ok(model) = row.name.parse() {
                self.scope(row.tenant).models.insert(model, Err(reason));
            }
        }
        for (row, reason) in self.unreadable(Kind::Price) {
            // A price's name is `provider/model@moment`.
            if let Some(Ok(model)) = row.name.rsplit_once('@').map(|(model, _)| model.parse()) {
                self.scope(row.tenant).prices.insert(model, Err(reason));
            }
        }
    }

    fn routes(&mut self) {
        for (row, spec) in self.each(|spec| if let Spec::Route(spec) = spec { Some(spec) } else { None }) {
            let tenants = row.tenant.into_iter().flat_map(|tenant| lineage(&self.parents, tenant));
            let own = tenants.filter_map(|tenant| self.scopes.get(&Some(tenant)));
            let scopes = ResourceView::new(own, self.scopes.get(&None));
            let route = RouteCompiler { scopes, live: self.live }.route(row, spec);
            self.scope(row.tenant).routes.insert(row.name.clone(), Arc::new(route));
        }
        for (row, reason) in self.unreadable(Kind::Route) {
            let route = Route::out_of_service(&row.name, reason);
            self.scope(row.tenant).routes.insert(row.name.clone(), Arc::new(route));
        }
    }

    fn keys(&self) -> Result<HashMap<[u8; 32], Arc<ApiKey>>, CompileError> {
        let mut keys = HashMap::new();
        for (row, spec) in self.each(|spec| if let Spec::Key(spec) = spec { Some(spec) } else { None }) {
            let Some(owner) = row.tenant else { continue };
            let tenant = &self.tenants.get(&owner).map_or_else(|| unreadable_tenant(owner), Arc::clone);
            let seal = row
                .sealed
                .as_deref()
                .and_then(ApiKeyDigests::decode)
                .ok_or_else(|| refuse(row, "has no digest"))?;
            let key = |until| {
                let (name, tenant) = (row.name.clone(), Arc::clone(tenant));
                Arc::new(ApiKey { id: row.id, name, tenant, spec: spec.clone(), until })
            };
            keys.insert(seal.current.0, key(None));
            if let Some((digest, until)) = seal.previous {
                keys.insert(digest.0, key(Some(until)));
            }
        }
        Ok(keys)
    }
}

/// In place of a tenant with an unreadable row: its keys are known, but this version serves none of their requests.
fn unreadable_tenant(id: ResourceId) -> Arc<Tenant> {
    let unusable = Some("this version cannot read the tenant".to_owned());
    Arc::new(Tenant { unusable, ..Tenant::unlimited(id, id.to_string(), domain::TenantSpec::default()) })
}

/// How a secret signs requests to providers that want it this way.
fn signs_by(auth: Auth, secret: &str) -> Result<Sign, &'static str> {
    let (name, value) = match auth {
        Auth::Bearer | Auth::Optional => (http::header::AUTHORIZATION, format!("Bearer {secret}")),
        Auth::Header(name) => (http::HeaderName::from_static(name), secret.to_owned()),
        // Bedrock's API keys are bearer tokens; access keys are an object.
        Auth::Aws if secret.trim_start().starts_with('{') => {
            return AwsKeys::parse(secret).map(|keys| Sign::Aws(Arc::new(keys)));
        }
        Auth::Aws => (http::header::AUTHORIZATION, format!("Bearer {secret}")),
        Auth::Google => {
            return ServiceAccount::parse(secret).map(|account| Sign::Google(Arc::new(account)));
        }
    };
    let value = Zeroizing::new(value);
    let mut value = http::HeaderValue::from_str(&value)
        .map_err(|_| "the secret holds characters that no HTTP header can carry")?;
    value.set_sensitive(true);
    Ok(Sign::Header(name, value))
}

impl Opened<'_> {
    fn credential(self, auth: Auth) -> Result<Arc<Credential>, CompileError> {
        let sign = signs_by(auth, &self.secret).map_err(|reason| refuse(self.row, reason))?;
        let (id, name) = (self.row.id, self.row.name.clone());
        let Self { weight, limits, state, secret, .. } = self;
        Ok(Arc::new(Credential { id, name, weight, sign, limits, state, secret }))
    }
}

fn endpoint(
    row: &Resource,
    spec: &ProviderSpec,
    credentials: Vec<Opened<'_>>,
) -> Result<Resolved<Endpoint>, CompileError> {
    let Some(table) = provider_row(&spec.kind) else {
        return Ok(Err(format!("this version knows no provider of kind {:?}", spec.kind)));
    };
    if let Some(why) = table.retired {
        return Ok(Err(format!("provider {} is of kind {}: {why}", row.name, spec.kind)));
    }
    let dialect = match &spec.dialect {
        None => None,
        Some(name) => match Dialect::from_name(name) {
            None => return Ok(Err(format!("this version knows no dialect {name:?}"))),
            some => some,
        },
    };
    let base = match &spec.base_url {
        Some(url) => url.clone(),
        None => table
            .base_url(spec.region.as_deref(), &spec.options)
            .map_err(|missing| refuse(row, format!("has no {missing}")))?,
    };
    let uri: Uri = base.parse().map_err(|error| refuse(row, format!("base_url {base:?}: {error}")))?;
    let parts = uri.into_parts();
    let (Some(scheme), Some(authority)) = (parts.scheme, parts.authority) else {
        return Err(refuse(row, format!("base_url {base:?} is not absolute")));
    };
    let prefix =
        parts.path_and_query.map(|path| path.path().trim_end_matches('/').to_owned()).unwrap_or_default();
    if spec.disabled {
        return Ok(Err(format!("provider {} is disabled", row.name)));
    }
    if credentials.is_empty() && table.auth != Auth::Optional {
        return Ok(Err(format!("provider {} has no usable credential", row.name)));
    }
    let credentials = credentials.into_iter().map(|opened| opened.credential(table.auth));
    let (id, name, region) = (row.id, row.name.clone(), spec.region.clone());
    let credentials = credentials.collect::<Result<_, _>>()?;
    let (owner, probe, outlier) = (row.tenant, spec.probe.clone(), (&spec.health).into());
    Ok(Ok(Endpoint {
        id,
        name,
        row: table,
        scheme,
        authority,
        prefix,
        dialect,
        region,
        credentials,
        owner,
        probe,
        outlier,
    }))
}
