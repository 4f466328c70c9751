//! Regular expressions of conditions: compiled once and bounded; CEL's own `matches` would compile one per evaluation.

use std::any::Any;

use cel::ExecutionError;
use cel::common::traits::Container;
use cel::common::types::{CelString, Type};
use cel::common::value::{StaticVal, Val};
use regex::{Regex, RegexBuilder};
use regex_syntax::hir::{Hir, HirKind};

use super::error::{PATTERN_TYPE, RuleError};

/// Longest pattern, in bytes.
const MAX_PATTERN: usize = 256;
/// Largest compiled pattern, and largest cache of its matcher, in bytes.
const MAX_COMPILED: usize = 262_144;
/// What variables of patterns begin with; no source can spell it.
const PREFIX: &str = "@pattern.";

static TYPE: Type = Type::new_unspecified_type(PATTERN_TYPE);

/// A compiled pattern. As a value it is the set of the texts in which it matches, so that `in` evaluates it.
#[derive(Clone, Debug)]
pub(super) struct Pattern {
    regex: Regex,
    copies: u64,
}

impl Pattern {
    pub(super) fn new(pattern: &str) -> Result<Self, RuleError> {
        if pattern.len() > MAX_PATTERN {
            return Err(RuleError::Pattern(format!("is longer than {MAX_PATTERN} bytes")));
        }
        match RegexBuilder::new(pattern).size_limit(MAX_COMPILED).dfa_size_limit(MAX_COMPILED).build() {
            Ok(regex) => Ok(Self { regex, copies: copies(pattern) }),
            Err(regex::Error::CompiledTooBig(_)) => {
                Err(RuleError::Pattern(format!("needs more than {MAX_COMPILED} bytes when compiled")))
            }
            // The last line of its text is the reason; those before draw a picture of where.
            Err(error) => {
                let text = error.to_string();
                let reason = text.lines().last().unwrap_or_default();
                Err(RuleError::Pattern(format!("is not one: {}", reason.trim_start_matches("error: "))))
            }
        }
    }

    /// Places that are there because the pattern counts, as in `a{100}`, beyond those that are written: on a text that is
    /// made for it the matcher is at all of them at once.
    pub(super) const fn copies(&self) -> u64 {
        self.copies
    }
}

fn copies(pattern: &str) -> u64 {
    let (all, written) = regex_syntax::parse(pattern).map_or((0, 0), |hir| places(&hir));
    all.saturating_sub(written)
}

/// All places of a pattern, and those that are written.
fn places(hir: &Hir) -> (u64, u64) {
    match hir.kind() {
        HirKind::Empty | HirKind::Look(_) => (0, 0),
        HirKind::Class(_) => (1, 1),
        HirKind::Literal(literal) => (literal.0.len() as u64, literal.0.len() as u64),
        HirKind::Capture(capture) => places(&capture.sub),
        HirKind::Repetition(repetition) => {
            let (all, written) = places(&repetition.sub);
            let times = repetition.max.unwrap_or(repetition.min).max(1);
            (all.saturating_mul(times.into()), written)
        }
        HirKind::Concat(parts) | HirKind::Alternation(parts) => {
            let add = |sum: (u64, u64), of: (u64, u64)| (sum.0.saturating_add(of.0), sum.1 + of.1);
            parts.iter().map(places).fold((0, 0), add)
        }
    }
}

/// The variable that stands for the pattern at `index`.
pub(super) fn variable(index: usize) -> String {
    format!("{PREFIX}{index}")
}

/// Whether the variable stands for a pattern.
pub(super) fn is_variable(name: &str) -> bool {
    name.starts_with(PREFIX)
}

/// The pattern that a variable stands for.
pub(super) fn find<'p>(patterns: &'p [Pattern], variable: &str) -> Option<&'p Pattern> {
    patterns.get(variable.strip_prefix(PREFIX)?.parse::<usize>().ok()?)
}

impl Val for Pattern {
    fn get_type(&self) -> &Type {
        &TYPE
    }

    fn cel_type() -> &'static Type {
        &TYPE
    }

    fn as_container(&self) -> Option<&dyn Container> {
        Some(self)
    }

    fn clone_as_boxed<'v>(&self) -> Box<dyn Val + 'v> {
        Box::new(self.clone())
    }

    fn as_any(&self) -> Option<&dyn Any> {
        Some(self)
    }
}

impl StaticVal for Pattern {}

impl Container for Pattern {
    fn contains(&self, value: &dyn Val) -> Result<bool, ExecutionError> {
        let found = || value.get_type().name().to_owned();
        let text = value.downcast_ref::<CelString<'_>>().ok_or_else(|| {
            ExecutionError::no_such_overload("matches", vec![found(), "pattern".to_owned()])
        })?;
        Ok(self.regex.is_match(text.inner()))
    }
}
