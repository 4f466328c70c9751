//! `POST /api/v1/catalogue`: imports a catalogue file.

use admin_api::{CatalogueReply, read_catalogue};
use axum::{
    Json,
    response::{IntoResponse, Response},
};
use domain::{Catalogue, Timestamp};

use crate::rest::{
    error::ApiError,
    operation::{Method, Operation, Shape},
    request::AdminRequest,
    state::AdminState,
};

/// The operation.
pub(super) fn operation() -> Operation {
    Operation::new(Method::Post, "catalogue", "Import a catalogue file", |state, request| {
        Box::pin(import(state, request))
    })
    .request(Shape::of::<Catalogue>())
    .reply(Shape::of::<CatalogueReply>())
}

async fn import(state: &AdminState, request: &AdminRequest) -> Result<Response, ApiError> {
    let (text, format) = request.text()?;
    let catalogue = read_catalogue(text, format)?;
    let mut tx = state.store.begin(&request.actor).await?;
    let imported = tx.import_catalogue(&catalogue, Timestamp::now()).await?;
    let version = tx.commit().await?;
    let models = imported.models;
    let prices = imported.prices;
    Ok(Json(CatalogueReply { catalogue: catalogue.version, version, models, prices }).into_response())
}
