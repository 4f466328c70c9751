//! From stored resources back to the document, without secrets: what `get` shows and `apply` accepts again.

use std::collections::HashMap;

use domain::{Resource, ResourceId, Spec};

use super::{BudgetEntry, CredentialEntry, Document, KeyEntry, LimitEntry, ProviderEntry, TenantEntry};
use crate::{Name, RouteName};

impl Document {
    /// The document that would change nothing when applied; rows that a document cannot name are left out.
    #[must_use]
    pub fn from_resources(resources: &[Resource]) -> Self {
        let mut document = Self::default();
        let mut tenants: HashMap<ResourceId, Name> = HashMap::new();
        for resource in resources {
            if let (Spec::Tenant(spec), Ok(name)) = (&resource.spec, Name::new(&resource.name)) {
                let entry = TenantEntry {
                    parent: spec.parent.as_deref().and_then(|parent| Name::new(parent).ok()),
                    tier: spec.tier.clone(),
                    disabled: spec.disabled,
                    priority: spec.priority,
                    cors_origins: spec.cors_origins.clone(),
                    ..TenantEntry::default()
                };
                tenants.insert(resource.id, name.clone());
                document.tenants.insert(name, entry);
            }
        }
        // Credentials hang under providers, so providers go first.
        let (credentials, others): (Vec<_>, Vec<_>) =
            resources.iter().partition(|resource| matches!(resource.spec, Spec::Credential(_)));
        let mut own = TenantEntry::default();
        for resource in others.into_iter().chain(credentials) {
            let owner = match resource.tenant {
                None => Some(&mut own),
                Some(id) => tenants.get(&id).and_then(|name| document.tenants.get_mut(name)),
            };
            if let Some(owner) = owner {
                owner.put(resource);
            }
        }
        let TenantEntry { providers, routes, models, prices, .. } = own;
        Self { providers, routes, models, prices, ..document }
    }
}

impl TenantEntry {
    fn put(&mut self, resource: &Resource) {
        let name = resource.name.as_str();
        match resource.spec.clone() {
            Spec::Tenant(_) => {}
            Spec::Key(spec) => {
                if let Ok(name) = Name::new(name) {
                    let domain::KeySpec {
                        routes,
                        expires,
                        user,
                        feature,
                        disabled,
                        priority,
                        cors_origins,
                        translation,
                        translation_header,
                    } = spec;
                    self.keys.push(KeyEntry {
                        name,
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
                }
            }
            Spec::Limit(spec) => self.limits.push(LimitEntry::of(name, &spec)),
            Spec::Budget(spec) => {
                if let Ok(name) = Name::new(name) {
                    self.budgets.push(BudgetEntry::of(name, *spec));
                }
            }
            Spec::Provider(spec) => {
                if let Ok(name) = Name::new(name) {
                    self.providers.insert(name, provider(spec));
                }
            }
            Spec::Credential(spec) => self.credential(name, spec),
            Spec::Model(spec) => {
                if let Ok(name) = name.parse() {
                    self.models.insert(name, spec);
                }
            }
            Spec::Price(spec) => self.prices.push(*spec),
            Spec::Route(spec) => {
                if let Ok(name) = RouteName::new(name) {
                    self.routes.insert(name, spec);
                }
            }
        }
    }

    fn credential(&mut self, name: &str, spec: domain::CredentialSpec) {
        let domain::CredentialSpec { provider, weight, disabled, limits } = spec;
        let own = name.split_once('/').and_then(|(_, own)| Name::new(own).ok());
        let entry = Name::new(&provider).ok().and_then(|provider| self.providers.get_mut(&provider));
        if let (Some(name), Some(provider)) = (own, entry) {
            provider.credentials.push(CredentialEntry { name, secret: None, weight, disabled, limits });
        }
    }
}

fn provider(spec: domain::ProviderSpec) -> ProviderEntry {
    let domain::ProviderSpec { kind, base_url, dialect, region, options, disabled, probe, health } = spec;
    let credentials = Vec::new();
    ProviderEntry { kind, base_url, dialect, region, options, disabled, probe, health, credentials }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Format;

    #[test]
    fn what_is_exported_asks_for_the_same_resources() {
        let text = "apiVersion: portcullis/v1\n\
            providers: { a: { kind: x, region: eu, credentials: [ { name: m, weight: 3 } ] } }\n\
            routes: { r: { targets: [ a/b ], timeouts: { total: 10s } } }\n\
            models: { a/b: { context: 7 } }\n\
            prices: [ { model: a/b, effective_from: 2026-01-01, input: $1, output: $2.5 } ]\n\
            tenants: { t: { parent: t, tier: pro, limits: [ { requests: 600/min, concurrent: 5 }, { name: slow, per: user, requests: 2/s } ], \
            budgets: [ { name: month, cap: $500, time_zone: Europe/Berlin }, { name: bot, cap: $2.5, per: session, \
            for: { feature: bot, 'tag:team': [ a, b ] }, window: week, at_cap: alert, observe: true, alerts: [ 50%, 90% ], \
            on_store_loss: bounded, per_replica: $1 } ], keys: [ { name: k, expires: 2027-01-01 } ], providers: { a: { kind: y } } } }";
        let document = Document::read(text, Format::Yaml).unwrap();
        let desired = document.clone().desired().unwrap();
        let tenant = ResourceId::new();
        let rows: Vec<Resource> = desired
            .into_iter()
            .map(|wanted| Resource {
                id: if matches!(wanted.spec, Spec::Tenant(_)) { tenant } else { ResourceId::new() },
                tenant: wanted.tenant.map(|_| tenant),
                name: wanted.name,
                spec: wanted.spec,
                revision: 1,
                sealed: None,
            })
            .collect();
        assert_eq!(Document::from_resources(&rows), document);
    }
}
