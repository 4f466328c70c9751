//! `GET /api/v1/proxies`: the connected proxies and the version that each serves.

use admin_api::List;
use axum::{Json, response::IntoResponse};

use crate::{
    rest::operation::{Method, Operation, Shape},
    watch::ProxyStatus,
};

/// The operation.
pub(super) fn operation() -> Operation {
    Operation::new(Method::Get, "proxies", "Connected proxies and what they serve", |state, _| {
        let list = List { items: state.proxies.list(), next: None };
        Box::pin(async { Ok(Json(list).into_response()) })
    })
    .reply(Shape::of::<List<ProxyStatus>>())
}
