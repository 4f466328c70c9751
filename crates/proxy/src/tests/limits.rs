//! Shared limits: refused before the body is read or anything is sent, held until a stream's end, counted by subject.

use domain::{Kind, Spec, test_support::resource};
use http::Method;
use http_body_util::BodyExt as _;
use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    net::TcpStream,
};

use super::harness::{Bench, Plan, plain_body, soon};

async fn limited(limits: &'static [&'static str]) -> Bench {
    Bench::start(Plan { limits, ..Plan::default() }).await
}

#[tokio::test]
async fn so_many_in_a_minute_and_no_more() {
    let mut bench = limited(&[r#"{"requests":"3/min"}"#]).await;
    for _ in 0..3 {
        assert_eq!(bench.client.say("hi").await.status, 200);
        bench.event().await;
    }
    let denied = bench.client.say("hi").await;
    assert_eq!((denied.status, denied.code().as_str()), (429, "rate_limited"));
    let wait: u64 = denied.header("retry-after").parse().unwrap();
    // A permit is back at most a 64th of the interval late.
    assert!((1..=61).contains(&wait), "{wait}");
    assert!(denied.text().contains("3/min"), "{}", denied.text());
    assert_eq!(bench.sim().requests().await.len(), 3, "a denied request was sent");
    // No event for what was refused: `finish` would find it.
    bench.finish().await;
}

#[tokio::test]
async fn a_stream_holds_its_place_until_it_ends() {
    let mut bench = limited(&[r#"{"concurrent":1}"#]).await;
    bench.sim().script(r#"[{"chunks":3,"hang":{"after_chunks":1}},{}]"#).await;
    let mut stream = bench.client.open_stream("hi").await;
    soon(stream.body_mut().frame()).await.unwrap().unwrap();
    let denied = bench.client.say("hi").await;
    assert_eq!((denied.status, denied.header("retry-after")), (429, "1"));
    drop(stream);
    // The event of the cancelled stream is written by the guard that gives the place back.
    bench.event().await;
    assert_eq!(bench.client.say("hi").await.status, 200);
    bench.event().await;
    bench.finish().await;
}

#[tokio::test]
async fn users_are_counted_apart_and_every_limit_must_agree() {
    let mut bench =
        limited(&[r#"{"per":"user","requests":"1/min"}"#, r#"{"per":"tenant","requests":"2/min"}"#]).await;
    let ask = async |user: &str| {
        let request = bench.client.asking(&plain_body("hi"), &[("x-portcullis-user", user)]);
        bench.client.plain.send(request).await.status
    };
    assert_eq!((ask("ann").await, ask("ann").await), (200, 429));
    // Ann's denied request did not use the tenant's second permit up.
    assert_eq!((ask("bob").await, ask("eve").await), (200, 429));
    bench.event().await;
    bench.event().await;
    bench.finish().await;
}

/// A connection that announces a body of a thousand bytes, and has sent `start` of it.
async fn uploading(bench: &Bench, start: &str) -> TcpStream {
    let mut stream = TcpStream::connect(bench.address).await.unwrap();
    let key = &bench.client.keys.good;
    let head = format!(
        "POST /v1/chat/completions HTTP/1.1\r\nhost: x\r\nauthorization: Bearer {key}\r\ncontent-length: 1000\r\n\r\n"
    );
    stream.write_all(format!("{head}{start}").as_bytes()).await.unwrap();
    stream
}

#[tokio::test]
async fn over_its_rate_a_request_is_refused_before_its_body() {
    let mut bench = limited(&[r#"{"requests":"1/min"}"#]).await;
    assert_eq!(bench.client.say("hi").await.status, 200);
    bench.event().await;
    let mut stream = uploading(&bench, "").await;
    let mut read = Vec::new();
    while !read.windows(4).any(|end| end == b"\r\n\r\n") {
        assert!(soon(stream.read_buf(&mut read)).await.unwrap() > 0, "closed without an answer");
    }
    let answer = String::from_utf8_lossy(&read);
    assert!(answer.starts_with("HTTP/1.1 429"), "{answer}");
    assert!(answer.contains("retry-after: "), "{answer}");
    drop(stream);
    bench.finish().await;
}

#[tokio::test]
async fn a_request_that_is_refused_later_keeps_its_charge() {
    let bench = limited(&[r#"{"requests":"2/min"}"#]).await;
    let wrong = bench.client.plain.send(bench.client.asking("no JSON", &[])).await;
    assert_eq!(wrong.status, 400);
    let unknown = bench.client.asking(r#"{"model":"unknown","messages":[]}"#, &[]);
    assert_eq!(bench.client.plain.send(unknown).await.status, 404);
    assert_eq!(bench.client.say("hi").await.status, 429);
    bench.finish().await;
}

#[tokio::test]
async fn a_slot_is_held_from_the_head_and_given_back_by_a_refusal_and_by_a_hang_up() {
    let mut bench = limited(&[r#"{"concurrent":1}"#]).await;
    let wrong = bench.client.plain.send(bench.client.asking("no JSON", &[])).await;
    assert_eq!(wrong.status, 400);
    assert_eq!(bench.client.say("hi").await.status, 200);
    bench.event().await;
    let upload = uploading(&bench, "{").await;
    // Until the proxy has read the head, and after the client hung up, it takes a moment.
    while bench.proxy.activity.in_flight() == 0 {
        tokio::task::yield_now().await;
    }
    assert_eq!(bench.client.say("hi").await.status, 429, "the upload holds the slot");
    drop(upload);
    while bench.proxy.activity.in_flight() > 0 {
        tokio::task::yield_now().await;
    }
    assert_eq!(bench.client.say("hi").await.status, 200);
    bench.event().await;
    bench.finish().await;
}

#[tokio::test]
async fn a_user_that_only_the_body_names_is_charged_behind_it() {
    let mut bench =
        limited(&[r#"{"per":"user","requests":"1/min"}"#, r#"{"per":"tenant","requests":"3/min"}"#]).await;
    let ask = async |user: &str, headers: &[(&'static str, &str)]| {
        let body = plain_body("hi").replacen('{', &format!(r#"{{"user":"{user}","#), 1);
        bench.client.plain.send(bench.client.asking(&body, headers)).await
    };
    assert_eq!(ask("ann", &[]).await.status, 200);
    let denied = ask("ann", &[("x-portcullis-explain", "1")]).await;
    assert_eq!((denied.status, denied.header("x-portcullis-route")), (429, "chat"));
    assert!(denied.text().contains("1/min requests per user"), "{}", denied.text());
    // The plan was made by then.
    assert!(denied.header("x-portcullis-explain").contains(r#""pool":"targets""#));
    // A header names another user than the body, and counts.
    assert_eq!(ask("ann", &[("x-portcullis-user", "bob")]).await.status, 200);
    // Ann's denied request has used the tenant's third permit up.
    let denied = ask("eve", &[]).await;
    assert_eq!((denied.status, denied.header("x-portcullis-route")), (429, "none"));
    assert!(denied.text().contains("3/min"), "{}", denied.text());
    bench.event().await;
    bench.event().await;
    bench.finish().await;
}

/// Puts the tenant below others, the nearest first, each with a limit of so many requests in a minute.
fn put_below(bench: &mut Bench, above: &[(&str, &str)]) {
    let spec = |kind: Kind, json: &str| Spec::from_json(kind, json.as_bytes()).unwrap();
    let parent = |name: &str| format!(r#"{{"parent":"{name}"}}"#);
    bench.change(|rows| {
        let tenant = rows.iter_mut().find(|row| row.kind() == Kind::Tenant).unwrap();
        tenant.spec = spec(Kind::Tenant, &parent(above[0].0));
        for (place, (name, limit)) in above.iter().enumerate() {
            let json = above.get(place + 1).map_or_else(|| "{}".to_owned(), |(next, _)| parent(next));
            let row = resource(None, Kind::Tenant, name, &json).unwrap();
            let limit = format!(r#"{{"requests":"{limit}"}}"#);
            rows.push(resource(Some(row.id), Kind::Limit, "tenant", &limit).unwrap());
            rows.push(row);
        }
    });
}

#[tokio::test]
async fn limits_of_the_tenants_above_are_charged_with_the_tenants_own_all_or_none() {
    let mut bench = limited(&[r#"{"per":"user","requests":"2/min"}"#]).await;
    put_below(&mut bench, &[("branch", "3/min"), ("holding", "100/min")]);
    let ask = async |user: &str| {
        let request = bench.client.asking(&plain_body("hi"), &[("x-portcullis-user", user)]);
        bench.client.plain.send(request).await
    };
    let [first, second, third] = [ask("ann").await, ask("ann").await, ask("ann").await];
    assert_eq!((first.status, second.status, third.status), (200, 200, 429));
    assert!(third.text().contains("a limit of this tenant is reached: 2/min"), "{}", third.text());
    // Ann's third request used up nothing above: one is left there.
    assert_eq!(ask("bob").await.status, 200);
    let denied = ask("bob").await;
    let text = denied.text();
    assert_eq!(denied.status, 429);
    assert!(
        text.contains("a limit of the tenant branch above this one is reached: 3/min requests"),
        "{text}"
    );
    for _ in 0..3 {
        bench.event().await;
    }
    bench.finish().await;
}

#[tokio::test]
async fn tokens_are_charged_by_an_estimate_and_put_right_in_the_end() {
    let mut bench = limited(&[r#"{"tokens":"1k/min"}"#]).await;
    // 700 are used where some 500 were expected.
    bench.sim().script(r#"{"prompt_tokens":300,"completion_tokens":400}"#).await;
    let first = bench.client.say("hi").await;
    bench.event().await;
    let left: u64 = first.header("x-ratelimit-remaining-tokens").parse().unwrap();
    assert!((400..500).contains(&left), "{left} of 1,000, of which about 520 were expected to be used");
    let second = bench.client.say("hi").await;
    bench.event().await;
    // 300 were left, so it passes, and what it used beyond them is carried.
    assert_eq!((second.status, second.header("x-ratelimit-remaining-tokens")), (200, "0"));
    let third = bench.client.say("hi").await;
    assert_eq!((third.status, third.code().as_str()), (429, "rate_limited"));
    assert!(third.text().contains("1k/min tokens"), "{}", third.text());
    let wait: u64 = third.header("retry-after").parse().unwrap();
    assert!((60..=123).contains(&wait), "{wait}: 1,400 of 1,000 take more than a minute");
    assert_eq!(bench.sim().requests().await.len(), 2);
    bench.finish().await;
}

#[tokio::test]
async fn tokens_that_were_not_used_are_free_again() {
    let mut bench = limited(&[r#"{"output_tokens":"600/min"}"#]).await;
    // Each is expected to have 500; a failure has none, and a short answer has few.
    bench.sim().script(r#"[{"status":500},{"completion_tokens":10}]"#).await;
    let statuses = [bench.client.say("hi").await.status, bench.client.say("hi").await.status];
    assert_eq!(statuses, [502, 200]);
    bench.event().await;
    bench.event().await;
    let third = bench.client.say("hi").await;
    assert_eq!((third.status, third.header("ratelimit")), (200, r#""output_tokens";r=90;t=61"#));
    bench.event().await;
    // What asks for less is charged less.
    let body = plain_body("hi").replacen('{', r#"{"max_tokens":50,"#, 1);
    let small = bench.client.plain.send(bench.client.asking(&body, &[])).await;
    assert_eq!((small.status, small.header("ratelimit")), (200, r#""output_tokens";r=530;t=61"#));
    bench.event().await;
    bench.finish().await;
}

#[tokio::test]
async fn features_sessions_and_models_are_counted_apart() {
    let limits: &[&str] = &[
        r#"{"per":"feature","requests":"2/min"}"#,
        r#"{"per":"session","requests":"1/min"}"#,
        r#"{"per":"model","tokens":"100k/min","requests":"3/min"}"#,
    ];
    let mut bench = limited(limits).await;
    let ask = async |feature: &str, session: &str| {
        let headers = [("x-portcullis-feature", feature), ("x-portcullis-session", session)];
        let reply = bench.client.plain.send(bench.client.asking(&plain_body("hi"), &headers)).await;
        (reply.status, reply.text().to_owned())
    };
    assert_eq!((ask("bot", "one").await.0, ask("bot", "two").await.0), (200, 200));
    let (status, text) = ask("bot", "three").await;
    assert!(status == 429 && text.contains("2/min requests per feature"), "{text}");
    let (status, text) = ask("search", "one").await;
    assert!(status == 429 && text.contains("1/min requests per session"), "{text}");
    assert_eq!(ask("search", "four").await.0, 200);
    let (status, text) = ask("other", "five").await;
    assert!(status == 429 && text.contains("3/min requests per model"), "{text}");
    for _ in 0..3 {
        bench.event().await;
    }
    bench.finish().await;
}

#[tokio::test]
async fn a_limit_that_only_observes_counts_and_refuses_nobody() {
    let limits: &[&str] = &[
        r#"{"requests":"1/min","observe":true}"#,
        r#"{"per":"key","tokens":"1/min","observe":true}"#,
        r#"{"per":"user","requests":"3/min"}"#,
    ];
    let mut bench = limited(limits).await;
    for left in [2, 1, 0] {
        let reply = bench.client.say("hi").await;
        let told = format!(r#""requests";r={left};t=61"#);
        assert_eq!((reply.status, reply.header("ratelimit")), (200, told.as_str()), "only what is enforced");
        bench.event().await;
    }
    assert_eq!(bench.client.say("hi").await.status, 429);
    let observed: Vec<_> = bench.proxy.observed_limits.counts().filter(|(_, count)| *count > 0).collect();
    // The fourth was charged to the tenant before the body was read.
    assert_eq!(observed, [("requests", 3), ("tokens", 2)]);
    bench.finish().await;
}

#[tokio::test]
async fn limits_are_told_in_the_words_of_the_client() {
    let mut bench = limited(&[r#"{"requests":"2/min","input_tokens":"5k/min"}"#]).await;
    let ask = async |path: &str, body: &str| {
        let request = bench.client.request(Method::POST, path, body);
        bench.client.plain.send(request).await
    };
    let message = r#"{"model":"chat","max_tokens":9,"messages":[{"role":"user","content":"hi"}]}"#;
    let anthropic = ask("/v1/messages", message).await;
    assert_eq!(anthropic.header("anthropic-ratelimit-requests-limit"), "2");
    assert_eq!(anthropic.header("anthropic-ratelimit-requests-remaining"), "1");
    assert!(anthropic.header("anthropic-ratelimit-input-tokens-reset").ends_with('Z'));
    assert_eq!(anthropic.header("ratelimit-policy"), r#""requests";q=2;w=60, "input_tokens";q=5000;w=60"#);
    assert_eq!(ask("/v1/chat/completions", &plain_body("hi")).await.status, 200);
    let refused = ask("/v1/chat/completions", &plain_body("hi")).await;
    assert_eq!(refused.status, 429);
    assert_eq!(refused.header("x-ratelimit-limit-requests"), "2");
    assert_eq!(refused.header("x-ratelimit-remaining-requests"), "0");
    for _ in 0..2 {
        bench.event().await;
    }
    bench.finish().await;
}
