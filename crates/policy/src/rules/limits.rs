//! The limits of a condition.

/// Longest source, in bytes.
pub const MAX_SOURCE: usize = 1_000;
/// Most steps an expression may take in the worst case: about a millisecond.
pub const MAX_STEPS: u64 = 10_000;
/// Deepest nesting of the source: parentheses, lists, arguments.
pub(super) const MAX_NESTING: u16 = 24;
