//! What happened: usage, the request log, the audit log, and who is connected.

mod shapes;

use std::collections::HashMap;

use admin_api::{List, OPERATOR};
use axum::{
    Json,
    response::{IntoResponse, Response},
};
use domain::{RequestId, Resource, ResourceId, Timestamp};
use serde_json::{Map, Value};
use store::{Dimension, RequestQuery, UsageQuery, UsageRow};

use super::{AdminState, call::AdminRequest, error::ApiError};

pub(super) use shapes::{AuditItem, RequestItem, UsageItem};

/// `GET /api/v1/usage`.
pub(super) async fn usage(state: &AdminState, call: &AdminRequest) -> Result<Response, ApiError> {
    let group_by = call.parameter("group_by").unwrap_or_default();
    let group_by = group_by
        .split(',')
        .map(str::trim)
        .filter(|name| !name.is_empty())
        .map(|name| name.parse::<Dimension>().map_err(|message| ApiError::invalid("group_by", message)))
        .collect::<Result<Vec<_>, _>>()?;
    let query = UsageQuery {
        from: call.typed::<Timestamp>("from")?,
        to: call.typed::<Timestamp>("to")?,
        tenant: tenant(state, call).await?,
        group_by,
    };
    if query.from.zip(query.to).is_some_and(|(from, to)| from >= to) {
        return Err(ApiError::invalid("to", "must be later than `from`"));
    }
    let mut names = Names::new(state);
    let mut items = Vec::new();
    let rows = state.store.usage(&query).await.map_err(|error| ApiError::of_parameter("group_by", error))?;
    for UsageRow { group, totals } in rows {
        let mut written = Map::new();
        for (dimension, value) in query.group_by.iter().zip(group) {
            let value = match (dimension, value) {
                (Dimension::Tenant | Dimension::Key, Some(id)) => Some(names.full(&id).await?),
                (_, value) => value,
            };
            written.insert(dimension.as_str().to_owned(), value.into());
        }
        items.push(UsageItem::new(written, &totals));
    }
    Ok(Json(List { items, next: None }).into_response())
}

/// `GET /api/v1/requests`.
pub(super) async fn requests(state: &AdminState, call: &AdminRequest) -> Result<Response, ApiError> {
    let none =
        |_| ApiError::invalid("request_id", "is none; an answer's header x-portcullis-request-id has it");
    let query = RequestQuery {
        after: call.parameter("cursor").map(str::to_owned),
        limit: call.limit()?,
        tenant: tenant(state, call).await?,
        request: call.typed::<RequestId>("request_id").map_err(none)?,
    };
    let page = state.store.requests(&query).await;
    let page = page.map_err(|error| ApiError::of_parameter("cursor", error))?;
    let mut names = Names::new(state);
    let mut items = Vec::with_capacity(page.items.len());
    for event in page.items {
        let tenant = names.of(event.attribution.tenant).await?;
        let key = names.of(event.attribution.key).await?;
        items.push(RequestItem::new(event, tenant, key));
    }
    Ok(Json(List { items, next: page.next }).into_response())
}

/// `GET /api/v1/audit`.
pub(super) async fn audit(state: &AdminState, call: &AdminRequest) -> Result<Response, ApiError> {
    let page = state.store.audit(call.parameter("cursor"), call.limit()?).await;
    let page = page.map_err(|error| ApiError::of_parameter("cursor", error))?;
    let mut names = Names::new(state);
    let mut items = Vec::with_capacity(page.items.len());
    for entry in page.items {
        let tenant = match entry.tenant {
            Some(id) => Some(names.of(id).await?),
            None => None,
        };
        items.push(AuditItem::new(entry, tenant));
    }
    Ok(Json(List { items, next: page.next }).into_response())
}

/// `GET /api/v1/proxies`.
pub(super) fn proxies(state: &AdminState) -> Response {
    Json(List { items: state.proxies.list(), next: None }).into_response()
}

/// One tenant's only, by name, the operator being one; by id also when it is gone, because its usage stays.
async fn tenant(state: &AdminState, call: &AdminRequest) -> Result<Option<ResourceId>, ApiError> {
    match call.parameter("tenant") {
        None => Ok(None),
        Some(name) => match name.parse() {
            Ok(id) => Ok(Some(id)),
            Err(_) if name == OPERATOR => Ok(Some(ResourceId::OPERATOR)),
            Err(_) => state.tenant_id(name).await.map(Some),
        },
    }
}

/// Names of rows by id, each looked up once; a row that is gone is called by its id.
pub(super) struct Names<'a> {
    state: &'a AdminState,
    known: HashMap<ResourceId, String>,
}

impl<'a> Names<'a> {
    pub(super) fn new(state: &'a AdminState) -> Self {
        Self { state, known: HashMap::from([(ResourceId::OPERATOR, OPERATOR.to_owned())]) }
    }

    pub(super) async fn of(&mut self, id: ResourceId) -> Result<String, ApiError> {
        if let Some(name) = self.known.get(&id) {
            return Ok(name.clone());
        }
        let found = self.state.store.get_by_id(id).await?;
        let name = found.map_or_else(|| id.to_string(), |stored| stored.resource.name);
        self.known.insert(id, name.clone());
        Ok(name)
    }

    /// With the owner before it, where there is one: keys of several tenants may have the same name.
    async fn full(&mut self, text: &str) -> Result<String, ApiError> {
        let Ok(id) = text.parse() else { return Ok(text.to_owned()) };
        if let Some(name) = self.known.get(&id) {
            return Ok(name.clone());
        }
        let name = match self.state.store.get_by_id(id).await?.map(|stored| stored.resource) {
            Some(Resource { name, tenant: Some(owner), .. }) => format!("{}/{name}", self.of(owner).await?),
            Some(Resource { name, .. }) => name,
            None => id.to_string(),
        };
        self.known.insert(id, name.clone());
        Ok(name)
    }
}

/// Whether there is no detail to show.
pub(super) fn is_empty(value: &Value) -> bool {
    value.as_object().is_some_and(Map::is_empty)
}
