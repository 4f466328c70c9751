//! Credentials of clouds: requests that a provider verifies the signature of, and tokens bought ahead of them.

use std::sync::{
    Arc,
    atomic::{AtomicUsize, Ordering},
};

use serde_json::json;
use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    net::TcpListener,
};

use super::harness::{Bench, Plan, Sim, text_of};

#[tokio::test]
async fn bedrock_verifies_the_signature_of_plain_and_streamed_calls() {
    let aws = Sim::with_aws_key("AKIDEXAMPLE", "wJalrXUtnFEMI").await;
    let secret = |key: &str| json!({ "access_key_id": "AKIDEXAMPLE", "secret_access_key": key }).to_string();
    let start = |key: &str| {
        let (others, secret) = (vec![aws.url()], Some(secret(key)));
        Bench::start(Plan { simulators: 0, kinds: &["bedrock"], others, secret, ..Plan::default() })
    };
    let mut bench = start("wJalrXUtnFEMI").await;
    let plain = bench.client.say("one two").await;
    assert_eq!(plain.json()["choices"][0]["message"]["content"], "echo: one two", "{plain:?}");
    let streamed = bench.client.stream("one two").await;
    assert_eq!(text_of(streamed.text()), "echo: one two", "{}", streamed.text());
    for _ in 0..2 {
        bench.event().await;
    }
    bench.finish().await;
    let mut wrong = start("another").await;
    let refused = wrong.client.say("one two").await;
    assert_eq!((refused.status, refused.code().as_str()), (502, "all_targets_failed"), "{refused:?}");
    assert!(!refused.text().contains("another"), "{}", refused.text());
    assert_eq!(wrong.event().await.attempts[0].outcome, domain::AttemptOutcome::BadCredential);
    wrong.finish().await;
}

/// A token endpoint: answers every exchange with the next token and counts them.
async fn token_endpoint() -> (String, Arc<AtomicUsize>) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}/token", listener.local_addr().unwrap());
    let count = Arc::new(AtomicUsize::new(0));
    let counted = Arc::clone(&count);
    tokio::spawn(async move {
        loop {
            let (mut stream, _) = listener.accept().await.unwrap();
            let mut request = Vec::new();
            // The assertion is the last thing in the form.
            while !request.windows(10).any(|part| part == b"assertion=") {
                stream.read_buf(&mut request).await.unwrap();
            }
            let number = counted.fetch_add(1, Ordering::SeqCst) + 1;
            let body =
                json!({ "access_token": format!("ya29.token-{number}"), "expires_in": 3600 }).to_string();
            let length = body.len();
            let head = format!("HTTP/1.1 200 OK\r\ncontent-length: {length}\r\nconnection: close\r\n\r\n");
            stream.write_all(format!("{head}{body}").as_bytes()).await.unwrap();
        }
    });
    (url, count)
}

#[tokio::test]
async fn a_service_account_buys_one_token_for_many_requests() {
    let (token_uri, bought) = token_endpoint().await;
    let key = rcgen::KeyPair::generate_rsa_for(&rcgen::PKCS_RSA_SHA256, rcgen::RsaKeySize::_2048).unwrap();
    let secret = json!({
        "type": "service_account", "client_email": "gateway@example.iam", "private_key_id": "k1",
        "private_key": key.serialize_pem(), "token_uri": token_uri,
    });
    let sim = Sim::start().await;
    let others = vec![format!("{}/v1/projects/p/locations/l", sim.url())];
    let secret = Some(secret.to_string());
    let mut bench =
        Bench::start(Plan { simulators: 0, kinds: &["vertex"], others, secret, ..Plan::default() }).await;
    for _ in 0..3 {
        let reply = bench.client.say("one two").await;
        assert_eq!(reply.json()["choices"][0]["message"]["content"], "echo: one two", "{reply:?}");
        bench.event().await;
    }
    assert_eq!(bought.load(Ordering::SeqCst), 1, "the token is kept until its end is near");
    let seen = sim.requests().await;
    assert!(seen[0]["path"].as_str().unwrap().contains("/publishers/google/models/"), "{}", seen[0]);
    bench.finish().await;
}
