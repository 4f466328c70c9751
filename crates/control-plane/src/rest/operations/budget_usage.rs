//! `GET /api/v1/usage/budgets`: what is spent of each budget in the window that is in force.

use admin_api::List;
use axum::{
    Json,
    response::{IntoResponse, Response},
};
use domain::{BudgetSpec, Kind, Money, Resource, Spec, Timestamp};
use schemars::JsonSchema;
use serde::Serialize;
use store::{ListFilter, OwnerFilter};

use crate::rest::{
    error::ApiError,
    names::{Names, TENANT, tenant_filter},
    operation::{Method, Operation, Shape},
    request::{AdminRequest, Param},
    state::AdminState,
};

/// Budgets that are read at once.
const PAGE: u32 = 200;
/// Accounts that are shown of a budget with a dimension: those of which most is spent.
const ACCOUNTS: usize = 100;
const QUERY: &[Param] = &[TENANT];

/// The operation.
pub(super) fn operation() -> Operation {
    Operation::new(
        Method::Get,
        "usage/budgets",
        "What is spent of each budget in its window, by value of its dimension the fullest 100",
        |state, request| Box::pin(budgets(state, request)),
    )
    .query(QUERY)
    .reply(Shape::of::<List<BudgetUsage>>())
}

async fn budgets(state: &AdminState, request: &AdminRequest) -> Result<Response, ApiError> {
    let owner = match tenant_filter(state, request).await? {
        Some(tenant) => OwnerFilter::Tenant(tenant),
        None => OwnerFilter::Any,
    };
    let (now, mut names) = (Timestamp::now(), Names::new(state));
    let (mut items, mut after) = (Vec::new(), None);
    loop {
        let filter = ListFilter { owner, after, limit: PAGE };
        let page = state.store.list(Kind::Budget, &filter).await?;
        for resource in page.items {
            let Spec::Budget(spec) = &resource.spec else { continue };
            let tenant = match resource.tenant {
                Some(tenant) => names.of(tenant).await?,
                None => continue,
            };
            items.extend(accounts(state, &resource, spec, tenant, now).await?);
        }
        after = page.next;
        if after.is_none() {
            return Ok(Json(List { items, next: None }).into_response());
        }
    }
}

/// The accounts of one budget; without a dimension there is one, also where nothing was spent yet.
async fn accounts(
    state: &AdminState,
    resource: &Resource,
    spec: &BudgetSpec,
    tenant: String,
    now: Timestamp,
) -> Result<Vec<BudgetUsage>, ApiError> {
    let span = spec.window().at(now, &spec.time_zone);
    let generation = policy::budget_generation(spec);
    let moment = |second: i64| Timestamp::from_micros(second.saturating_mul(1_000_000));
    let item = |value: Option<String>, spent: Money| BudgetUsage {
        tenant: tenant.clone(),
        budget: resource.name.clone(),
        per: spec.per.as_ref().map(ToString::to_string),
        value,
        begins: span.end.map(|_| moment(span.start)),
        ends: span.end.map(moment),
        cap_usd: spec.cap,
        spent_usd: spent,
        left_usd: Money::from_nanos((spec.cap.nanos() - spent.nanos()).max(0)),
        used: ratio(spent, spec.cap),
    };
    let spent = state.store.spent(resource.id, span.start).await?;
    let current = spent
        .into_iter()
        .filter(|(account, _)| account.window.start == span.start && account.budget.generation == generation);
    let mut found: Vec<BudgetUsage> = match spec.per {
        Some(_) => {
            current.take(ACCOUNTS).map(|(account, spent)| item(Some(account.value.into()), spent)).collect()
        }
        None => current.map(|(_, spent)| item(None, spent)).collect(),
    };
    if found.is_empty() && spec.per.is_none() {
        found.push(item(None, Money::ZERO));
    }
    Ok(found)
}

/// In thousandths.
#[allow(clippy::cast_precision_loss, reason = "a ratio is shown, not counted with")]
fn ratio(spent: Money, cap: Money) -> f64 {
    (spent.nanos() as f64 / cap.nanos().max(1) as f64 * 1_000.0).round() / 1_000.0
}

/// What is spent of a budget, in the window that is in force and for one value of its dimension.
#[derive(Debug, Serialize, JsonSchema)]
struct BudgetUsage {
    /// The owner.
    tenant: String,
    /// The budget's name.
    budget: String,
    /// Its dimension; `null`: it has none.
    per: Option<String>,
    /// The value of the dimension, of a key its id; empty: requests that have none. `null`: the budget has no dimension.
    value: Option<String>,
    /// When the window began; `null`: it never begins anew.
    begins: Option<Timestamp>,
    /// When it ends.
    ends: Option<Timestamp>,
    /// The cap, in US dollars.
    cap_usd: Money,
    /// What the ledger has booked; requests in flight are not in it.
    spent_usd: Money,
    /// What is left of the cap.
    left_usd: Money,
    /// The share of the cap that is spent, to three decimals.
    used: f64,
}
