//! Single events: read back as written, counted once, refused when no correct proxy sends them.

use domain::{AttemptOutcome, CacheHit, Money, RequestId, RequestOutcome, ResourceId};
use store::{RequestQuery, StoreError, UsageQuery};

use crate::fixture::{attempt, event, fresh};

const HOUR: i64 = 3_600_000_000;

#[tokio::test]
async fn an_event_comes_back_as_it_was_reported() {
    let store = fresh().await;
    let mut full = event(
        ResourceId::new(),
        90 * HOUR,
        vec![attempt(1, AttemptOutcome::ServerError), attempt(2, AttemptOutcome::Ok)],
    );
    full.attempts[0].estimated = true;
    full.attempts[0].price = None;
    let mut bare = event(ResourceId::new(), 91 * HOUR, vec![attempt(3, AttemptOutcome::Orphaned)]);
    bare.attribution.user = None;
    bare.attribution.feature = Some("bot".to_owned());
    bare.attribution.tags.clear();
    bare.outcome = RequestOutcome::Orphaned;
    bare.cache = CacheHit::Off;
    bare.stream = false;
    bare.ttft_us = None;
    assert_eq!(store.insert_usage(&[full.clone(), bare.clone()]).await.unwrap(), 3);
    let log = store.requests(&RequestQuery { limit: 10, ..RequestQuery::default() }).await.unwrap();
    assert_eq!((log.items, log.next), (vec![bare, full], None));
}

#[tokio::test]
async fn repeats_and_overlaps_add_only_what_is_new() {
    let store = fresh().await;
    let owner = ResourceId::new();
    let events: Vec<_> =
        (0..6).map(|hour| event(owner, hour * HOUR, vec![attempt(1, AttemptOutcome::Ok)])).collect();
    assert_eq!(store.insert_usage(&events[..4]).await.unwrap(), 4);
    assert_eq!(store.insert_usage(&events[..4]).await.unwrap(), 0);
    assert_eq!(store.insert_usage(&events[2..]).await.unwrap(), 2);
    assert_eq!(store.insert_usage(&[events[0].clone(), events[0].clone()]).await.unwrap(), 0);
    assert_eq!(store.insert_usage(&[]).await.unwrap(), 0);
    let twice = event(owner, 7 * HOUR, vec![attempt(1, AttemptOutcome::Ok)]);
    assert_eq!(store.insert_usage(&[twice.clone(), twice]).await.unwrap(), 1);
    assert_eq!(store.usage_count().await.unwrap(), 7);
    let totals = store.usage(&UsageQuery::default()).await.unwrap()[0].totals;
    assert_eq!((totals.attempts, totals.requests, totals.cost.nanos()), (7, 7, 7 * 12_345));
}

#[tokio::test]
async fn the_request_log_pages_newest_first() {
    let store = fresh().await;
    let (acme, zeta) = (ResourceId::new(), ResourceId::new());
    let attempts = || vec![attempt(1, AttemptOutcome::Timeout), attempt(2, AttemptOutcome::Ok)];
    let mut events: Vec<_> =
        (0..9).map(|n| event(if n % 3 == 0 { zeta } else { acme }, n * 13 * HOUR, attempts())).collect();
    store.insert_usage(&events).await.unwrap();
    events.reverse();
    for tenant in [None, Some(acme), Some(zeta)] {
        let mut query = RequestQuery { limit: 2, tenant, ..RequestQuery::default() };
        let mut seen = Vec::new();
        loop {
            let page = store.requests(&query).await.unwrap();
            assert!(page.items.len() <= 2);
            seen.extend(page.items);
            query.after = page.next;
            if query.after.is_none() {
                break;
            }
        }
        let own = |event: &&domain::UsageEvent| tenant.is_none_or(|id| event.attribution.tenant == id);
        assert_eq!(seen, events.iter().filter(own).cloned().collect::<Vec<_>>());
    }
    let one = |request, tenant| RequestQuery { request: Some(request), tenant, limit: 5, after: None };
    let found = store.requests(&one(events[0].request, None)).await.unwrap().items;
    assert_eq!(found, [events[0].clone()]);
    let owner = events[0].attribution.tenant;
    assert_eq!(store.requests(&one(events[0].request, Some(owner))).await.unwrap().items.len(), 1);
    let stranger = store.requests(&one(events[0].request, Some(ResourceId::new()))).await.unwrap();
    assert_eq!(stranger.items, []);
    assert_eq!(store.requests(&one(RequestId::new(), None)).await.unwrap().items, []);
    let foreign = RequestQuery { after: Some("x".to_owned()), limit: 1, ..RequestQuery::default() };
    assert!(matches!(store.requests(&foreign).await, Err(StoreError::Bad(_))));
}

#[tokio::test]
async fn malformed_events_are_refused_whole() {
    let store = fresh().await;
    let good = event(ResourceId::new(), HOUR, vec![attempt(1, AttemptOutcome::Ok)]);
    let spoil: [fn(&mut domain::UsageEvent); 6] = [
        |event| event.request = RequestId(uuid::Uuid::nil()),
        |event| event.attempts.clear(),
        |event| event.attempts[0].number = 0,
        |event| event.attempts.push(attempt(1, AttemptOutcome::Ok)),
        |event| event.attempts[0].cost = Money::from_nanos(-1),
        |event| event.attempts = (1..=257).map(|number| attempt(number, AttemptOutcome::Ok)).collect(),
    ];
    for spoil in spoil {
        let mut bad = event(ResourceId::new(), HOUR, vec![attempt(1, AttemptOutcome::Ok)]);
        spoil(&mut bad);
        let refused = store.insert_usage(&[good.clone(), bad]).await;
        let Err(StoreError::Bad(why)) = refused else { panic!("{refused:?}") };
        assert!(why.starts_with("usage event 1: "), "{why}");
    }
    let flood = vec![good; store::MAX_BATCH + 1];
    assert!(matches!(store.insert_usage(&flood).await, Err(StoreError::Bad(_))));
    assert_eq!(store.usage_count().await.unwrap(), 0);
}

#[tokio::test]
async fn absurd_values_are_kept_bounded_and_marked() {
    let store = fresh().await;
    let mut wild = event(ResourceId::new(), HOUR, vec![attempt(1, AttemptOutcome::Ok)]);
    wild.attempts[0].usage.output_visible = u64::MAX;
    wild.attempts[0].cost = Money::from_nanos(i64::MAX);
    wild.duration_us = u64::MAX;
    wild.attribution.user = Some("zero\0byte".to_owned());
    wild.attribution.feature = Some("\u{10ffff}".repeat(5_000));
    wild.route = "r".repeat(5_000);
    wild.attempts[0].model = "m".repeat(5_000);
    wild.attribution.tags = vec![("nul\0".to_owned(), "t".repeat(5_000))];
    assert_eq!(store.insert_usage(std::slice::from_ref(&wild)).await.unwrap(), 1);
    let mut again = wild.clone();
    again.request = crate::fixture::request_at(HOUR + 1_000);
    assert_eq!(store.insert_usage(&[again]).await.unwrap(), 1);
    let log = store.requests(&RequestQuery { limit: 5, ..RequestQuery::default() }).await.unwrap();
    assert_eq!(log.items[1].attribution.user.as_deref(), Some("zero\u{fffd}byte"));
    assert_eq!(log.items[1].attribution.tags, wild.attribution.tags);
    assert!(log.items[1].attempts[0].estimated);
    let totals = store.usage(&UsageQuery::default()).await.unwrap()[0].totals;
    assert_eq!((totals.estimated, totals.usage.output_visible), (2, 2 << 40));
    assert_eq!(totals.cost.to_string(), "2000000");
}
