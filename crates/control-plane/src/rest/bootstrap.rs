//! What a control plane does to itself at start, by the same plans as requests from outside.

use admin_api::{ApplyReply, Document, Problem};
use domain::{Kind, ProviderSpec, Spec};
use secrets::ApiKeyDigests;
use store::Actor;

use super::{error::ApiError, state::AdminState};
use crate::plan::DesiredResource;

impl AdminState {
    /// Applies a document with resolved secrets; `actor` goes into the audit log.
    ///
    /// # Errors
    /// The problem that `POST /api/v1/apply` would answer with.
    pub async fn apply(&self, document: Document, actor: &str) -> Result<ApplyReply, Problem> {
        let actor = Actor { name: actor.to_owned() };
        let applied = async {
            let desired = document.desired()?;
            let write = self.write(&actor, |_, planner| {
                planner.apply(desired, false);
                Ok(())
            });
            let ((), plan, version) = write.await?;
            Ok(ApplyReply { version, changes: plan.changes, secrets: plan.secrets })
        };
        applied.await.map_err(ApiError::into_problem)
    }

    /// Whether a text is the current secret of a tenant's key.
    ///
    /// # Errors
    /// When the store fails.
    pub async fn is_key(&self, tenant: &str, key: &str, text: &str) -> Result<bool, Problem> {
        let found = async {
            let tenant = self.tenant_id(tenant).await?;
            Ok(self.store.get(Kind::Key, Some(tenant), key).await?)
        };
        let found = found.await.map_err(ApiError::into_problem)?;
        let seal = found.and_then(|stored| ApiKeyDigests::decode(stored.resource.sealed.as_deref()?));
        Ok(seal.is_some_and(|seal| self.keyring.digests(text).any(|digest| digest == seal.current)))
    }

    /// Points a provider of a kind somewhere else; does nothing when it is gone or of another kind by now.
    ///
    /// # Errors
    /// The problem that the request from outside would be answered with.
    pub async fn move_provider(
        &self,
        name: &str,
        kind: &str,
        base_url: &str,
        actor: &str,
    ) -> Result<(), Problem> {
        let actor = Actor { name: actor.to_owned() };
        let moved = self.write(&actor, |graph, planner| {
            let Some(row) = graph.find(Kind::Provider, None, name) else { return Ok(()) };
            if let Spec::Provider(spec) = &row.spec
                && spec.kind == kind
            {
                let spec =
                    Spec::Provider(ProviderSpec { base_url: Some(base_url.to_owned()), ..spec.clone() });
                let path = String::new();
                let name = name.to_owned();
                planner.put(DesiredResource { path, tenant: None, name, spec, secret: None });
            }
            Ok(())
        });
        moved.await.map(|_| ()).map_err(ApiError::into_problem)
    }
}
