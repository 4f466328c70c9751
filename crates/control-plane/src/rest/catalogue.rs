//! The model catalogue: reading it, and importing a file.

use admin_api::{CatalogueItem, CatalogueReply, List, read_catalogue};
use axum::{
    Json,
    response::{IntoResponse, Response},
};
use domain::{ModelRef, Timestamp};
use store::{CatalogueModel, CatalogueQuery};

use super::{AdminState, call::AdminRequest, error::ApiError};

/// `GET /api/v1/catalogue`.
pub(super) async fn list(state: &AdminState, call: &AdminRequest) -> Result<Response, ApiError> {
    let query = CatalogueQuery {
        provider_kind: call.parameter("kind").map(str::to_owned),
        after: call.parameter("cursor").map(str::to_owned),
        limit: call.limit()?,
    };
    let page = state.store.catalogue(&query).await?;
    let now = Timestamp::now();
    let items = page.items.into_iter().map(|model| item(model, now)).collect::<Vec<_>>();
    Ok(Json(List { items, next: page.next }).into_response())
}

/// `GET /api/v1/catalogue/{kind}/{model}`.
pub(super) async fn get(state: &AdminState, call: &AdminRequest) -> Result<Response, ApiError> {
    let model: ModelRef = call.name.parse().map_err(|error: String| ApiError::invalid("name", error))?;
    let found = state.store.catalogue_model(&model).await?;
    let found = found.ok_or_else(|| ApiError::not_found(format!("the catalogue knows no model {model}")))?;
    Ok(Json(item(found, Timestamp::now())).into_response())
}

/// `POST /api/v1/catalogue`.
pub(super) async fn import(state: &AdminState, call: &AdminRequest) -> Result<Response, ApiError> {
    let (text, format) = call.text()?;
    let catalogue = read_catalogue(text, format)?;
    let mut tx = state.store.begin(&call.actor).await?;
    let imported = tx.import_catalogue(&catalogue, Timestamp::now()).await?;
    let version = tx.commit().await?;
    let (models, prices) = (imported.models, imported.prices);
    Ok(Json(CatalogueReply { catalogue: catalogue.version, version, models, prices }).into_response())
}

fn item(found: CatalogueModel, now: Timestamp) -> CatalogueItem {
    let CatalogueModel { model, facts, prices } = found;
    let price = prices.iter().find(|price| price.effective_from <= now).cloned();
    CatalogueItem { model, facts, price, prices }
}
