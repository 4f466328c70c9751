//! Who asks: the tenant and the key by name, and what the request says of itself within the bounds of its headers.

use std::sync::Arc;

use admin_api::ExplainRequest;
use domain::{Attribution, KeySpec, Kind, Resource, ResourceId, Spec};
use policy::{ApiKey, ConfigRows, Snapshot};
use wire::RequestFacts;

use crate::rest::error::ApiError;

const MAX_NAME: usize = Attribution::MAX_NAME;
const MAX_TAGS: usize = Attribution::MAX_TAGS;

/// The key, and with it its tenant; without a name one that may do everything.
pub(super) fn key(
    snapshot: &Snapshot,
    rows: &ConfigRows,
    asked: &ExplainRequest,
) -> Result<Arc<ApiKey>, ApiError> {
    let missing = || ApiError::invalid("tenant", format!("there is no tenant {:?}", asked.tenant));
    let row = find(rows, Kind::Tenant, None, &asked.tenant).ok_or_else(missing)?;
    let tenant = Arc::clone(snapshot.tenant(row.id).ok_or_else(missing)?);
    let (id, name, spec) = match &asked.key {
        None => (ResourceId::new(), String::new(), KeySpec::default()),
        Some(name) => {
            let missing = || ApiError::invalid("key", format!("{} has no key {name:?}", tenant.name));
            let row = find(rows, Kind::Key, Some(tenant.id), name).ok_or_else(missing)?;
            let spec = if let Spec::Key(spec) = &row.spec { spec.clone() } else { KeySpec::default() };
            (row.id, row.name.clone(), spec)
        }
    };
    Ok(Arc::new(ApiKey { id, name, tenant, spec, until: None }))
}

fn find<'a>(rows: &'a ConfigRows, kind: Kind, owner: Option<ResourceId>, name: &str) -> Option<&'a Resource> {
    let id: Option<ResourceId> = name.parse().ok();
    let is = |row: &&Resource| row.kind() == kind && row.tenant == owner;
    rows.known.iter().filter(is).find(|row| id.map_or(row.name == name, |id| row.id == id))
}

/// What the request says of itself; what the key pins goes first.
pub(super) struct Said<'a> {
    pub(super) user: Option<&'a str>,
    pub(super) feature: Option<&'a str>,
    pub(super) session: Option<&'a str>,
    pub(super) tags: Vec<(String, String)>,
}

impl<'a> Said<'a> {
    pub(super) fn read(
        asked: &'a ExplainRequest,
        key: &'a ApiKey,
        facts: &'a RequestFacts,
    ) -> Result<Self, ApiError> {
        let user = name("user", asked.user.as_deref())?;
        let feature = name("feature", asked.feature.as_deref())?;
        Ok(Self {
            user: key.spec.user.as_deref().or(user).or(facts.user.as_deref()),
            feature: key.spec.feature.as_deref().or(feature),
            session: name("session", asked.session.as_deref())?,
            tags: tags(asked)?,
        })
    }
}

fn name<'a>(field: &str, text: Option<&'a str>) -> Result<Option<&'a str>, ApiError> {
    match text {
        Some(text) if text.len() > MAX_NAME => {
            Err(ApiError::invalid(field, format!("is longer than {MAX_NAME} bytes")))
        }
        text => Ok(text.filter(|text| !text.is_empty())),
    }
}

/// Only what the header can say: `k=v,k=v`.
fn tags(asked: &ExplainRequest) -> Result<Vec<(String, String)>, ApiError> {
    if asked.tags.len() > MAX_TAGS {
        return Err(ApiError::invalid("tags", format!("at most {MAX_TAGS}")));
    }
    let tag = |(name, value): (&String, &String)| {
        let field = format!("tags.{name}");
        if name.is_empty() || name.contains(['=', ',']) || value.contains(',') {
            let form = "a name needs a letter and neither `=` nor `,`; a value has no `,`";
            return Err(ApiError::invalid(&field, form));
        }
        match name.len() + value.len() {
            0..=MAX_NAME => Ok((name.clone(), value.clone())),
            _ => Err(ApiError::invalid(&field, format!("is longer than {MAX_NAME} bytes"))),
        }
    };
    asked.tags.iter().map(tag).collect()
}
