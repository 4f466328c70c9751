//! What happens in the middle of a burst.

use std::time::Duration;

use serde_json::json;

use crate::{cap::Scene, stage::Stage};

/// Longer than every time-out of proxies, ledgers and store.
const PAUSE: Duration = Duration::from_secs(6);

/// What happens while the first requests are with the provider.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Disturbance {
    None,
    ProxyKilled,
    RedisEmptied,
    RedisRestartedEmpty,
    WindowEvicted,
    ProxyPaused,
    LedgerKilledInRebuild,
    CapLowered,
}

impl Disturbance {
    pub(crate) const ALL: [Self; 8] = [
        Self::None,
        Self::ProxyKilled,
        Self::RedisEmptied,
        Self::RedisRestartedEmpty,
        Self::WindowEvicted,
        Self::ProxyPaused,
        Self::LedgerKilledInRebuild,
        Self::CapLowered,
    ];

    pub(crate) const fn title(self) -> &'static str {
        match self {
            Self::None => "nothing",
            Self::ProxyKilled => "a proxy killed -9",
            Self::RedisEmptied => "FLUSHALL",
            Self::RedisRestartedEmpty => "Redis killed, back empty",
            Self::WindowEvicted => "one window evicted",
            Self::ProxyPaused => "a proxy paused 6 s",
            Self::LedgerKilledInRebuild => "ledger killed in a rebuild",
            Self::CapLowered => "cap lowered to $3",
        }
    }

    /// Whether requests may end without an answer.
    pub(crate) const fn cuts_requests(self) -> bool {
        matches!(self, Self::ProxyKilled)
    }

    /// Whether the book has to be rebuilt, with nothing granted meanwhile. A proxy that was paused or killed finds its
    /// waiting requests too late.
    pub(crate) const fn loses_the_book(self) -> bool {
        !matches!(self, Self::None | Self::CapLowered)
    }

    pub(crate) fn strike(self, stage: &mut Stage, scene: &Scene) {
        match self {
            Self::None => {}
            Self::ProxyKilled => {
                stage.proxies[0].kill9().unwrap();
                stage.restart_proxy(0);
            }
            Self::RedisEmptied => redis(stage, &["FLUSHALL"]),
            Self::RedisRestartedEmpty => stage.redis.restart().unwrap(),
            Self::WindowEvicted => evict(stage),
            Self::ProxyPaused => {
                stage.proxies[1].signal("STOP").unwrap();
                std::thread::sleep(PAUSE);
                stage.proxies[1].signal("CONT").unwrap();
            }
            Self::LedgerKilledInRebuild => {
                redis(stage, &["FLUSHALL"]);
                for number in 0..2 {
                    stage.ledgers[number].kill9().unwrap();
                    stage.restart_ledger(number);
                }
            }
            Self::CapLowered => scene.set_cap(stage, "$3"),
        }
    }
}

fn redis(stage: &Stage, command: &[&str]) {
    let answer: redis::Value = with_redis(stage, command);
    assert_ne!(answer, redis::Value::Nil, "{command:?}");
}

fn with_redis<T: redis::FromRedisValue>(stage: &Stage, command: &[&str]) -> T {
    let client = redis::Client::open(stage.redis.url()).unwrap();
    let mut connection = client.get_connection().unwrap();
    let mut asked = redis::cmd(command[0]);
    command[1..].iter().for_each(|argument| _ = asked.arg(argument));
    asked.query(&mut connection).unwrap()
}

/// The newest window of some budget goes, as Redis evicts keys when its memory is full.
fn evict(stage: &Stage) {
    let keys: Vec<String> = with_redis(stage, &["KEYS", "portcullis:*"]);
    let window = keys.iter().find(|key| !key.ends_with(":book")).unwrap();
    assert_eq!(with_redis::<i64>(stage, &["UNLINK", window]), 1, "{}", json!(keys));
}
