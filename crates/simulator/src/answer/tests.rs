//! Tests of what follows from an intent.

use super::*;
use crate::canonical_request::{Role, Tool};

fn intent(text: &str) -> CanonicalRequest {
    let mut intent = CanonicalRequest::default();
    intent.turn(Role::User);
    intent.text(text);
    let schema = json!({"type": "object", "properties": {"city": {"type": "string"}}});
    intent.tools = vec![Tool { name: "weather".into(), schema }];
    intent
}

fn answer(intent: &CanonicalRequest) -> (Answer, Usage) {
    reply(intent, &Behaviour::default(), &Cache::default(), "call_", &[0xab; 32]).unwrap().single()
}

#[test]
fn lines_order_calls_of_tools_on_offer() {
    let ordered = intent("say: one moment\ncall:weather {\"city\":\"Rome\"}\ncall:weather\ncall:other {}");
    let (answer, _) = answer(&ordered);
    let calls: Vec<_> =
        answer.calls.iter().map(|call| (call.name.as_str(), call.arguments.as_str())).collect();
    assert_eq!(calls, [("weather", r#"{"city":"Rome"}"#), ("weather", "{}")]);
    assert_eq!((answer.text.concat().as_str(), answer.finish), ("one moment", Finish::Calls));
    assert_ne!(answer.calls[0].id, answer.calls[1].id);
    assert_eq!(answer.calls[0].pieces().concat(), r#"{"city":"Rome"}"#);
    assert_eq!(answer.calls[0].pieces().len(), 3);
}

#[test]
fn a_choice_forbids_forces_and_narrows() {
    let mut forbidden = intent("call:weather");
    forbidden.choice = Choice::None;
    assert!(answer(&forbidden).0.calls.is_empty());
    let mut forced = intent("hello");
    forced.choice = Choice::Required(vec![]);
    assert_eq!(answer(&forced).0.calls[0].object(), Some(json!({"city": "text"})));
    let mut single = intent("call:weather\ncall:weather");
    single.single_call = true;
    assert_eq!(answer(&single).0.calls.len(), 1);
}

#[test]
fn results_are_quoted_and_may_order_the_next_call() {
    let mut back = intent("call:weather");
    back.turn(Role::Assistant);
    back.turn(Role::Tool);
    back.result("sunny".into());
    back.result("rain".into());
    assert_eq!(answer(&back).0.text.concat(), "results: sunny | rain");
    back.result("call:weather {}".into());
    assert_eq!(answer(&back).0.calls.len(), 1);
}

#[test]
fn the_limit_counts_reasoning_text_and_calls() {
    let mut short = intent("hello");
    short.thinking = true;
    short.max_tokens = Some(3);
    let (cut, usage) = answer(&short);
    assert_eq!((cut.reasoning.concat().as_str(), cut.text.len()), ("I think abou", 0));
    assert_eq!((cut.finish, usage.output, usage.reasoning), (Finish::Length, 3, 3));
    let mut call = intent(r#"call:weather {"city":"Rome"}"#);
    call.max_tokens = Some(4);
    let (cut, _) = answer(&call);
    assert_eq!((cut.calls[0].arguments.as_str(), cut.finish.clone()), (r#"{"city":""#, Finish::Length));
    assert_eq!(cut.calls[0].object(), None);
}

#[test]
fn stop_sequences_refusals_and_filters_end_an_answer() {
    let mut stopped = intent("one two three");
    stopped.stops = vec!["three".into(), "two".into()];
    let (cut, _) = answer(&stopped);
    assert_eq!((cut.text.concat().as_str(), cut.finish), ("echo: one ", Finish::Stop("two".into())));
    assert_eq!(answer(&intent("refuse: no")).0.finish, Finish::Refusal);
    assert_eq!(answer(&intent("filter:")).0.finish, Finish::Filter);
    let blocked = Behaviour { blocked: true, ..Behaviour::default() };
    let reply = reply(&intent("one two"), &blocked, &Cache::default(), "", &[0; 32]).unwrap();
    assert_eq!((&reply.answers[0], reply.usage.output), (&Answer::empty(Finish::Filter), 0));
}

#[test]
fn errors_are_ordered_with_their_wait() {
    let ordered = intent("error:429 retry-after:7");
    let problem = reply(&ordered, &Behaviour::default(), &Cache::default(), "", &[0; 32]).unwrap_err();
    assert_eq!((problem.status.as_u16(), problem.retry_after), (429, Some(7)));
}

#[test]
fn usage_counts_caches_and_several_answers() {
    let mut cached = intent("hi\ncache:100");
    cached.n = 2;
    let reply = reply(&cached, &Behaviour::default(), &Cache::default(), "", &[0; 32]).unwrap();
    assert_eq!(reply.answers[1].text.concat(), "echo: hi\ncache:100\n(choice 1)");
    assert_eq!((reply.usage.input, reply.usage.cache_read, reply.usage.fresh()), (103, 100, 3));
    assert_eq!(reply.usage.output, 5 + 8);
}

#[test]
fn structured_answers_are_json() {
    let mut structured = intent("hello");
    structured.format = Format::Schema(json!({"type": "object", "properties": {"a": {"type": "integer"}}}));
    assert_eq!(answer(&structured).0.text.concat(), r#"{"a":0}"#);
    structured.format = Format::Json;
    assert_eq!(answer(&structured).0.text.concat(), r#"{"echo":"hello"}"#);
    assert!(answer(&structured).0.text.len() > 1);
}
