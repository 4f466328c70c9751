//! From a document to a flat list of resources, each with the path it was written at.

use std::collections::{BTreeMap, HashSet};

use domain::{
    CredentialSpec, Duration, KeySpec, Kind, LimitSpec, ModelRef, ModelSpec, OnStoreLoss, PriceSpec,
    ProviderSpec, RouteSpec, Spec, TenantSpec,
};

use super::{CredentialEntry, Document, KeyEntry, LimitEntry, ProviderEntry, TenantEntry};
use crate::{FieldError, Invalid, Name, RouteName, SecretSource, SecretText, field::join, name::check_name};

/// A resource as a document wants it.
#[derive(Clone, Debug)]
pub struct Desired {
    /// Where it stands in the document.
    pub path: String,
    /// The owner's name; `None`: the operator.
    pub tenant: Option<String>,
    /// Its name, as in `domain::Resource::name`.
    pub name: String,
    /// What was written.
    pub spec: Spec,
    /// Credentials: the secret, unless the one that is stored shall stay.
    pub secret: Option<SecretText>,
}

const LONGEST_WAIT: Duration = Duration::from_secs(86_400);
const MOST_ROUTES: usize = 256;
const LONGEST_TEXT: usize = 256;

/// What can be said of a specification by itself; fields are relative to it.
#[must_use]
pub fn check_spec(spec: &Spec) -> Vec<FieldError> {
    let mut errors = Vec::new();
    let mut need = |holds: bool, field: &str, message: &str| {
        if !holds {
            errors.push(FieldError::new(field, message));
        }
    };
    let short = |text: &Option<String>| {
        text.as_ref().is_none_or(|text| text.len() <= LONGEST_TEXT && !text.chars().any(char::is_control))
    };
    let word = "must be at most 256 bytes without control characters";
    match spec {
        Spec::Tenant(spec) => need(short(&spec.tier), "tier", word),
        Spec::Key(spec) => {
            need(short(&spec.user), "user", word);
            need(short(&spec.feature), "feature", word);
            let routes = spec.routes.as_ref().map_or(0, Vec::len);
            need(routes <= MOST_ROUTES, "routes", "must name at most 256 routes");
        }
        Spec::Provider(spec) => {
            need(short(&spec.region), "region", word);
            errors.extend(spec.problems().into_iter().map(|(path, what)| FieldError::new(path, what)));
        }
        Spec::Credential(spec) => {
            need((1..=1000).contains(&spec.weight), "weight", "must be 1 to 1000");
            need(spec.limits.concurrent != Some(0), "limits.concurrent", "must be at least 1");
        }
        Spec::Model(spec) => {
            need(spec.context != Some(0), "context", "must be at least 1 token");
            need(spec.max_output != Some(0), "max_output", "must be at least 1 token");
            need(short(&spec.upstream) && spec.upstream.as_deref() != Some(""), "upstream", word);
        }
        Spec::Price(_) => {}
        Spec::Limit(spec) => {
            let some = spec.requests.is_some() || spec.concurrent.is_some();
            need(some, "", "must limit something: requests, concurrent, or both");
            need(
                spec.concurrent.is_none_or(|most| (1..=1_000_000).contains(&most)),
                "concurrent",
                "must be 1 to 1000000",
            );
            need(
                spec.per_replica.is_none_or(|most| (1..=1_000_000_000).contains(&most)),
                "per_replica",
                "must be 1 to 1000000000",
            );
            let bounded = spec.on_store_loss == OnStoreLoss::Bounded;
            need(
                spec.per_replica.is_none() || bounded,
                "per_replica",
                "goes with on_store_loss: bounded only",
            );
        }
        Spec::Route(spec) => {
            let waits = spec.timeouts;
            for (field, wait) in [
                ("timeouts.connect", waits.connect),
                ("timeouts.first_token", waits.first_token),
                ("timeouts.between_tokens", waits.between_tokens),
                ("timeouts.total", waits.total),
                ("queue.wait", spec.queue.wait),
            ] {
                need(wait > Duration::from_millis(0) && wait <= LONGEST_WAIT, field, "must be 1ms to 24h");
            }
            errors.extend(spec.problems().into_iter().map(|(path, what)| FieldError::new(path, what)));
        }
    }
    errors
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
        let TenantEntry { tier, disabled, priority, keys, limits, providers, routes, models, prices } = entry;
        let path = format!("tenants.{name}");
        self.push(
            path.clone(),
            None,
            name.to_string(),
            Spec::Tenant(TenantSpec { tier, disabled, priority }),
        );
        self.section(&path, Some(name), Section { providers, routes, models, prices });
        for (index, limit) in limits.into_iter().enumerate() {
            let LimitEntry { name: own, per, requests, concurrent, on_store_loss, per_replica } = limit;
            let own = own.map_or_else(|| per.as_str().to_owned(), |own| own.to_string());
            let spec = Spec::Limit(LimitSpec { per, requests, concurrent, on_store_loss, per_replica });
            self.push(format!("{path}.limits[{index}]"), Some(name), own, spec);
        }
        for (index, key) in keys.into_iter().enumerate() {
            let KeyEntry { name: key, routes, expires, user, feature, disabled, priority } = key;
            let spec = Spec::Key(KeySpec { routes, expires, user, feature, disabled, priority });
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
    fn refuses_duplicates_bounds_and_unresolved_secrets_all_at_once() {
        let Invalid(errors) = desired(
            "providers: { a: { kind: x, credentials: [ { name: m, secret: { env: E } }, { name: m, weight: 0 } ] } }\n\
             routes: { r: { targets: [], timeouts: { total: 0s } } }\n\
             models: { 'a/b c': {} }",
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
                "routes.r.timeouts.total"
            ]
        );
    }
}
