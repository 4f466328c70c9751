//! `POST /api/v1/keys/{name}/rotate`: gives a key a new secret.

use admin_api::Direction;
use axum::{http::StatusCode, response::Response};
use domain::{Duration, Kind, Timestamp};
use secrets::ApiKeyDigests;

use crate::rest::{
    error::ApiError,
    operation::{Method, Operation, Shape},
    request::{AdminRequest, Param},
    state::AdminState,
    write::{addressed, item_response},
};

const DEFAULT_GRACE: Duration = Duration::from_secs(24 * 3_600);
const LONGEST_GRACE: Duration = Duration::from_secs(30 * 24 * 3_600);

const QUERY: &[Param] = &[
    Param::OWNER,
    Param::new("grace", "How long the old secret works, `0s` to `30d`; 24h when it is not given."),
];

/// The operation.
pub(super) fn operation() -> Operation {
    Operation::new(
        Method::Post,
        "keys/{name}/rotate",
        "Give a key a new secret, shown once",
        |state, request| Box::pin(rotate(state, request)),
    )
    .query(QUERY)
    .reply(Shape::Item(Kind::Key, Direction::Read))
}

async fn rotate(state: &AdminState, request: &AdminRequest) -> Result<Response, ApiError> {
    let grace = request.typed::<Duration>("grace")?.unwrap_or(DEFAULT_GRACE);
    if grace > LONGEST_GRACE {
        return Err(ApiError::invalid("grace", "must be at most 30d"));
    }
    let micros = i64::try_from(grace.std().as_micros()).unwrap_or_default();
    let now = Timestamp::now().micros();
    let ends = (micros > 0).then(|| now.saturating_add(micros));
    let write = state.write_one(&request.actor, |graph, planner| {
        let row = addressed(graph, Kind::Key, request.parameter("tenant"), &request.name)?;
        request.check_revision(row.revision)?;
        let seal = row.sealed.as_deref().and_then(ApiKeyDigests::decode);
        let running = seal.and_then(|seal| seal.previous).filter(|(_, until)| *until > now);
        if ends.is_some() && running.is_some() {
            let why = "the secret before the current one still works, and another rotation would end it at once; \
                wait for its grace period, or give grace=0s";
            return Err(ApiError::conflict("grace", why));
        }
        planner.rotate(row, ends);
        Ok(row.id)
    });
    Ok(item_response(StatusCode::OK, &write.await?))
}
