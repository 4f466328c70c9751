//! Conditions out of their source: parsed, checked, bounded and tried once.

use cel::parser::{Expression, PrattParser};

use super::error::RuleError;
use super::facts::{FACTS, Fact, REPLY_FACTS, Subject};
use super::limits::{MAX_NESTING, MAX_SOURCE};
use super::program::Program;
use super::{check, cost, sample};

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
