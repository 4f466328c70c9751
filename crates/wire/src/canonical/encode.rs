//! Writing a call for a target: what the target is, what came out, what it could not express.

use std::fmt::Write as _;

use domain::Strictness;

use super::{
    CacheTtl, Call, Content, Extra, Field, FieldClass, HostedTool, Tool,
    content::content_place,
    foreign_tool,
    own_field::{OwnField, is_empty},
};
use crate::dialect::Dialect;

/// A call in a target's words.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Encoded {
    /// The body.
    pub body: Vec<u8>,
    /// What the target could not express and what only hints lost, in the client's words; for the response header.
    pub dropped: Vec<String>,
}

/// What an encoder has to know of its target.
#[derive(Clone, Copy, Debug)]
pub struct TargetFacts<'a> {
    /// The model's name at the provider.
    pub model: &'a str,
    /// The model's largest output, where the catalogue knows it.
    pub max_output: Option<u64>,
    /// Whether the model takes `temperature` and its like.
    pub sampling: Support,
    /// Whether the model thinks.
    pub reasoning: Support,
    /// What is odd about the provider (docs/spec/providers.md#deviations).
    pub quirks: &'a crate::quirks::Quirks,
}

/// Whether a model can do something.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Support {
    /// The catalogue does not say.
    #[default]
    Unknown,
    /// It can.
    Supported,
    /// It cannot, or refuses it.
    Unsupported,
}

impl From<Option<bool>> for Support {
    /// Reads the catalogue's flag.
    fn from(flag: Option<bool>) -> Self {
        match flag {
            None => Self::Unknown,
            Some(true) => Self::Supported,
            Some(false) => Self::Unsupported,
        }
    }
}

/// A field that the target cannot express: `unsupported_by_target`.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("`{field}` cannot be expressed by {target}")]
pub struct Unsupported {
    /// The field, in the client's words, with its place (`messages[2].content[0]`).
    pub field: String,
    /// The target's dialect, and why where that is not plain.
    pub target: String,
}

/// A request that is JSON but no call of its dialect.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("`{field}` {what}")]
pub struct Malformed {
    /// The field with its place (`messages[2].content[0].type`); empty: the body as a whole.
    pub field: String,
    /// What is wrong with it.
    pub what: String,
}

impl Malformed {
    /// A field and what is wrong with it.
    pub fn new(field: impl Into<String>, what: impl Into<String>) -> Self {
        Self { field: field.into(), what: what.into() }
    }
}

/// Keeps account of what the target cannot express, and decides by the strictness of the request whether that refuses
/// it.
#[derive(Debug)]
pub struct LossReport {
    client: Dialect,
    target: Dialect,
    strictness: Strictness,
    dropped: Vec<String>,
    /// Bytes of `dropped`.
    listed: usize,
    /// How many more were dropped than are listed.
    unlisted: usize,
    /// The first hint that was lost in strict mode.
    refused: Option<Unsupported>,
}

impl LossReport {
    /// Most names that are listed.
    const MAX_NAMES: usize = 64;
    /// Most bytes of one name, which is the client's own where the field is unknown.
    const MAX_NAME: usize = 128;
    /// Most bytes of all names: they go into one header, and intermediaries commonly reject larger ones.
    const MAX_LISTED: usize = 2_048;

    /// An empty account of a translation.
    #[must_use]
    pub const fn new(client: Dialect, target: Dialect, strictness: Strictness) -> Self {
        Self { client, target, strictness, dropped: Vec::new(), listed: 0, unlisted: 0, refused: None }
    }

    /// A canonical field that cannot be expressed.
    ///
    /// # Errors
    /// What changes the meaning of the answer, unless leniency is on.
    pub fn field(&mut self, field: Field) -> Result<(), Unsupported> {
        self.lose(field.row().class, field.name_in(self.client))
    }

    /// The same for a place that the caller names in the client's words, where a loss changes the meaning of the
    /// answer.
    ///
    /// # Errors
    /// Unless leniency is on.
    pub fn place(&mut self, place: impl AsRef<str>) -> Result<(), Unsupported> {
        self.lose(FieldClass::Meaning, place.as_ref())
    }

    /// A field of the client's dialect that the canonical call has no place for, and the target neither.
    ///
    /// # Errors
    /// A documented one that changes the meaning of the answer, unless leniency is on.
    pub fn extra(&mut self, extra: &Extra<'_>) -> Result<(), Unsupported> {
        match OwnField::find(self.client, &extra.name) {
            Some(field) if field.says_nothing(extra.value) => Ok(()),
            Some(field) => self.lose(field.class, &extra.name),
            // It means nothing to the target, and what it means to the client's own provider is not known.
            None if is_empty(extra.value) => {
                self.note(&*extra.name);
                Ok(())
            }
            None => self.lose(FieldClass::Hint, &extra.name),
        }
    }

    /// A piece of content that cannot be expressed, or something about it.
    ///
    /// # Errors
    /// What changes the meaning of the answer, unless leniency is on.
    pub(crate) fn content(&mut self, content: Content) -> Result<(), Unsupported> {
        self.lose(content.row().class, &content_place(self.client, content))
    }

    /// A tool that is no function, of another dialect than the target's.
    ///
    /// # Errors
    /// One that the client's provider does not run by itself, unless leniency is on.
    pub(crate) fn tool(&mut self, tool: &Tool<'_>) -> Result<(), Unsupported> {
        let kind = foreign_tool::kind(self.client, tool);
        if foreign_tool::is_empty_namespace(&kind, tool) {
            return Ok(());
        }
        let hosted = HostedTool::runs(self.client, &kind);
        let class = if hosted { FieldClass::Hint } else { FieldClass::Meaning };
        self.lose(class, &format!("tools[] ({kind})"))
    }

    /// A mark for the cache that is left out, under the name that the client gave it: clients of OpenAI's dialects also
    /// write Anthropic's, which alone has these lifetimes.
    pub(crate) fn cache_mark(&mut self, ttl: CacheTtl) {
        let openai = matches!(self.client, Dialect::OpenAiChat | Dialect::OpenAiResponses);
        if openai && matches!(ttl, CacheTtl::FiveMinutes | CacheTtl::OneHour) {
            self.hint("cache_control");
        } else {
            self.hint(Field::Cache.name_in(self.client));
        }
    }

    /// Every mark of a call, for a target that has none.
    pub(crate) fn cache_marks(&mut self, call: &Call<'_>) {
        let tools = call.tools.iter().map(|tool| tool.cache);
        let parts = call.turns.iter().flat_map(|turn| &turn.parts).map(|part| part.cache);
        for ttl in tools.chain(parts).chain([call.cache]).flatten() {
            self.cache_mark(ttl);
        }
    }

    fn lose(&mut self, class: FieldClass, place: &str) -> Result<(), Unsupported> {
        if class == FieldClass::Meaning && self.strictness < Strictness::Lenient {
            return Err(self.unsupported(place));
        }
        self.hint(place);
        Ok(())
    }

    /// Something that an answer means the same without: left out and listed. In strict mode it refuses the request
    /// once the body is written, which every caller comes to: see [`Self::encoded`].
    pub fn hint(&mut self, place: impl AsRef<str>) {
        let place = place.as_ref();
        if self.strictness == Strictness::Strict && self.refused.is_none() {
            self.refused = Some(self.unsupported(place));
        }
        self.note(place);
    }

    /// Something that is listed and never refused: what the gateway assumed, and what was left out without any
    /// influence on the answer.
    pub fn note(&mut self, place: impl AsRef<str>) {
        let place = listable(place.as_ref(), Self::MAX_NAME);
        if self.dropped.contains(&place) {
            return;
        }
        if self.dropped.len() >= Self::MAX_NAMES || self.listed + place.len() > Self::MAX_LISTED {
            self.unlisted = self.unlisted.saturating_add(1);
            return;
        }
        self.listed += place.len();
        self.dropped.push(place);
    }

    fn unsupported(&self, place: &str) -> Unsupported {
        Unsupported { field: listable(place, Self::MAX_NAME), target: self.target.title().to_owned() }
    }

    /// Whether every loss is forgiven.
    #[must_use]
    pub fn lenient(&self) -> bool {
        self.strictness == Strictness::Lenient
    }

    /// The client's dialect.
    #[must_use]
    pub const fn client(&self) -> Dialect {
        self.client
    }

    /// The body with the account.
    ///
    /// # Errors
    /// In strict mode the first hint that was lost.
    pub fn encoded(mut self, body: Vec<u8>) -> Result<Encoded, Unsupported> {
        if let Some(refused) = self.refused {
            return Err(refused);
        }
        if self.unlisted > 0 {
            self.dropped.push(format!("and {} more", self.unlisted));
        }
        Ok(Encoded { body, dropped: self.dropped })
    }
}

/// A name as it can be listed in a header: visible ASCII without commas, what is not percent-encoded, and short.
fn listable(place: &str, most: usize) -> String {
    let plain = |byte: u8| matches!(byte, b' '..=b'~') && !matches!(byte, b',' | b'%');
    let mut name = String::with_capacity(place.len().min(most));
    for byte in place.bytes() {
        if name.len() + 3 > most {
            name.push_str("...");
            break;
        }
        if plain(byte) {
            name.push(char::from(byte));
        } else {
            let _ = write!(name, "%{byte:02X}");
        }
    }
    name
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::json::Json;

    const STRICT: Strictness = Strictness::Strict;
    const DEFAULT: Strictness = Strictness::Default;
    const LENIENT: Strictness = Strictness::Lenient;

    /// What is listed at the end, or the name of the field that is refused, in front of which it says "!".
    fn outcome(strictness: Strictness, lose: impl Fn(&mut LossReport) -> Result<(), Unsupported>) -> String {
        let mut losses = LossReport::new(Dialect::OpenAiChat, Dialect::Anthropic, strictness);
        match lose(&mut losses).and_then(|()| losses.encoded(Vec::new())) {
            Ok(encoded) => encoded.dropped.join(", "),
            Err(refused) => format!("!{}", refused.field),
        }
    }

    fn extra<'a>(name: &'a str, value: &'a str) -> Extra<'a> {
        Extra { name: name.into(), value: Json::parse(value.as_bytes()).unwrap() }
    }

    #[test]
    fn hints_are_refused_in_strict_mode_and_meaning_unless_lenient() {
        let hint = |losses: &mut LossReport| losses.field(Field::User);
        let meaning = |losses: &mut LossReport| losses.field(Field::Stop);
        let unknown = |losses: &mut LossReport| losses.extra(&extra("novelty", "1"));
        let note = |losses: &mut LossReport| {
            losses.note("max_completion_tokens");
            losses.extra(&extra("novelty", "[ ]"))?;
            losses.extra(&extra("logit_bias", "{}"))
        };
        assert_eq!([STRICT, DEFAULT, LENIENT].map(|mode| outcome(mode, hint)), ["!user", "user", "user"]);
        assert_eq!([STRICT, DEFAULT, LENIENT].map(|mode| outcome(mode, meaning)), ["!stop", "!stop", "stop"]);
        let found = [STRICT, DEFAULT, LENIENT].map(|mode| outcome(mode, unknown));
        assert_eq!(found, ["!novelty", "novelty", "novelty"]);
        let found = [STRICT, DEFAULT, LENIENT].map(|mode| outcome(mode, note));
        assert_eq!(found, ["max_completion_tokens, novelty"; 3]);
    }

    #[test]
    fn names_are_bounded_and_fit_into_a_header() {
        let many = outcome(DEFAULT, |losses| {
            (0..10_000).try_for_each(|at| losses.extra(&extra(&format!("f{at}"), "1")))
        });
        assert!(many.starts_with("f0, f1, ") && many.ends_with("f63, and 9936 more"), "{many}");
        let name = "n".repeat(100_000);
        let long = outcome(DEFAULT, |losses| {
            (0..100).try_for_each(|at| losses.extra(&extra(&format!("{at}{name}"), "1")))
        });
        assert!(long.len() < 2_300 && long.ends_with("n..., and 85 more"), "{} {long}", long.len());
        let refused = outcome(STRICT, |losses| losses.extra(&extra(&name, "1")));
        assert_eq!(refused.len(), "!".len() + LossReport::MAX_NAME + 1);
        let odd = outcome(DEFAULT, |losses| losses.extra(&extra("a\r\nx: 1,é%\u{7f}", "1")));
        assert_eq!(odd, "a%0D%0Ax: 1%2C%C3%A9%25%7F");
    }
}
