//! Bad input: the right status and code in the client's dialect, no attempt, no usage, no panic.

use bytes::Bytes;
use http::{Method, Request};
use http_body_util::Full;
use secrets::ApiKeySecret;

use super::harness::{Bench, Plan, Reply, UPSTREAM, plain_body};

type Change = fn(&mut Request<Full<Bytes>>);

fn authorized(request: &mut Request<Full<Bytes>>, value: &str) {
    request.headers_mut().insert("authorization", value.parse().unwrap());
}

fn header(request: &mut Request<Full<Bytes>>, name: &'static str, value: &'static [u8]) {
    request.headers_mut().insert(name, http::HeaderValue::from_bytes(value).unwrap());
}

/// Nothing of what was refused is usage: the next event is the next good request's.
async fn nothing_was_booked(mut bench: Bench) {
    let good = bench.client.say("hi").await;
    assert_eq!(good.status, 200);
    assert_eq!(bench.event().await.request.to_string(), good.header("x-portcullis-request-id"));
    let asked = bench.sim().requests().await;
    assert!(asked.len() == 1 && asked[0]["model"] == UPSTREAM, "{asked:?}");
    bench.finish().await;
}

fn refused(reply: &Reply, case: &str, status: u16, code: &str) {
    assert_eq!((reply.status, reply.code().as_str()), (status, code), "{case}: {}", reply.text());
    assert_eq!(reply.header("content-type"), "application/json", "{case}");
    assert_eq!(reply.header("x-portcullis-attempts"), "0", "{case}");
    assert_eq!(reply.header("x-portcullis-provider"), "none", "{case}");
    let id = reply.header("x-portcullis-request-id");
    assert_eq!(id.len(), 36, "{case}: {id}");
}

#[tokio::test]
async fn bodies() {
    let bench = Bench::one().await;
    let deep = format!(r#"{{"model":"chat","messages":{}1{}}}"#, "[".repeat(200), "]".repeat(200));
    for (body, status, code) in [
        ("", 400, "invalid_request"),
        ("{", 400, "invalid_request"),
        ("nonsense", 400, "invalid_request"),
        ("[]", 400, "invalid_request"),
        ("null", 400, "invalid_request"),
        (r#"{"model":"chat"} x"#, 400, "invalid_request"),
        (r#"{"messages":[]}"#, 400, "invalid_request"),
        (r#"{"model":7,"messages":[]}"#, 400, "invalid_request"),
        (r#"{"model":"","messages":[]}"#, 400, "invalid_request"),
        (r#"{"model":"chat","model":"chat","messages":[]}"#, 400, "invalid_request"),
        (r#"{"model":"chat","stream":"yes","messages":[]}"#, 400, "invalid_request"),
        (r#"{"model":"chat","n":0,"messages":[]}"#, 400, "invalid_request"),
        (deep.as_str(), 400, "invalid_request"),
        (r#"{"model":"nope","messages":[]}"#, 404, "route_not_found"),
        (r#"{"model":"nope/m","messages":[]}"#, 404, "route_not_found"),
        (r#"{"model":"a\u000ab","messages":[]}"#, 404, "route_not_found"),
    ] {
        refused(&bench.client.chat(body).await, body, status, code);
    }
    let mut request = bench.client.asking("", &[]);
    *request.body_mut() = Full::from(&b"{\"model\":\"chat\",\"messages\":[],\"x\":\"\xff\xfe\"}"[..]);
    refused(&bench.client.plain.send(request).await, "invalid UTF-8", 400, "invalid_request");
    nothing_was_booked(bench).await;
}

#[tokio::test]
async fn keys() {
    let bench = Bench::one().await;
    let mut without = bench.client.asking(&plain_body("hi"), &[]);
    without.headers_mut().remove("authorization");
    refused(&bench.client.plain.send(without).await, "no key", 401, "invalid_key");
    let expired = format!("Bearer {}", bench.client.keys.expired);
    let unknown = format!("Bearer {}", ApiKeySecret::mint().reveal());
    for key in [&expired, &unknown, "Bearer sk-pc-short", "Bearer sk-proj-foreign", "Bearer ", "Basic eDp5"] {
        let mut request = bench.client.asking(&plain_body("hi"), &[]);
        authorized(&mut request, key);
        let reply = bench.client.plain.send(request).await;
        refused(&reply, key, 401, "invalid_key");
        assert!(
            !reply.text().contains(key.trim_start_matches("Bearer ")) || key.len() < 12,
            "{}",
            reply.text()
        );
    }
    nothing_was_booked(bench).await;
}

#[tokio::test]
async fn methods_paths_and_headers() {
    let bench = Bench::one().await;
    let send = |method, path: &str, change: Option<Change>| {
        let mut request = bench.client.request(method, path, &plain_body("hi"));
        if let Some(change) = change {
            change(&mut request);
        }
        let client = bench.client.plain.clone();
        async move { client.send(request).await }
    };
    let chat = "/v1/chat/completions";
    for (method, path, allow) in [(Method::GET, chat, "POST"), (Method::DELETE, "/v1/models", "GET")] {
        let reply = send(method, path, None).await;
        refused(&reply, path, 405, "invalid_request");
        assert_eq!(reply.header("allow"), allow);
    }
    refused(&send(Method::POST, "/v1/models/chat", None).await, "POST a model", 405, "invalid_request");
    refused(&send(Method::POST, "/v3/chat", None).await, "path", 404, "route_not_found");
    refused(&send(Method::GET, "/", None).await, "root", 404, "route_not_found");
    refused(&send(Method::GET, "/openai", None).await, "bare prefix", 404, "route_not_found");
    let brotli: Change = |request| header(request, "content-encoding", b"br");
    refused(&send(Method::POST, chat, Some(brotli)).await, "brotli", 415, "invalid_request");
    let gzip: Change = |request| header(request, "content-encoding", b"gzip");
    refused(&send(Method::POST, chat, Some(gzip)).await, "no gzip", 400, "invalid_request");
    let bad: [Change; 6] = [
        |request| header(request, "x-portcullis-timeout-ms", b"soon"),
        |request| header(request, "x-portcullis-timeout-ms", b"0"),
        |request| header(request, "x-portcullis-timeout-ms", b"99999999999999999999999"),
        |request| header(request, "x-portcullis-user", b"\xff\xfe"),
        |request| header(request, "x-portcullis-feature", &[b'x'; 300]),
        |request| header(request, "x-portcullis-tags", b"no equals sign"),
    ];
    for (n, change) in bad.into_iter().enumerate() {
        let reply = send(Method::POST, chat, Some(change)).await;
        refused(&reply, &format!("header {n}"), 400, "invalid_request");
        assert!(reply.json()["error"]["param"].as_str().unwrap().starts_with("x-portcullis-"));
    }
    nothing_was_booked(bench).await;
}

#[tokio::test]
async fn no_encoding_at_all_may_be_written_in_any_case() {
    let mut bench = Bench::one().await;
    let mut request = bench.client.asking(&plain_body("hi"), &[]);
    header(&mut request, "content-encoding", b"Identity");
    assert_eq!(bench.client.plain.send(request).await.status, 200);
    bench.event().await;
    bench.finish().await;
}

#[tokio::test]
async fn bodies_beyond_the_limit() {
    let mut plan = Plan::default();
    plan.edge.max_body_bytes = 200;
    let bench = Bench::start(plan).await;
    let long = plain_body(&"x".repeat(300));
    refused(&bench.client.chat(&long).await, "announced", 413, "request_too_large");
    let (head, _) = bench.client.asking("", &[]).into_parts();
    let pieces = Bytes::from(long).chunks(100).map(Bytes::copy_from_slice).collect();
    let reply = bench.client.send_chunked(head, pieces).await;
    refused(&reply, "chunked", 413, "request_too_large");
    nothing_was_booked(bench).await;
}

#[tokio::test]
async fn a_model_beyond_all_names_is_refused_and_not_echoed() {
    let bench = Bench::one().await;
    let body = format!(r#"{{"model":"{}","messages":[]}}"#, "m".repeat(513));
    let reply = bench.client.chat(&body).await;
    refused(&reply, "long model", 400, "invalid_request");
    assert_eq!(reply.json()["error"]["param"], "model");
    assert!(!reply.text().contains("mmmm"), "{}", reply.text());
    nothing_was_booked(bench).await;
}
