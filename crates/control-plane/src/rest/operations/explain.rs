//! `POST /api/v1/explain`: a dry run of one request, by the decisions that proxies run on the newest configuration.

mod answer;
mod budgets;
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

use self::{
    live_view::{LiveView, live_view},
    question::Question,
};
use crate::rest::{
    error::ApiError,
    operation::{Method, Operation, Shape},
    request::AdminRequest,
    state::AdminState,
};
use crate::watch::ProxyStatus;

/// The operation.
pub(super) fn operation() -> Operation {
    Operation::new(
        Method::Post,
        "explain",
        "What would become of a request, and why; nothing is sent",
        |state, request| Box::pin(explain(state, request)),
    )
    .request(Shape::of::<ExplainRequest>())
    .reply(Shape::of::<ExplainReply>())
}

async fn explain(state: &AdminState, request: &AdminRequest) -> Result<Response, ApiError> {
    let asked = ExplainRequest::read(request.value()?)?;
    let question = Question::read(&asked)?;
    let mut latest = state.latest_rows.lock().await;
    let rows = latest.read(&state.store).await?;
    let region = asked.region.clone().or_else(|| common_region(&state.proxies.list()));
    let region = region.filter(|region| !region.is_empty());
    let view = live_view(&state.proxies, region.as_deref());
    let run = DryRun { rows, keyring: Arc::clone(&state.keyring), view, asked, question, region };
    let reply = tokio::task::spawn_blocking(move || run.run()).await.map_err(ApiError::internal)?;
    Ok(Json(reply?).into_response())
}

/// The region of all proxies, if they have one in common.
fn common_region(proxies: &[ProxyStatus]) -> Option<String> {
    let (first, others) = proxies.split_first()?;
    others.iter().all(|proxy| proxy.region == first.region).then(|| first.region.clone())
}

/// All that a dry run needs.
struct DryRun {
    rows: Arc<ConfigRows>,
    keyring: Arc<Keyring>,
    view: LiveView,
    asked: ExplainRequest,
    question: Question,
    region: Option<String>,
}

impl DryRun {
    fn run(self) -> Result<ExplainReply, ApiError> {
        let Self { rows, keyring, view, asked, question, region } = self;
        let now = Timestamp::now();
        let snapshot = policy::compile(&rows, &keyring, &view.live).map_err(|error| {
            ApiError::conflict("", format!("proxies refuse revision {}: {error}", rows.version.revision))
        })?;
        let key = caller::key(&snapshot, &rows, &asked)?;
        let mut reply = ExplainReply {
            version: rows.version,
            tenant: key.tenant.name.clone(),
            key: asked.key.as_ref().map(|_| key.name.clone()),
            api: question.api.name().to_owned(),
            region,
            input_tokens: question.input_tokens(),
            route: question.facts.model.clone(),
            rule: None,
            pool: None,
            pool_of: None,
            rules: Vec::new(),
            attempts: Vec::new(),
            passed_over: Vec::new(),
            budgets: Vec::new(),
            refusal: None,
            health: view.health.clone(),
        };
        let caller = match Caller::of(&key, now) {
            Ok(caller) => caller,
            Err(refused) => {
                reply.refusal = Some(answer::refusal(refused.kind(), &refused));
                return Ok(reply);
            }
        };
        let said = caller::Said::read(&asked, &key, &question.facts)?;
        let shape = || question.shape();
        let context = RoutingContext {
            api: question.api.name(),
            facts: &question.facts,
            input_tokens: reply.input_tokens,
            tags: &said.tags,
            user: said.user,
            feature: said.feature,
            session: said.session,
            translation: None,
            region: reply.region.as_deref(),
            shape: &shape,
            seen: OnceCell::new(),
            now: view.now,
            at: now,
            draw: view.live.draw(),
            explain: true,
        };
        let decided = policy::plan(&snapshot, &view.live, &caller, &context);
        let reply = answer::fill(reply, &snapshot, decided)?;
        let budgets = budgets::counting(&caller.key, &said, &reply, now);
        Ok(ExplainReply { budgets, ..reply })
    }
}
