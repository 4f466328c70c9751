//! Stores that cannot serve: one clear error that names the setting, and never the password.

#![allow(clippy::unwrap_used, clippy::panic, reason = "helpers of tests count as tests")]

use std::time::Duration;

use coordination::{CoordinationError, Coordinator, Cursor, Record, Settings, Status};
use testkit::Redis;

const PASSWORD: &str = "correct-horse-battery-staple";

const PATIENCE: Duration = Duration::from_secs(30);

/// Patient, because a busy machine must not pass for a store that is away.
fn patient(url: String) -> Settings {
    Settings { connect_timeout: PATIENCE, ..Settings::new(url) }
}

async fn refused(url: String) -> CoordinationError {
    let settings = patient(url);
    assert!(!format!("{settings:?}").contains(PASSWORD));
    let error = Coordinator::redis(settings).await.err().unwrap();
    assert!(error.to_string().starts_with("--redis-url: "), "{error}");
    assert!(!format!("{error} {error:?}").contains(PASSWORD), "{error}");
    error
}

#[tokio::test]
async fn what_is_no_address_of_redis() {
    for url in ["", "localhost", "http://localhost:6379", "redis://", "redis://h:x", "redis://h/not-a-number"]
    {
        let error = refused(url.into()).await;
        assert!(error.message.contains("redis://[USER]"), "{url}: {error}");
    }
    refused(format!("redis://:{PASSWORD}/more@localhost:6379")).await;
    refused(format!("{PASSWORD}@localhost")).await;
    assert!(refused(format!("rediss://:{PASSWORD}@localhost")).await.message.contains("TLS"));
}

#[tokio::test]
async fn a_wrong_or_missing_password() {
    let redis = Redis::start_with(&["requirepass right"]).unwrap();
    for user in [format!(":{PASSWORD}@"), format!("nobody:{PASSWORD}@"), String::new()] {
        let error = refused(redis.url().replace("redis://", &format!("redis://{user}"))).await;
        assert!(error.message.contains("password"), "{error}");
    }
    let right = patient(redis.url().replace("redis://", "redis://:right@"));
    assert_eq!(Coordinator::redis(right).await.unwrap().status().lost_since, None);
}

#[tokio::test]
async fn a_command_that_is_missing() {
    for command in ["EVAL", "EVALSHA", "TIME", "ZREMRANGEBYSCORE", "HINCRBY", "ZREM", "ZRANGE"] {
        let redis = Redis::start_with(&[&format!("rename-command {command} \"\"")]).unwrap();
        let error = refused(redis.url()).await;
        assert!(error.message.contains(command), "{error}");
    }
}

#[tokio::test]
async fn a_user_who_may_not_do_what_is_needed() {
    let user = format!("user limits on >{PASSWORD} ~{{* +@all -zadd");
    let redis = Redis::start_with(&[&user]).unwrap();
    let error = refused(redis.url().replace("redis://", &format!("redis://limits:{PASSWORD}@"))).await;
    assert!(error.message.contains("ZADD"), "{error}");

    let user = format!("user limits on >{PASSWORD} ~other:* +@all");
    let redis = Redis::start_with(&[&user]).unwrap();
    refused(redis.url().replace("redis://", &format!("redis://limits:{PASSWORD}@"))).await;
}

/// The least that a user needs (docs/operations.md).
#[tokio::test]
async fn a_user_who_may_do_what_is_needed_and_no_more() {
    let needed = "+ping +eval +evalsha +time +del +pexpire +get +set +hmget +hset +hdel +hincrby +zadd +zcard \
        +zrange +zrangebyscore +zrem +zremrangebyscore";
    let redis = Redis::start_with(&[&format!("user limits on >{PASSWORD} ~{{* {needed}")]).unwrap();
    let url = redis.url().replace("redis://", &format!("redis://limits:{PASSWORD}@"));
    let coordination =
        Coordinator::redis(Settings { command_timeout: PATIENCE, ..patient(url) }).await.unwrap();
    let record = Record { key: "a".into(), value: b"1".into(), ttl: PATIENCE };
    assert!(coordination.lease("probe", PATIENCE).await && coordination.publish(&[record]).await);
    assert!(coordination.poll(&mut Cursor::default()).await.is_empty());
    coordination.release("probe").await;
    assert_eq!(coordination.status(), Status::default());
}

#[tokio::test]
async fn a_database_that_is_not_there() {
    let redis = Redis::start().unwrap();
    refused(redis.url().replace("/0", "/999")).await;
}
