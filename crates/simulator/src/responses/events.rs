//! A response as numbered events: each item is added, grows and is done before the next one begins.

use bytes::Bytes;
use serde_json::{Value, json};

use super::write::{Item, Writer};
use crate::answer::{Answer, Finish};
use crate::failure::Framing;
use crate::openai::logprobs;
use crate::plan::Events;
use crate::reply::Payload;
use crate::sse::Sse;

/// The whole stream.
pub(super) fn events(writer: &Writer<'_>, answer: &Answer) -> Payload {
    let sse = Sse::of(writer.behaviour);
    let mut stream = Stream { sse, writer, number: 0 };
    let mut events = Events::default();
    for name in ["created", "in_progress"] {
        let event = json!({"type": format!("response.{name}"), "response": writer.response(&[], None)});
        events.opening.push(stream.event(event));
    }
    let items = writer.items(answer);
    for (index, item) in items.iter().enumerate() {
        stream.item(index, item, &mut events.content);
    }
    let name =
        if matches!(answer.finish, Finish::Length | Finish::Filter) { "incomplete" } else { "completed" };
    let output: Vec<Value> = items.into_iter().map(|item| item.value).collect();
    let response = writer.response(&output, Some(&answer.finish));
    events.closing.push(stream.event(json!({"type": format!("response.{name}"), "response": response})));
    Payload::Events(Framing::Responses(sse), events)
}

struct Stream<'a> {
    sse: Sse,
    writer: &'a Writer<'a>,
    number: u64,
}

impl Stream<'_> {
    fn event(&mut self, mut event: Value) -> Bytes {
        event["sequence_number"] = self.number.into();
        let delta = event["type"].as_str().is_some_and(|name| name.ends_with(".delta"));
        if self.writer.behaviour.obfuscation && delta {
            event["obfuscation"] = "aGk3Zx9".into();
        }
        self.number += 1;
        self.sse.typed(&event)
    }

    fn item(&mut self, index: usize, item: &Item, out: &mut Vec<Bytes>) {
        let done = &item.value;
        let mut added = done.clone();
        let names: &[&str] = match done["type"].as_str() {
            Some("reasoning") => {
                added["summary"] = json!([]);
                // The whole content is known at the end only.
                added["encrypted_content"] = "".into();
                &["reasoning_summary_part", "reasoning_summary_text"]
            }
            Some("function_call") => {
                (added["arguments"], added["status"]) = ("".into(), "in_progress".into());
                &["function_call_arguments"]
            }
            _ => {
                (added["content"], added["status"]) = (json!([]), "in_progress".into());
                let refusal = done["content"][0]["type"] == "refusal";
                if refusal { &["content_part", "refusal"] } else { &["content_part", "output_text"] }
            }
        };
        out.push(
            self.event(json!({"type": "response.output_item.added", "output_index": index, "item": added})),
        );
        let place = json!({"item_id": done["id"], "output_index": index});
        match names {
            [body] => self.body(body, &place, item, out),
            [part, body] if !item.pieces.is_empty() || done["type"] == "message" => {
                let summary = *part == "reasoning_summary_part";
                let whole = if summary { &done["summary"][0] } else { &done["content"][0] };
                let mut place = place;
                place[if summary { "summary_index" } else { "content_index" }] = 0.into();
                let mut empty = whole.clone();
                empty[if *body == "refusal" { "refusal" } else { "text" }] = "".into();
                out.push(self.at(&format!("{part}.added"), &place, &json!({ "part": empty })));
                self.body(body, &place, item, out);
                out.push(self.at(&format!("{part}.done"), &place, &json!({ "part": whole })));
            }
            _ => {}
        }
        out.push(
            self.event(json!({"type": "response.output_item.done", "output_index": index, "item": done})),
        );
    }

    fn at(&mut self, name: &str, place: &Value, more: &Value) -> Bytes {
        let mut event = json!({"type": format!("response.{name}")});
        for from in [place, more] {
            for (key, value) in from.as_object().into_iter().flatten() {
                event[key.as_str()] = value.clone();
            }
        }
        self.event(event)
    }

    fn body(&mut self, name: &str, place: &Value, item: &Item, out: &mut Vec<Bytes>) {
        let top = self.writer.logprobs;
        let told = |pieces: &[String]| top.map_or_else(|| json!([]), |top| logprobs(pieces, top));
        let text = name == "output_text";
        for piece in &item.pieces {
            let mut more = json!({ "delta": piece });
            if text {
                more["logprobs"] = told(std::slice::from_ref(piece));
            }
            out.push(self.at(&format!("{name}.delta"), place, &more));
        }
        let whole = item.pieces.concat();
        let field = match name {
            "function_call_arguments" => "arguments",
            "refusal" => "refusal",
            _ => "text",
        };
        let mut more = json!({ field: whole });
        if text {
            more["logprobs"] = told(&item.pieces);
        }
        if field == "arguments" {
            more["name"] = item.value["name"].clone();
        }
        out.push(self.at(&format!("{name}.done"), place, &more));
    }
}
