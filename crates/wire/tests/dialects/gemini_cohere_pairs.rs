//! Gemini and Cohere with every other dialect: calls in both directions, streams as each client reads them.

use wire::{
    Dialect::{self, Anthropic, Bedrock, Cohere, Gemini, OpenAiChat, OpenAiResponses},
    canonical::Finish,
    codec,
    scan::PathParamsRef,
};

use crate::support::{events, fixture, read, retell, target, translated};

const OURS: [Dialect; 2] = [Gemini, Cohere];

fn folder(dialect: Dialect) -> &'static str {
    match dialect {
        OpenAiChat => "chat",
        OpenAiResponses => "responses",
        Anthropic => "anthropic",
        Gemini => "gemini",
        Cohere => "cohere",
        Bedrock => "bedrock",
    }
}

fn request(dialect: Dialect) -> (PathParamsRef<'static>, String) {
    let body = fixture(folder(dialect), "request.json");
    let path = match dialect {
        Gemini | Bedrock => PathParamsRef { model: Some("m"), stream: Some(true) },
        _ => PathParamsRef::default(),
    };
    (path, String::from_utf8(codec(dialect).prepare(&body).to_vec()).unwrap())
}

#[test]
fn every_call_can_be_said_to_every_target_when_losses_are_allowed() {
    for client in Dialect::ALL {
        let (path, body) = request(client);
        for server in Dialect::ALL {
            if client == server || !(OURS.contains(&client) || OURS.contains(&server)) {
                continue;
            }
            for model in ["gemini-3-pro", "gemini-2.5-flash"] {
                let written = translated((client, path, &body), server, &target(model), true);
                let (written, dropped) =
                    written.unwrap_or_else(|error| panic!("{client:?} to {server:?}: {error}"));
                assert!(written.is_object() && !dropped.contains(&String::new()), "{client:?} to {server:?}");
                assert!(written.to_string().contains("gauge"), "{client:?} to {server:?}: the tool is there");
            }
        }
    }
}

#[test]
fn every_client_reads_the_same_calls_in_a_stream() {
    for server in OURS {
        let stream = fixture(folder(server), "stream.sse");
        for client in Dialect::ALL.into_iter().filter(|client| *client != Bedrock) {
            let (written, seen) = retell(server, client, [&stream[..]]);
            assert!(seen.done && seen.error.is_none(), "{server:?} to {client:?}");
            let written = String::from_utf8(written).unwrap().replace("\r\n", "\n");
            let answer = read(client, events(written.as_bytes()));
            let calls: Vec<_> = answer
                .parts
                .iter()
                .filter_map(|part| part.strip_prefix("call ")?.split_once(' '))
                .map(|(_, call)| call)
                .collect();
            let expected = [r#"gauge {"side": "north", "mm": 12345678901234567890}"#, "bell {}"];
            assert_eq!(calls, expected, "{server:?} to {client:?}: {written}");
            let text = answer.parts.iter().find(|part| part.starts_with("text "));
            assert_eq!(
                text.map(String::as_str),
                Some("text I read both \"gauges\" 🌊."),
                "{server:?} to {client:?}"
            );
            assert_eq!(answer.finish, Some(Finish::ToolCalls), "{server:?} to {client:?}");
            let usage = answer.usage.unwrap_or_else(|| panic!("{server:?} to {client:?}: usage is lost"));
            assert_eq!(
                (usage.input(), usage.output()),
                (seen.usage.unwrap().input(), 90),
                "{server:?} to {client:?}"
            );
        }
    }
}
