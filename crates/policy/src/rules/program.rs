//! A compiled condition, and how it is evaluated.

use std::collections::BTreeSet;
use std::sync::{Arc, LazyLock};

use cel::common::types::CelBool;
use cel::common::value::CowVal;
use cel::parser::Expression;
use cel::{Context, Env, ExecutionError, Value};

use super::error::{self, RuleError};
use super::facts::{self, Facts, Lookup, MAX_TEXT, ReplyFacts, Subject};
use super::pattern::Pattern;

/// CEL's own functions; the check lets an expression call but a few of them.
static ENV: LazyLock<Arc<Env>> = LazyLock::new(|| Arc::new(Env::stdlib()));

/// A compiled condition. Evaluating it neither panics nor takes more than [`MAX_STEPS`](super::MAX_STEPS).
#[derive(Clone, Debug)]
pub struct Program {
    pub(super) source: String,
    pub(super) expression: Expression,
    pub(super) patterns: Vec<Pattern>,
    pub(super) reads: BTreeSet<&'static str>,
    pub(super) steps: u64,
}

impl Program {
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

/// Evaluates and hands the value, which may borrow from the facts, to `read`.
pub(super) fn evaluate<T>(
    expression: &Expression,
    lookup: &Lookup<'_>,
    read: impl FnOnce(&CowVal<'_, '_>) -> T,
) -> Result<T, ExecutionError> {
    let mut context = Context::with_env(Arc::clone(&ENV));
    context.set_variable_resolver(lookup);
    Value::resolve_val(expression, &context).map(|value| read(&value))
}

pub(super) fn as_bool(value: &CowVal<'_, '_>) -> Option<bool> {
    value.downcast_ref::<CelBool>().map(|value| *value.inner())
}

pub(super) fn type_name(value: &CowVal<'_, '_>) -> String {
    value.get_type().name().to_owned()
}
