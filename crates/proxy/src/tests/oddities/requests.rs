//! Requests that are nonsense: refused in the client's words before anything is sent.

use bytes::Bytes;

use super::{
    clients::{CLIENTS, Speaks},
    two,
};

/// The body with a member more in front.
fn with(client: Speaks, member: &str) -> Bytes {
    Bytes::from(client.body(false).to_string().replacen('{', &format!("{{{member},"), 1))
}

#[tokio::test]
async fn nonsense_is_refused_in_every_dialect() {
    // Its codecs are asked where it is translated: nothing else reads the nested members.
    for kinds in [&["anthropic"], &["bedrock"]] {
        let bench = two(kinds).await;
        for client in CLIENTS {
            let body = client.body(false).to_string();
            let mut no_utf8 = body.replace("one two", "one ~ two").into_bytes();
            let at = no_utf8.iter().position(|byte| *byte == b'~').unwrap();
            no_utf8[at] = 0xff;
            let deep = format!("{}{}", "[".repeat(200), "]".repeat(200));
            let limit = match client {
                Speaks::Chat => "max_completion_tokens",
                Speaks::Responses => "max_output_tokens",
                Speaks::Messages | Speaks::Cohere => "max_tokens",
                Speaks::Gemini => "generationConfig",
                Speaks::Converse => "inferenceConfig",
            };
            let limited = |number: &str| {
                let value = match client {
                    Speaks::Gemini => format!(r#"{{"maxOutputTokens":{number}}}"#),
                    Speaks::Converse => format!(r#"{{"maxTokens":{number}}}"#),
                    _ => number.to_owned(),
                };
                let plain = body.replace(r#""max_tokens":64,"#, "");
                Bytes::from(plain.replacen('{', &format!("{{\"{limit}\":{value},"), 1))
            };
            let huge = format!("1{}", "0".repeat(400));
            let first = body[1..].split(':').next().unwrap().to_owned();
            let cases = [
                ("empty", Bytes::new()),
                ("array", "[]".into()),
                ("cut", Bytes::from(body[..body.len() - 1].to_owned())),
                ("behind", Bytes::from(format!("{body}{{}}"))),
                ("no utf-8", no_utf8.into()),
                ("deep", with(client, &format!("\"x\":{deep}"))),
                ("twice", with(client, &format!("{first}:null"))),
                ("negative", limited("-5")),
                ("infinite", limited("1e999")),
                ("huge", limited(&huge)),
                ("zero", limited("0")),
                ("fraction", limited("1.5")),
            ];
            for (name, body) in cases {
                // These two take it for nothing at all, say for a prompt that is only to be cached.
                if name == "zero" && matches!(client, Speaks::Messages | Speaks::Cohere) {
                    continue;
                }
                let reply = client.send(&bench, false, body).await;
                let case = format!("{client:?} at {}: {name}", kinds[0]);
                assert_eq!(reply.status, 400, "{case}: {reply:?}");
                assert_eq!(client.code(&reply), "invalid_request", "{case}: {reply:?}");
            }
        }
        assert!(bench.sim().requests().await.is_empty(), "nothing was sent");
        bench.finish().await;
    }
}

#[tokio::test]
async fn a_growing_array_of_geminis_is_not_offered() {
    let bench = two(&["gemini"]).await;
    let body = Speaks::Gemini.body(true).to_string();
    let path = "/v1beta/models/chat:streamGenerateContent";
    let reply = bench.client.plain.send(bench.client.request(http::Method::POST, path, &body)).await;
    assert_eq!((reply.status, Speaks::Gemini.code(&reply).as_str()), (400, "invalid_request"), "{reply:?}");
    assert!(reply.text().contains("alt=sse"));
    bench.finish().await;
}
