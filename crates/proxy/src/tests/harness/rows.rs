//! The configuration of the tests: providers `a`, `b`, …, each with one priced model, and a route over them.

use std::sync::Arc;

use domain::{Kind, ResourceId, StoreId, Usage, Version, test_support::resource};
use policy::ConfigRows;
use secrets::{ApiKeyDigests, ApiKeySecret, Binding, Keyring, MasterKey};
use uuid::Uuid;

use super::UPSTREAM;

/// Nano-dollars per token.
#[derive(Clone, Copy)]
pub(crate) struct Price {
    pub(crate) input: u64,
    pub(crate) cached: u64,
    pub(crate) output: u64,
}

impl Price {
    /// Of the n-th provider's model.
    pub(crate) const fn of(provider: usize) -> Self {
        let n = provider as u64 + 1;
        Self { input: 2_000 * n, cached: 500 * n, output: 10_000 * n }
    }

    pub(crate) fn cost(self, usage: &Usage) -> i64 {
        let nanos =
            self.input * usage.input_uncached + self.cached * usage.cache_read + self.output * usage.output();
        i64::try_from(nanos).unwrap()
    }
}

/// The secret of a provider's n-th credential.
pub(crate) fn credential(provider: &str, number: usize) -> String {
    format!("sk-upstream-{provider}-{number}-0123456789abcdef")
}

#[derive(Clone)]
pub(crate) struct Keys {
    pub(crate) good: String,
    pub(crate) expired: String,
}

struct Builder {
    keyring: Keyring,
    rows: ConfigRows,
}

impl Builder {
    fn add(&mut self, tenant: Option<ResourceId>, kind: Kind, name: &str, json: &str) -> ResourceId {
        let row = resource(tenant, kind, name, json).unwrap();
        let id = row.id;
        self.rows.known.push(row);
        id
    }

    fn seal(&mut self, sealed: Vec<u8>) {
        self.rows.known.last_mut().unwrap().sealed = Some(sealed);
    }

    /// Adds the provider `name`, the number-th one, at `url`.
    fn provider(&mut self, name: &str, number: usize, url: &str, plan: &Configuration<'_>) {
        let Configuration { kinds, models, secret, health, credentials, .. } = *plan;
        let kind = *kinds.get(number).unwrap_or(&"custom");
        let model = models.get(number);
        // Only OpenAI's dialect has the version in its base URL.
        let version = if kind == "custom" { "/v1" } else { "" };
        let provider = format!(r#"{{"kind":"{kind}","base_url":"{url}{version}","health":{health}}}"#);
        self.add(None, Kind::Provider, name, &provider);
        for n in 0..credentials {
            let json = format!(r#"{{"provider":"{name}","weight":1}}"#);
            let row = self.add(None, Kind::Credential, &format!("{name}/{n}"), &json).0;
            let binding = Binding { owner: Uuid::nil(), row };
            let own = credential(name, n);
            let sealed = self.keyring.seal(secret.unwrap_or(&own).as_bytes(), binding);
            self.seal(sealed);
        }
        let more = model.map(|model| format!(",{model}")).unwrap_or_default();
        let model = format!(r#"{{"upstream":"{UPSTREAM}"{more}}}"#);
        self.add(None, Kind::Model, &format!("{name}/m"), &model);
        // Nano-dollars per token are thousandths of a dollar per million.
        let dollars = |nanos: u64| format!("${}.{:03}", nanos / 1_000, nanos % 1_000);
        let Price { input, cached, output } = Price::of(number);
        let (input, cached, output) = (dollars(input), dollars(cached), dollars(output));
        let price = format!(
            r#"{{"model":"{name}/m","effective_from":"2020-01-01","input":"{input}","cached_input":"{cached}","output":"{output}"}}"#
        );
        self.add(None, Kind::Price, &format!("{name}/m@2020"), &price);
    }

    fn key(&mut self, tenant: ResourceId, name: &str, json: &str) -> String {
        let text = ApiKeySecret::mint();
        self.add(Some(tenant), Kind::Key, name, json);
        let seal = ApiKeyDigests { current: self.keyring.digest(text.reveal()), previous: None };
        self.seal(seal.encode());
        text.reveal().to_owned()
    }
}

/// What is configured.
#[derive(Clone, Copy)]
pub(crate) struct Configuration<'a> {
    /// The addresses of the providers.
    pub(crate) urls: &'a [String],
    /// Their kinds; of the rest `custom`.
    pub(crate) kinds: &'a [&'a str],
    /// What is written of their models besides the name.
    pub(crate) models: &'a [&'a str],
    /// The secret of all their credentials.
    pub(crate) secret: Option<&'a str>,
    pub(crate) timeouts: &'a str,
    /// What else is written of the route.
    pub(crate) route: &'a str,
    pub(crate) health: &'a str,
    /// How many each provider has.
    pub(crate) credentials: usize,
    pub(crate) limits: &'a [&'a str],
    /// What is written of the good key.
    pub(crate) key: &'a str,
}

/// Rows, what opens them, and the tenant's keys.
pub(crate) struct Configured {
    pub(crate) rows: ConfigRows,
    pub(crate) keyring: Arc<Keyring>,
    pub(crate) keys: Keys,
}

/// Rows with the route `chat` over all providers.
pub(crate) fn build(plan: &Configuration<'_>) -> Configured {
    let Configuration { urls, timeouts, route: more, limits, key, .. } = *plan;
    let version = Version { store: StoreId::new(), revision: 1 };
    let rows = ConfigRows { version, known: Vec::new(), unknown: Vec::new() };
    let mut builder = Builder { keyring: Keyring::new(&MasterKey::generate(), &[]), rows };
    let tenant = builder.add(None, Kind::Tenant, "acme", "{}");
    let mut targets = Vec::new();
    for (number, (name, url)) in ["a", "b", "c"].into_iter().zip(urls).enumerate() {
        builder.provider(name, number, url, plan);
        targets.push(format!("\"{name}/m\""));
    }
    // Routes with pools have no targets beside them.
    let targets = match more.contains(r#""pools""#) {
        true => String::new(),
        false => format!(r#""targets":[{}],"#, targets.join(",")),
    };
    let route = format!(r#"{{{targets}"timeouts":{timeouts},{more}}}"#);
    builder.add(None, Kind::Route, "chat", &route);
    for (number, limit) in limits.iter().enumerate() {
        builder.add(Some(tenant), Kind::Limit, &format!("limit-{number}"), limit);
    }
    let good = builder.key(tenant, "good", key);
    let expired = builder.key(tenant, "expired", r#"{"expires":"2020-01-01"}"#);
    Configured { rows: builder.rows, keyring: Arc::new(builder.keyring), keys: Keys { good, expired } }
}
