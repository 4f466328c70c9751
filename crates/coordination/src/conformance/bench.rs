//! Four instances over one store, and the hand that moves its clock.

use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering::SeqCst};
use std::time::Duration;

use domain::{RequestId, ResourceId};
use testkit::Redis;
use tokio::time::Instant;
use tokio_util::sync::{CancellationToken, DropGuard};

use crate::{Claim, Clock, Coordinator, OnOutage, Permit, Refusal, Rule, Settings, Unit};

pub(super) const DAY: Duration = Duration::from_secs(86_400);
pub(super) const DEADLINE: Duration = Duration::from_secs(30);

/// Four instances over one store.
pub(super) struct Bench {
    pub(super) fleets: Vec<Coordinator>,
    now: Arc<AtomicI64>,
    pub(super) redis: Option<Redis>,
    _running: DropGuard,
}

impl Bench {
    pub(super) fn memory() -> Self {
        let now = start();
        let clock = now.clone();
        let read = move || Duration::from_micros(clock.load(SeqCst).try_into().unwrap());
        Self::run(vec![Coordinator::memory(Clock::new(read)); 4], now, None)
    }

    pub(super) async fn redis() -> Self {
        let redis = tokio::task::spawn_blocking(|| Redis::start().unwrap()).await.unwrap();
        let now = start();
        let mut fleets = Vec::new();
        for _ in 0..4 {
            fleets.push(instance(&redis, now.clone()).await);
        }
        Self::run(fleets, now, Some(redis))
    }

    fn run(fleets: Vec<Coordinator>, now: Arc<AtomicI64>, redis: Option<Redis>) -> Self {
        let shutdown = CancellationToken::new();
        for coordination in &fleets {
            let (coordination, shutdown) = (coordination.clone(), shutdown.clone());
            tokio::spawn(async move { coordination.run(shutdown).await });
        }
        Self { fleets, now, redis, _running: shutdown.drop_guard() }
    }

    /// An instance without a background task: its slots are neither renewed nor returned.
    pub(super) async fn dead_instance(&self) -> Coordinator {
        instance(self.redis.as_ref().unwrap(), self.now.clone()).await
    }

    pub(super) fn advance(&self, time: Duration) {
        self.now.fetch_add(time.as_micros().try_into().unwrap(), SeqCst);
    }

    pub(super) fn go_back(&self, time: Duration) {
        self.now.fetch_sub(time.as_micros().try_into().unwrap(), SeqCst);
    }

    pub(super) fn micros(&self) -> i64 {
        self.now.load(SeqCst)
    }

    /// Asks the server behind the instances.
    pub(super) async fn query<T: redis::FromRedisValue>(&self, command: &redis::Cmd) -> T {
        let client = redis::Client::open(self.redis.as_ref().unwrap().url()).unwrap();
        let mut connection = client.get_multiplexed_async_connection().await.unwrap();
        command.query_async(&mut connection).await.unwrap()
    }

    pub(super) async fn ask(&self, claims: &[Claim]) -> Result<Permit, Refusal> {
        self.fleets[0].acquire(RequestId::new(), claims).await
    }

    /// How many of `times` pass, asked of the instances in turn.
    pub(super) async fn passed(&self, times: usize, claim: &Claim) -> usize {
        let mut passed = 0;
        for i in 0..times {
            let coordination = &self.fleets[i % self.fleets.len()];
            passed += usize::from(
                coordination.acquire(RequestId::new(), std::slice::from_ref(claim)).await.is_ok(),
            );
        }
        passed
    }

    /// Waits until the claim passes: slots come back in the background.
    pub(super) async fn passes_in_the_end(&self, claim: &Claim) -> Permit {
        let end = Instant::now() + DEADLINE;
        loop {
            match self.ask(std::slice::from_ref(claim)).await {
                Ok(grant) => return grant,
                Err(refusal) => assert!(Instant::now() < end, "{refusal:?}"),
            }
            tokio::task::yield_now().await;
        }
    }
}

/// A moment at which a slot of a day's ring begins.
fn start() -> Arc<AtomicI64> {
    Arc::new(AtomicI64::new(20_000 * 86_400_000_000))
}

async fn instance(redis: &Redis, now: Arc<AtomicI64>) -> Coordinator {
    let mut settings = Settings::new(redis.url());
    // The suite is about counting; a busy machine must not lose the store.
    (settings.command_timeout, settings.connect_timeout) = (DEADLINE, DEADLINE);
    settings.heartbeat = Duration::from_millis(20);
    let mut coordination = Coordinator::redis(settings).await.unwrap();
    Arc::get_mut(coordination.central.as_mut().unwrap()).unwrap().time = Some(now);
    coordination
}

pub(super) fn claim(rule: Rule) -> Claim {
    Claim {
        limit: ResourceId::new(),
        subject: String::new(),
        tenant: ResourceId::new(),
        rule,
        unit: Unit::Requests,
        cost: 1,
        on_outage: OnOutage::Closed,
    }
}

pub(super) fn per_day(n: u64) -> Claim {
    claim(Rule::SlidingWindow { n, period: DAY })
}

pub(super) fn per_second(per_second: u64, burst: u64) -> Claim {
    claim(Rule::Gcra { per_second, burst })
}

pub(super) fn at_once(n: u64) -> Claim {
    claim(Rule::Concurrency { n, ttl: Duration::from_secs(60) })
}

/// The claim, made on tokens.
pub(super) fn tokens(cost: u64, claim: Claim) -> Claim {
    Claim { unit: Unit::Tokens, cost, ..claim }
}

/// What the claim is told that is over its limit.
pub(super) fn denied(outcome: Result<Permit, Refusal>) -> crate::Denied {
    match outcome {
        Err(Refusal::Denied(denied)) => denied,
        other => panic!("not denied: {other:?}"),
    }
}
