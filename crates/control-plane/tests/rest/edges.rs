//! The edge of the API: signing in, unknown paths and methods, malformed bodies, OpenAPI against the router.

use std::{
    io::{Read, Write},
    net::TcpStream,
    sync::Arc,
};

use control_plane::{
    rest::{AdminSettings, AdminState},
    watch::Proxies,
};
use runtime::outbound::Filter;
use serde_json::json;
use testkit::Http;

use crate::fixture::{DOCUMENT, TOKEN, expect_problem, start};

#[test]
fn nothing_answers_without_the_token() {
    let api = start();
    let longer = format!("{TOKEN}x");
    let guesses = [None, Some(""), Some("wrong"), Some(&TOKEN[..TOKEN.len() - 1]), Some(longer.as_str())];
    for guess in guesses {
        let client = Http::new(&api.url, guess);
        for (method, path) in [
            ("GET", "/api/v1/tenants"),
            ("POST", "/api/v1/apply"),
            ("GET", "/api/v1/openapi.json"),
            ("GET", "/"),
            ("DELETE", "/api/v1/nothing"),
            ("PUT", "/api/v1/tenants"),
        ] {
            let reply = client.request(method, path, &[], None).unwrap();
            assert_eq!(reply.status, 401, "{method} {path} {guess:?}");
            assert!(reply.header("www-authenticate").is_some());
            assert_eq!(reply.text().contains("is not known"), guess.is_some(), "{}", reply.text());
            expect_problem(&reply);
        }
    }
    for header in [format!("Basic {TOKEN}"), TOKEN.to_owned(), format!("Bearer{TOKEN}")] {
        let client = Http::new(&api.url, None);
        let reply = client.request("GET", "/api/v1/tenants", &[("authorization", &header)], None).unwrap();
        assert_eq!(reply.status, 401, "{header}");
    }
    let client = Http::new(&api.url, None);
    let key = client
        .request("GET", &format!("/api/v1/tenants?key={TOKEN}"), &[("x-api-key", TOKEN)], None)
        .unwrap();
    assert_eq!(key.status, 401);
}

#[test]
fn an_open_admin_api_does_not_start() {
    let api = start();
    let settings = AdminSettings { admin_token_digests: Vec::new(), outbound: Filter::default() };
    let refused =
        AdminState::new(api.store.clone(), Arc::clone(&api.keyring), Arc::new(Proxies::default()), settings);
    assert_eq!(refused.unwrap_err().field, "PORTCULLIS_ADMIN_TOKEN");
}

#[test]
fn wrong_paths_methods_and_bodies_are_problems() {
    let api = start();
    api.send(404, "GET", "/gizmos", None);
    api.send(404, "GET", "/models/", None);
    api.send(404, "GET", "/tenants/%ff", None);
    for path in ["/tenants", "/requests", "/audit"] {
        assert_eq!(api.send(400, "GET", &format!("{path}?cursor=x"), None)["field"], "cursor");
    }
    assert_eq!(api.send(400, "GET", "/usage?group_by=key,key", None)["field"], "group_by");
    api.send(405, "PATCH", "/tenants", Some(json!({})));
    api.send(405, "POST", "/usage", Some(json!({})));
    for (body, part) in [
        (&b"{\"name\": \n oops"[..], "line 2"),
        (b"{\"name\": \"a\", \"name\": \"b\"}", "twice"),
        (b"\xff\xfe", "UTF-8"),
        (b"[]", "expected an object"),
        (b"", ""),
    ] {
        let reply = api.http.request("POST", "/api/v1/tenants", &[], Some(body)).unwrap();
        assert_eq!(reply.status, 400, "{}", reply.text());
        assert!(reply.text().contains(part), "{part}: {}", reply.text());
        expect_problem(&reply);
    }
    let large = vec![b' '; 8 * 1024 * 1024 + 1];
    let reply = api.http.request("POST", "/api/v1/apply", &[], Some(&large)).unwrap();
    assert_eq!(reply.status, 413, "{}", reply.text());
    expect_problem(&reply);
}

#[test]
fn names_in_paths_are_decoded_once_and_queried_by_parameter() {
    let api = start();
    api.apply("", DOCUMENT);
    assert_eq!(api.send(200, "GET", "/models/a/deep/x", None)["context"], 8);
    assert_eq!(api.send(200, "GET", "/models/a%2Fdeep%2Fx", None)["context"], 8);
    for name in ["a%252Fdeep%252Fx", "x'%20OR%20'1'='1", "%25", "..", "a/deep/x%00"] {
        let reply = api.http.get(&format!("/api/v1/models/{name}")).unwrap();
        assert_eq!(reply.status, 404, "{name}: {}", reply.text());
    }
}

#[test]
fn openapi_tells_exactly_what_is_served() {
    let api = start();
    let document = api.send(200, "GET", "/openapi.json", None);
    assert_eq!(document["openapi"], "3.1.0");
    let paths = document["paths"].as_object().unwrap();
    for (path, operations) in paths {
        let path = path.strip_prefix("/api/v1").unwrap().replace("{name}", "no-such-name");
        for method in ["get", "post", "put", "patch", "delete"] {
            let body = (method != "get" && method != "delete").then_some(&b"{}"[..]);
            let reply =
                api.http.request(&method.to_uppercase(), &format!("/api/v1{path}"), &[], body).unwrap();
            assert_eq!(
                reply.status != 405,
                operations.get(method).is_some(),
                "{method} {path}: {}",
                reply.status
            );
        }
    }
    for kind in domain::Kind::ALL {
        assert!(paths.contains_key(&format!("/api/v1/{}/{{name}}", kind.plural())));
    }
    // What an answer leaves out where it is empty is not promised.
    let schemas = &document["components"]["schemas"];
    for (schema, field) in [
        ("TargetsHealth", "truncated"),
        ("TargetItem", "leads"),
        ("RequestItem", "tags"),
        ("AuditItem", "detail"),
    ] {
        assert!(schemas[schema]["properties"][field].is_object(), "{schema}");
        let required = schemas[schema]["required"].as_array().unwrap();
        assert!(!required.contains(&json!(field)), "{schema}");
    }
}

#[test]
fn a_head_that_is_too_large_ends_the_connection() {
    let api = start();
    let mut stream = TcpStream::connect(api.url.strip_prefix("http://").unwrap()).unwrap();
    stream.set_read_timeout(Some(std::time::Duration::from_secs(20))).unwrap();
    let filler = "x".repeat(1 << 20);
    // The server may hang up before it has read all of it.
    let _ = write!(stream, "GET / HTTP/1.1\r\nhost: a\r\nx-filler: {filler}\r\n\r\n");
    let mut answer = Vec::new();
    let _ = stream.read_to_end(&mut answer);
    let answer = String::from_utf8_lossy(&answer);
    assert!(answer.is_empty() || answer.starts_with("HTTP/1.1 431"), "{answer}");
}
