//! What is answered, the same for every dialect: reasoning, text, calls, why it ends and what it costs.

mod command;

use serde_json::{Value, json};

use crate::cache::Cache;
use crate::canonical_request::{CanonicalRequest, Choice, Format};
use crate::echo;
use crate::problem::Problem;
use crate::schema;
use crate::script::Behaviour;
use crate::sse::BROKEN_MARK;
use command::{Commands, Order};

/// Most answers to one request.
const MAX_N: usize = 8;
/// Characters of a piece of JSON text in a stream.
const JSON_PIECE: usize = 8;
/// Characters of the user's text that reasoning quotes.
const QUOTE: usize = 80;

/// Why an answer ends.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Finish {
    End,
    /// This stop sequence would have come next.
    Stop(String),
    Length,
    Calls,
    /// The model declined, in its own words.
    Refusal,
    /// A filter stopped the answer.
    Filter,
}

/// A call of a tool.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Call {
    pub(crate) id: String,
    pub(crate) name: String,
    /// JSON text, cut short when the output limit came in the middle.
    pub(crate) arguments: String,
}

impl Call {
    /// The arguments as an object; nothing when they are cut short or are no object.
    pub(crate) fn object(&self) -> Option<Value> {
        serde_json::from_str(&self.arguments).ok().filter(Value::is_object)
    }

    /// The arguments in up to three pieces.
    pub(crate) fn pieces(&self) -> Vec<String> {
        let characters: Vec<char> = self.arguments.chars().collect();
        characters.chunks(characters.len().div_ceil(3).max(1)).map(|piece| piece.iter().collect()).collect()
    }
}

/// One answer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Answer {
    pub(crate) reasoning: Vec<String>,
    /// More reasoning that is not for reading, where a dialect has such.
    pub(crate) redacted: bool,
    pub(crate) text: Vec<String>,
    pub(crate) calls: Vec<Call>,
    pub(crate) finish: Finish,
}

/// Tokens, each number including the ones that the comment names.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Usage {
    /// All input: fresh, read from and written to the cache.
    pub(crate) input: u64,
    pub(crate) cache_read: u64,
    pub(crate) write_5m: u64,
    pub(crate) write_1h: u64,
    /// All output: reasoning too.
    pub(crate) output: u64,
    pub(crate) reasoning: u64,
}

impl Usage {
    /// Input that no cache had a part in.
    pub(crate) fn fresh(&self) -> u64 {
        self.input.saturating_sub(self.cache_read).saturating_sub(self.written())
    }

    /// Input written to the cache, whatever its lifetime.
    pub(crate) fn written(&self) -> u64 {
        self.write_5m.saturating_add(self.write_1h)
    }
}

/// All answers to a request.
#[derive(Debug)]
pub(crate) struct Reply {
    /// At least one.
    pub(crate) answers: Vec<Answer>,
    pub(crate) usage: Usage,
}

impl Reply {
    /// The answer of a dialect that has one only.
    pub(crate) fn single(self) -> (Answer, Usage) {
        (self.answers.into_iter().next().unwrap_or(Answer::empty(Finish::End)), self.usage)
    }
}

impl Answer {
    const fn empty(finish: Finish) -> Self {
        Self { reasoning: vec![], redacted: false, text: vec![], calls: vec![], finish }
    }
}

/// Answers an intent. `id_prefix` and `digest`, which follows from the request, make the ids of calls.
///
/// # Errors
/// The error that the request's own text asks for.
pub(crate) fn reply(
    intent: &CanonicalRequest,
    behaviour: &Behaviour,
    cache: &Cache,
    id_prefix: &str,
    digest: &[u8; 32],
) -> Result<Reply, Problem> {
    let commands = Commands::of(if intent.last.is_empty() {
        &intent.results
    } else {
        std::slice::from_ref(&intent.last)
    });
    if let Some(problem) = commands.error() {
        return Err(problem);
    }
    let calls = calls(intent, &commands, id_prefix, digest);
    let answers: Vec<Answer> =
        (0..intent.n.clamp(1, MAX_N)).map(|index| one(intent, behaviour, &commands, &calls, index)).collect();
    let usage = usage(intent, behaviour, cache, &commands, &answers);
    Ok(Reply { answers, usage })
}

fn one(
    intent: &CanonicalRequest,
    behaviour: &Behaviour,
    commands: &Commands<'_>,
    calls: &[Call],
    index: usize,
) -> Answer {
    if behaviour.blocked {
        return Answer::empty(Finish::Filter);
    }
    let (text, finish) = words(intent, behaviour, commands, calls, index);
    let mut answer = Answer {
        reasoning: if intent.thinking { reasoning(intent) } else { Vec::new() },
        redacted: intent.thinking && commands.redacted(),
        text: match intent.format {
            Format::Text => echo::chunks(&text, behaviour.chunks),
            Format::Json | Format::Schema(_) => pieces(&text),
        },
        calls: if finish == Finish::Calls { calls.to_vec() } else { Vec::new() },
        finish,
    };
    answer.stop_at(&intent.stops);
    answer.limit(intent.max_tokens);
    if let Some(bytes) = behaviour.huge_event {
        let at = answer.text.len().min(1);
        answer.text.splice(at..answer.text.len().min(at + 1), ["x".repeat(bytes)]);
    }
    if let Some(first) = answer.text.first_mut().filter(|_| behaviour.invalid_utf8) {
        first.push_str(BROKEN_MARK);
    }
    answer
}

/// The text and why it ends there.
fn words(
    intent: &CanonicalRequest,
    behaviour: &Behaviour,
    commands: &Commands<'_>,
    calls: &[Call],
    index: usize,
) -> (String, Finish) {
    if let Some(text) = &behaviour.text {
        return (text.clone(), Finish::End);
    }
    match commands.order() {
        Some(Order::Refuse(why)) => return (format!("I cannot help with that: {why}"), Finish::Refusal),
        Some(Order::Filter) => return ("echo:".to_owned(), Finish::Filter),
        _ if !calls.is_empty() => return (commands.say().to_owned(), Finish::Calls),
        _ => {}
    }
    let text = match &intent.format {
        Format::Schema(schema) => schema::example(schema).to_string(),
        Format::Json => json!({"echo": intent.last}).to_string(),
        Format::Text => {
            let mut lines = Vec::new();
            if !intent.results.is_empty() {
                lines.push(format!("results: {}", intent.results.join(" | ")));
            }
            if !intent.last.is_empty() || intent.results.is_empty() {
                lines.push(echo::answer(&intent.last));
            }
            lines.extend(intent.sights());
            if index > 0 {
                lines.push(format!("(choice {index})"));
            }
            lines.join("\n")
        }
    };
    (text, Finish::End)
}

fn reasoning(intent: &CanonicalRequest) -> Vec<String> {
    let about = if intent.last.is_empty() { "the results".to_owned() } else { intent.last.clone() };
    let about: String = about.chars().take(QUOTE).collect();
    echo::chunks(&format!("I think about: {about}"), None)
}

/// Text in pieces that do not depend on white space.
fn pieces(text: &str) -> Vec<String> {
    let characters: Vec<char> = text.chars().collect();
    characters.chunks(JSON_PIECE).map(|piece| piece.iter().collect()).collect()
}

/// The calls that the text orders, of tools on offer; one made up from the tool's schema where a call is required.
fn calls(
    intent: &CanonicalRequest,
    commands: &Commands<'_>,
    id_prefix: &str,
    digest: &[u8; 32],
) -> Vec<Call> {
    let allowed: Vec<_> = match &intent.choice {
        Choice::None => return Vec::new(),
        Choice::Required(names) if !names.is_empty() => {
            intent.tools.iter().filter(|tool| names.contains(&tool.name)).collect()
        }
        Choice::Auto | Choice::Required(_) => intent.tools.iter().collect(),
    };
    let mut wanted: Vec<(String, String)> = commands
        .calls()
        .filter(|(name, _)| allowed.iter().any(|tool| tool.name == *name))
        .map(|(name, arguments)| (name.to_owned(), arguments.to_owned()))
        .collect();
    let forced = matches!(intent.choice, Choice::Required(_)) && intent.results.is_empty();
    if let (true, true, Some(tool)) = (wanted.is_empty(), forced, allowed.first()) {
        let example = schema::example(&tool.schema);
        wanted.push((tool.name.clone(), if example.is_object() { example.to_string() } else { "{}".into() }));
    }
    wanted.truncate(if intent.single_call { 1 } else { usize::MAX });
    let id = |index: usize| format!("{id_prefix}{}{index}", crate::digest::hex(digest).split_at(20).0);
    let call =
        |(index, (name, arguments)): (usize, (String, String))| Call { id: id(index), name, arguments };
    wanted.into_iter().enumerate().map(call).collect()
}

fn usage(
    intent: &CanonicalRequest,
    behaviour: &Behaviour,
    cache: &Cache,
    commands: &Commands<'_>,
    answers: &[Answer],
) -> Usage {
    let traffic = cache.visit(&intent.prefixes);
    let ordered = commands.cached();
    let counted = echo::tokens(intent.input_bytes).max(1).saturating_add(ordered);
    let reasoning = behaviour.reasoning_tokens.unwrap_or_else(|| answers.iter().map(Answer::reasoned).sum());
    let output: u64 = answers.iter().map(|answer| answer.reasoned() + answer.spoken()).sum();
    Usage {
        input: behaviour.prompt_tokens.unwrap_or(counted),
        cache_read: behaviour.cached_tokens.unwrap_or(traffic.read.saturating_add(ordered)),
        write_5m: behaviour.cache_write_tokens.unwrap_or(traffic.write_5m),
        write_1h: behaviour.cache_write_1h_tokens.unwrap_or(traffic.write_1h),
        output: behaviour.completion_tokens.unwrap_or(output),
        reasoning,
    }
}

impl Answer {
    fn reasoned(&self) -> u64 {
        echo::tokens(self.reasoning.iter().map(String::len).sum())
    }

    fn spoken(&self) -> u64 {
        let text: usize = self.text.iter().map(String::len).sum();
        let calls: usize = self.calls.iter().map(|call| call.name.len() + call.arguments.len()).sum();
        echo::tokens(text + calls)
    }

    /// Ends the text before the first stop sequence in it.
    fn stop_at(&mut self, stops: &[String]) {
        let text = self.text.concat();
        let found =
            stops.iter().filter(|stop| !stop.is_empty()).filter_map(|stop| Some((text.find(stop)?, stop)));
        if let Some((at, stop)) = found.min_by_key(|(at, _)| *at) {
            echo::truncate(&mut self.text, at);
            self.calls.clear();
            self.finish = Finish::Stop(stop.clone());
        }
    }

    /// Ends the answer where the output limit is reached, four bytes a token: reasoning first, then text, then calls.
    fn limit(&mut self, max_tokens: Option<u64>) {
        let bytes = usize::try_from(max_tokens.unwrap_or(u64::MAX).saturating_mul(4)).unwrap_or(usize::MAX);
        let mut left = bytes.min(echo::MAX_ANSWER);
        let mut cut = echo::truncate(&mut self.reasoning, left);
        left = left.saturating_sub(self.reasoning.iter().map(String::len).sum());
        cut = echo::truncate(&mut self.text, if cut { 0 } else { left }) || cut;
        left = if cut { 0 } else { left.saturating_sub(self.text.iter().map(String::len).sum()) };
        let mut kept = 0;
        for call in &mut self.calls {
            if cut || call.name.len() > left {
                cut = true;
                break;
            }
            left -= call.name.len();
            if call.arguments.len() > left {
                call.arguments.truncate(call.arguments.floor_char_boundary(left));
                cut = true;
            }
            left -= call.arguments.len();
            kept += 1;
        }
        self.calls.truncate(kept);
        if cut {
            self.finish = Finish::Length;
        }
    }
}

#[cfg(test)]
mod tests;
