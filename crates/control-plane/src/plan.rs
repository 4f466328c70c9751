//! A configuration write, worked out before anything is written: what changes, and whether the whole still holds.
//!
//! Nothing here does I/O: a dry run and the real one follow the same plan.

mod check;
mod graph;

use std::collections::HashSet;

use admin_api::{Change, Desired, DiffEntry, FieldError, Invalid, SecretText, ShownSecret, changed_fields};
use domain::{Kind, Resource, ResourceId, Spec};
use runtime::outbound::Filter;
use secrets::{ApiKeyDigests, ApiKeySecret, Binding, Keyring};
use store::ResourceDraft;

pub(crate) use graph::ConfigGraph;

/// Why a plan cannot be carried out.
#[derive(Debug)]
pub(crate) enum PlanError {
    /// What was written is wrong.
    Invalid(Invalid),
    /// Something else still needs what would go.
    Conflict(String),
}

impl From<Invalid> for PlanError {
    fn from(invalid: Invalid) -> Self {
        Self::Invalid(invalid)
    }
}

/// A write that holds.
#[derive(Default)]
pub(crate) struct Plan {
    /// Rows to be written, owners first.
    pub(crate) drafts: Vec<ResourceDraft>,
    /// Rows to be deleted, what is owned first.
    pub(crate) deletes: Vec<ResourceId>,
    /// What it comes to.
    pub(crate) changes: Vec<DiffEntry>,
    /// Secrets of new keys.
    pub(crate) secrets: Vec<ShownSecret>,
}

/// A row as somebody wants it.
pub(crate) struct DesiredResource {
    /// Where errors shall point to; empty for the body of a single resource.
    pub(crate) path: String,
    /// Its owner.
    pub(crate) tenant: Option<ResourceId>,
    /// Its name.
    pub(crate) name: String,
    /// Its specification.
    pub(crate) spec: Spec,
    /// Credentials: the secret, unless the stored one shall stay.
    pub(crate) secret: Option<SecretText>,
}

/// Works a plan out, step by step.
pub(crate) struct Planner<'a> {
    before: &'a ConfigGraph,
    after: ConfigGraph,
    keyring: &'a Keyring,
    plan: Plan,
    written: Vec<(ResourceId, String)>,
    errors: Vec<FieldError>,
}

impl<'a> Planner<'a> {
    pub(crate) fn new(before: &'a ConfigGraph, keyring: &'a Keyring) -> Self {
        Self {
            before,
            after: before.clone(),
            keyring,
            plan: Plan::default(),
            written: Vec::new(),
            errors: Vec::new(),
        }
    }

    /// A whole document; with `prune`, what it does not mention goes.
    pub(crate) fn apply(&mut self, desired: Vec<Desired>, prune: bool) {
        let mut kept: HashSet<ResourceId> = HashSet::new();
        // Tenants come first in the list, so that owners are known when they are needed.
        for wanted in desired {
            let Desired { path, tenant, name, spec, secret } = wanted;
            let owner = tenant.map(|tenant| self.after.id(Kind::Tenant, None, &tenant));
            if owner == Some(None) {
                self.errors.push(FieldError::new(path, "the tenant does not exist"));
                continue;
            }
            kept.insert(self.put(DesiredResource { path, tenant: owner.flatten(), name, spec, secret }));
        }
        if prune {
            let stale: Vec<ResourceId> =
                self.before.rows().map(|row| row.id).filter(|id| !kept.contains(id)).collect();
            stale.into_iter().for_each(|id| self.delete(id));
        }
    }

    /// Creates or replaces a row; gives its id.
    pub(crate) fn put(&mut self, wanted: DesiredResource) -> ResourceId {
        let DesiredResource { path, tenant, name, spec, secret } = wanted;
        let kind = spec.kind();
        let old = self.before.find(kind, tenant, &name);
        let id = old.map_or_else(ResourceId::new, |row| row.id);
        let owner = tenant.and_then(|id| self.after.get(id)).map(|tenant| tenant.name.clone());
        let sealed = match (kind, old) {
            (Kind::Key, None) => Some(self.mint(owner.clone().unwrap_or_default(), name.clone())),
            (Kind::Credential, _) => {
                self.seal(&path, old, Binding { owner: owner_of(tenant), row: id.0 }, secret)
            }
            _ => None,
        };
        let mut fields =
            old.map(|row| changed_fields(&row.spec.to_json(), &spec.to_json())).unwrap_or_default();
        if old.is_some() && sealed.is_some() {
            fields.push("secret".to_owned());
        }
        let change = match old {
            None => Change::Create,
            Some(_) if fields.is_empty() => Change::Unchanged,
            Some(_) => Change::Update,
        };
        self.plan.changes.push(DiffEntry { kind, name: name.clone(), tenant: owner, change, fields });
        let revision = old.map_or(0, |row| row.revision);
        self.after.insert(Resource {
            id,
            tenant,
            name: name.clone(),
            spec: spec.clone(),
            revision,
            sealed: None,
        });
        if change != Change::Unchanged {
            self.plan.drafts.push(ResourceDraft { id, tenant, name, spec, sealed });
        }
        self.written.push((id, path));
        id
    }

    /// Gives a key a new secret; the one it replaces works until `grace_ends` (µs since the epoch).
    pub(crate) fn rotate(&mut self, key: &Resource, grace_ends: Option<i64>) {
        let tenant = key.tenant.and_then(|id| self.before.get(id)).map(|row| row.name.clone());
        let minted = ApiKeySecret::mint();
        let stored = key.sealed.as_deref().and_then(ApiKeyDigests::decode);
        let previous = stored.zip(grace_ends).map(|(seal, until)| (seal.current, until));
        let sealed = ApiKeyDigests { current: self.keyring.digest(minted.reveal()), previous }.encode();
        let id = key.id;
        let name = key.name.clone();
        let fields = vec!["secret".to_owned()];
        let secret = minted.reveal().to_owned();
        self.plan.secrets.push(ShownSecret {
            tenant: tenant.clone().unwrap_or_default(),
            key: name.clone(),
            secret,
        });
        let change = Change::Update;
        self.plan.changes.push(DiffEntry { kind: Kind::Key, name: name.clone(), tenant, change, fields });
        self.plan.drafts.push(ResourceDraft {
            id,
            tenant: key.tenant,
            name,
            spec: key.spec.clone(),
            sealed: Some(sealed),
        });
    }

    /// Deletes a row.
    pub(crate) fn delete(&mut self, id: ResourceId) {
        let Some(row) = self.after.remove(id) else { return };
        let tenant = row.tenant.and_then(|id| self.before.get(id)).map(|tenant| tenant.name.clone());
        let kind = row.kind();
        let name = row.name;
        let fields = Vec::new();
        self.plan.changes.push(DiffEntry { kind, name, tenant, change: Change::Delete, fields });
        self.plan.deletes.push(id);
    }

    /// Deletes a row with what belongs to it: all that a tenant owns; a provider's credentials, models and prices.
    pub(crate) fn delete_cascading(&mut self, id: ResourceId) {
        let belongings: Vec<ResourceId> = self.before.belongings(id).map(|row| row.id).collect();
        self.delete(id);
        belongings.into_iter().for_each(|id| self.delete(id));
    }

    /// Checks the outcome as a whole.
    pub(crate) fn finish(mut self, filter: &Filter) -> Result<Plan, PlanError> {
        self.errors.extend(check::written(&self.after, &self.written, filter));
        Invalid::unless_empty(self.errors)?;
        if !self.plan.deletes.is_empty() || check::has_moved(self.before, &self.after, &self.written) {
            // Owners were taken before what they own; backwards is what is owned first.
            self.plan.deletes.reverse();
            check::check_references(self.before, &self.after).map_err(PlanError::Conflict)?;
        }
        Ok(self.plan)
    }

    fn mint(&mut self, tenant: String, key: String) -> Vec<u8> {
        let minted = ApiKeySecret::mint();
        let current = self.keyring.digest(minted.reveal());
        self.plan.secrets.push(ShownSecret { tenant, key, secret: minted.reveal().to_owned() });
        ApiKeyDigests { current, previous: None }.encode()
    }

    /// The sealed form of a secret that is new or differs; without it the stored one stays.
    fn seal(
        &mut self,
        path: &str,
        old: Option<&Resource>,
        binding: Binding,
        secret: Option<SecretText>,
    ) -> Option<Vec<u8>> {
        let stored = old.and_then(|row| row.sealed.as_deref());
        let Some(secret) = secret else {
            if stored.is_none() {
                let error = FieldError::new("secret", "is required for a new credential");
                self.errors.push(error.within(path));
            }
            return None;
        };
        // What does not open any more (a lost master key) is replaced by what was written.
        let opened = stored.and_then(|sealed| self.keyring.open(sealed, binding).ok());
        let same = opened.is_some_and(|opened| opened.as_slice() == secret.reveal().as_bytes());
        (!same).then(|| self.keyring.seal(secret.reveal().as_bytes(), binding))
    }
}

fn owner_of(tenant: Option<ResourceId>) -> uuid::Uuid {
    tenant.map_or(uuid::Uuid::nil(), |tenant| tenant.0)
}

#[cfg(test)]
mod tests;
