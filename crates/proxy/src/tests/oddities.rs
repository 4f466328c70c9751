//! Providers that misbehave and clients that send nonsense, for every client dialect, verbatim and translated.

mod answers;
mod classes;
pub(super) mod clients;
mod endings;
mod frames;
mod losses;
mod odd_errors;
mod requests;
mod strict_readers;

use domain::{AttemptOutcome, RequestOutcome};

use self::clients::CLIENTS;
use super::harness::{Bench, Plan, Price, credential};

/// The kinds that the simulators speak different dialects for; a client of Responses gets its own from the first.
const PROVIDERS: [&[&str]; 5] = [
    &["openai", "openai"],
    &["anthropic", "anthropic"],
    &["gemini", "gemini"],
    &["cohere", "cohere"],
    &["bedrock", "bedrock"],
];

async fn two(kinds: &'static [&'static str]) -> Bench {
    Bench::start(Plan { simulators: 2, kinds, ..Plan::default() }).await
}

#[tokio::test]
async fn streams_in_every_shape_arrive_whole() {
    let scripts = [
        r#"{"split_bytes":1}"#,
        r#"{"split_bytes":3,"line_end":"crlf"}"#,
        r#"{"line_end":"cr","packet_events":3}"#,
        r#"{"bom":true,"split_bytes":2}"#,
        r#"{"tight":true,"multi_line_data":true}"#,
        r#"{"pings":1,"obfuscation":true}"#,
        r#"{"usage":"in_choice"}"#,
        r#"{"usage":"every_chunk"}"#,
        r#"{"usage":"none"}"#,
    ];
    for (number, kinds) in PROVIDERS.into_iter().enumerate() {
        let mut bench = two(kinds).await;
        // Binary frames have no byte order mark.
        for script in scripts.into_iter().filter(|script| kinds[0] != "bedrock" || !script.contains("bom")) {
            bench.sim().script(script).await;
            for (place, client) in CLIENTS.into_iter().enumerate() {
                // Usage that never comes is waited for: once at each provider is enough.
                if script.contains("none") && place != number + 1 {
                    continue;
                }
                let reply = client.ask(&bench, true).await;
                let case = format!("{client:?} at {}: {script}", kinds[0]);
                assert_eq!(reply.status, 200, "{case}: {reply:?}");
                let said = client.said(&reply.body);
                assert_eq!((said.text.as_str(), said.whole), ("echo: one two", true), "{case}: {reply:?}");
                assert_eq!(said.error, None, "{case}");
                let event = bench.event().await;
                let [only] = event.attempts.as_slice() else { panic!("{case}: {event:?}") };
                assert_eq!(event.outcome, RequestOutcome::Ok, "{case}");
                assert_eq!(only.estimated, script.contains("none"), "{case}: {only:?}");
                assert!(only.usage.input() > 0 && only.usage.output() > 0, "{case}: {only:?}");
                assert_eq!(only.cost.nanos(), Price::of(0).cost(&only.usage), "{case}");
            }
        }
        bench.finish().await;
    }
}

#[tokio::test]
async fn an_error_before_content_goes_to_the_next_target() {
    for kinds in PROVIDERS {
        let mut bench = two(kinds).await;
        for script in [r#"{"error_event_after":0}"#, r#"{"end_after":0}"#, r#"{"cut_after":0}"#] {
            bench.sim().script(script).await;
            for client in CLIENTS {
                let case = format!("{client:?} at {}: {script}", kinds[0]);
                let reply = client.ask(&bench, true).await;
                let said = client.said(&reply.body);
                assert_eq!((said.text.as_str(), said.whole), ("echo: one two", true), "{case}: {reply:?}");
                assert_eq!(reply.header("x-portcullis-provider"), "b", "{case}");
                let event = bench.event().await;
                let [first, second] = event.attempts.as_slice() else { panic!("{case}: {event:?}") };
                let expected =
                    if script.contains("error") { AttemptOutcome::StreamError } else { AttemptOutcome::Cut };
                assert_eq!((first.outcome, second.outcome), (expected, AttemptOutcome::Ok), "{case}");
            }
        }
        bench.finish().await;
    }
}

#[tokio::test]
async fn a_failure_after_content_is_told_in_the_clients_words_and_never_as_an_end() {
    // The first of Responses' chunks only announce what is to come.
    let quoting =
        format!(r#"{{"chunks":9,"error_event_after":4,"error_message":"no {}"}}"#, credential("a", 0));
    for kinds in PROVIDERS {
        let mut bench = two(kinds).await;
        for script in [&quoting, r#"{"chunks":9,"cut_after":4}"#, r#"{"chunks":9,"end_after":4}"#] {
            bench.sim().script(script).await;
            for client in CLIENTS {
                let case = format!("{client:?} at {}: {script}", kinds[0]);
                let reply = client.ask(&bench, true).await;
                let shown = String::from_utf8_lossy(&reply.body).into_owned();
                let said = client.said(&reply.body);
                assert!(said.text.starts_with("echo: "), "{case}: {:?} {shown}", bench.event().await);
                assert!(said.error.is_some() && !said.whole, "{case}: {shown}");
                assert!(!shown.contains(&credential("a", 0)), "{case}: {shown}");
                let event = bench.event().await;
                let [only] = event.attempts.as_slice() else { panic!("{case}: {event:?}") };
                assert_eq!((event.outcome, only.estimated), (RequestOutcome::Cut, true), "{case}");
                assert!(only.usage.input() > 0 && only.usage.output() > 0, "{case}: {only:?}");
            }
        }
        bench.finish().await;
    }
}

#[tokio::test]
async fn an_event_too_large_to_hold_ends_the_stream() {
    for kinds in PROVIDERS {
        let mut bench = two(kinds).await;
        bench.sim().script(r#"{"chunks":4,"huge_event":5000000}"#).await;
        for client in CLIENTS {
            let case = format!("{client:?} at {}", kinds[0]);
            let reply = client.ask(&bench, true).await;
            assert!(reply.body.len() < 1 << 20, "{case}");
            let said = client.said(&reply.body);
            assert!(said.error.is_some() && !said.whole, "{case}: {reply:?}");
            let event = bench.event().await;
            assert_eq!(event.attempts[0].outcome, AttemptOutcome::Protocol, "{case}");
            assert_eq!(event.attempts.len(), 1, "{case}");
        }
        bench.finish().await;
    }
}

#[tokio::test]
async fn a_client_that_hangs_up_cancels_the_provider_and_pays_for_what_was_written() {
    use http_body_util::BodyExt as _;
    for (number, kinds) in PROVIDERS.into_iter().enumerate() {
        let mut bench = two(kinds).await;
        bench.sim().script(r#"{"chunks":9,"hang":{"after_chunks":4}}"#).await;
        let client = CLIENTS[(number + 2) % CLIENTS.len()];
        let case = format!("{client:?} at {}", kinds[0]);
        let body = client.body(true).to_string();
        let request = bench.client.request(http::Method::POST, client.path(true), &body);
        let mut response = bench.client.plain.open(request).await;
        super::harness::soon(response.body_mut().frame()).await.unwrap().unwrap();
        drop(response);
        bench.sim().wait("cancelled=1").await;
        let event = bench.event().await;
        assert_eq!((event.outcome, event.status), (RequestOutcome::Cancelled, 499), "{case}");
        let [only] = event.attempts.as_slice() else { panic!("{case}: {event:?}") };
        assert_eq!((only.outcome, only.estimated), (AttemptOutcome::Cancelled, true), "{case}");
        assert!(only.usage.input() > 0 && only.usage.output() > 0, "{case}: {only:?}");
        assert_eq!(only.cost.nanos(), Price::of(0).cost(&only.usage), "{case}");
        bench.finish().await;
    }
}
