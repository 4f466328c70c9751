//! Headers: the client's stay with the gateway, and so do the provider's.

use std::collections::BTreeSet;

use super::harness::{Bench, plain_body, stream_body};

#[tokio::test]
async fn the_provider_sees_no_header_of_the_clients() {
    let mut bench = Bench::one().await;
    let mine = [
        ("cookie", "a=b"),
        ("x-forwarded-for", "10.0.0.1"),
        ("x-forwarded-host", "evil.example"),
        ("forwarded", "for=10.0.0.1"),
        ("via", "1.1 x"),
        ("x-real-ip", "10.0.0.1"),
        ("x-portcullis-user", "somebody"),
        ("x-portcullis-tags", "team=search"),
        ("traceparent", "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01"),
        ("openai-organization", "org"),
        ("user-agent", "their-app/1"),
        ("x-api-key", "other"),
    ];
    for body in [plain_body("hi"), stream_body("hi")] {
        let mut request = bench.client.asking(&body, &mine);
        // The key in another place, which must not be sent on either.
        let key = request.headers_mut().remove("authorization").unwrap();
        let key = key.to_str().unwrap().strip_prefix("Bearer ").unwrap().parse().unwrap();
        request.headers_mut().insert("x-api-key", key);
        assert_eq!(bench.client.plain.send(request).await.status, 200);
        let event = bench.event().await;
        assert_eq!(event.attribution.user.as_deref(), Some("somebody"));
        assert_eq!(event.attribution.tags, [("team".to_owned(), "search".to_owned())]);
    }
    for asked in bench.sim().requests().await {
        let headers = asked["headers"].as_object().unwrap();
        let names: BTreeSet<&str> = headers.keys().map(String::as_str).collect();
        // The simulator keeps `authorization` back and says that it was there.
        assert_eq!(names, ["accept", "content-length", "content-type", "host", "user-agent"].into());
        assert!(headers["user-agent"].as_str().unwrap().starts_with("portcullis/"));
        assert_eq!(asked["authorized"], true);
    }
    bench.finish().await;
}

#[tokio::test]
async fn the_client_sees_only_the_providers_headers_that_concern_it() {
    let theirs = r#"{"headers":{"set-cookie":"session=1","server":"nginx","x-ratelimit-remaining-requests":"3",
        "openai-organization":"org","x-portcullis-route":"spoofed","location":"/","alt-svc":"h3","via":"x",
        "x-portcullis-cost-usd":"0","strict-transport-security":"max-age=1","openai-processing-ms":"5"}}"#;
    let mut bench = Bench::one().await;
    bench.sim().script(theirs).await;
    for body in [plain_body("hi"), stream_body("hi")] {
        let reply = bench.client.chat(&body).await;
        let foreign: Vec<_> = reply
            .headers
            .keys()
            .map(|name| name.as_str())
            .filter(|name| !name.starts_with("x-portcullis-"))
            .collect();
        let allowed = [
            "content-type",
            "content-length",
            "transfer-encoding",
            "date",
            "cache-control",
            "openai-processing-ms",
        ];
        assert!(foreign.iter().all(|name| allowed.contains(name)), "{foreign:?}");
        assert_eq!(reply.header("x-portcullis-route"), "chat");
        assert_eq!(reply.headers.get_all("x-portcullis-route").iter().count(), 1);
        assert_ne!(reply.headers.get("x-portcullis-cost-usd").map(|cost| cost.as_bytes()), Some(&b"0"[..]));
        assert!(reply.header("x-portcullis-provider-request-id").starts_with("sim-"));
        bench.event().await;
    }
    bench.finish().await;
}
