//! The cause of a provider's error, by the words of its dialect: what is asked next, and what the client gets.

use domain::AttemptOutcome as O;
use serde_json::{Value, json};

use super::{
    super::harness::{Bench, Plan},
    clients::{CLIENTS, Speaks},
};

/// One provider's error, and what follows.
struct Case {
    kinds: &'static [&'static str],
    script: Value,
    stream: bool,
    /// How the attempts at the first target end, of which it has two keys.
    first: &'static [O],
    /// Whether the client hears of it as its own fault.
    fault: bool,
}

const ANTHROPIC: &[&str] = &["anthropic", "anthropic"];
const GEMINI: &[&str] = &["gemini", "gemini"];
const BEDROCK: &[&str] = &["bedrock", "bedrock"];
const OPENAI: &[&str] = &["openai", "openai"];

fn case(kinds: &'static [&'static str], status: u16, body: &Value, first: &'static [O], fault: bool) -> Case {
    let script = json!({ "status": status, "raw_body": body.to_string() });
    Case { kinds, script, stream: false, first, fault }
}

fn inside(kinds: &'static [&'static str], sse: &str, first: &'static [O], fault: bool) -> Case {
    let script = json!({ "content_type": "text/event-stream", "raw_body": sse });
    Case { kinds, script, stream: true, first, fault }
}

fn cases() -> Vec<Case> {
    let anthropic =
        |kind: &str, message: &str| json!({ "type": "error", "error": { "type": kind, "message": message } });
    let anthropic_event =
        |kind: &str, message: &str| format!("event: error\ndata: {}\n\n", anthropic(kind, message));
    let google = |status: &str, code: u16, reason: &str| json!({ "error": { "code": code, "message": "m", "status": status, "details": [{ "reason": reason }] } });
    let amazon = |kind: &str, message: &str| json!({ "__type": kind, "message": message });
    let openai = |code: &str| json!({ "error": { "message": "m", "type": "t", "code": code } });
    vec![
        case(ANTHROPIC, 529, &anthropic("overloaded_error", "m"), &[O::ServerError], false),
        case(
            ANTHROPIC,
            400,
            &anthropic("invalid_request_error", "prompt is too long: 9 > 8"),
            &[O::ContextTooLong],
            false,
        ),
        case(
            ANTHROPIC,
            400,
            &anthropic("invalid_request_error", "Your credit balance is too low"),
            &[O::BadCredential; 2],
            false,
        ),
        inside(ANTHROPIC, &anthropic_event("overloaded_error", "m"), &[O::StreamError], false),
        inside(ANTHROPIC, &anthropic_event("rate_limit_error", "m"), &[O::RateLimited; 2], false),
        inside(ANTHROPIC, &anthropic_event("authentication_error", "m"), &[O::BadCredential; 2], false),
        inside(ANTHROPIC, &anthropic_event("invalid_request_error", "messages: no"), &[O::ClientFault], true),
        case(GEMINI, 400, &google("INVALID_ARGUMENT", 400, "API_KEY_INVALID"), &[O::BadCredential; 2], false),
        case(GEMINI, 400, &google("INVALID_ARGUMENT", 400, "OTHER"), &[O::ClientFault], true),
        inside(GEMINI, &format!("data: {}\n\n", google("UNAVAILABLE", 503, "x")), &[O::StreamError], false),
        inside(
            GEMINI,
            &format!("data: {}\n\n", google("INVALID_ARGUMENT", 400, "x")),
            &[O::ClientFault],
            true,
        ),
        case(BEDROCK, 400, &amazon("ServiceQuotaExceededException", "m"), &[O::BadCredential; 2], false),
        case(BEDROCK, 400, &amazon("ThrottlingException", "m"), &[O::RateLimited; 2], false),
        case(
            BEDROCK,
            400,
            &amazon("ValidationException", "Input is too long for requested model."),
            &[O::ContextTooLong],
            false,
        ),
        case(BEDROCK, 424, &amazon("ModelErrorException", "m"), &[O::ServerError], false),
        case(OPENAI, 429, &openai("insufficient_quota"), &[O::BadCredential; 2], false),
        case(OPENAI, 400, &openai("context_length_exceeded"), &[O::ContextTooLong], false),
        // The model is the gateway's to name: another key may have it, and another target as well.
        case(OPENAI, 400, &openai("model_not_found"), &[O::BadCredential; 2], false),
        inside(
            OPENAI,
            &format!("data: {}\n\n", openai("context_length_exceeded")),
            &[O::ContextTooLong],
            false,
        ),
        inside(OPENAI, &format!("data: {}\n\n", openai("server_error")), &[O::StreamError], false),
    ]
}

#[tokio::test]
async fn what_follows_an_error_depends_on_whose_fault_it_is() {
    for case in cases() {
        let plan = Plan { simulators: 2, kinds: case.kinds, credentials: 2, ..Plan::default() };
        let mut bench = Bench::start(plan).await;
        bench.sim().script(&case.script.to_string()).await;
        for client in CLIENTS {
            let name = format!("{client:?}: {}", case.script);
            // An error event of chat is none of Responses'; Claude at Bedrock has Anthropic's words for Anthropic's.
            let other = (case.stream && case.kinds == OPENAI && client == Speaks::Responses)
                || (case.kinds == BEDROCK && client == Speaks::Messages);
            if other {
                continue;
            }
            bench.new_keys();
            let reply = client.ask(&bench, case.stream).await;
            let event = bench.event().await;
            let outcomes: Vec<O> = event.attempts.iter().map(|attempt| attempt.outcome).collect();
            if case.fault {
                assert_eq!(outcomes, case.first, "{name}");
                assert_eq!((reply.status, client.code(&reply).as_str()), (400, "invalid_request"), "{name}");
            } else {
                assert_eq!(outcomes, [case.first, &[O::Ok]].concat(), "{name}");
                assert_eq!(reply.status, 200, "{name}");
            }
            assert!(event.attempts[0].cost.nanos() == 0, "{name}: a refusal costs nothing");
        }
        bench.finish().await;
    }
}

#[tokio::test]
async fn google_says_in_the_body_when_to_come_back() {
    let mut bench = Bench::start(Plan { kinds: &["gemini"], ..Plan::default() }).await;
    let said = json!({ "error": { "code": 429, "message": "m", "status": "RESOURCE_EXHAUSTED", "details": [
        { "@type": "type.googleapis.com/google.rpc.RetryInfo", "retryDelay": "36.4s" },
    ] } });
    bench.sim().script(&json!({ "status": 429, "raw_body": said.to_string() }).to_string()).await;
    for client in CLIENTS {
        bench.new_keys();
        let reply = client.ask(&bench, false).await;
        assert_eq!((reply.status, reply.header("retry-after")), (429, "37"), "{client:?}: {reply:?}");
        assert_eq!(client.code(&reply), "rate_limited");
        bench.event().await;
    }
    bench.finish().await;
}
