//! Builders of rows and of usage records for tests: plain values, of which a test sets what it asserts.

use crate::{
    Account, Attempt, AttemptOutcome, Attribution, BudgetRef, CacheHit, Draw, IncarnationId, Kind, Money,
    RequestId, RequestOutcome, Resource, ResourceId, Spec, SpecError, Timestamp, Usage, UsageEvent, Window,
};

/// A row of revision 1 without sealed material; `json` is its specification.
///
/// # Errors
/// When `json` is no specification of that kind.
pub fn resource(
    tenant: Option<ResourceId>,
    kind: Kind,
    name: &str,
    json: &str,
) -> Result<Resource, SpecError> {
    let spec = Spec::from_json(kind, json.as_bytes())?;
    Ok(Resource { id: ResourceId::new(), tenant, name: name.to_owned(), spec, revision: 1, sealed: None })
}

/// A tenant and a key that nothing else names, without user, feature and tags.
#[must_use]
pub fn attribution() -> Attribution {
    Attribution {
        tenant: ResourceId::new(),
        key: ResourceId::new(),
        user: None,
        feature: None,
        tags: Vec::new(),
    }
}

/// An attempt of this moment at `provider/model` that used and cost nothing.
#[must_use]
pub fn attempt(number: u32, outcome: AttemptOutcome) -> Attempt {
    Attempt {
        number,
        provider: "provider".to_owned(),
        model: "model".to_owned(),
        outcome,
        status: 200,
        at: Timestamp::now(),
        duration_us: 5,
        usage: Usage::default(),
        cost: Money::ZERO,
        price: None,
        estimated: false,
        reason: None,
        draw: None,
    }
}

/// Two accounts of a root of their own: a flat one and one of a user.
#[must_use]
pub fn draw() -> Draw {
    let account = |value: &str| Account {
        budget: BudgetRef { id: ResourceId::new(), generation: 3 },
        window: Window { start: 1_790_000_000, previous: 1_789_913_600 },
        value: value.into(),
    };
    let accounts = [account(""), account("ada")].into();
    Draw { root: ResourceId::new(), holder: IncarnationId::new(), accounts }
}

/// A chat request of this moment that was answered, with these attempts.
#[must_use]
pub fn usage_event(attempts: Vec<Attempt>) -> UsageEvent {
    UsageEvent {
        request: RequestId::new(),
        incarnation: IncarnationId::new(),
        at: Timestamp::now(),
        attribution: attribution(),
        api: "chat".to_owned(),
        stream: false,
        route: "chat".to_owned(),
        rule: None,
        pool: None,
        outcome: RequestOutcome::Ok,
        status: 200,
        cache: CacheHit::Off,
        duration_us: 9,
        overhead_us: 1,
        ttft_us: None,
        attempts,
    }
}
