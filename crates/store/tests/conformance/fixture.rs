//! A fresh database per test, and rows to fill it with.

use domain::{
    Attempt, AttemptOutcome, Attribution, CacheHit, KeySpec, Money, RequestId, ResourceId, ServiceTier, Spec,
    TenantSpec, Timestamp, Usage, UsageEvent, test_support,
};
use store::{Actor, PutOutcome, ResourceDraft, Store};

use crate::backend::address;

/// A store of its own; a file goes with it.
pub(crate) struct Fresh {
    pub(crate) store: Store,
    pub(crate) url: String,
    _directory: Option<tempfile::TempDir>,
}

impl std::ops::Deref for Fresh {
    type Target = Store;

    fn deref(&self) -> &Store {
        &self.store
    }
}

pub(crate) async fn fresh() -> Fresh {
    let (url, directory) = address().await;
    Fresh { store: Store::open(&url).await.unwrap(), url, _directory: directory }
}

pub(crate) fn ada() -> Actor {
    Actor { name: "ada".to_owned() }
}

pub(crate) fn tenant(name: &str, tier: &str) -> ResourceDraft {
    let spec = Spec::Tenant(TenantSpec { tier: Some(tier.to_owned()), ..TenantSpec::default() });
    ResourceDraft { id: ResourceId::new(), tenant: None, name: name.to_owned(), spec, sealed: None }
}

pub(crate) fn key(owner: ResourceId, name: &str) -> ResourceDraft {
    let spec = Spec::Key(KeySpec { user: Some("ü".to_owned()), ..KeySpec::default() });
    ResourceDraft {
        id: ResourceId::new(),
        tenant: Some(owner),
        name: name.to_owned(),
        spec,
        sealed: Some(vec![0, 1, 254, 255]),
    }
}

/// Writes drafts in one transaction and says what each did.
pub(crate) async fn write(store: &Store, drafts: &[ResourceDraft]) -> Vec<PutOutcome> {
    let mut tx = store.begin(&ada()).await.unwrap();
    let mut done = Vec::new();
    for draft in drafts {
        done.push(tx.put(draft.clone()).await.unwrap());
    }
    tx.commit().await.unwrap();
    done
}

/// An id minted at a time of the test's choosing.
pub(crate) fn request_at(micros: i64) -> RequestId {
    let millis = u64::try_from(micros / 1_000).unwrap();
    let random = uuid::Uuid::new_v7(uuid::Timestamp::now(uuid::NoContext));
    let mut bytes = *random.as_bytes();
    bytes[..6].copy_from_slice(&millis.to_be_bytes()[2..]);
    RequestId(uuid::Uuid::from_bytes(bytes))
}

pub(crate) fn attempt(number: u32, outcome: AttemptOutcome) -> Attempt {
    Attempt {
        status: 200 + number,
        at: Timestamp::from_micros(1_000_000 + i64::from(number)),
        provider: "openai".to_owned(),
        model: "gpt-4o-mini".to_owned(),
        duration_us: 7,
        usage: Usage {
            service_tier: ServiceTier::Flex,
            ..Usage::from_counts(std::array::from_fn(|index| 10 * (index as u64 + 1)))
        },
        cost: Money::from_nanos(12_345),
        price: Some(ResourceId::new()),
        reason: Some("first of the list".to_owned()),
        ..test_support::attempt(number, outcome)
    }
}

pub(crate) fn event(tenant: ResourceId, at: i64, attempts: Vec<Attempt>) -> UsageEvent {
    UsageEvent {
        request: request_at(at),
        at: Timestamp::from_micros(at + 5),
        attribution: Attribution {
            tenant,
            key: tenant,
            user: Some("alice".to_owned()),
            feature: None,
            tags: vec![("team".to_owned(), "red\"'".to_owned())],
        },
        stream: true,
        rule: Some("small".to_owned()),
        pool: Some("cheap".to_owned()),
        cache: CacheHit::None,
        duration_us: 900,
        overhead_us: 30,
        ttft_us: Some(400),
        ..test_support::usage_event(attempts)
    }
}
