//! What clients send: packed bodies, characters that are none, keys that are not theirs.

use std::io::Write as _;

use bytes::Bytes;
use serde_json::json;

use super::harness::{Bench, Plan, Reply, plain_body};

fn gzip(text: &[u8]) -> Vec<u8> {
    let mut encoder = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::best());
    encoder.write_all(text).unwrap();
    encoder.finish().unwrap()
}

fn zstd(text: &[u8]) -> Vec<u8> {
    zstd::encode_all(text, 3).unwrap()
}

async fn send(bench: &Bench, encoding: &str, body: Vec<u8>) -> Reply {
    let mut request = bench.client.asking("", &[("content-encoding", encoding)]);
    *request.body_mut() = Bytes::from(body).into();
    bench.client.plain.send(request).await
}

#[tokio::test]
async fn packed_bodies_reach_the_provider_unpacked() {
    let mut bench = Bench::one().await;
    let body = plain_body("one two");
    for (n, (encoding, packed)) in
        [("gzip", gzip(body.as_bytes())), ("zstd", zstd(body.as_bytes()))].into_iter().enumerate()
    {
        let reply = send(&bench, encoding, packed).await;
        assert_eq!(reply.status, 200, "{encoding}: {reply:?}");
        assert_eq!(reply.json()["choices"][0]["message"]["content"], "echo: one two");
        assert_eq!(bench.sim().body(n + 1).await, body.replace("\"chat\"", "\"echo-large\"").as_bytes());
        bench.event().await;
    }
    for (encoding, body) in
        [("gzip", zstd(b"{}")), ("zstd", gzip(b"{}")), ("gzip", gzip(b"{}")[..9].to_vec())]
    {
        let reply = send(&bench, encoding, body).await;
        assert_eq!((reply.status, reply.code().as_str()), (400, "invalid_request"), "{encoding}: {reply:?}");
    }
    bench.finish().await;
}

#[tokio::test]
async fn a_bomb_is_refused_as_too_large() {
    let mut plan = Plan::default();
    plan.edge.max_body_bytes = 100_000;
    let bench = Bench::start(plan).await;
    let zeros = vec![b'0'; 32 << 20];
    for (encoding, packed) in [("gzip", gzip(&zeros)), ("zstd", zstd(&zeros))] {
        assert!(packed.len() < 100_000, "{encoding}: it is small on the way");
        let reply = send(&bench, encoding, packed).await;
        assert_eq!(
            (reply.status, reply.code().as_str()),
            (413, "request_too_large"),
            "{encoding}: {reply:?}"
        );
    }
    bench.finish().await;
}

#[tokio::test]
async fn half_a_surrogate_pair_is_told_as_what_it_is() {
    let bench = Bench::start(Plan { kinds: &["anthropic"], ..Plan::default() }).await;
    for body in [
        r#"{"model":"chat","messages":[{"role":"user","content":"a\ud83d"}]}"#,
        r#"{"model":"chat","messages":[{"role":"user","content":"hi"}],"metadata":{"k":"\ude00 x"}}"#,
        r#"{"model":"chat\ud83d","messages":[{"role":"user","content":"hi"}]}"#,
    ] {
        let reply = bench.client.chat(body).await;
        assert_eq!((reply.status, reply.code().as_str()), (400, "invalid_request"), "{body}: {reply:?}");
        assert!(reply.text().contains("half of a surrogate pair"), "{body}: {reply:?}");
    }
    bench.finish().await;
}

#[tokio::test]
async fn a_key_that_is_none_beside_a_good_one_is_ignored() {
    let mut bench = Bench::one().await;
    let (good, expired) = (bench.client.keys.good.clone(), bench.client.keys.expired.clone());
    let bearer = |key: &str| ("authorization", format!("Bearer {key}"));
    let own = |key: &str| ("x-api-key", key.to_owned());
    let ask = async |headers: &[(&'static str, String)]| {
        let mut request = bench.client.asking(&plain_body("hi"), &[]);
        request.headers_mut().remove("authorization");
        for (name, value) in headers {
            request.headers_mut().append(*name, value.parse().unwrap());
        }
        bench.client.plain.send(request).await
    };
    let served = [
        [own("dummy"), bearer(&good)],
        [bearer("dummy"), own(&good)],
        [own(&expired), bearer(&good)],
        [bearer(&good), own(&good)],
        [bearer("dummy"), bearer(&good)],
    ];
    for headers in &served {
        assert_eq!(ask(headers).await.status, 200, "{headers:?}");
    }
    for (headers, words) in [
        ([own("dummy"), bearer("none")], "not a key of this gateway"),
        ([own("dummy"), bearer(&expired)], "expired"),
        ([bearer(&expired), own("dummy")], "expired"),
    ] {
        let refused = ask(&headers).await;
        assert_eq!(refused.status, 401, "{headers:?}");
        assert!(refused.text().contains(words), "{headers:?}: {refused:?}");
    }
    for _ in &served {
        bench.event().await;
    }
    bench.finish().await;
}

#[tokio::test]
async fn two_good_keys_are_refused() {
    let mut bench = Bench::one().await;
    // The other key's time is given back to it.
    bench.change(|rows| {
        for row in rows {
            if let domain::Spec::Key(spec) = &mut row.spec {
                spec.expires = None;
            }
        }
    });
    let other = bench.client.keys.expired.clone();
    let request = bench.client.asking(&plain_body("hi"), &[("x-api-key", &other)]);
    let reply = bench.client.plain.send(request).await;
    assert_eq!((reply.status, reply.code().as_str()), (401, "invalid_key"), "{reply:?}");
    assert!(reply.text().contains("two different API keys"), "{reply:?}");
    assert_eq!(reply.json()["error"]["portcullis"]["code"], json!("invalid_key"));
    bench.finish().await;
}
