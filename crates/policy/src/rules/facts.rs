//! What conditions may ask about: the facts of a request and of an answer, and how an expression reads them.

use std::collections::HashMap;

use cel::common::types::{CelBool, CelDouble, CelInt, CelMap, CelMapKey, CelString};
use cel::common::value::{CowVal, Val};
use cel::context::VariableResolver;

use super::pattern::{self, Pattern};

/// A fact by its full name, as references and documentation list it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Fact {
    /// Full name, such as `request.model`.
    pub name: &'static str,
    /// CEL type.
    pub kind: &'static str,
    /// What it says, its unit and what stands for "not said".
    pub doc: &'static str,
}

const fn fact(name: &'static str, kind: &'static str, doc: &'static str) -> Fact {
    Fact { name, kind, doc }
}

/// Facts of a request, for rules.
pub const FACTS: &[Fact] = &[
    fact("request.api", "string", "the API the client speaks, such as chat, responses or messages"),
    fact("request.model", "string", "what the client wrote as model"),
    fact("request.stream", "bool", "whether the client wants a stream"),
    fact("request.input_tokens", "int", "estimated tokens of the input, rather too many than too few"),
    fact("request.max_output_tokens", "int", "the client's bound of the output in tokens; 0: not said"),
    fact("request.messages", "int", "messages, the system's included"),
    fact("request.images", "int", "images"),
    fact("request.audio", "int", "audio clips"),
    fact("request.files", "int", "files and documents"),
    fact("request.tools", "int", "tools that the model may call"),
    fact("request.json", "bool", "whether the answer is to be JSON, with or without a schema"),
    fact("request.structured", "bool", "whether the answer is to obey a JSON schema"),
    fact(
        "request.reasoning_effort",
        "string",
        "none, minimal, low, medium, high, xhigh or max; empty: not said",
    ),
    fact("request.code_share", "double", "the share of program text in what the user says, 0 to 1"),
    fact("request.tags", "map(string, string)", "x-portcullis-tags, at most 16; of two of a name the last"),
    fact("request.user", "string", "the end user; empty: not said"),
    fact("request.feature", "string", "the feature of the application; empty: not said"),
    fact("request.session", "string", "x-portcullis-session; empty: not said"),
    fact("tenant.name", "string", "the tenant's name"),
    fact("tenant.tier", "string", "the tenant's tier; empty: it has none"),
    fact("key.name", "string", "the name of the key the client presents"),
    fact("proxy.region", "string", "the region of this proxy; empty: it was not told"),
];

/// Facts of an answer, for the conditions of cascades.
pub const REPLY_FACTS: &[Fact] = &[
    fact("reply.text", "string", "the answer's text; over 262,144 bytes an expression that reads it fails"),
    fact("reply.length", "int", "characters of the text"),
    fact("reply.json_valid", "bool", "whether the text is JSON"),
    fact(
        "reply.schema_valid",
        "bool",
        "whether the text obeys the schema of the request; true without a schema",
    ),
    fact("reply.refusal", "bool", "whether the model refused"),
    fact(
        "reply.finish_reason",
        "string",
        "stop, length, tool_calls, content_filter or the provider's own word",
    ),
    fact("reply.output_tokens", "int", "tokens of the output, reasoning included"),
    fact("reply.tool_calls", "int", "calls of tools"),
    fact(
        "reply.mean_logprob",
        "double",
        "mean log-probability of the tokens; ask has(reply.mean_logprob) first",
    ),
];

/// Those that only decoding the whole request gives.
pub(super) const OF_SHAPE: &[&str] = &[
    "request.tools",
    "request.json",
    "request.structured",
    "request.reasoning_effort",
    "request.code_share",
];

/// Longest answer that an expression may read the text of, in bytes.
pub const MAX_TEXT: usize = 262_144;
/// The fact that may be missing.
pub(super) const MEAN_LOGPROB: &str = "reply.mean_logprob";
/// What `has(reply.mean_logprob)` is compiled to; no source can spell it.
pub(super) const HAS_LOGPROB: &str = "@has.mean_logprob";

/// Facts of one request; [`FACTS`] says what each is.
#[derive(Clone, Copy, Debug, Default)]
#[allow(missing_docs, reason = "FACTS is their documentation; a test holds the two together")]
pub struct Facts<'a> {
    pub api: &'a str,
    pub model: &'a str,
    pub stream: bool,
    pub input_tokens: u64,
    pub max_output_tokens: u64,
    pub messages: u64,
    pub images: u64,
    pub audio: u64,
    pub files: u64,
    pub tools: u64,
    pub json: bool,
    pub structured: bool,
    pub reasoning_effort: &'a str,
    pub code_share: f64,
    pub tags: &'a [(String, String)],
    pub user: &'a str,
    pub feature: &'a str,
    pub session: &'a str,
    pub tenant_name: &'a str,
    pub tenant_tier: &'a str,
    pub key_name: &'a str,
    pub region: &'a str,
}

/// Facts of one answer; [`REPLY_FACTS`] says what each is. No `Debug`: an answer's text belongs into no log.
#[derive(Clone, Copy, Default)]
#[allow(missing_docs, reason = "REPLY_FACTS is their documentation; a test holds the two together")]
pub struct ReplyFacts<'a> {
    pub text: &'a str,
    pub length: u64,
    pub json_valid: bool,
    pub schema_valid: bool,
    pub refusal: bool,
    pub finish_reason: &'a str,
    pub output_tokens: u64,
    pub tool_calls: u64,
    pub mean_logprob: Option<f64>,
}

/// What an expression is about.
#[derive(Clone, Copy)]
pub(super) enum Subject<'a> {
    Request(&'a Facts<'a>),
    Reply(&'a ReplyFacts<'a>),
}

/// Makes a value of a fact when the expression comes to it, so that those it does not reach cost nothing.
pub(super) struct Lookup<'a> {
    pub(super) subject: Subject<'a>,
    pub(super) patterns: &'a [Pattern],
}

impl VariableResolver for Lookup<'_> {
    fn resolve<'b>(&'b self, name: &str) -> Option<CowVal<'b, 'b>> {
        match self.subject {
            Subject::Request(facts) => of_request(facts, name),
            Subject::Reply(facts) => of_reply(facts, name),
        }
        .or_else(|| pattern::find(self.patterns, name).map(|pattern| CowVal::Borrowed(pattern)))
    }
}

fn of_request<'b>(facts: &Facts<'b>, name: &str) -> Option<CowVal<'b, 'b>> {
    Some(match name {
        "request.api" => text(facts.api),
        "request.model" => text(facts.model),
        "request.stream" => truth(facts.stream),
        "request.input_tokens" => count(facts.input_tokens),
        "request.max_output_tokens" => count(facts.max_output_tokens),
        "request.messages" => count(facts.messages),
        "request.images" => count(facts.images),
        "request.audio" => count(facts.audio),
        "request.files" => count(facts.files),
        "request.tools" => count(facts.tools),
        "request.json" => truth(facts.json),
        "request.structured" => truth(facts.structured),
        "request.reasoning_effort" => text(facts.reasoning_effort),
        "request.code_share" => CowVal::owned(CelDouble::from(facts.code_share)),
        "request.tags" => CowVal::owned(tags(facts.tags)),
        "request.user" => text(facts.user),
        "request.feature" => text(facts.feature),
        "request.session" => text(facts.session),
        "tenant.name" => text(facts.tenant_name),
        "tenant.tier" => text(facts.tenant_tier),
        "key.name" => text(facts.key_name),
        "proxy.region" => text(facts.region),
        _ => return None,
    })
}

fn of_reply<'b>(facts: &ReplyFacts<'b>, name: &str) -> Option<CowVal<'b, 'b>> {
    Some(match name {
        "reply.text" => text(facts.text),
        "reply.length" => count(facts.length),
        "reply.json_valid" => truth(facts.json_valid),
        "reply.schema_valid" => truth(facts.schema_valid),
        "reply.refusal" => truth(facts.refusal),
        "reply.finish_reason" => text(facts.finish_reason),
        "reply.output_tokens" => count(facts.output_tokens),
        "reply.tool_calls" => count(facts.tool_calls),
        MEAN_LOGPROB => CowVal::owned(CelDouble::from(facts.mean_logprob?)),
        HAS_LOGPROB => truth(facts.mean_logprob.is_some()),
        _ => return None,
    })
}

fn text(value: &str) -> CowVal<'_, '_> {
    CowVal::owned(CelString::from(value))
}

fn truth<'b>(value: bool) -> CowVal<'b, 'b> {
    CowVal::owned(CelBool::from(value))
}

fn count<'b>(value: u64) -> CowVal<'b, 'b> {
    CowVal::owned(CelInt::from(i64::try_from(value).unwrap_or(i64::MAX)))
}

fn tags(tags: &[(String, String)]) -> CelMap<'_> {
    let mut entries: HashMap<CelMapKey<'_>, Box<dyn Val + '_>> = HashMap::with_capacity(tags.len());
    for (name, value) in tags {
        let name = CelMapKey::String(CelString::from(name.as_str()));
        entries.insert(name, Box::new(CelString::from(value.as_str())));
    }
    CelMap::from(entries)
}
