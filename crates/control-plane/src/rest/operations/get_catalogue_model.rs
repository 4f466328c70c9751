//! `GET /api/v1/catalogue/{kind}/{model}`: one model of the catalogue.

use admin_api::CatalogueItem;
use axum::{
    Json,
    response::{IntoResponse, Response},
};
use domain::{ModelRef, Timestamp};

use crate::rest::{
    catalogue_item::catalogue_item,
    error::ApiError,
    operation::{Method, Operation, Shape},
    request::AdminRequest,
    state::AdminState,
};

/// The operation.
pub(super) fn operation() -> Operation {
    Operation::new(Method::Get, "catalogue/{*name}", "One model of the catalogue", |state, request| {
        Box::pin(get(state, request))
    })
    .reply(Shape::of::<CatalogueItem>())
}

async fn get(state: &AdminState, request: &AdminRequest) -> Result<Response, ApiError> {
    let model: ModelRef = request.name.parse().map_err(|error: String| ApiError::invalid("name", error))?;
    let found = state.store.catalogue_model(&model).await?;
    let found = found.ok_or_else(|| ApiError::not_found(format!("the catalogue has no model {model}")))?;
    Ok(Json(catalogue_item(found, Timestamp::now())).into_response())
}
