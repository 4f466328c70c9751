//! Why a condition is refused or cannot be evaluated, in words for its author.

use cel::parser::ParseError;
use cel::{ExecutionError, OverloadError};
use thiserror::Error;

use super::limits::{MAX_SOURCE, MAX_STEPS};

/// The name of the type of patterns, in errors.
pub(super) const PATTERN_TYPE: &str = "pattern";

/// Why a condition does not compile.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum RuleError {
    /// Nothing but white space.
    #[error("the expression is empty")]
    Empty,
    /// The source is longer than it may be.
    #[error("the expression is {bytes} bytes long; at most {MAX_SOURCE} are allowed")]
    TooLong {
        /// Its length.
        bytes: usize,
    },
    /// Parentheses, lists, calls or operators are nested deeper than they may be.
    #[error("the expression is nested too deeply")]
    TooDeep,
    /// It is not CEL.
    #[error("line {line}, column {column}: {message}")]
    Syntax {
        /// From 1.
        line: usize,
        /// In characters, from 1.
        column: usize,
        /// The parser's words.
        message: String,
    },
    /// A name that stands for nothing.
    #[error("unknown name `{name}`; there are {known}")]
    UnknownName {
        /// As it is written.
        name: String,
        /// Those there are.
        known: String,
    },
    /// Facts of budgets.
    #[error("budget facts come with budgets; this version has none")]
    NoBudgets,
    /// `request` alone, or `request['model']`.
    #[error("`{name}` is not a value; write one of its facts: {known}")]
    NotAValue {
        /// As it is written.
        name: String,
        /// Its facts.
        known: String,
    },
    /// A variable of `exists` and the like that hides facts.
    #[error("`{name}` already is the name of facts; give the variable another one")]
    Shadows {
        /// The variable.
        name: String,
    },
    /// A function that there is not.
    #[error("unknown function `{name}`; there are {known}")]
    UnknownFunction {
        /// As it is written.
        name: String,
        /// Those there are.
        known: String,
    },
    /// A function called in another way than it can be.
    #[error("`{name}` is not called so; write {form}")]
    WrongCall {
        /// The function.
        name: &'static str,
        /// How it is written.
        form: &'static str,
    },
    /// The pattern of `matches` is refused.
    #[error("the pattern of `matches` {0}")]
    Pattern(String),
    /// A part of CEL that conditions do without.
    #[error("{0}")]
    Unsupported(&'static str),
    /// Evaluating it may take longer than it may.
    #[error("the expression may take {steps} steps; at most {MAX_STEPS} are allowed")]
    TooCostly {
        /// In the worst case.
        steps: u64,
    },
    /// The expression, or an operand of `&&`, `||`, `!` or `?`, is no truth value.
    #[error("a condition must be true or false, but it, or a part of it, is a value of type {found}")]
    NotBool {
        /// Its type.
        found: String,
    },
    /// An operator or function on values of types that it does not take.
    #[error("{0}")]
    Type(String),
}

impl RuleError {
    pub(super) fn of_parser(source: &str, errors: &[ParseError]) -> Self {
        if errors.iter().any(|error| error.msg.contains("recursion limit")) {
            return Self::TooDeep;
        }
        // Errors about the parse as a whole have no position; one of those with a position caused it.
        let Some(error) = errors.iter().find(|error| error.pos.0 > 0).or(errors.first()) else {
            return Self::Syntax { line: 1, column: 1, message: "the expression is not CEL".to_owned() };
        };
        let line = usize::try_from(error.pos.0).unwrap_or(1).max(1);
        let bytes = usize::try_from(error.pos.1).unwrap_or(1).saturating_sub(1);
        let before = source.lines().nth(line - 1).and_then(|text| text.get(..bytes));
        let column = before.map_or(bytes, |text| text.chars().count()) + 1;
        let message = error.msg.trim_start_matches("Syntax error: ").to_owned();
        Self::Syntax { line, column, message }
    }
}

/// Why an expression cannot be evaluated on these facts. Says types and keys, never values: those may be a user's text.
pub(super) fn reason(error: &ExecutionError) -> String {
    match error {
        ExecutionError::NoSuchKey(key) => format!("there is no key `{key}`"),
        ExecutionError::UndeclaredReference(name) => format!("`{name}` is not known"),
        ExecutionError::NoSuchOverload(overload) => of_overload(overload),
        ExecutionError::UnsupportedBinaryOperator(operator, left, right) => {
            format!("`{operator}` does not take ({}, {})", left.type_of(), right.type_of())
        }
        ExecutionError::UnexpectedType { got, want } => format!("a value of type {got} is no {want}"),
        ExecutionError::DivisionByZero(_) | ExecutionError::RemainderByZero(_) => {
            "division by zero".to_owned()
        }
        ExecutionError::Overflow(..) => "a number is out of range".to_owned(),
        ExecutionError::IndexOutOfBounds(_) => "a list has no entry at the index".to_owned(),
        ExecutionError::FunctionError { function, .. } => format!("`{function}` cannot convert the value"),
        ExecutionError::DuplicateKey(_) => "a map has the same key twice".to_owned(),
        _ => "an operator or function does not take the values it is given".to_owned(),
    }
}

fn of_overload(error: &OverloadError) -> String {
    let types = error.argument_types();
    let name = error.function().trim_start_matches('@').trim_matches('_');
    // A pattern on the right is what `matches` has been compiled to.
    let name = if types.last().is_some_and(|last| last == PATTERN_TYPE) { "matches" } else { name };
    format!("`{name}` does not take ({})", types.join(", "))
}

/// Whether other facts may do better: then it is no fault of the expression.
pub(super) const fn depends_on_facts(error: &ExecutionError) -> bool {
    matches!(
        error,
        ExecutionError::NoSuchKey(_)
            | ExecutionError::DivisionByZero(_)
            | ExecutionError::RemainderByZero(_)
            | ExecutionError::Overflow(..)
            | ExecutionError::IndexOutOfBounds(_)
            | ExecutionError::FunctionError { .. }
    )
}
