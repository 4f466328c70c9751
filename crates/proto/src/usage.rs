//! Intents and usage events between wire and domain.

use domain::{
    Attempt, AttemptOutcome, Attribution, CacheHit, IncarnationId, Intent, Money, RequestId, RequestOutcome,
    ResourceId, Timestamp, Usage, UsageEvent,
};

use crate::{
    Malformed,
    account::{draw_from, draw_to},
    bytes, uuid, v1,
};

fn attribution_to(from: &Attribution) -> v1::Attribution {
    let tag = |(name, value): &(String, String)| v1::Tag { name: name.clone(), value: value.clone() };
    v1::Attribution {
        tenant: bytes(from.tenant.0),
        key: bytes(from.key.0),
        user: from.user.clone(),
        feature: from.feature.clone(),
        tags: from.tags.iter().map(tag).collect(),
    }
}

fn attribution_from(from: Option<v1::Attribution>) -> Result<Attribution, Malformed> {
    let from = from.ok_or_else(|| Malformed("no attribution".to_owned()))?;
    Ok(Attribution {
        tenant: ResourceId(uuid(&from.tenant, "tenant")?),
        key: ResourceId(uuid(&from.key, "key")?),
        user: from.user,
        feature: from.feature,
        tags: from.tags.into_iter().map(|tag| (tag.name, tag.value)).collect(),
    })
}

/// Both sides name the counts alike, so one list serves both directions.
macro_rules! usage_conversions {
    ($($name:ident),*) => {
        fn usage_to(from: &Usage) -> v1::Usage {
            // The usual tier is not written: it costs no bytes, and a version before tiers reads the same.
            let tier = Some(from.service_tier).filter(|tier| !tier.is_standard());
            let service_tier = tier.map(|tier| tier.as_str().to_owned()).unwrap_or_default();
            v1::Usage { $($name: from.$name,)* service_tier }
        }

        fn usage_from(from: Option<v1::Usage>) -> Usage {
            let from = from.unwrap_or_default();
            // The cost is computed already, so a tier that only a newer version knows is no reason to refuse usage.
            let service_tier = from.service_tier.parse().unwrap_or_default();
            Usage { $($name: from.$name,)* service_tier }
        }
    };
}

usage_conversions!(
    input_uncached,
    cache_read,
    cache_write,
    write_5m,
    write_30m,
    write_1h,
    write_12h,
    tool_input,
    audio_in,
    image_in,
    output_visible,
    reasoning,
    audio_out,
    image_out,
    web_searches,
    search_units,
    images,
    audio_ms,
    characters,
    pages
);

fn price_to(price: Option<ResourceId>) -> bytes::Bytes {
    price.map(|id| bytes(id.0)).unwrap_or_default()
}

fn price_from(from: &[u8]) -> Result<Option<ResourceId>, Malformed> {
    if from.is_empty() { Ok(None) } else { uuid(from, "price").map(|id| Some(ResourceId(id))) }
}

/// To the wire.
#[must_use]
pub fn intent_to(from: &Intent) -> v1::Intent {
    v1::Intent {
        request: bytes(from.request.0),
        attempt: from.attempt,
        at_us: from.at.micros(),
        attribution: Some(attribution_to(&from.attribution)),
        api: from.api.clone(),
        stream: from.stream,
        route: from.route.clone(),
        provider: from.provider.clone(),
        model: from.model.clone(),
        price: price_to(from.price),
        reserve_nanos: from.reserve.nanos(),
        bound: Some(usage_to(&from.bound)),
        draw: from.draw.as_ref().map(draw_to),
    }
}

/// From the wire.
///
/// # Errors
/// When an id is no UUID or the attribution is absent.
pub fn intent_from(from: v1::Intent) -> Result<Intent, Malformed> {
    Ok(Intent {
        request: RequestId(uuid(&from.request, "request")?),
        attempt: from.attempt,
        at: Timestamp::from_micros(from.at_us),
        attribution: attribution_from(from.attribution)?,
        api: from.api,
        stream: from.stream,
        route: from.route,
        provider: from.provider,
        model: from.model,
        price: price_from(&from.price)?,
        reserve: Money::from_nanos(from.reserve_nanos),
        bound: usage_from(from.bound),
        draw: from.draw.map(draw_from).transpose()?,
    })
}

fn attempt_to(from: &Attempt) -> v1::Attempt {
    v1::Attempt {
        number: from.number,
        provider: from.provider.clone(),
        model: from.model.clone(),
        outcome: from.outcome.as_str().to_owned(),
        status: from.status,
        at_us: from.at.micros(),
        duration_us: from.duration_us,
        usage: Some(usage_to(&from.usage)),
        cost_nanos: from.cost.nanos(),
        price: price_to(from.price),
        estimated: from.estimated,
        reason: from.reason.clone(),
        draw: from.draw.as_ref().map(draw_to),
    }
}

fn attempt_from(from: v1::Attempt) -> Result<Attempt, Malformed> {
    let unknown = || Malformed(format!("unknown attempt outcome {:?}", from.outcome));
    Ok(Attempt {
        number: from.number,
        outcome: AttemptOutcome::from_name(&from.outcome).ok_or_else(unknown)?,
        provider: from.provider,
        model: from.model,
        status: from.status,
        at: Timestamp::from_micros(from.at_us),
        duration_us: from.duration_us,
        usage: usage_from(from.usage),
        cost: Money::from_nanos(from.cost_nanos),
        price: price_from(&from.price)?,
        estimated: from.estimated,
        reason: from.reason,
        draw: from.draw.map(draw_from).transpose()?,
    })
}

/// To the wire.
#[must_use]
pub fn event_to(from: &UsageEvent) -> v1::UsageEvent {
    v1::UsageEvent {
        request: bytes(from.request.0),
        incarnation: bytes(from.incarnation.0),
        at_us: from.at.micros(),
        attribution: Some(attribution_to(&from.attribution)),
        api: from.api.clone(),
        stream: from.stream,
        route: from.route.clone(),
        outcome: from.outcome.as_str().to_owned(),
        status: from.status,
        cache: from.cache.as_str().to_owned(),
        duration_us: from.duration_us,
        overhead_us: from.overhead_us,
        ttft_us: from.ttft_us,
        attempts: from.attempts.iter().map(attempt_to).collect(),
        rule: from.rule.clone(),
        pool: from.pool.clone(),
    }
}

/// From the wire.
///
/// # Errors
/// When an id is no UUID, the attribution or the attempts are absent, or an outcome is unknown.
pub fn event_from(from: v1::UsageEvent) -> Result<UsageEvent, Malformed> {
    if from.attempts.is_empty() {
        return Err(Malformed("an event without attempts".to_owned()));
    }
    let unknown = |what: &str| Malformed(format!("unknown {what} in a usage event"));
    Ok(UsageEvent {
        request: RequestId(uuid(&from.request, "request")?),
        incarnation: IncarnationId(uuid(&from.incarnation, "incarnation")?),
        at: Timestamp::from_micros(from.at_us),
        attribution: attribution_from(from.attribution)?,
        api: from.api,
        stream: from.stream,
        route: from.route,
        outcome: RequestOutcome::from_name(&from.outcome).ok_or_else(|| unknown("outcome"))?,
        status: from.status,
        cache: CacheHit::from_name(&from.cache).ok_or_else(|| unknown("cache result"))?,
        duration_us: from.duration_us,
        overhead_us: from.overhead_us,
        ttft_us: from.ttft_us,
        rule: from.rule,
        pool: from.pool,
        attempts: from.attempts.into_iter().map(attempt_from).collect::<Result<_, _>>()?,
    })
}

#[cfg(test)]
mod tests {
    use domain::{ServiceTier, test_support};

    use super::*;

    fn event() -> UsageEvent {
        let attempt = Attempt {
            at: Timestamp::from_micros(5),
            duration_us: 6,
            usage: Usage {
                service_tier: ServiceTier::Priority,
                ..Usage::from_counts(std::array::from_fn(|index| index as u64 + 1))
            },
            cost: Money::from_nanos(9),
            price: Some(ResourceId::new()),
            estimated: true,
            reason: Some("first of the list".into()),
            draw: Some(test_support::draw()),
            ..test_support::attempt(1, AttemptOutcome::Ok)
        };
        UsageEvent {
            at: Timestamp::from_micros(1),
            attribution: Attribution {
                user: Some("u".into()),
                tags: vec![("a".into(), "b".into())],
                ..test_support::attribution()
            },
            stream: true,
            rule: Some("small".into()),
            pool: Some("cheap".into()),
            outcome: RequestOutcome::Cut,
            duration_us: 2,
            overhead_us: 3,
            ttft_us: Some(4),
            ..test_support::usage_event(vec![attempt])
        }
    }

    #[test]
    fn an_event_survives_the_wire() {
        let event = event();
        assert_eq!(event_from(event_to(&event)).unwrap(), event);
    }

    #[test]
    fn nonsense_is_refused() {
        let mut wire = event_to(&event());
        wire.outcome = "great".into();
        assert!(event_from(wire.clone()).is_err());
        wire.request = bytes::Bytes::from_static(b"short");
        assert!(event_from(wire).is_err());
        assert!(event_from(v1::UsageEvent::default()).is_err());
    }
}
