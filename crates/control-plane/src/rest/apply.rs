//! Whole documents: applying one atomically, showing what that would change, and writing the current one out.

use admin_api::{ApplyReply, Document};
use axum::{
    Json,
    response::{IntoResponse, Response},
};

use super::{AdminState, call::AdminRequest, error::ApiError};
use crate::plan::ConfigGraph;

/// `POST /api/v1/apply`.
pub(super) async fn apply(state: &AdminState, call: &AdminRequest) -> Result<Response, ApiError> {
    let (prune, dry_run) = (call.flag("prune")?, call.flag("dry_run")?);
    let (text, format) = call.text()?;
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
        let write = state.write(&call.actor, |_, planner| {
            planner.apply(desired, prune);
            Ok(())
        });
        let ((), plan, version) = write.await?;
        ApplyReply { version, changes: plan.changes, secrets: plan.secrets }
    };
    Ok(Json(reply).into_response())
}

/// `GET /api/v1/export`.
pub(super) async fn export(state: &AdminState) -> Result<Response, ApiError> {
    let (_, rows) = state.store.load().await?;
    Ok(Json(Document::from_resources(&rows)).into_response())
}
