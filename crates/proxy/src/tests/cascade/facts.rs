//! What conditions see of an answer.

use super::{
    super::harness::{Bench, Plan},
    bench, frugal, headers,
};

/// Whether the first answer is kept, plain and streamed, when the cheap model behaves like this.
async fn kept(route: &'static str, script: &str, fields: &str) -> bool {
    let mut bench: Bench = bench(route).await;
    bench.sim().script(script).await;
    let mut providers = Vec::new();
    for stream in ["", r#","stream":true"#] {
        let body = format!(
            r#"{{"model":"chat","messages":[{{"role":"user","content":"say something"}}]{fields}{stream}}}"#
        );
        let reply = bench.client.chat(&body).await;
        assert_eq!(reply.status, 200, "{reply:?}");
        providers.push(headers(&reply).1.to_owned());
        bench.event().await;
    }
    bench.finish().await;
    assert_eq!(providers[0], providers[1], "plain and streamed are judged alike");
    providers[0] == "a"
}

const SCHEMA: &str = r#","response_format":{"type":"json_schema","json_schema":{"name":"n","strict":true,"schema":{"type":"object","properties":{"count":{"type":"integer"}},"required":["count"],"additionalProperties":false}}}"#;
const OBEYS: &str = frugal!("reply.schema_valid");

#[tokio::test]
async fn the_schema_of_the_request() {
    assert!(kept(OBEYS, r#"{"text":"{\"count\": 3}"}"#, SCHEMA).await);
    assert!(!kept(OBEYS, r#"{"text":"{\"count\": \"three\"}"}"#, SCHEMA).await);
    assert!(!kept(OBEYS, r#"{"text":"Sure! {\"count\": 3}"}"#, SCHEMA).await);
    assert!(kept(OBEYS, r#"{"text":"no schema, nothing to obey"}"#, "").await);
}

#[tokio::test]
async fn json_or_not() {
    const JSON: &str = frugal!("reply.json_valid && !reply.refusal");
    assert!(kept(JSON, r#"{"text":"[1]"}"#, "").await);
    assert!(!kept(JSON, r#"{"text":"```json [1]```"}"#, "").await);
}

#[tokio::test]
async fn how_it_ended() {
    const DONE: &str = frugal!("reply.finish_reason == 'stop'");
    assert!(kept(DONE, "{}", "").await);
    assert!(!kept(DONE, "{}", r#","max_tokens":2"#).await);
}

#[tokio::test]
async fn its_length_in_tokens() {
    const SHORT: &str = frugal!("reply.output_tokens < 50");
    assert!(kept(SHORT, r#"{"completion_tokens":49}"#, "").await);
    assert!(!kept(SHORT, r#"{"completion_tokens":50}"#, "").await);
}

#[tokio::test]
async fn the_calls_it_makes() {
    const CALLS: &str = frugal!("reply.tool_calls == 1");
    let tool = r#","tool_choice":"required","tools":[{"type":"function","function":{"name":"look","parameters":{"type":"object"}}}]"#;
    assert!(kept(CALLS, "{}", tool).await);
    assert!(!kept(CALLS, "{}", "").await);
}

#[tokio::test]
async fn refusals_in_the_dialects_way() {
    // Anthropic's has no content, and is taken for a blocked prompt.
    let (words, none) = (&["bedrock", "custom"], &["anthropic", "custom"]);
    for (kinds, outcome) in [(words, "rejected"), (none, "content_filter")] {
        let plan = Plan { simulators: 2, kinds, route: frugal!("!reply.refusal"), ..Plan::default() };
        let mut bench = Bench::start(plan).await;
        for streamed in [false, true] {
            let reply = if streamed {
                bench.client.stream("refuse:no").await
            } else {
                bench.client.say("refuse:no").await
            };
            assert_eq!(headers(&reply), (200, "b", outcome, "2"), "{reply:?}");
            bench.event().await;
        }
        bench.finish().await;
    }
}
