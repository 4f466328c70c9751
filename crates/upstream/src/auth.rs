//! Authentication of requests: a header as it is, an AWS signature for each request, or a token fetched ahead of it.

mod aws;
mod google;

use std::{
    collections::HashMap,
    sync::Arc,
    time::{Duration, SystemTime},
};

use arc_swap::ArcSwap;
use bytes::Bytes;
use domain::ResourceId;
use http::{HeaderValue, Request, header};
use policy::{Credential, ServiceAccount, Sign, Snapshot};
use tokio::{sync::watch, time::Instant};
use tokio_util::sync::{CancellationToken, DropGuard};

use crate::client::Upstream;

/// A token is renewed when so much of its life is left, at most half of it.
const AHEAD: Duration = Duration::from_secs(300);
/// Waits between failed exchanges, doubling from the first to the second.
const RETRY: [Duration; 2] = [Duration::from_secs(1), Duration::from_secs(60)];

/// The tokens of all credentials that need one.
#[derive(Default)]
pub struct TokenCache {
    tokens: ArcSwap<HashMap<ResourceId, CachedToken>>,
}

/// The token of one credential.
#[derive(Clone)]
struct CachedToken {
    account: Arc<ServiceAccount>,
    token: watch::Receiver<Option<HeaderValue>>,
    /// Ends the task that renews it when the last copy is dropped.
    _stop: Arc<DropGuard>,
}

impl TokenCache {
    /// Signs a request.
    ///
    /// # Errors
    /// Why it cannot be sent with this credential, in words without secrets.
    pub async fn sign(
        &self,
        request: &mut Request<Bytes>,
        credential: &Credential,
        region: Option<&str>,
        deadline: Instant,
    ) -> Result<(), String> {
        match &credential.sign {
            Sign::Header(name, value) => {
                request.headers_mut().insert(name.clone(), value.clone());
                Ok(())
            }
            Sign::Aws(keys) => aws::sign(request, keys, region.unwrap_or("us-east-1"), SystemTime::now()),
            Sign::Google(_) => {
                let token = self
                    .token(credential.id, deadline)
                    .await
                    .ok_or("no token for the service account yet")?;
                request.headers_mut().insert(header::AUTHORIZATION, token);
                Ok(())
            }
        }
    }

    /// The token, waited for only where there has never been one.
    async fn token(&self, credential: ResourceId, deadline: Instant) -> Option<HeaderValue> {
        let mut token = self.tokens.load().get(&credential)?.token.clone();
        let ready = tokio::time::timeout_at(deadline, token.wait_for(Option::is_some)).await;
        ready.ok()?.ok()?.clone()
    }

    /// Keeps tokens for the accounts of a snapshot and for no others.
    pub fn keep(&self, snapshot: &Snapshot, upstream: &Arc<Upstream>) {
        let before = self.tokens.load();
        let mut tokens = HashMap::new();
        for credential in snapshot.credentials() {
            let Sign::Google(account) = &credential.sign else { continue };
            let same = before.get(&credential.id).filter(|cached| cached.account == *account);
            let entry = same.cloned().unwrap_or_else(|| start(account, upstream));
            tokens.insert(credential.id, entry);
        }
        self.tokens.store(Arc::new(tokens));
    }
}

/// Starts the task that keeps one account's token fresh; it ends when the last copy of the token is dropped.
fn start(account: &Arc<ServiceAccount>, upstream: &Arc<Upstream>) -> CachedToken {
    let (sender, token) = watch::channel(None);
    let stop = CancellationToken::new();
    let stopped = stop.clone();
    let account = Arc::clone(account);
    let upstream = Arc::clone(upstream);
    let cached = CachedToken { account: Arc::clone(&account), token, _stop: Arc::new(stop.drop_guard()) };
    tokio::spawn(async move {
        let renewing = renew(&account, &upstream, &sender);
        tokio::select! {
            () = stopped.cancelled() => {}
            () = renewing => {}
        }
    });
    cached
}

/// Exchanges an account for tokens, each ahead of the end of the one before.
async fn renew(account: &ServiceAccount, upstream: &Upstream, sender: &watch::Sender<Option<HeaderValue>>) {
    let mut wait = RETRY[0];
    loop {
        let pause = match google::exchange(account, upstream, SystemTime::now()).await {
            Ok(token) => {
                wait = RETRY[0];
                let life = token.life;
                sender.send_replace(Some(token.header));
                life.saturating_sub(AHEAD).max(life / 2)
            }
            Err(error) => {
                // The token in use may still be good; if it is not, the provider refuses it.
                tracing::warn!(
                    account = account.client_email,
                    error,
                    "cannot renew a service account's token"
                );
                let pause = wait;
                wait = (wait * 2).min(RETRY[1]);
                pause
            }
        };
        tokio::time::sleep(pause).await;
    }
}
