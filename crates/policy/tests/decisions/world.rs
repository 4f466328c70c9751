//! Small configurations written as rows, compiled, and asked about.

use domain::{Kind, ResourceId, StoreId, Timestamp, Version, test_support::resource};
use policy::{AuthError, Caller, ConfigRows, Snapshot, compile, health::HealthRegistry, identify};
use secrets::{ApiKeyDigests, ApiKeySecret, Binding, Keyring, MasterKey};

/// Rows in the making, and what was seen of what they name.
pub(crate) struct World {
    pub(crate) keyring: Keyring,
    pub(crate) rows: ConfigRows,
    pub(crate) live: HealthRegistry,
}

impl World {
    pub(crate) fn new() -> Self {
        let version = Version { store: StoreId::new(), revision: 1 };
        let rows = ConfigRows { version, known: Vec::new(), unknown: Vec::new() };
        Self { keyring: Keyring::new(&MasterKey::generate(), &[]), rows, live: HealthRegistry::new(1) }
    }

    /// One tenant.
    pub(crate) fn with_tenant() -> (Self, ResourceId) {
        let mut world = Self::new();
        let tenant = world.add(None, Kind::Tenant, "acme", "{}");
        (world, tenant)
    }

    pub(crate) fn add(
        &mut self,
        tenant: Option<ResourceId>,
        kind: Kind,
        name: &str,
        json: &str,
    ) -> ResourceId {
        let mut row = resource(tenant, kind, name, json).unwrap();
        let id = row.id;
        let owner = tenant.map_or(uuid::Uuid::nil(), |tenant| tenant.0);
        row.sealed = (kind == Kind::Credential)
            .then(|| self.keyring.seal(format!("secret-{name}").as_bytes(), Binding { owner, row: id.0 }));
        self.rows.known.push(row);
        id
    }

    /// A provider of the operator's with so many keys, and whatever else its row says.
    pub(crate) fn provider(&mut self, name: &str, keys: usize, more: &str) -> ResourceId {
        let json = format!(r#"{{"kind":"custom","base_url":"https://x.example/v1/"{more}}}"#);
        let id = self.add(None, Kind::Provider, name, &json);
        for number in 0..keys {
            let json = format!(r#"{{"provider":"{name}"}}"#);
            self.add(None, Kind::Credential, &format!("{name}/{number}"), &json);
        }
        id
    }

    pub(crate) fn route(&mut self, name: &str, json: &str) {
        self.add(None, Kind::Route, name, json);
    }

    pub(crate) fn key(&mut self, tenant: ResourceId, json: &str) -> String {
        let text = ApiKeySecret::mint();
        self.add(Some(tenant), Kind::Key, "key", json);
        let seal = ApiKeyDigests { current: self.keyring.digest(text.reveal()), previous: None };
        self.rows.known.last_mut().unwrap().sealed = Some(seal.encode());
        text.reveal().to_owned()
    }

    pub(crate) fn compile(&self) -> Snapshot {
        compile(&self.rows, &self.keyring, &self.live).unwrap()
    }

    pub(crate) fn caller(&self, snapshot: &Snapshot, key: &str) -> Result<Caller, AuthError> {
        identify(snapshot, &self.keyring, Some(key), Timestamp::from_micros(1_000))
    }
}

/// Providers `a` and `b` with a key each, the route `chat` over both, one tenant.
pub(crate) fn two_providers() -> (World, ResourceId) {
    let (mut world, tenant) = World::with_tenant();
    world.provider("a", 1, "");
    world.provider("b", 1, "");
    world.route("chat", r#"{"targets":["a/m","b/m"]}"#);
    (world, tenant)
}
