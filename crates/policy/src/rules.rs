//! Conditions that users write: CEL over facts of a request or of an answer, checked and bounded when it is compiled.

mod check;
mod cost;
mod error;
mod facts;
mod functions;
mod pattern;
mod preset;
mod sample;
#[cfg(test)]
mod tests;
mod written;

use std::collections::BTreeSet;
use std::sync::{Arc, LazyLock};

use cel::common::types::CelBool;
use cel::common::value::CowVal;
use cel::parser::{Expression, PrattParser};
use cel::{Context, Env, ExecutionError, Value};

pub use error::RuleError;
pub use facts::{FACTS, Fact, Facts, MAX_TEXT, REPLY_FACTS, ReplyFacts};
pub use functions::{FUNCTIONS, Function};
pub use preset::source;
pub use written::problems;

use facts::{Lookup, Subject};
use pattern::Pattern;

/// Longest source, in bytes.
pub const MAX_SOURCE: usize = 1_000;
/// Most steps an expression may take in the worst case: about a millisecond.
pub const MAX_STEPS: u64 = 10_000;
/// Deepest nesting of the source: parentheses, lists, arguments.
const MAX_NESTING: u16 = 24;

/// CEL's own functions; the check lets an expression call but a few of them.
static ENV: LazyLock<Arc<Env>> = LazyLock::new(|| Arc::new(Env::stdlib()));

/// A compiled condition. Evaluating it neither panics nor takes more than [`MAX_STEPS`].
#[derive(Clone, Debug)]
pub struct Program {
    source: String,
    expression: Expression,
    patterns: Vec<Pattern>,
    reads: BTreeSet<&'static str>,
    steps: u64,
}

impl Program {
    /// Compiles a rule: a condition over [`FACTS`].
    pub fn rule(source: &str) -> Result<Self, RuleError> {
        Self::compile(source, FACTS, Subject::Request(&sample::REQUEST))
    }

    /// Compiles what an answer of a cascade must be to be kept: a condition over [`REPLY_FACTS`].
    pub fn acceptance(source: &str) -> Result<Self, RuleError> {
        Self::compile(source, REPLY_FACTS, Subject::Reply(&sample::REPLY))
    }

    fn compile(source: &str, facts: &'static [Fact], sample: Subject<'_>) -> Result<Self, RuleError> {
        let mut expression = parse(source)?;
        let (patterns, reads) = check::check(&mut expression, facts)?;
        let steps = cost::steps(&expression, &patterns)?;
        let program = Self { source: source.to_owned(), expression, patterns, reads, steps };
        sample::check(&program, sample)?;
        Ok(program)
    }

    /// What the user wrote.
    #[must_use]
    pub fn source(&self) -> &str {
        &self.source
    }

    /// The steps it takes in the worst case.
    #[must_use]
    pub const fn steps(&self) -> u64 {
        self.steps
    }

    /// Whether it reads the fact of this full name, such as `reply.mean_logprob`.
    #[must_use]
    pub fn reads(&self, fact: &str) -> bool {
        self.reads.contains(fact)
    }

    /// Whether it reads the log-probabilities of the answer, for which the provider has to be asked.
    #[must_use]
    pub fn needs_logprobs(&self) -> bool {
        self.reads("reply.mean_logprob")
    }

    /// Whether it reads a fact that only decoding the whole request gives (`wire::Shape`).
    #[must_use]
    pub fn needs_shape(&self) -> bool {
        facts::OF_SHAPE.iter().any(|fact| self.reads(fact))
    }

    /// Whether the request matches.
    ///
    /// # Errors
    /// The reason why it cannot be said, such as a tag that the request does not have: it counts as no match.
    pub fn matches(&self, facts: &Facts<'_>) -> Result<bool, String> {
        self.decide(Subject::Request(facts))
    }

    /// Whether the answer is kept.
    ///
    /// # Errors
    /// The reason why it cannot be said, such as log-probabilities that the provider did not give: it counts as no.
    pub fn accepts(&self, facts: &ReplyFacts<'_>) -> Result<bool, String> {
        if facts.text.len() > MAX_TEXT && self.reads("reply.text") {
            return Err(format!("the answer's text is longer than {MAX_TEXT} bytes"));
        }
        self.decide(Subject::Reply(facts))
    }

    fn decide(&self, subject: Subject<'_>) -> Result<bool, String> {
        let lookup = Lookup { subject, patterns: &self.patterns };
        match evaluate(&self.expression, &lookup, |value| as_bool(value).ok_or_else(|| type_name(value))) {
            Ok(Ok(matches)) => Ok(matches),
            Ok(Err(found)) => Err(RuleError::NotBool { found }.to_string()),
            Err(error) => Err(error::reason(&error)),
        }
    }
}

fn parse(source: &str) -> Result<Expression, RuleError> {
    if source.trim().is_empty() {
        return Err(RuleError::Empty);
    }
    // Before the parser: its recursion over chains of `?:` is bounded by nothing but the length.
    if source.len() > MAX_SOURCE {
        return Err(RuleError::TooLong { bytes: source.len() });
    }
    // Not the crate's default parser: that one takes gigabytes of memory for 130 bytes of `!!(!(`, and a megabyte of stack
    // for forty parentheses.
    PrattParser::new()
        .max_recursion_depth(MAX_NESTING)
        .parse(source)
        .map_err(|errors| RuleError::of_parser(source, &errors.errors))
}

/// Evaluates and hands the value, which may borrow from the facts, to `read`.
fn evaluate<T>(
    expression: &Expression,
    lookup: &Lookup<'_>,
    read: impl FnOnce(&CowVal<'_, '_>) -> T,
) -> Result<T, ExecutionError> {
    let mut context = Context::with_env(Arc::clone(&ENV));
    context.set_variable_resolver(lookup);
    Value::resolve_val(expression, &context).map(|value| read(&value))
}

fn as_bool(value: &CowVal<'_, '_>) -> Option<bool> {
    value.downcast_ref::<CelBool>().map(|value| *value.inner())
}

fn type_name(value: &CowVal<'_, '_>) -> String {
    value.get_type().name().to_owned()
}
