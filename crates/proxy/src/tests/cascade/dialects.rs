//! Held answers in every client's dialect, from every provider's.

use domain::AttemptOutcome as O;

use super::{
    super::{
        harness::{Bench, Plan},
        oddities::clients::{CLIENTS, Speaks},
    },
    frugal, headers, outcomes, total,
};

const KEPT: &str = frugal!("reply.text.startsWith('echo: ')");
const REJECTED: &str = frugal!("!reply.text.startsWith('CHEAP')");

/// A client's request, and what it was told.
async fn ask(bench: &Bench, client: Speaks, stream: bool) -> (String, String) {
    let reply = client.ask(bench, stream).await;
    let (status, provider, fallback, _) = headers(&reply);
    assert_eq!(status, 200, "{client:?} {stream} {reply:?}");
    let who = format!("{provider} {fallback}");
    if !stream {
        return (who, client.text(&reply));
    }
    let said = client.said(&reply.body);
    assert!(said.whole && said.error.is_none(), "{client:?} {reply:?}");
    (who, said.text)
}

async fn all_clients(kinds: &'static [&'static str]) {
    let start = |route| Bench::start(Plan { simulators: 2, kinds, route, ..Plan::default() });
    let (mut keeping, mut replacing) = (start(KEPT).await, start(REJECTED).await);
    replacing.sim().script(r#"{"text":"CHEAP and nasty"}"#).await;
    for client in CLIENTS {
        for stream in [false, true] {
            let case = format!("{client:?} at {kinds:?}, streamed: {stream}");
            let kept = ask(&keeping, client, stream).await;
            assert_eq!(kept, ("a none".to_owned(), "echo: one two".to_owned()), "{case}");
            assert_eq!(outcomes(&keeping.event().await), [("a", O::Ok)], "{case}");
            let replaced = ask(&replacing, client, stream).await;
            assert_eq!(replaced, ("b rejected".to_owned(), "echo: one two".to_owned()), "{case}");
            let event = replacing.event().await;
            assert_eq!(outcomes(&event), [("a", O::Rejected), ("b", O::Ok)], "{case}");
            assert!(event.attempts.iter().all(|attempt| !attempt.estimated), "{case}: {event:?}");
            total(&event);
        }
    }
    keeping.finish().await;
    replacing.finish().await;
}

#[tokio::test]
async fn from_openai() {
    all_clients(&["openai", "openai"]).await;
}

#[tokio::test]
async fn from_anthropic() {
    all_clients(&["anthropic", "anthropic"]).await;
}

#[tokio::test]
async fn from_gemini() {
    all_clients(&["gemini", "gemini"]).await;
}

#[tokio::test]
async fn from_cohere() {
    all_clients(&["cohere", "cohere"]).await;
}

#[tokio::test]
async fn from_bedrock() {
    all_clients(&["bedrock", "bedrock"]).await;
}
