//! Versions and configuration rows between wire and domain.

use bytes::Bytes;
use domain::{Kind, Resource, ResourceId, Spec, StoreId, Version};

use crate::{Malformed, uuid, v1};

/// To the wire.
#[must_use]
pub fn version_to(version: Version) -> v1::Version {
    v1::Version { store: crate::bytes(version.store.0), revision: version.revision }
}

/// From the wire.
///
/// # Errors
/// When it is absent or the store is no UUID.
pub fn version_from(version: Option<&v1::Version>) -> Result<Version, Malformed> {
    let version = version.ok_or_else(|| Malformed("no version".to_owned()))?;
    Ok(Version { store: StoreId(uuid(&version.store, "store")?), revision: version.revision })
}

/// An id to the wire; none: empty.
#[must_use]
pub fn id_to(id: Option<ResourceId>) -> Bytes {
    id.map(|id| crate::bytes(id.0)).unwrap_or_default()
}

/// An id from the wire; empty: none.
///
/// # Errors
/// When it is no UUID.
pub fn id_from(id: &[u8], field: &str) -> Result<Option<ResourceId>, Malformed> {
    match id.is_empty() {
        true => Ok(None),
        false => Ok(Some(ResourceId(uuid(id, field)?))),
    }
}

/// To the wire.
#[must_use]
pub fn resource_to(resource: &Resource) -> v1::Resource {
    v1::Resource {
        id: crate::bytes(resource.id.0),
        tenant: id_to(resource.tenant),
        kind: resource.kind().as_str().to_owned(),
        name: resource.name.clone(),
        spec: Bytes::from(resource.spec.to_json().to_string()),
        revision: resource.revision,
        sealed: resource.sealed.clone().map(Bytes::from).unwrap_or_default(),
    }
}

/// From the wire; strict, because a field that is not understood must not be ignored.
///
/// # Errors
/// When an id is no UUID, the kind is unknown or the specification holds something this version does not know.
pub fn resource_from(resource: &v1::Resource) -> Result<Resource, Malformed> {
    let kind: Kind = resource.kind.parse().map_err(Malformed)?;
    let spec = Spec::from_json(kind, &resource.spec)
        .map_err(|error| Malformed(format!("{kind} {}: {}", resource.name, error.source)))?;
    let tenant = id_from(&resource.tenant, "tenant")?;
    Ok(Resource {
        id: ResourceId(uuid(&resource.id, "id")?),
        tenant,
        name: resource.name.clone(),
        spec,
        revision: resource.revision,
        sealed: (!resource.sealed.is_empty()).then(|| resource.sealed.to_vec()),
    })
}
