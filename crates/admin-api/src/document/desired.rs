//! From a document to a flat list of resources, each with the path it was written at.

use std::collections::{BTreeMap, HashSet};

use domain::{
    CredentialSpec, KeySpec, Kind, ModelRef, ModelSpec, PriceSpec, ProviderSpec, RouteSpec, Spec, TenantSpec,
};

use super::{CredentialEntry, Document, KeyEntry, ProviderEntry, TenantEntry, check_spec, cycles};
use crate::{FieldError, Invalid, Name, RouteName, SecretSource, SecretText, field::join, name::check_name};

/// A resource as a document wants it.
#[derive(Clone, Debug)]
pub struct Desired {
    /// Where it stands in the document.
    pub path: String,
    /// The owner's name; without one, the operator owns it.
    pub tenant: Option<String>,
    /// Its name, as in `domain::Resource::name`.
    pub name: String,
    /// What was written.
    pub spec: Spec,
    /// Credentials: the secret, unless the one that is stored shall stay.
    pub secret: Option<SecretText>,
}

impl Document {
    /// The resources the document asks for, owners before what they own; checked by themselves, not against
    /// each other.
    ///
    /// # Errors
    /// Every name that is taken twice, every value out of bounds, and every secret that is still to be
    /// resolved (see [`Document::resolve_secrets`]).
    pub fn desired(self) -> Result<Vec<Desired>, Invalid> {
        let mut list = Collector::default();
        for (name, tenant) in self.tenants {
            list.tenant(&name, tenant);
        }
        let own = Section {
            providers: self.providers,
            routes: self.routes,
            models: self.models,
            prices: self.prices,
        };
        list.section("", None, own);
        list.finish()
    }
}

struct Section {
    providers: BTreeMap<Name, ProviderEntry>,
    routes: BTreeMap<RouteName, RouteSpec>,
    models: BTreeMap<ModelRef, ModelSpec>,
    prices: Vec<PriceSpec>,
}

#[derive(Default)]
struct Collector {
    found: Vec<Desired>,
    errors: Vec<FieldError>,
}

impl Collector {
    fn push(&mut self, path: String, tenant: Option<&Name>, name: String, spec: Spec) {
        if let Err(message) = check_name(spec.kind(), &name) {
            self.errors.push(FieldError::new(path.clone(), message));
        }
        self.errors.extend(check_spec(&spec).into_iter().map(|error| error.within(&path)));
        let tenant = tenant.map(ToString::to_string);
        self.found.push(Desired { path, tenant, name, spec, secret: None });
    }

    fn tenant(&mut self, name: &Name, entry: TenantEntry) {
        let TenantEntry {
            parent,
            tier,
            disabled,
            priority,
            cors_origins,
            keys,
            limits,
            budgets,
            providers,
            routes,
            models,
            prices,
        } = entry;
        let path = format!("tenants.{name}");
        let parent = parent.map(|parent| parent.to_string());
        let spec = TenantSpec { parent, tier, disabled, priority, cors_origins };
        self.push(path.clone(), None, name.to_string(), Spec::Tenant(spec));
        self.section(&path, Some(name), Section { providers, routes, models, prices });
        for (index, limit) in limits.into_iter().enumerate() {
            let (own, spec) = limit.into_spec();
            self.push(format!("{path}.limits[{index}]"), Some(name), own, Spec::Limit(spec));
        }
        for (index, budget) in budgets.into_iter().enumerate() {
            let (own, spec) = budget.into_spec();
            let spec = Spec::Budget(Box::new(spec));
            self.push(format!("{path}.budgets[{index}]"), Some(name), own.to_string(), spec);
        }
        for (index, key) in keys.into_iter().enumerate() {
            let KeyEntry {
                name: key,
                routes,
                expires,
                user,
                feature,
                disabled,
                priority,
                cors_origins,
                translation,
                translation_header,
            } = key;
            let spec = Spec::Key(KeySpec {
                routes,
                expires,
                user,
                feature,
                disabled,
                priority,
                cors_origins,
                translation,
                translation_header,
            });
            self.push(format!("{path}.keys[{index}]"), Some(name), key.to_string(), spec);
        }
    }

    fn section(&mut self, prefix: &str, tenant: Option<&Name>, section: Section) {
        for (name, provider) in section.providers {
            self.provider(&join(prefix, &format!("providers.{name}")), tenant, &name, provider);
        }
        for (name, spec) in section.models {
            let path = join(prefix, &format!("models.{name}"));
            self.push(path, tenant, name.to_string(), Spec::Model(spec));
        }
        for (index, spec) in section.prices.into_iter().enumerate() {
            let path = join(prefix, &format!("prices[{index}]"));
            let name = format!("{}@{}", spec.model, spec.effective_from);
            self.push(path, tenant, name, Spec::Price(Box::new(spec)));
        }
        for (name, spec) in section.routes {
            let path = join(prefix, &format!("routes.{name}"));
            self.push(path, tenant, name.to_string(), Spec::Route(spec));
        }
    }

    fn provider(&mut self, path: &str, tenant: Option<&Name>, name: &Name, entry: ProviderEntry) {
        let ProviderEntry { kind, base_url, dialect, region, options, disabled, probe, health, credentials } =
            entry;
        let spec = ProviderSpec { kind, base_url, dialect, region, options, disabled, probe, health };
        let spec = Spec::Provider(spec);
        self.push(path.to_owned(), tenant, name.to_string(), spec);
        for (index, credential) in credentials.into_iter().enumerate() {
            let CredentialEntry { name: own, secret, weight, disabled, limits } = credential;
            let path = format!("{path}.credentials[{index}]");
            let secret = self.secret(&path, secret);
            let spec = CredentialSpec { provider: name.to_string(), weight, disabled, limits };
            let spec = Spec::Credential(spec);
            self.push(path, tenant, format!("{name}/{own}"), spec);
            if let Some(pushed) = self.found.last_mut() {
                pushed.secret = secret;
            }
        }
    }

    fn secret(&mut self, path: &str, source: Option<SecretSource>) -> Option<SecretText> {
        match source? {
            SecretSource::Value(text) => return Some(text),
            SecretSource::Env(_) | SecretSource::File(_) => self.errors.push(FieldError::new(
                format!("{path}.secret"),
                "only `value` is accepted here: the server reads no environment and no file for a remote editor",
            )),
        }
        None
    }

    /// A cycle within a document stays one, whatever else the server has.
    fn cycles(&mut self) {
        let mut by_owner: BTreeMap<Option<&str>, BTreeMap<&str, (&str, &RouteSpec)>> = BTreeMap::new();
        for Desired { path, tenant, name, spec, .. } in &self.found {
            if let Spec::Route(spec) = spec {
                by_owner.entry(tenant.as_deref()).or_default().insert(name, (path, spec));
            }
        }
        for owned in by_owner.values() {
            let routes = owned.iter().map(|(name, (_, spec))| (*name, *spec)).collect();
            for cycle in cycles(&routes) {
                if let Some((name, field)) = cycle.0.first() {
                    self.errors.push(FieldError::new(field, cycle.told(0)).within(owned[name].0));
                }
            }
        }
    }

    fn finish(mut self) -> Result<Vec<Desired>, Invalid> {
        let mut taken: HashSet<(Kind, Option<&str>, &str)> = HashSet::new();
        for wanted in &self.found {
            let kind = wanted.spec.kind();
            if !taken.insert((kind, wanted.tenant.as_deref(), &wanted.name)) {
                let message = format!("the {kind} {:?} is written twice", wanted.name);
                self.errors.push(FieldError::new(wanted.path.clone(), message));
            }
        }
        drop(taken);
        self.cycles();
        Invalid::unless_empty(self.errors)?;
        Ok(self.found)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Format;

    fn desired(yaml: &str) -> Result<Vec<Desired>, Invalid> {
        Document::read(&format!("apiVersion: portcullis/v1\n{yaml}"), Format::Yaml).unwrap().desired()
    }

    #[test]
    fn flattens_with_names_owners_and_paths() {
        let found = desired(
            "providers: { openai: { kind: openai, credentials: [ { name: main, secret: { value: k } } ] } }\n\
             prices: [ { model: openai/gpt, effective_from: 2026-01-01, input: $1, output: $2 } ]\n\
             models: { openai/gpt: { context: 5 } }\n\
             routes: { chat: { targets: [ openai/gpt ] } }\n\
             tenants: { acme: { keys: [ { name: backend, routes: [ chat ] } ], routes: { chat: { targets: [ openai/x ] } } } }",
        )
        .unwrap();
        let shown: Vec<_> = found
            .iter()
            .map(|d| (d.path.as_str(), d.tenant.as_deref(), d.spec.kind().as_str(), d.name.as_str()))
            .collect();
        assert_eq!(
            shown,
            [
                ("tenants.acme", None, "tenant", "acme"),
                ("tenants.acme.routes.chat", Some("acme"), "route", "chat"),
                ("tenants.acme.keys[0]", Some("acme"), "key", "backend"),
                ("providers.openai", None, "provider", "openai"),
                ("providers.openai.credentials[0]", None, "credential", "openai/main"),
                ("models.openai/gpt", None, "model", "openai/gpt"),
                ("prices[0]", None, "price", "openai/gpt@2026-01-01T00:00:00Z"),
                ("routes.chat", None, "route", "chat"),
            ]
        );
        assert_eq!(found[4].secret.as_ref().unwrap().reveal(), "k");
    }

    #[test]
    fn cycles_among_the_routes_of_an_owner_are_refused_and_names_of_the_server_are_not() {
        let pool = |to: &str| format!("{{ pools: {{ main: {{ route: {to} }} }} }}");
        let document = |a: &str, b: &str| {
            let routes = format!("{{ a: {}, b: {} }}", pool(a), pool(b));
            desired(&format!("routes: {{ a: {} }}\ntenants: {{ acme: {{ routes: {routes} }} }}", pool("b")))
        };
        assert!(document("b", "on-the-server").is_ok(), "the operator's a does not lead to the tenant's b");
        let told = document("b", "a").unwrap_err().to_string();
        assert_eq!(told, "tenants.acme.routes.a.pools.main.route: a cycle: a → b → a");
    }

    #[test]
    fn refuses_duplicates_bounds_and_unresolved_secrets_all_at_once() {
        let Invalid(errors) = desired(
            "providers: { a: { kind: x, credentials: [ { name: m, secret: { env: E } }, { name: m, weight: 0 } ] } }\n\
             routes: { r: { targets: [], timeouts: { total: 0s } } }\n\
             models: { 'a/b c': {} }\n\
             tenants: { t: { budgets: [ { name: m, cap: $0 }, { name: m, cap: $1, for: {} } ] } }",
        )
        .unwrap_err();
        let mut fields: Vec<_> = errors.iter().map(|error| error.field.as_str()).collect();
        fields.sort_unstable();
        assert_eq!(
            fields,
            [
                "models.a/b c",
                "providers.a.credentials[0].secret",
                "providers.a.credentials[1]",
                "providers.a.credentials[1].weight",
                "routes.r.targets",
                "routes.r.timeouts.total",
                "tenants.t.budgets[0].cap",
                "tenants.t.budgets[1]",
                "tenants.t.budgets[1].for",
            ]
        );
    }
}
