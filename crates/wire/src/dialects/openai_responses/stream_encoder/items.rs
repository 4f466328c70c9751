//! Items that grow: opened, told in deltas, and repeated as a whole when they end.

use super::{Encoder, Entry, MOST_KEPT, address, send};
use crate::{
    canonical::{Logprob, split_name},
    dialects::openai_responses::object::{Item, Said, summary},
    json::out::ObjectOut,
    sse::MAX_EVENT,
};

impl Encoder {
    /// Opens an item; the message or the thoughts before it end.
    pub(super) fn add(&mut self, item: Item, call: Option<u32>, out: &mut Vec<u8>) -> usize {
        self.begin(out);
        self.close(out);
        let at = self.items.len();
        send(&mut self.sequence, "output_item.added", out, |o| {
            o.number("output_index", at as u64);
            o.object("item", |o| item.write("in_progress", o));
        });
        if call.is_none() {
            self.open = Some(at);
        }
        self.items.push(Entry { item, call, done: false });
        at
    }

    /// Text or a refusal.
    pub(super) fn say(&mut self, refusal: bool, text: &str, out: &mut Vec<u8>) {
        if text.is_empty() {
            return;
        }
        let open = self.open.filter(|at| matches!(self.items[*at].item, Item::Message { .. }));
        let at = open.unwrap_or_else(|| {
            let item = Item::message(&self.envelope, self.items.len());
            self.add(item, None, out)
        });
        let Item::Message { parts, .. } = &self.items[at].item else { return };
        if parts.last().is_none_or(|part| part.refusal != refusal) {
            self.close_part(at, out);
            self.open_part(at, refusal, out);
        }
        let room = self.room(text.len());
        let Item::Message { id, parts } = &mut self.items[at].item else { return };
        if let (Some(part), true) = (parts.last_mut(), room) {
            part.text.push_str(text);
        }
        let index = parts.len().saturating_sub(1) as u64;
        let kind = if refusal { "refusal.delta" } else { "output_text.delta" };
        send(&mut self.sequence, kind, out, |o| {
            address(id, at, o);
            o.number("content_index", index);
            o.text("delta", text);
            if !refusal {
                o.array("logprobs", |_| ());
            }
        });
    }

    /// Whether so many bytes more can be kept to be repeated.
    const fn room(&mut self, bytes: usize) -> bool {
        self.kept = self.kept.saturating_add(bytes);
        self.kept <= MOST_KEPT
    }

    fn open_part(&mut self, at: usize, refusal: bool, out: &mut Vec<u8>) {
        let Item::Message { id, parts } = &mut self.items[at].item else { return };
        let part = Said { refusal, ..Said::default() };
        send(&mut self.sequence, "content_part.added", out, |o| {
            address(id, at, o);
            o.number("content_index", parts.len() as u64);
            o.object("part", |o| part.write(o));
        });
        parts.push(part);
    }

    fn close_part(&mut self, at: usize, out: &mut Vec<u8>) {
        let Item::Message { id, parts } = &self.items[at].item else { return };
        let Some((part, before)) = parts.split_last() else { return };
        let (kind, key) =
            if part.refusal { ("refusal.done", "refusal") } else { ("output_text.done", "text") };
        send(&mut self.sequence, kind, out, |o| {
            address(id, at, o);
            o.number("content_index", before.len() as u64);
            o.text(key, &part.text);
            if !part.refusal {
                part.tokens(o);
            }
        });
        send(&mut self.sequence, "content_part.done", out, |o| {
            address(id, at, o);
            o.number("content_index", before.len() as u64);
            o.object("part", |o| part.write(o));
        });
    }

    pub(super) fn think(&mut self, thought: &str, out: &mut Vec<u8>) {
        if thought.is_empty() {
            return;
        }
        let at = self.thoughts(out);
        let room = self.room(thought.len());
        let Item::Reasoning { id, text, .. } = &mut self.items[at].item else { return };
        let first = text.is_empty();
        if room {
            text.push_str(thought);
        }
        let place = |o: &mut ObjectOut<'_>| {
            address(id, at, o);
            o.number("summary_index", 0);
        };
        if first {
            send(&mut self.sequence, "reasoning_summary_part.added", out, |o| {
                place(o);
                o.object("part", |o| summary("", o));
            });
        }
        send(&mut self.sequence, "reasoning_summary_text.delta", out, |o| {
            place(o);
            o.text("delta", thought);
        });
    }

    /// The thoughts that are growing; they are begun where there are none.
    pub(super) fn thoughts(&mut self, out: &mut Vec<u8>) -> usize {
        let open = self.open.filter(|at| matches!(self.items[*at].item, Item::Reasoning { .. }));
        open.unwrap_or_else(|| {
            let item = Item::reasoning(&self.envelope, self.items.len());
            self.add(item, None, out)
        })
    }

    /// Ends the message or the thoughts that are growing.
    pub(super) fn close(&mut self, out: &mut Vec<u8>) {
        let Some(at) = self.open.take() else { return };
        self.close_part(at, out);
        if let Item::Reasoning { id, text, .. } = &self.items[at].item
            && !text.is_empty()
        {
            let place = |o: &mut ObjectOut<'_>| {
                address(id, at, o);
                o.number("summary_index", 0);
            };
            send(&mut self.sequence, "reasoning_summary_text.done", out, |o| {
                place(o);
                o.text("text", text);
            });
            send(&mut self.sequence, "reasoning_summary_part.done", out, |o| {
                place(o);
                o.object("part", |o| summary(text, o));
            });
        }
        self.item_done(at, out);
    }

    fn item_done(&mut self, at: usize, out: &mut Vec<u8>) {
        if std::mem::replace(&mut self.items[at].done, true) {
            return;
        }
        let status = self.status();
        send(&mut self.sequence, "output_item.done", out, |o| {
            o.number("output_index", at as u64);
            o.object("item", |o| self.items[at].item.write(status, o));
        });
    }

    fn call(&self, wanted: u32) -> Option<usize> {
        self.items.iter().rposition(|entry| entry.call == Some(wanted) && !entry.done)
    }

    pub(super) fn arguments(&mut self, call: u32, fragment: &str, out: &mut Vec<u8>) {
        let Some(at) = self.call(call).filter(|_| !fragment.is_empty()) else { return };
        let room = self.room(fragment.len());
        let Item::Call { id, arguments, custom, .. } = &mut self.items[at].item else { return };
        if room {
            arguments.push_str(fragment);
        }
        let kind = if *custom { "custom_tool_call_input.delta" } else { "function_call_arguments.delta" };
        send(&mut self.sequence, kind, out, |o| {
            address(id, at, o);
            o.text("delta", fragment);
        });
    }

    /// A call is whole; one that never had arguments has empty ones, unless the limit cut it
    /// (docs/spec/cases.md#case-3, #case-15).
    pub(super) fn call_done(&mut self, call: u32, cut: bool, out: &mut Vec<u8>) {
        let Some(at) = self.call(call) else { return };
        let bare = matches!(&self.items[at].item, Item::Call { arguments, custom: false, .. } if arguments.is_empty());
        if bare && !cut {
            self.arguments(call, "{}", out);
        }
        let Item::Call { id, arguments, name, custom, .. } = &self.items[at].item else { return };
        if *custom {
            send(&mut self.sequence, "custom_tool_call_input.done", out, |o| {
                address(id, at, o);
                o.text("input", arguments);
            });
        } else {
            send(&mut self.sequence, "function_call_arguments.done", out, |o| {
                address(id, at, o);
                o.text("name", split_name(name).name);
                o.text("arguments", arguments);
            });
        }
        self.item_done(at, out);
    }

    /// Keeps log-probabilities for the text that is growing.
    pub(super) fn weigh(&mut self, tokens: &[Logprob<'_>]) {
        let Some(at) = self.open else { return };
        if let Item::Message { parts, .. } = &mut self.items[at].item
            && let Some(part) = parts.last_mut()
            && part.logprobs.len() <= MAX_EVENT
        {
            part.weigh(tokens);
        }
    }
}
