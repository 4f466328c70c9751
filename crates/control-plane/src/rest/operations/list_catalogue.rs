//! `GET /api/v1/catalogue`: a page of the model catalogue.

use admin_api::{CatalogueItem, List};
use axum::{
    Json,
    response::{IntoResponse, Response},
};
use domain::Timestamp;
use store::CatalogueQuery;

use crate::rest::{
    catalogue_item::catalogue_item,
    error::ApiError,
    operation::{Method, Operation, Shape},
    request::{AdminRequest, Param},
    state::AdminState,
};

const QUERY: &[Param] =
    &[Param::LIMIT, Param::CURSOR, Param::new("kind", "Only of this kind of provider, such as `openai`.")];

/// The operation.
pub(super) fn operation() -> Operation {
    Operation::new(
        Method::Get,
        "catalogue",
        "What is known of models by kind of provider",
        |state, request| Box::pin(list(state, request)),
    )
    .query(QUERY)
    .reply(Shape::of::<List<CatalogueItem>>())
}

async fn list(state: &AdminState, request: &AdminRequest) -> Result<Response, ApiError> {
    let query = CatalogueQuery {
        provider_kind: request.parameter("kind").map(str::to_owned),
        after: request.parameter("cursor").map(str::to_owned),
        limit: request.limit()?,
    };
    let page = state.store.catalogue(&query).await?;
    let now = Timestamp::now();
    let items = page.items.into_iter().map(|model| catalogue_item(model, now)).collect::<Vec<_>>();
    Ok(Json(List { items, next: page.next }).into_response())
}
