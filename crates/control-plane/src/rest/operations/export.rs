//! `GET /api/v1/export`: the configuration as a document.

use admin_api::Document;
use axum::{
    Json,
    response::{IntoResponse, Response},
};

use crate::rest::{
    error::ApiError,
    operation::{Method, Operation, Shape},
    state::AdminState,
};

/// The operation.
pub(super) fn operation() -> Operation {
    Operation::new(Method::Get, "export", "The configuration as a document, without secrets", |state, _| {
        Box::pin(export(state))
    })
    .reply(Shape::of::<Document>())
}

async fn export(state: &AdminState) -> Result<Response, ApiError> {
    let (_, rows) = state.store.load().await?;
    Ok(Json(Document::from_resources(&rows)).into_response())
}
