//! What a control plane does to itself at start, by the same plans as requests from outside.

use admin_api::{ApplyReply, Document, Problem};
use domain::Kind;
use secrets::KeySeal;
use store::Actor;

use super::{AdminState, error::ApiError, write::addressed};

impl AdminState {
    /// Applies a document whose secrets are resolved; `actor` goes into the audit log.
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
        let seal = found.and_then(|stored| KeySeal::decode(stored.resource.sealed.as_deref()?));
        Ok(seal.is_some_and(|seal| seal.current == self.keyring.digest(text)))
    }

    /// Replaces a key whose secret nobody knows any more, without a grace period; returns the new secret.
    ///
    /// # Errors
    /// The problem that the request from outside would be answered with.
    pub async fn replace_key(&self, tenant: &str, key: &str, actor: &str) -> Result<Option<String>, Problem> {
        let actor = Actor { name: actor.to_owned() };
        let rotated = self.write(&actor, |world, planner| {
            planner.rotate(addressed(world, Kind::Key, Some(tenant), key)?, None);
            Ok(())
        });
        let ((), plan, _) = rotated.await.map_err(ApiError::into_problem)?;
        Ok(plan.secrets.into_iter().next().map(|shown| shown.secret))
    }
}
