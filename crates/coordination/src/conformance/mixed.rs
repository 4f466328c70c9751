//! A rolling update: replicas of the version before count in the same keys.

use domain::RequestId;
use redis::cmd;

use super::bench::{Bench, per_day, per_second};
use crate::counter_key::{Algorithm, KeyedClaim};
use crate::{Claim, Rule};

/// The script of the version before, which knows no costs.
const BEFORE: &str = include_str!("acquire_before.lua");

/// How many of `times` requests a replica of the version before admits.
async fn passed_before(bench: &Bench, times: usize, claim: &Claim) -> usize {
    let keyed = KeyedClaim::new(claim, &claim.rule);
    let (kind, first, second) = match keyed.algorithm {
        Algorithm::SlidingWindow { n, width } => ("ring", n, width),
        Algorithm::DebtWindow { n, width } => ("debt", n, width),
        Algorithm::Gcra { rate, burst } => ("gcra", rate, burst),
        Algorithm::Concurrency { n, ttl } => ("slots", n, ttl),
    };
    let mut passed = 0;
    for _ in 0..times {
        let mut command = cmd("EVAL");
        command.arg(BEFORE).arg(1).arg(keyed.key.to_string()).arg(bench.micros());
        command.arg(RequestId::new().to_string());
        let (worst, _): (u64, u64) = bench.query(command.arg(kind).arg(first).arg(second)).await;
        passed += usize::from(worst == 0);
    }
    passed
}

#[tokio::test(flavor = "multi_thread")]
async fn both_versions_keep_one_limit() {
    let bench = Bench::redis().await;
    let slots = Rule::Concurrency { n: 10, ttl: std::time::Duration::from_secs(60) };
    for limit in [per_day(10), per_second(1, 10), Claim { rule: slots, ..per_day(1) }] {
        assert_eq!(passed_before(&bench, 3, &limit).await, 3);
        let mut held = Vec::new();
        for _ in 0..6 {
            held.push(bench.ask(std::slice::from_ref(&limit)).await.unwrap());
        }
        assert_eq!(passed_before(&bench, 3, &limit).await, 1);
        assert_eq!(passed_before(&bench, 5, &limit).await + bench.passed(5, &limit).await, 0);
    }
}
