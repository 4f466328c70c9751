//! Hourly sums equal the events they come from, whatever batches these arrived in.

use std::collections::BTreeMap;

use domain::{AttemptOutcome, Money, RequestOutcome, ResourceId, Timestamp, Usage, UsageEvent};
use store::{Dimension, StoreError, Totals, UsageQuery};

use crate::fixture::{attempt, event, fresh};

const HOUR: i64 = 3_600_000_000;

/// A small generator with a printed seed: failures can be run again.
struct Dice(u64);

impl Dice {
    fn roll(&mut self, sides: u64) -> u64 {
        self.0 = self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (self.0 >> 33) % sides
    }

    fn pick<'a, T>(&mut self, from: &'a [T]) -> &'a T {
        &from[usize::try_from(self.roll(from.len() as u64)).unwrap()]
    }
}

fn random_event(dice: &mut Dice, owners: &[ResourceId]) -> UsageEvent {
    let attempts = (1..=u32::try_from(1 + dice.roll(3)).unwrap())
        .map(|number| {
            let mut attempt = attempt(number, *dice.pick(&AttemptOutcome::ALL));
            attempt.provider = (*dice.pick(&["openai", "anthropic"])).to_owned();
            attempt.model = (*dice.pick(&["small", "large"])).to_owned();
            attempt.cost = Money::from_nanos(i64::try_from(dice.roll(1 << 30)).unwrap());
            attempt.usage.output_visible = dice.roll(1 << 20);
            attempt.usage.reasoning = dice.roll(1 << 10);
            attempt.estimated = dice.roll(4) == 0;
            if dice.roll(5) == 0 {
                attempt.price = None;
                attempt.cost = Money::ZERO;
            }
            if dice.roll(5) == 0 {
                attempt.usage = Usage::default();
            }
            attempt
        })
        .collect();
    let at =
        i64::try_from(dice.roll(50)).unwrap() * HOUR + i64::try_from(dice.roll(3_600_000)).unwrap() * 1_000;
    let mut event = event(*dice.pick(owners), at, attempts);
    event.attribution.user = dice.pick(&[None, Some("alice"), Some("bob")]).map(str::to_owned);
    event.attribution.feature = dice.pick(&[None, Some("bot")]).map(str::to_owned);
    event.outcome = *dice.pick(&RequestOutcome::ALL);
    event.route = (*dice.pick(&["chat", "code"])).to_owned();
    event
}

/// The same sums, straight from the events.
fn expected(
    events: &[UsageEvent],
    group: impl Fn(&UsageEvent, usize) -> Vec<Option<String>>,
) -> BTreeMap<Vec<Option<String>>, Totals> {
    let mut sums: BTreeMap<_, Totals> = BTreeMap::new();
    for event in events {
        for (index, attempt) in event.attempts.iter().enumerate() {
            let sum = sums.entry(group(event, index)).or_default();
            let last = u64::from(index + 1 == event.attempts.len());
            let failed = matches!(
                event.outcome,
                RequestOutcome::Error | RequestOutcome::Cut | RequestOutcome::Orphaned
            );
            sum.attempts += 1;
            sum.requests += last;
            sum.errors += last * u64::from(failed);
            sum.estimated += u64::from(attempt.estimated);
            sum.unpriced += u64::from(attempt.price.is_none() && attempt.usage != Usage::default());
            let (into, from) = (sum.usage.counts(), attempt.usage.counts());
            sum.usage = Usage::from_counts(std::array::from_fn(|index| into[index] + from[index]));
            sum.cost = sum.cost.plus(attempt.cost);
        }
    }
    sums
}

#[tokio::test]
async fn sums_equal_events_through_any_overlap_of_batches() {
    let store = fresh().await;
    let seed = u64::from(std::process::id());
    println!("seed {seed}");
    let mut dice = Dice(seed);
    let owners = [ResourceId::new(), ResourceId::new(), ResourceId::new()];
    let events: Vec<_> = (0..300).map(|_| random_event(&mut dice, &owners)).collect();
    let attempts: usize = events.iter().map(|event| event.attempts.len()).sum();
    let mut inserted = 0;
    let mut through = 0;
    while through < events.len() {
        // Each batch goes back over what is committed, as a reporter does that saw no acknowledgement.
        let begin = through.saturating_sub(usize::try_from(dice.roll(60)).unwrap());
        through = (through + 1 + usize::try_from(dice.roll(80)).unwrap()).min(events.len());
        let mut batch = events[begin..through].to_vec();
        if dice.roll(2) == 0 {
            batch.reverse();
        }
        inserted += store.insert_usage(&batch).await.unwrap();
    }
    assert_eq!(inserted, attempts as u64);
    assert_eq!(store.usage_count().await.unwrap(), 300);

    let all = store.usage(&UsageQuery::default()).await.unwrap();
    assert_eq!(all[0].totals, expected(&events, |_, _| vec![])[&vec![]]);
    let group_by =
        vec![Dimension::Tenant, Dimension::User, Dimension::Feature, Dimension::Model, Dimension::Day];
    let rows = store.usage(&UsageQuery { group_by, ..UsageQuery::default() }).await.unwrap();
    let found: BTreeMap<_, _> = rows.into_iter().map(|row| (row.group, row.totals)).collect();
    let day = |event: &UsageEvent| {
        let midnight = Timestamp::from_micros(event.request.day() * 24 * HOUR).to_string();
        Some(midnight[..10].to_owned())
    };
    let want = expected(&events, |event, index| {
        let who = &event.attribution;
        let model = Some(event.attempts[index].model.clone());
        vec![Some(who.tenant.to_string()), who.user.clone(), who.feature.clone(), model, day(event)]
    });
    assert_eq!(found, want);
}

#[tokio::test]
async fn usage_is_cut_by_hours_and_tenant() {
    let store = fresh().await;
    let (acme, zeta) = (ResourceId::new(), ResourceId::new());
    let events: Vec<_> = (0..48)
        .map(|hour| {
            let owner = if hour % 2 == 0 { acme } else { zeta };
            event(owner, hour * HOUR + 30_000_000, vec![attempt(1, AttemptOutcome::Ok)])
        })
        .collect();
    store.insert_usage(&events).await.unwrap();
    let requests = async |query: UsageQuery| store.usage(&query).await.unwrap()[0].totals.requests;
    let at = |micros| Some(Timestamp::from_micros(micros));
    let all = UsageQuery::default();
    assert_eq!(requests(UsageQuery { from: at(47 * HOUR + 5), ..all.clone() }).await, 1);
    assert_eq!(requests(UsageQuery { to: at(2 * HOUR), ..all.clone() }).await, 2);
    assert_eq!(requests(UsageQuery { to: at(2 * HOUR + 1), ..all.clone() }).await, 3);
    assert_eq!(requests(UsageQuery { from: at(HOUR), to: at(9 * HOUR), ..all.clone() }).await, 8);
    assert_eq!(requests(UsageQuery { tenants: vec![zeta], ..all.clone() }).await, 24);
    assert_eq!(requests(UsageQuery { tenants: vec![ResourceId::new()], ..all.clone() }).await, 0);

    let by = |group_by| UsageQuery { from: at(23 * HOUR), to: at(25 * HOUR), group_by, ..all.clone() };
    let rows = store.usage(&by(vec![Dimension::Hour, Dimension::Provider])).await.unwrap();
    let groups: Vec<_> = rows.iter().map(|row| row.group.clone()).collect();
    let provider = || Some("openai".to_owned());
    let hours = ["1970-01-01T23:00:00Z", "1970-01-02T00:00:00Z"];
    assert_eq!(groups, hours.map(|hour| vec![Some(hour.to_owned()), provider()]));
    for dimension in Dimension::ALL {
        assert_eq!(dimension.as_str().parse(), Ok(dimension));
        assert!(!store.usage(&by(vec![dimension])).await.unwrap().is_empty());
    }
    let twice = store.usage(&by(vec![Dimension::Day, Dimension::Day])).await;
    assert!(matches!(twice, Err(StoreError::Bad(_))));
    assert!("price".parse::<Dimension>().is_err());
}
