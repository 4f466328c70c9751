//! Who is not served, and which proxies are let go.

use std::time::Duration;

use control_plane::watch::WatchSettings;
use domain::Version;
use proto::v1::{JoinRequest, WatchRequest};
use tonic::Code;

use crate::fixture::{Plane, hello};

#[tokio::test]
async fn a_wrong_join_token_is_refused() {
    let plane = Plane::start().await;
    let wrong = secrets::random_token("pc-join-");
    for token in ["", wrong.as_str(), &plane.join_token[1..]] {
        let request = JoinRequest { token: token.to_owned(), proxy: "p1".into() };
        let refused = plane.client().await.join(request).await.unwrap_err();
        assert_eq!(refused.code(), Code::Unauthenticated);
        assert!(!refused.message().contains(plane.join_token.as_str()));
    }
    let nameless = JoinRequest { token: plane.join_token.clone(), proxy: "two\nlines".into() };
    assert_eq!(plane.client().await.join(nameless).await.unwrap_err().code(), Code::InvalidArgument);
}

#[tokio::test]
async fn without_a_token_of_ones_own_nothing_is_said() {
    let plane = Plane::start().await;
    let version = plane.put(&["secret"]).await;
    assert_eq!(plane.try_watch(hello("p1", None), None).await, Some(Code::Unauthenticated));
    assert_eq!(plane.try_watch(hello("p1", None), Some("e30.e30.")).await, Some(Code::Unauthenticated));
    let jwt = plane.join("p1").await;
    let foreign = plane.try_watch(hello("p2", Some(version)), Some(&jwt)).await;
    assert_eq!(foreign, Some(Code::PermissionDenied));
    assert_eq!(plane.proxies.list(), []);
}

#[tokio::test]
async fn a_stream_must_begin_with_a_hello_and_soon() {
    let settings = WatchSettings { hello: Duration::from_millis(50), ..WatchSettings::default() };
    let plane = Plane::start_with(settings).await;
    let jwt = plane.join("p1").await;
    let empty = WatchRequest { message: None };
    assert_eq!(plane.try_watch(empty, Some(&jwt)).await, Some(Code::InvalidArgument));
    assert_eq!(plane.silent_watch(&jwt).await, Some(Code::DeadlineExceeded));
    assert_eq!(plane.proxies.list(), []);
}

#[tokio::test]
async fn a_proxy_that_does_not_answer_is_let_go() {
    let settings = WatchSettings { answer: Duration::from_millis(50), ..WatchSettings::default() };
    let plane = Plane::start_with(settings).await;
    plane.put(&["a"]).await;
    let mut stream = plane.watch("p1", None).await;
    stream.snapshot().await;
    assert_eq!(stream.end().await, Some(Code::DeadlineExceeded));
}

#[tokio::test]
async fn an_answer_to_what_was_never_sent_ends_the_stream() {
    let plane = Plane::start().await;
    let version = plane.put(&["a"]).await;
    let mut stream = plane.watch("p1", None).await;
    stream.snapshot().await;
    stream.ack(Version { revision: version.revision + 1, ..version }).await;
    assert_eq!(stream.end().await, Some(Code::InvalidArgument));
}

#[tokio::test]
async fn a_store_that_fails_ends_the_stream_and_says_nothing_of_why() {
    let plane = Plane::start().await;
    let version = plane.put(&["a"]).await;
    let mut stream = plane.watch("p1", Some(version)).await;
    assert_eq!(stream.heartbeat().await, version);
    plane.store.close().await;
    assert_eq!(stream.end().await, Some(Code::Unavailable));
}
