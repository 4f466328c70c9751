//! Limits that four proxies share through Redis: exact while it is there, by each limit's own policy while it is not.

use std::time::Duration;

use serde_json::{Value, json};
use testkit::{Http, Process, Redis, eventually};

use crate::world::{SOON, World, admin, apply, chat, client};

/// Proxies on one Redis.
fn fleet(world: &World, control: &Process, redis: &Redis, count: usize) -> Vec<Process> {
    let grpc = control.ready().grpc.as_ref().unwrap();
    let url = redis.url();
    (0..count).map(|n| world.proxy_with(grpc, &format!("proxy-{n}"), &["--redis-url", &url])).collect()
}

fn status(http: &Http) -> u16 {
    http.post("/v1/chat/completions", &chat("hi")).unwrap().status
}

#[test]
fn a_hundred_a_minute_admit_exactly_100_of_2000_over_four_proxies() {
    let world = World::new();
    let redis = Redis::start().unwrap();
    let control = world.control_plane(None);
    let mut document = world.document();
    document["tenants"]["acme"]["limits"] = json!([{ "requests": "100/min" }]);
    let key = apply(&admin(&control), &document).unwrap();
    let proxies = fleet(&world, &control, &redis, 4);
    let asking: Vec<_> = (0..8)
        .map(|n| {
            let http = client(&proxies[n % 4], &key);
            std::thread::spawn(move || (0..250).map(|_| status(&http)).collect::<Vec<_>>())
        })
        .collect();
    let answers: Vec<u16> = asking.into_iter().flat_map(|asking| asking.join().unwrap()).collect();
    let count = |status: u16| answers.iter().filter(|answer| **answer == status).count();
    assert_eq!((answers.len(), count(200), count(429)), (2_000, 100, 1_900));
}

/// The keys of three tenants with limits that differ in what happens without the store.
fn three_policies(world: &World, admin: &Http) -> [String; 3] {
    ["closed", "open", "bounded"].map(|policy| {
        let mut limit = json!({ "requests": "1000/min", "on_store_loss": policy });
        if policy == "bounded" {
            limit["per_replica"] = json!(2);
        }
        let mut document = world.document();
        let tenant = json!({ "keys": [{ "name": "backend" }], "limits": [limit] });
        document["tenants"] = Value::Object([(policy.to_owned(), tenant)].into_iter().collect());
        apply(admin, &document).unwrap()
    })
}

#[test]
fn without_the_store_each_limit_does_what_it_says() {
    let world = World::new();
    let mut redis = Redis::start().unwrap();
    let control = world.control_plane(None);
    let keys = three_policies(&world, &admin(&control));
    let proxy = fleet(&world, &control, &redis, 1).remove(0);
    let [closed, open, bounded] = keys.map(|key| client(&proxy, &key));
    assert!([&closed, &open, &bounded].iter().all(|http| status(http) == 200));

    redis.kill().unwrap();
    assert!(eventually(SOON, || status(&closed) == 503), "a closed limit stays open without its store");
    let refused = closed.post("/v1/chat/completions", &chat("hi")).unwrap();
    assert_eq!(refused.json().unwrap()["error"]["code"], json!("store_unavailable"));
    // The time-out was paid by then; it is not paid again.
    let before = std::time::Instant::now();
    assert_eq!([status(&open), status(&open), status(&open)], [200; 3]);
    assert_eq!([status(&bounded), status(&bounded), status(&bounded)], [200, 200, 429]);
    assert!(before.elapsed() < Duration::from_secs(1), "six requests took {:?}", before.elapsed());

    redis.restart().unwrap();
    assert!(eventually(SOON, || status(&closed) == 200), "the store is back and the limit stays closed");
    assert_eq!(status(&bounded), 200);
}
