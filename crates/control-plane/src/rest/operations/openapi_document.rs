//! `GET /api/v1/openapi.json`: the description of the whole API.

use axum::{Json, response::IntoResponse};

use crate::rest::{
    openapi,
    operation::{Method, Operation, Shape},
};

/// The operation; `all` lists every operation, this one included.
pub(super) fn operation(all: fn() -> Vec<Operation>) -> Operation {
    Operation::new(Method::Get, "openapi.json", "This document", move |_, _| {
        Box::pin(async move { Ok(Json(openapi::document(&all())).into_response()) })
    })
    .reply(Shape::Object)
}
