//! Waiting on a paused clock: in time or not at all, displaced or served, and no place lost under stress.

use std::{
    sync::{
        Arc,
        atomic::{AtomicU32, AtomicUsize, Ordering::SeqCst},
    },
    time::Duration,
};

use domain::{Priority, ResourceId};
use policy::health::HealthRegistry;
use tokio::{
    task::{JoinHandle, JoinSet, yield_now},
    time::{advance, sleep},
};
use uuid::Uuid;

use super::*;

/// A target and the clock of its line.
#[derive(Clone)]
struct Scene {
    state: Arc<TargetState>,
    origin: Instant,
}

/// Who waits.
#[derive(Clone, Copy)]
struct Class {
    tenant: u8,
    priority: Priority,
}

impl Scene {
    fn new() -> Self {
        Self { state: Arc::default(), origin: Instant::now() }
    }

    async fn wait(
        self,
        class: Class,
        patience: Duration,
        bounds: QueueLimits,
    ) -> Result<ConcurrencyPermit, QueueRejection> {
        let origin = self.origin;
        let micros = move |moment: Instant| u64::try_from((moment - origin).as_micros()).unwrap();
        let until = Instant::now() + patience;
        let tenant = ResourceId(Uuid::from_u128(class.tenant.into()));
        let who = WaitRequest { tenant, priority: class.priority, deadline: micros(until) };
        wait(&self.state, who, until, bounds, || Arc::new(move || micros(Instant::now()))).await
    }

    /// One that waits by the time this returns.
    async fn waiting(
        &self,
        class: Class,
        patience: Duration,
        bounds: QueueLimits,
    ) -> JoinHandle<Result<ConcurrencyPermit, QueueRejection>> {
        let waits = tokio::spawn(self.clone().wait(class, patience, bounds));
        yield_now().await;
        waits
    }
}

const ONE: QueueLimits = QueueLimits { limit: 1, length: 10 };
const NORMAL: Class = Class { tenant: 1, priority: Priority::Normal };
const SECOND: Duration = Duration::from_secs(1);

#[tokio::test(start_paused = true)]
async fn it_is_served_when_a_place_is_given_back_and_not_before() {
    let scene = Scene::new();
    let place = scene.state.try_begin(1).unwrap();
    let waits = scene.waiting(NORMAL, SECOND, ONE).await;
    advance(SECOND / 2).await;
    assert!(!waits.is_finished());
    drop(place);
    assert!(waits.await.unwrap().is_ok());
    assert_eq!(scene.origin.elapsed(), SECOND / 2);
}

#[tokio::test(start_paused = true)]
async fn it_waits_as_long_as_it_may_and_leaves() {
    let scene = Scene::new();
    let place = scene.state.try_begin(1).unwrap();
    assert_eq!(scene.clone().wait(NORMAL, SECOND, ONE).await.unwrap_err(), QueueRejection::Timeout);
    let late = scene.origin.elapsed() - SECOND;
    assert!(late <= Duration::from_millis(1), "a tick of the timer: {late:?}");
    assert_eq!(scene.state.waiting(), 0);
    drop(place);
    assert_eq!(scene.state.in_flight(), 0);
}

#[tokio::test(start_paused = true)]
async fn without_time_or_room_it_is_told_at_once() {
    let scene = Scene::new();
    let _place = scene.state.try_begin(1).unwrap();
    let nobody = QueueLimits { length: 0, ..ONE };
    assert_eq!(scene.clone().wait(NORMAL, SECOND, nobody).await.unwrap_err(), QueueRejection::Full);
    assert_eq!(scene.clone().wait(NORMAL, Duration::ZERO, ONE).await.unwrap_err(), QueueRejection::TooLate);
    assert_eq!(scene.origin.elapsed(), Duration::ZERO);
}

#[tokio::test(start_paused = true)]
async fn who_is_displaced_is_told_at_once() {
    let scene = Scene::new();
    let _place = scene.state.try_begin(1).unwrap();
    let bounds = QueueLimits { length: 1, ..ONE };
    let low = scene.waiting(Class { tenant: 1, priority: Priority::Low }, SECOND, bounds).await;
    let _high = scene.waiting(Class { tenant: 2, priority: Priority::High }, SECOND, bounds).await;
    assert_eq!(low.await.unwrap().unwrap_err(), QueueRejection::Displaced);
    assert_eq!(scene.origin.elapsed(), Duration::ZERO);
}

/// A request that has its place; the count goes before the place does.
struct Running {
    _count: Counted,
    _place: ConcurrencyPermit,
}

struct Counted(Arc<AtomicU32>);

impl Drop for Counted {
    fn drop(&mut self) {
        self.0.fetch_sub(1, SeqCst);
    }
}

/// Lets time pass: of the paused clock, or as little as others need for a step.
async fn pass(paused: bool, steps: u64) {
    if paused {
        return sleep(Duration::from_millis(steps)).await;
    }
    for _ in 0..steps {
        yield_now().await;
    }
}

/// Requests that get a place, wait and hang up, all at the moments at which others do; says how many were served.
async fn crowd(seed: u64, limit: u32, paused: bool) -> usize {
    let (scene, running, served) = (Scene::new(), Arc::new(AtomicU32::new(0)), Arc::new(AtomicUsize::new(0)));
    let (draws, mut requests, mut handles) =
        (Arc::new(HealthRegistry::new(seed)), JoinSet::new(), Vec::new());
    for number in 0..200_u8 {
        let (scene, running, served) = (scene.clone(), Arc::clone(&running), Arc::clone(&served));
        let draws = Arc::clone(&draws);
        handles.push(requests.spawn(async move {
            pass(paused, draws.draw() % 50).await;
            let patience = Duration::from_millis(if paused { draws.draw() % 60 } else { 60_000 });
            let got = match scene.state.try_begin(limit) {
                Some(place) => Ok(place),
                None => {
                    let bounds = QueueLimits { limit, length: 50 };
                    scene
                        .wait(Class { tenant: number % 5, priority: Priority::Normal }, patience, bounds)
                        .await
                }
            };
            let Ok(place) = got else { return };
            assert!(running.fetch_add(1, SeqCst) < limit, "seed {seed}: more than {limit} at once");
            let running = Running { _count: Counted(running), _place: place };
            pass(paused, draws.draw() % 5).await;
            served.fetch_add(1, SeqCst);
            drop(running);
        }));
    }
    for _ in 0..60 {
        pass(paused, draws.draw() % 3).await;
        handles[usize::try_from(draws.draw() % 200).unwrap()].abort();
    }
    while let Some(ended) = requests.join_next().await {
        assert!(ended.is_ok() || ended.is_err_and(|error| error.is_cancelled()), "seed {seed}");
    }
    assert_eq!((scene.state.in_flight(), scene.state.waiting()), (0, 0), "seed {seed}");
    assert!(scene.state.try_begin(1).is_some());
    served.load(SeqCst)
}

#[tokio::test(start_paused = true)]
async fn whatever_moment_a_client_hangs_up_no_place_is_lost() {
    for seed in 0..60 {
        let limit = u32::try_from(1 + seed % 3).unwrap();
        assert!(crowd(seed, limit, true).await >= 10, "seed {seed}");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn nor_on_several_threads_and_who_has_patience_is_served() {
    for seed in 0..60 {
        let limit = u32::try_from(1 + seed % 3).unwrap();
        let begun = Instant::now();
        assert!(crowd(seed, limit, false).await >= 50, "seed {seed}");
        assert!(begun.elapsed() < Duration::from_secs(30), "seed {seed}: a wake-up was lost");
    }
}
