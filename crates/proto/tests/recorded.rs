//! Messages recorded from released versions: what a neighbour (N−1) sends must stay readable for ever.
//!
//! `RECORD=folder cargo test -p proto --test recorded` records what this version sends; recorded files never change.

#![allow(clippy::unwrap_used, reason = "a test may fail")]

use std::{fs, path::PathBuf};

use domain::{
    Attempt, AttemptOutcome, Attribution, IncarnationId, Kind, Money, RequestId, RequestOutcome, Resource,
    ResourceId, ServiceTier, Spec, StoreId, Timestamp, Usage, UsageEvent, Version, test_support,
};
use prost::Message as _;
use proto::v1;
use uuid::Uuid;

fn id(number: u128) -> ResourceId {
    ResourceId(Uuid::from_u128(0x019a_0000_0000_7000_8000_0000_0000_0000 + number))
}

fn rows() -> Vec<v1::Resource> {
    let written = [
        (Kind::Tenant, "acme", r#"{"tier":"pro"}"#),
        (Kind::Provider, "sim", r#"{"kind":"custom","base_url":"https://sim.example/v1","region":"eu"}"#),
        (Kind::Credential, "sim/main", r#"{"provider":"sim","weight":3,"disabled":true}"#),
        (
            Kind::Model,
            "sim/m",
            r#"{"context":128000,"max_output":4096,"upstream":"m-2026","task":"chat","modalities_in":["text","image"],
                "capabilities":{"tools":true,"sampling_fields":false},"deprecation":"2099-01-01","successor":"n"}"#,
        ),
        (
            Kind::Price,
            "sim/m@2026-01-01T00:00:00Z",
            r#"{"model":"sim/m","effective_from":"2026-01-01","input":"$1","output":"$2","cached_input":"$0.5",
                "cache_write_1h":"$3","web_search":"$0.01","long_context":[{"above":200000,"input":"$2"}],
                "service_tiers":{"batch":{"input":"$0.5"}},"source":"https://sim.example"}"#,
        ),
        (Kind::Route, "chat", r#"{"targets":["sim/m"],"timeouts":{"total":"10s"}}"#),
        (Kind::Key, "backend", r#"{"routes":["chat"],"expires":"2099-12-31","user":"u","feature":"f"}"#),
    ];
    let row = |(number, (kind, name, json)): (usize, (Kind, &str, &str))| {
        proto::resource_to(&Resource {
            id: id(number as u128),
            tenant: (kind == Kind::Key).then(|| id(0)),
            name: name.to_owned(),
            spec: Spec::from_json(kind, json.as_bytes()).unwrap(),
            revision: 1 + number as u64,
            sealed: (kind == Kind::Key).then(|| vec![7; 32]),
        })
    };
    written.into_iter().enumerate().map(row).collect()
}

fn replies() -> Vec<v1::WatchReply> {
    use v1::watch_reply::Message as M;
    let store = StoreId(Uuid::from_u128(0x019a_0000_0000_7000_8000_00ff_ffff_ffff));
    let version = |revision| Some(proto::version_to(Version { store, revision }));
    let (rows, mut renamed) = (rows(), rows()[5].clone());
    renamed.name = "chat-2".to_owned();
    renamed.id = bytes::Bytes::copy_from_slice(id(77).0.as_bytes());
    let (first, second) = rows.split_at(3);
    let chunk = |resources: &[v1::Resource], last| v1::SnapshotChunk {
        version: version(7),
        resources: resources.to_vec(),
        last,
    };
    let removed = vec![rows[6].id.clone()];
    let delta = v1::Delta { from: version(7), to: version(9), upserts: vec![renamed], removed };
    let all = [
        M::Snapshot(chunk(first, false)),
        M::Snapshot(chunk(second, true)),
        M::Heartbeat(v1::Heartbeat { version: version(7) }),
        M::Delta(delta),
    ];
    all.into_iter().map(|message| v1::WatchReply { message: Some(message) }).collect()
}

fn report() -> v1::ReportRequest {
    let attempt = |number, outcome| Attempt {
        provider: "sim".into(),
        model: "m".into(),
        at: Timestamp::from_micros(1_763_800_000_000_000),
        duration_us: 1_000,
        usage: Usage {
            service_tier: ServiceTier::Priority,
            ..Usage::from_counts(std::array::from_fn(|index| index as u64 + 1))
        },
        cost: Money::from_nanos(42),
        price: Some(id(4)),
        estimated: number == 2,
        reason: Some("next of the list".into()),
        ..test_support::attempt(number, outcome)
    };
    let attempts = vec![attempt(1, AttemptOutcome::Timeout), attempt(2, AttemptOutcome::Cut)];
    let event = UsageEvent {
        request: RequestId(Uuid::from_u128(0x019a_0000_0000_7000_8000_0000_0000_0abc)),
        incarnation: IncarnationId(id(99).0),
        at: Timestamp::from_micros(1_763_800_001_000_000),
        attribution: Attribution {
            tenant: id(0),
            key: id(6),
            user: Some("u".into()),
            feature: None,
            tags: vec![("k".into(), "v".into())],
        },
        stream: true,
        rule: Some("small".into()),
        pool: Some("cheap".into()),
        outcome: RequestOutcome::Cut,
        duration_us: 2_000,
        overhead_us: 30,
        ttft_us: Some(400),
        ..test_support::usage_event(attempts)
    };
    v1::ReportRequest { proxy: "p".into(), events: vec![proto::event_to(&event)] }
}

/// Since 0.3.
fn health() -> v1::HealthReport {
    let shared = v1::SharedState {
        ejected: true,
        epoch: 3,
        left_us: 5_000_000,
        warm_up_us: 15_000_000,
        times: 2,
        dead: true,
        rest_us: 1,
    };
    let target = v1::TargetHealth {
        endpoint: proto::id_to(Some(id(1))),
        owner: proto::id_to(Some(id(0))),
        provider: "sim".into(),
        model: "m".into(),
        upstream: "m-2026".into(),
        state: "ejected".into(),
        left_us: 5_000_000,
        dead: true,
        share_ppm: 100_000,
        times: 2,
        requests: 20,
        failures: 10,
        consecutive: 5,
        in_flight: 3,
        ttft_p95_us: Some(120_000),
        leads: vec!["chat".into()],
        shared: Some(shared),
    };
    let credential = v1::CredentialHealth {
        id: proto::id_to(Some(id(2))),
        revision: 3,
        owner: bytes::Bytes::new(),
        name: "sim/main".into(),
        state: "disabled".into(),
        left_us: 300_000_000,
        times: 1,
        in_flight: 1,
        remaining_requests: Some(7),
        remaining_tokens: Some(8),
        shared: Some(shared),
    };
    v1::HealthReport {
        proxy: "p".into(),
        region: "eu".into(),
        targets: vec![target],
        credentials: vec![credential],
        truncated: true,
    }
}

fn folders() -> Vec<PathBuf> {
    let root = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("fixtures");
    if let Ok(name) = std::env::var("RECORD") {
        let folder = root.join(name);
        fs::create_dir_all(&folder).unwrap();
        let watch: Vec<u8> =
            replies().iter().flat_map(|reply| reply.encode_length_delimited_to_vec()).collect();
        fs::write(folder.join("watch.pb"), watch).unwrap();
        fs::write(folder.join("report.pb"), report().encode_to_vec()).unwrap();
        fs::write(folder.join("health.pb"), health().encode_to_vec()).unwrap();
    }
    let mut folders: Vec<_> = fs::read_dir(root).unwrap().map(|entry| entry.unwrap().path()).collect();
    folders.sort();
    assert!(!folders.is_empty());
    folders
}

#[test]
fn every_recorded_message_is_understood_whole() {
    for folder in folders() {
        let bytes = fs::read(folder.join("watch.pb")).unwrap();
        let mut left = bytes.as_slice();
        let mut resources = Vec::new();
        while !left.is_empty() {
            match v1::WatchReply::decode_length_delimited(&mut left).unwrap().message.unwrap() {
                v1::watch_reply::Message::Snapshot(chunk) => resources.extend(chunk.resources),
                v1::watch_reply::Message::Delta(delta) => resources.extend(delta.upserts),
                v1::watch_reply::Message::Heartbeat(heartbeat) => {
                    proto::version_from(heartbeat.version.as_ref()).unwrap();
                }
            }
        }
        assert!(resources.len() >= 8, "{}", folder.display());
        for resource in resources {
            proto::resource_from(&resource).unwrap_or_else(|error| panic!("{}: {error}", folder.display()));
        }
        let report =
            v1::ReportRequest::decode(fs::read(folder.join("report.pb")).unwrap().as_slice()).unwrap();
        let event = proto::event_from(report.events[0].clone()).unwrap();
        assert_eq!((event.attempts.len(), event.attempts[1].cost.nanos()), (2, 42), "{}", folder.display());
        assert!(event.attempts[1].usage.cache_written() > 0, "{}", folder.display());
        // Since 0.3 a record says why.
        let told = !(folder.ends_with("0.1.0") || folder.ends_with("0.2.0"));
        assert_eq!(event.rule.is_some() && event.pool.is_some(), told, "{}", folder.display());
        assert!(
            event.attempts.iter().all(|attempt| attempt.reason.is_some() == told),
            "{}",
            folder.display()
        );
    }
}

#[test]
fn every_recorded_report_of_health_is_understood() {
    let recorded: Vec<_> =
        folders().into_iter().filter_map(|folder| fs::read(folder.join("health.pb")).ok()).collect();
    assert!(!recorded.is_empty());
    for bytes in recorded {
        let read = v1::HealthReport::decode(bytes.as_slice()).unwrap();
        let (target, credential) = (&read.targets[0], &read.credentials[0]);
        assert_eq!(proto::id_from(&target.endpoint, "endpoint").unwrap(), Some(id(1)));
        assert_eq!((target.state.as_str(), target.shared.unwrap().epoch), ("ejected", 3));
        assert_eq!(proto::id_from(&credential.owner, "owner").unwrap(), None);
        assert_eq!((credential.state.as_str(), credential.revision), ("disabled", 3));
    }
}

#[test]
fn the_newest_recording_is_what_this_version_sends() {
    let newest = folders().pop().unwrap();
    let sent: Vec<u8> = replies().iter().flat_map(|reply| reply.encode_length_delimited_to_vec()).collect();
    assert!(fs::read(newest.join("watch.pb")).unwrap() == sent, "the wire changed: record a new folder");
    assert!(fs::read(newest.join("report.pb")).unwrap() == report().encode_to_vec(), "the wire changed");
    assert!(fs::read(newest.join("health.pb")).unwrap() == health().encode_to_vec(), "the wire changed");
}
