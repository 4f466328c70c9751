//! Joining: one token for many calls, renewed in time, bought again when it is refused.

use std::sync::atomic::Ordering;

use config_client::{PeerTls, Session, SessionSettings};
use runtime::peer::PeerTokens;
use tonic::Code;

use crate::fixture::{Fleet, tenant};

fn settings(coordination: &Fleet) -> SessionSettings {
    SessionSettings {
        control_plane: format!("http://{}", coordination.address).parse().unwrap(),
        ledger: None,
        proxy: "p1".into(),
        join_token: Some(coordination.script.join_token.clone()),
        tls: None,
    }
}

#[tokio::test]
async fn many_callers_join_once() {
    let coordination = Fleet::start().await;
    let session = coordination.session();
    let callers = (0..20).map(|_| {
        let session = session.clone();
        tokio::spawn(async move { session.control_plane().await.map(|_| ()) })
    });
    for caller in callers.collect::<Vec<_>>() {
        caller.await.unwrap().unwrap();
    }
    assert_eq!(coordination.script.joins.load(Ordering::SeqCst), 1);
}

#[tokio::test]
async fn a_token_is_renewed_before_it_expires_and_used_on_when_that_fails() {
    let coordination = Fleet::start().await;
    let session = coordination.session();
    session.control_plane().await.unwrap();
    let joins = || coordination.script.joins.load(Ordering::SeqCst);

    pass(599).await;
    session.control_plane().await.unwrap();
    assert_eq!(joins(), 1);
    pass(2).await;
    session.control_plane().await.unwrap();
    assert_eq!(joins(), 2);

    coordination.script.refuse_joins.store(1, Ordering::SeqCst);
    pass(601).await;
    session.control_plane().await.unwrap();
    assert_eq!(joins(), 3, "it was tried");
    session.control_plane().await.unwrap();
    assert_eq!(joins(), 3, "but not with every call");
    pass(300).await;
    assert_eq!(session.control_plane().await.unwrap_err().code(), Code::Unavailable);

    coordination.script.refuse_joins.store(0, Ordering::SeqCst);
    session.control_plane().await.unwrap();
}

/// Moves the clock, without waiting.
async fn pass(seconds: u64) {
    tokio::time::pause();
    tokio::time::advance(std::time::Duration::from_secs(seconds)).await;
    tokio::time::resume();
}

#[tokio::test]
async fn a_token_that_is_not_taken_any_more_is_bought_again() {
    let mut coordination = Fleet::start().await;
    let mut proxy = coordination.proxy();
    let mut stream = coordination.stream().await;
    stream.snapshot(1, vec![tenant("a")]).await;
    assert_eq!(stream.acked().await, 1);
    proxy.installed().await;

    // The control plane forgets what it minted; the proxy is at its next stream before it knows.
    *coordination.script.tokens.lock().unwrap() = PeerTokens::new(&[9; 32]);
    stream.fail(Code::Unavailable).await;
    let stream = coordination.stream().await;
    assert_eq!(stream.hello.have, Some(proto::version_to(coordination.version(1))));
    assert_eq!(coordination.script.joins.load(Ordering::SeqCst), 2);
}

#[tokio::test]
async fn a_wrong_join_token_is_an_error_without_the_token_in_it() {
    let coordination = Fleet::start().await;
    let wrong = secrets::random_token("pc-join-");
    let session =
        Session::new(SessionSettings { join_token: Some(wrong.clone()), ..settings(&coordination) }).unwrap();
    let refused = session.control_plane().await.unwrap_err();
    assert_eq!(refused.code(), Code::Unauthenticated);
    assert!(!format!("{refused:?}").contains(&wrong));
}

#[tokio::test]
async fn settings_that_cannot_work_name_their_field() {
    let coordination = Fleet::start().await;
    let field = |settings| Session::new(settings).err().map(|error| error.field);
    let none = SessionSettings { join_token: None, ..settings(&coordination) };
    assert_eq!(field(none).as_deref(), Some("--join-token"));
    let weak = SessionSettings { join_token: Some("changeme".into()), ..settings(&coordination) };
    assert_eq!(field(weak).as_deref(), Some("--join-token"));
    let nameless = SessionSettings { proxy: String::new(), ..settings(&coordination) };
    assert_eq!(field(nameless).as_deref(), Some("--name"));
    for address in ["https://127.0.0.1:1", "ftp://127.0.0.1:1", "/no/host"] {
        let wrong = SessionSettings { control_plane: address.parse().unwrap(), ..settings(&coordination) };
        assert_eq!(field(wrong).as_deref(), Some("--control-plane"), "{address}");
    }
    let refused = PeerTls::from_pem(b"no certificate", None).err().map(|error| error.field);
    assert_eq!(refused.as_deref(), Some("--grpc-ca"));
}

#[tokio::test]
async fn without_a_control_plane_the_error_says_so() {
    let coordination = Fleet::start().await;
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    drop(listener);
    let gone = SessionSettings {
        control_plane: format!("http://{address}").parse().unwrap(),
        ..settings(&coordination)
    };
    let session = Session::new(gone).unwrap();
    assert_eq!(session.control_plane().await.unwrap_err().code(), Code::Unavailable);
}
