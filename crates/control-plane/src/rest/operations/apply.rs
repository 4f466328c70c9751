//! `POST /api/v1/apply`: applies a document atomically, or shows what that would change.

use admin_api::{ApplyReply, Document};
use axum::{
    Json,
    response::{IntoResponse, Response},
};

use crate::{
    plan::ConfigGraph,
    rest::{
        error::ApiError,
        operation::{Method, Operation, Shape},
        request::{AdminRequest, Param},
        state::AdminState,
    },
};

const QUERY: &[Param] = &[
    Param::new("dry_run", "`true` answers what would change, and changes nothing."),
    Param::new("prune", "`true` deletes what the document does not mention."),
];

/// The operation.
pub(super) fn operation() -> Operation {
    Operation::new(Method::Post, "apply", "Apply a document, atomically", |state, request| {
        Box::pin(apply(state, request))
    })
    .query(QUERY)
    .request(Shape::of::<Document>())
    .reply(Shape::of::<ApplyReply>())
}

async fn apply(state: &AdminState, request: &AdminRequest) -> Result<Response, ApiError> {
    let prune = request.flag("prune")?;
    let dry_run = request.flag("dry_run")?;
    let (text, format) = request.text()?;
    let desired = Document::read(text, format)?.desired()?;
    let reply = if dry_run {
        let (version, rows) = state.store.load().await?;
        let before = ConfigGraph::new(rows);
        let ((), plan) = state.planned(&before, |_, planner| {
            planner.apply(desired, prune);
            Ok(())
        })?;
        // Keys that were minted to see whether they could be are forgotten here.
        ApplyReply { version, changes: plan.changes, secrets: Vec::new() }
    } else {
        let write = state.write(&request.actor, |_, planner| {
            planner.apply(desired, prune);
            Ok(())
        });
        let ((), plan, version) = write.await?;
        ApplyReply { version, changes: plan.changes, secrets: plan.secrets }
    };
    Ok(Json(reply).into_response())
}
