//! The rows of one version: as they came, and as this build reads them.

use std::{
    collections::{BTreeMap, HashSet},
    sync::Arc,
};

use bytes::Bytes;
use domain::{Resource, ResourceId, Version};
use policy::{ConfigRows, UnreadableRow};
use proto::v1;

/// A complete configuration of one version; copying it copies pointers.
#[derive(Clone)]
pub(crate) struct RowSet {
    pub(crate) version: Version,
    rows: BTreeMap<Bytes, Arc<Row>>,
}

struct Row {
    /// Kept for the file: it may hold more than this build can read.
    wire: v1::Resource,
    read: Result<Resource, UnreadableRow>,
}

/// What arrived.
pub(crate) enum Update {
    /// All rows of a version.
    Snapshot(Version, Vec<v1::Resource>),
    /// What changed since the version that is held.
    Delta(v1::Delta),
}

/// Why an update cannot be put onto the rows that are held: the two sides disagree on what those are.
#[derive(Debug, thiserror::Error)]
pub(crate) enum OutOfStep {
    /// The delta starts elsewhere.
    #[error("a delta from {from}, but {held} is held")]
    From { from: String, held: String },
    /// The delta is no delta.
    #[error(transparent)]
    Malformed(#[from] proto::Malformed),
}

impl RowSet {
    /// What the update makes of the rows that are held, which stay as they are.
    pub(crate) fn after(held: Option<&Self>, update: Update) -> Result<Self, OutOfStep> {
        match update {
            Update::Snapshot(version, rows) => Ok(Self::of(version, rows)),
            Update::Delta(delta) => {
                let from = proto::version_from(delta.from.as_ref())?;
                let version = proto::version_from(delta.to.as_ref())?;
                let held = held.filter(|held| held.version == from).ok_or_else(|| OutOfStep::From {
                    from: from.to_string(),
                    held: held.map_or_else(|| "nothing".to_owned(), |held| held.version.to_string()),
                })?;
                let mut rows = held.rows.clone();
                for id in &delta.removed {
                    rows.remove(id);
                }
                rows.extend(delta.upserts.into_iter().map(Row::entry));
                Ok(Self { version, rows })
            }
        }
    }

    pub(crate) fn of(version: Version, rows: Vec<v1::Resource>) -> Self {
        Self { version, rows: rows.into_iter().map(Row::entry).collect() }
    }

    /// For the compiler.
    pub(crate) fn rows(&self) -> ConfigRows {
        let mut rows = ConfigRows { version: self.version, known: Vec::new(), unknown: Vec::new() };
        for row in self.rows.values() {
            match &row.read {
                Ok(resource) => rows.known.push(resource.clone()),
                Err(unknown) => rows.unknown.push(unknown.clone()),
            }
        }
        rows
    }

    /// For the file.
    pub(crate) fn to_wire(&self) -> Vec<v1::Resource> {
        self.rows.values().map(|row| row.wire.clone()).collect()
    }

    /// Says which rows this build cannot read, those that `before` had in the same form left out.
    pub(crate) fn log_unknown(&self, before: Option<&Self>) {
        let seen: HashSet<*const Row> =
            before.iter().flat_map(|before| before.rows.values()).map(Arc::as_ptr).collect();
        let new = self.rows.values().filter(|row| !seen.contains(&Arc::as_ptr(row)));
        for unknown in new.filter_map(|row| row.read.as_ref().err()).take(100) {
            tracing::warn!(
                kind = %unknown.kind, name = %unknown.name, version = %self.version,
                "a row that this version cannot read; what needs it is disabled: {}", unknown.reason
            );
        }
    }
}

impl Row {
    fn entry(wire: v1::Resource) -> (Bytes, Arc<Self>) {
        let read = proto::resource_from(&wire).map_err(|error| UnreadableRow {
            kind: wire.kind.clone(),
            name: wire.name.clone(),
            tenant: uuid::Uuid::from_slice(&wire.tenant).ok().map(ResourceId),
            reason: error.0,
        });
        (wire.id.clone(), Arc::new(Self { wire, read }))
    }
}

#[cfg(test)]
mod tests {
    use domain::{Spec, StoreId, TenantSpec};

    use super::*;

    fn tenant(name: &str) -> v1::Resource {
        proto::resource_to(&Resource {
            id: ResourceId::new(),
            tenant: None,
            name: name.into(),
            spec: Spec::Tenant(TenantSpec::default()),
            revision: 1,
            sealed: None,
        })
    }

    fn names(set: &RowSet) -> Vec<String> {
        set.rows().known.iter().map(|row| row.name.clone()).collect()
    }

    #[test]
    fn a_delta_is_put_only_onto_the_version_it_starts_from() {
        let store = StoreId::new();
        let version = |revision| Version { store, revision };
        let (a, b, c) = (tenant("a"), tenant("b"), tenant("c"));
        let held = RowSet::of(version(3), vec![a.clone(), b]);
        let delta = |from: Version, to| v1::Delta {
            from: Some(proto::version_to(from)),
            to: Some(proto::version_to(to)),
            upserts: vec![c.clone()],
            removed: vec![a.id.clone()],
        };
        let next = RowSet::after(Some(&held), Update::Delta(delta(version(3), version(5)))).unwrap();
        assert_eq!((next.version, names(&next)), (version(5), vec!["b".to_owned(), "c".to_owned()]));
        assert_eq!(names(&held), ["a", "b"], "what is held stays until the new one is installed");

        let elsewhere = Version { store: StoreId::new(), revision: 3 };
        for from in [version(2), version(4), elsewhere] {
            let update = Update::Delta(delta(from, version(5)));
            assert!(matches!(RowSet::after(Some(&held), update), Err(OutOfStep::From { .. })), "{from}");
        }
        assert!(RowSet::after(None, Update::Delta(delta(version(3), version(5)))).is_err());
        assert!(RowSet::after(Some(&held), Update::Delta(v1::Delta::default())).is_err());
    }

    #[test]
    fn a_row_that_cannot_be_read_is_set_apart_and_kept() {
        let mut newer = tenant("newer");
        newer.spec = Bytes::from_static(br#"{"quantum":true}"#);
        let alien = v1::Resource { kind: "hologram".into(), name: "h".into(), ..tenant("h") };
        let broken = v1::Resource { id: Bytes::from_static(b"short"), ..tenant("broken") };
        let sent = vec![tenant("fine"), newer, alien, broken];
        let set = RowSet::of(Version { store: StoreId::new(), revision: 1 }, sent.clone());
        assert_eq!(names(&set), ["fine"]);
        let unknown: Vec<_> = set.rows().unknown.iter().map(|row| row.name.clone()).collect();
        assert_eq!(unknown.len(), 3);
        assert!(set.rows().unknown.iter().any(|row| row.reason.contains("quantum")));
        assert!(sent.iter().all(|row| set.to_wire().contains(row)));
    }
}
