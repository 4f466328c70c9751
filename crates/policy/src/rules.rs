//! Conditions that users write: CEL over facts of a request or of an answer, checked and bounded when it is compiled.

mod check;
mod compile;
mod cost;
mod error;
mod facts;
mod functions;
mod limits;
mod pattern;
mod preset;
mod program;
mod sample;
#[cfg(test)]
mod tests;
mod written;

pub use error::RuleError;
pub use facts::{FACTS, Fact, Facts, MAX_TEXT, REPLY_FACTS, ReplyFacts};
pub use functions::{FUNCTIONS, Function};
pub use limits::{MAX_SOURCE, MAX_STEPS};
pub use preset::source;
pub use program::Program;
pub use written::problems;
