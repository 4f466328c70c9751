//! What happens to fields that a target cannot express: header over key over route, and hostile names.

use std::fmt::Write as _;

use serde_json::json;

use super::harness::{Bench, Plan};

/// A hint, a field that changes the meaning of the answer, and an unknown field.
const HINT: &str = r#""seed":7"#;
const MEANING: &str = r#""logit_bias":{"5":1}"#;
const UNKNOWN: &str = r#""provider":{"order":["x"]}"#;

fn body(field: &str) -> String {
    format!(r#"{{"model":"chat","max_tokens":9,{field},"messages":[{{"role":"user","content":"hi"}}]}}"#)
}

async fn bench(route: &'static str, key: &'static str) -> Bench {
    Bench::start(Plan { kinds: &["anthropic"], route, key, ..Plan::default() }).await
}

/// Sends a request with each of the three fields; per field what was dropped, or the code of the refusal.
async fn outcomes(bench: &mut Bench, headers: &[(&'static str, &str)]) -> [String; 3] {
    let mut found = Vec::new();
    for field in [HINT, MEANING, UNKNOWN] {
        let reply = bench.client.plain.send(bench.client.asking(&body(field), headers)).await;
        if reply.status == 200 {
            found.push(reply.header("x-portcullis-dropped").to_owned());
            bench.event().await;
        } else {
            found.push(reply.code());
        }
    }
    found.try_into().unwrap()
}

const REFUSED: &str = "unsupported_by_target";
const STRICT: [&str; 3] = [REFUSED; 3];
const DEFAULT: [&str; 3] = ["seed", REFUSED, "provider"];
const LENIENT: [&str; 3] = ["seed", "logit_bias", "provider"];
const HEADER: &str = "x-portcullis-translation";

#[tokio::test]
async fn the_header_goes_before_the_key_and_the_key_before_the_route() {
    const RETRY: &str = r#""retry":{"attempts":1}"#;
    let mut plain = bench(RETRY, "{}").await;
    assert_eq!(outcomes(&mut plain, &[]).await, DEFAULT);
    for (headers, expected) in [
        (&[(HEADER, "strict")][..], STRICT),
        (&[(HEADER, "default")], DEFAULT),
        (&[(HEADER, "lenient")], LENIENT),
        (&[("x-portcullis-lenient", "1")], LENIENT),
        (&[("x-portcullis-lenient", "0")], DEFAULT),
        (&[("x-portcullis-lenient", "1"), (HEADER, "strict")], STRICT),
    ] {
        assert_eq!(outcomes(&mut plain, headers).await, expected, "{headers:?}");
    }
    plain.finish().await;

    let mut routed = bench(r#""translation":"lenient","retry":{"attempts":1}"#, "{}").await;
    assert_eq!(outcomes(&mut routed, &[]).await, LENIENT);
    assert_eq!(outcomes(&mut routed, &[("x-portcullis-lenient", "0")]).await, DEFAULT);
    routed.finish().await;

    let route = r#""translation":"strict","retry":{"attempts":1}"#;
    let mut keyed = bench(route, r#"{"translation":"lenient"}"#).await;
    assert_eq!(outcomes(&mut keyed, &[]).await, LENIENT);
    assert_eq!(outcomes(&mut keyed, &[(HEADER, "strict")]).await, STRICT);
    keyed.finish().await;
}

#[tokio::test]
async fn a_key_may_keep_the_header_from_loosening() {
    let route = r#""translation":"strict","retry":{"attempts":1}"#;
    let mut bench = bench(route, r#"{"translation_header":"tighten"}"#).await;
    assert_eq!(outcomes(&mut bench, &[(HEADER, "strict")]).await, STRICT);
    for header in [(HEADER, "default"), (HEADER, "lenient"), ("x-portcullis-lenient", "0")] {
        let reply = bench.client.plain.send(bench.client.asking(&body(HINT), &[header])).await;
        assert_eq!((reply.status, &*reply.code()), (403, "forbidden"), "{header:?} {reply:?}");
        let error = &reply.json()["error"];
        assert_eq!(error["param"], HEADER);
        assert!(error["message"].as_str().unwrap().contains("`strict` or stricter"), "{error}");
    }
    bench.finish().await;
}

#[tokio::test]
async fn a_wrong_header_is_answered_in_the_clients_dialect_with_the_accepted_words() {
    let bench = bench(r#""retry":{"attempts":1}"#, "{}").await;
    for value in ["lax", "Strict", "", "strict,lenient", "1"] {
        let reply = bench.client.plain.send(bench.client.asking(&body(HINT), &[(HEADER, value)])).await;
        assert_eq!((reply.status, &*reply.code()), (400, "invalid_request"), "{value:?} {reply:?}");
        let expected = "header x-portcullis-translation must be strict, default or lenient";
        assert_eq!(reply.json()["error"]["message"], expected, "{value:?}");
    }
    let mut twice = bench.client.asking(&body(HINT), &[(HEADER, "strict")]);
    twice.headers_mut().append(HEADER, "lenient".parse().unwrap());
    let reply = bench.client.plain.send(twice).await;
    assert_eq!((reply.status, &*reply.code()), (400, "invalid_request"), "{reply:?}");
    let gemini = r#"{"contents":[{"role":"user","parts":[{"text":"hi"}]}]}"#;
    let mut request = bench.client.request(http::Method::POST, "/v1beta/models/chat:generateContent", gemini);
    request.headers_mut().insert(HEADER, "lax".parse().unwrap());
    let reply = bench.client.plain.send(request).await;
    let error = &reply.json()["error"];
    assert_eq!((reply.status, &error["status"]), (400, &json!("INVALID_ARGUMENT")), "{error}");
    assert!(error["message"].as_str().unwrap().contains("strict, default or lenient"), "{error}");
    bench.finish().await;
}

#[tokio::test]
async fn hostile_names_neither_break_the_header_nor_make_it_long() {
    let mut bench = bench(r#""retry":{"attempts":1}"#, "{}").await;
    let mut many = String::new();
    for at in 0..10_000 {
        let _ = write!(many, r#""field{at}":{at},"#);
    }
    let long = "n".repeat(100_000);
    for (fields, expected) in [
        (many.trim_end_matches(',').to_owned(), "field0, field1, "),
        (format!(r#""{long}":1"#), "nnn"),
        (r#""a\r\nset-cookie: x=1\u0000":1"#.to_owned(), "a%0D%0Aset-cookie: x=1%00"),
        (r#""é, b":1"#.to_owned(), "%C3%A9%2C b"),
    ] {
        let reply = bench.client.chat(&body(&fields)).await;
        assert_eq!(reply.status, 200, "{reply:?}");
        let dropped = reply.header("x-portcullis-dropped");
        assert!(dropped.starts_with(expected) && dropped.len() < 2_400, "{dropped}");
        assert!(reply.headers.get("set-cookie").is_none(), "{reply:?}");
        let sent = bench.sim().body(bench.sim().requests().await.len()).await;
        assert!(sent.len() < 400, "nothing of it was sent: {}", String::from_utf8_lossy(&sent));
        bench.event().await;
        let strict = bench.client.asking(&body(&fields), &[(HEADER, "strict")]);
        let refused = bench.client.plain.send(strict).await;
        assert_eq!((refused.status, &*refused.code()), (400, REFUSED));
        assert!(refused.body.len() < 2_000, "{}", refused.text());
    }
    bench.finish().await;
}
