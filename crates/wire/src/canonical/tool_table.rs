//! Names of tools within a target's alphabet: a table of one request, undone in its answer
//! (docs/spec/cases.md#case-33).

use std::collections::{HashMap, HashSet};

use super::{
    Call, Event, PartKind, Reply, Text, ToolMode,
    ids::fnv,
    namespace::{NameParts, split_name},
};
use crate::dialect::Dialect;

/// The tools of one request that the target knows under another name than the client does.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ToolTable {
    /// The client's name by the name that was sent.
    original: HashMap<String, String>,
}

/// Longest name of a tool that every provider takes.
const MAX: usize = 64;
/// How much of the client's name is kept in front of the hash that tells it from others, and of a number behind it.
const KEPT: usize = MAX - 9 - 7;

impl ToolTable {
    /// Gives the tools of a call names that a target takes: in the definitions, in the choice and in the history.
    ///
    /// A name that the target takes stays; every other one becomes what can be kept of it and a hash of the whole, the
    /// same in each request, so that what providers cached of a conversation stays valid.
    #[must_use]
    pub fn fit(call: &mut Call<'_>, target: Dialect) -> Self {
        if names(call).all(|name| is_legal(name, target)) {
            return Self::default();
        }
        let table = Self::of(call, target);
        let sent: HashMap<&str, &str> =
            table.original.iter().map(|(sent, original)| (&**original, &**sent)).collect();
        rename(call, |name| {
            if let Some(sent) = sent.get(&**name) {
                *name = Text::Owned((*sent).to_owned());
            }
        });
        table
    }

    fn of(call: &Call<'_>, target: Dialect) -> Self {
        let mut seen: HashSet<&str> = HashSet::new();
        let mut taken: HashSet<String> = HashSet::new();
        let mut illegal = Vec::new();
        for name in names(call).filter(|name| seen.insert(name)) {
            if is_legal(name, target) {
                taken.insert(name.to_owned());
            } else {
                illegal.push(name);
            }
        }
        let mut original = HashMap::with_capacity(illegal.len());
        // Numbers go on for each name that several became, so that names which collide cost no search each.
        let mut numbers: HashMap<String, u32> = HashMap::new();
        for name in illegal {
            let portable = portable(name, target);
            let number = numbers.entry(portable.clone()).or_insert(0);
            let mut sent = portable.clone();
            while !taken.insert(sent.clone()) {
                *number += 1;
                sent = format!("{portable}_{number}");
            }
            original.insert(sent, name.to_owned());
        }
        Self { original }
    }

    /// Whether every tool has the name that the client gave it.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.original.is_empty()
    }

    /// The client's name of a tool that the target calls so, where it is another one.
    #[must_use]
    pub fn original(&self, sent: &str) -> Option<&str> {
        self.original.get(sent).map(String::as_str)
    }

    /// Gives the calls in an answer the client's names.
    pub fn restore_reply(&self, reply: &mut Reply<'_>) {
        for part in reply.choices.iter_mut().flat_map(|choice| &mut choice.parts) {
            if let PartKind::ToolCall(call) = &mut part.kind
                && let Some(name) = self.original(&call.name)
            {
                call.name = Text::Owned(name.to_owned());
            }
        }
    }

    /// The same for an event of a stream.
    #[must_use]
    pub fn restore_event<'e>(&'e self, event: Event<'e>) -> Event<'e> {
        match event {
            Event::CallStart { choice, call, id, name, signature, custom } => {
                let name = self.original(&name).map_or(name, Text::Borrowed);
                Event::CallStart { choice, call, id, name, signature, custom }
            }
            other => other,
        }
    }
}

/// Every name of a tool that a call holds, but for those of tools that only their own dialect knows.
fn names<'c>(call: &'c Call<'_>) -> impl Iterator<Item = &'c str> {
    let offered = call.tools.iter().filter(|tool| tool.foreign.is_none()).map(|tool| &*tool.name);
    let chosen = call.tool_choice.iter().flat_map(|choice| {
        let named = match &choice.mode {
            ToolMode::Named(name) => Some(&**name),
            _ => None,
        };
        named.into_iter().chain(choice.allowed.iter().map(|name| &**name))
    });
    let called = call.turns.iter().flat_map(|turn| &turn.parts).filter_map(|part| match &part.kind {
        PartKind::ToolCall(call) => Some(&*call.name),
        _ => None,
    });
    // A call without a name is the client's fault, and told as such.
    offered.chain(chosen).chain(called).filter(|name| !name.is_empty())
}

/// Hands every name of a tool to `edit`, those of results as well.
fn rename<'a>(call: &mut Call<'a>, edit: impl Fn(&mut Text<'a>)) {
    call.tools.iter_mut().filter(|tool| tool.foreign.is_none()).for_each(|tool| edit(&mut tool.name));
    if let Some(choice) = &mut call.tool_choice {
        if let ToolMode::Named(name) = &mut choice.mode {
            edit(name);
        }
        choice.allowed.iter_mut().for_each(&edit);
    }
    for part in call.turns.iter_mut().flat_map(|turn| &mut turn.parts) {
        match &mut part.kind {
            PartKind::ToolCall(call) => edit(&mut call.name),
            PartKind::ToolResult(result) => edit(&mut result.name),
            _ => {}
        }
    }
}

/// Whether a target takes a name (docs/spec/requests.md#identifiers).
fn is_legal(name: &str, target: Dialect) -> bool {
    if target == Dialect::OpenAiResponses {
        let NameParts { namespace, name } = split_name(name);
        return namespace.is_none_or(|namespace| is_plain(namespace, target)) && is_plain(name, target);
    }
    is_plain(name, target)
}

fn is_plain(name: &str, target: Dialect) -> bool {
    let first = name.bytes().next().is_some_and(|byte| is_first(byte, target));
    first && name.len() <= MAX && name.bytes().all(|byte| is_letter(byte, target))
}

const fn is_first(byte: u8, target: Dialect) -> bool {
    match target {
        Dialect::Gemini | Dialect::Cohere => byte.is_ascii_alphabetic() || byte == b'_',
        _ => is_letter(byte, target),
    }
}

const fn is_letter(byte: u8, target: Dialect) -> bool {
    byte.is_ascii_alphanumeric() || byte == b'_' || (byte == b'-' && !matches!(target, Dialect::Cohere))
}

/// What can be kept of a name, and a hash that tells it from others.
fn portable(name: &str, target: Dialect) -> String {
    let mut out = String::with_capacity(MAX);
    if !name.bytes().next().is_some_and(|byte| is_first(byte, target)) {
        out.push('_');
    }
    let kept = name.chars().map(|letter| match u8::try_from(letter) {
        Ok(byte) if is_letter(byte, target) => letter,
        _ => '_',
    });
    out.extend(kept.take(KEPT - out.len()));
    let hash = fnv(name.as_bytes());
    // Both halves count: nearly equal names differ in few bits of the one or the other.
    out.push_str(&format!("_{:08x}", (hash ^ (hash >> 64)) & 0xffff_ffff));
    out
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::canonical::{Choice, Finish, Part, Role, Tool, ToolCall, ToolChoice, ToolResult, Turn};

    fn tool(name: &str) -> Tool<'static> {
        let name = Text::Owned(name.to_owned());
        Tool { name, description: None, schema: None, strict: None, cache: None, foreign: None }
    }

    fn used(name: &'static str) -> ToolCall<'static> {
        let (id, name) = ("c".into(), name.into());
        ToolCall { id, name, arguments: "{}".into(), signature: None, custom: false }
    }

    fn answer(name: &str) -> Reply<'static> {
        let mut call = used("");
        call.name = Text::Owned(name.to_owned());
        let choice = Choice {
            parts: vec![Part::new(PartKind::ToolCall(call))],
            finish: Finish::ToolCalls,
            stop_sequence: None,
            explanation: None,
            logprobs: Vec::new(),
            citations: None,
        };
        Reply { choices: vec![choice], ..Reply::default() }
    }

    fn name_in(reply: &Reply<'_>) -> String {
        match &reply.choices[0].parts[0].kind {
            PartKind::ToolCall(call) => call.name.to_string(),
            other => panic!("{other:?}"),
        }
    }

    const LONG: &str = "mcp__plugin_atlassian_atlassian__createCompassComponentRelationship";

    #[test]
    fn every_place_gets_one_name_and_answers_get_the_clients() {
        for target in Dialect::ALL {
            let result = ToolResult {
                id: "c".into(),
                name: LONG.into(),
                content: Vec::new(),
                structured: None,
                error: false,
            };
            let mut call = Call {
                tools: vec![tool(LONG), tool("plain")],
                tool_choice: Some(ToolChoice {
                    mode: ToolMode::Named(LONG.into()),
                    allowed: vec!["plain".into(), LONG.into()],
                }),
                turns: vec![
                    Turn::new(Role::Assistant, vec![Part::new(PartKind::ToolCall(used(LONG)))]),
                    Turn::new(Role::Tool, vec![Part::new(PartKind::ToolResult(result))]),
                ],
                ..Call::default()
            };
            let table = ToolTable::fit(&mut call, target);
            let sent = call.tools[0].name.to_string();
            assert!(is_legal(&sent, target), "{sent}");
            assert!(sent.starts_with("mcp__plugin_atlassian_atlassian"), "{sent}");
            let mut places = Vec::new();
            rename_counted(&mut call, &mut places);
            assert_eq!(places.iter().filter(|place| **place == sent).count(), 5, "{places:?}");
            assert_eq!(places.iter().filter(|place| *place == "plain").count(), 2);
            let mut reply = answer(&sent);
            table.restore_reply(&mut reply);
            assert_eq!(name_in(&reply), LONG);
            let start = Event::CallStart {
                choice: 0,
                call: 0,
                id: "c".into(),
                name: Text::Borrowed(&sent),
                signature: None,
                custom: false,
            };
            assert!(
                matches!(table.restore_event(start), Event::CallStart { name, .. } if name == LONG),
                "{target:?}"
            );
        }
    }

    fn rename_counted(call: &mut Call<'_>, places: &mut Vec<String>) {
        let all = std::cell::RefCell::new(places);
        rename(call, |name| all.borrow_mut().push(name.to_string()));
    }

    #[test]
    fn legal_names_stay_and_cost_nothing() {
        let mut call = Call { tools: vec![tool("get_weather"), tool("A-1")], ..Call::default() };
        assert!(ToolTable::fit(&mut call, Dialect::Bedrock).is_empty());
        assert_eq!(call.tools[1].name, "A-1");
        assert!(!ToolTable::fit(&mut call, Dialect::Cohere).is_empty(), "Cohere takes no hyphen");
    }

    #[test]
    fn first_letters_and_foreign_letters_follow_the_target() {
        for (name, target, legal) in [
            ("1c_reload", Dialect::Gemini, false),
            ("1c_reload", Dialect::OpenAiChat, true),
            ("default.get_weather", Dialect::Anthropic, false),
            ("wetter_für_köln", Dialect::OpenAiResponses, false),
            ("-x", Dialect::Gemini, false),
        ] {
            let mut call = Call { tools: vec![tool(name)], ..Call::default() };
            let table = ToolTable::fit(&mut call, target);
            assert_eq!(table.is_empty(), legal, "{name}");
            assert!(is_legal(&call.tools[0].name, target), "{}", call.tools[0].name);
        }
    }

    #[test]
    fn many_names_that_become_one_stay_apart() {
        let name = |at: usize| format!("{}{at}", "é".repeat(60));
        let mut tools: Vec<_> = (0..500).map(|at| tool(&name(at))).collect();
        // What the gateway would have made of one of them is taken by the client itself.
        let stolen = portable(&name(7), Dialect::OpenAiChat);
        tools.push(tool(&stolen));
        let mut call = Call { tools, ..Call::default() };
        let table = ToolTable::fit(&mut call, Dialect::OpenAiChat);
        let sent: HashSet<_> = call.tools.iter().map(|tool| tool.name.to_string()).collect();
        assert_eq!(sent.len(), 501);
        for (at, tool) in call.tools[..500].iter().enumerate() {
            assert!(is_legal(&tool.name, Dialect::OpenAiChat), "{}", tool.name);
            assert_eq!(table.original(&tool.name), Some(&*name(at)));
        }
        assert_eq!(table.original(&stolen), None);
    }

    #[test]
    fn numbers_leave_room_for_themselves() {
        let long = "x".repeat(200);
        let mut tools = vec![tool(&long)];
        let base = portable(&long, Dialect::OpenAiChat);
        tools.push(tool(&base));
        tools.extend((1..=3_000).map(|at| tool(&format!("{base}_{at}"))));
        let mut call = Call { tools, ..Call::default() };
        let _ = ToolTable::fit(&mut call, Dialect::OpenAiChat);
        assert_eq!(call.tools[0].name, format!("{base}_3001"));
        assert!(is_legal(&call.tools[0].name, Dialect::OpenAiChat));
    }
}
