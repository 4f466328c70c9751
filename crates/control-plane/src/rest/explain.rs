//! `POST /api/v1/explain`: a dry run of one request, by the decisions that proxies run on the newest configuration.

mod answer;
mod caller;
mod live_view;
mod question;

use std::{cell::OnceCell, sync::Arc};

use admin_api::{ExplainReply, ExplainRequest};
use axum::{
    Json,
    response::{IntoResponse, Response},
};
use domain::Timestamp;
use policy::{Caller, ConfigRows, RoutingContext};
use secrets::Keyring;
use store::{Store, StoreError};
use tokio::sync::Mutex;

use self::{
    live_view::{LiveView, live_view},
    question::Question,
};
use super::{AdminState, call::AdminRequest, error::ApiError};
use crate::watch::ProxyStatus;

/// The rows of the version that was asked for last. Not the compiled snapshot: that holds opened secrets, and lives no
/// longer than a dry run. Locked through each, for it takes the memory of a whole configuration.
#[derive(Default)]
pub(super) struct Kept(Mutex<Option<Arc<ConfigRows>>>);

/// Answers.
pub(super) async fn explain(state: &AdminState, call: &AdminRequest) -> Result<Response, ApiError> {
    let asked = ExplainRequest::read(call.value()?)?;
    let question = Question::read(&asked)?;
    let mut kept = state.explained.0.lock().await;
    let rows = newest(&state.store, &mut kept).await?;
    let region = asked.region.clone().or_else(|| common_region(&state.proxies.list()));
    let region = region.filter(|region| !region.is_empty());
    let (view, keyring) = (live_view(&state.proxies, region.as_deref()), Arc::clone(&state.keyring));
    let run = move || dry_run(&rows, &keyring, &view, (&asked, &question, region));
    let reply = tokio::task::spawn_blocking(run).await.map_err(ApiError::internal)?;
    Ok(Json(reply?).into_response())
}

/// The rows of the newest version, those of the catalogue included.
async fn newest(store: &Store, kept: &mut Option<Arc<ConfigRows>>) -> Result<Arc<ConfigRows>, StoreError> {
    let version = store.version().await?;
    if let Some(rows) = kept.as_ref().filter(|rows| rows.version == version) {
        return Ok(Arc::clone(rows));
    }
    let (version, mut known) = store.load().await?;
    known.extend(store.catalogue_since(0, Timestamp::now()).await?);
    let rows = Arc::new(ConfigRows { version, known, unknown: Vec::new() });
    *kept = Some(Arc::clone(&rows));
    Ok(rows)
}

/// The region of all proxies, if they have one in common.
fn common_region(proxies: &[ProxyStatus]) -> Option<String> {
    let (first, others) = proxies.split_first()?;
    others.iter().all(|proxy| proxy.region == first.region).then(|| first.region.clone())
}

fn dry_run(
    rows: &ConfigRows,
    keyring: &Keyring,
    view: &LiveView,
    (asked, question, region): (&ExplainRequest, &Question, Option<String>),
) -> Result<ExplainReply, ApiError> {
    let (now, key) = (Timestamp::now(), caller::key(rows, asked)?);
    let snapshot = policy::compile(rows, keyring, &view.live).map_err(|error| {
        ApiError::conflict("", format!("proxies refuse revision {}: {error}", rows.version.revision))
    })?;
    let reply = answer::blank(rows, (asked, question), &key, region);
    let mut reply = ExplainReply { health: view.health.clone(), ..reply };
    let caller = match Caller::of(&key, now) {
        Ok(caller) => caller,
        Err(refused) => {
            reply.refusal = Some(answer::refusal(refused.kind(), &refused));
            return Ok(reply);
        }
    };
    let said = caller::Said::read(asked, &key, &question.facts)?;
    let shape = || question.shape();
    let asking = RoutingContext {
        api: question.api.name(),
        facts: &question.facts,
        input_tokens: reply.input_tokens,
        tags: &said.tags,
        user: said.user,
        feature: said.feature,
        session: said.session,
        region: reply.region.as_deref(),
        shape: &shape,
        seen: OnceCell::new(),
        now: view.now,
        at: now,
        draw: view.live.draw(),
        explain: true,
    };
    let decided = policy::plan(&snapshot, &view.live, &caller, &asking);
    answer::fill(reply, &snapshot, decided)
}
