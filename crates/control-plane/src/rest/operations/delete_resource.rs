//! `DELETE /api/v1/{kind}/{name}`: deletes a resource, with what belongs to it where that is asked for.

use axum::{
    http::StatusCode,
    response::{IntoResponse, Response},
};
use domain::Kind;

use crate::rest::{
    error::ApiError,
    operation::{Method, Operation, resource_path},
    request::{AdminRequest, Param},
    state::AdminState,
    write::addressed,
};

const QUERY: &[Param] = &[
    Param::OWNER,
    Param::new(
        "cascade",
        "`true` deletes what belongs to it, too: all of a tenant's; a provider's credentials, models, prices.",
    ),
];

/// The operation for a kind.
pub(super) fn operation(kind: Kind) -> Operation {
    let summary = format!("Delete a {kind}");
    Operation::new(Method::Delete, &resource_path(kind), summary, move |state, request| {
        Box::pin(delete(state, request, kind))
    })
    .query(QUERY)
    .status(204)
}

async fn delete(state: &AdminState, request: &AdminRequest, kind: Kind) -> Result<Response, ApiError> {
    let cascade = request.flag("cascade")?;
    let write = state.write(&request.actor, |graph, planner| {
        let row = addressed(graph, kind, request.parameter("tenant"), &request.name)?;
        request.check_revision(row.revision)?;
        if cascade {
            planner.delete_cascading(row.id);
        } else {
            planner.delete(row.id);
        }
        Ok(())
    });
    write.await?;
    Ok(StatusCode::NO_CONTENT.into_response())
}
