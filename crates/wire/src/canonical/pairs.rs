//! Every call of a tool has its result, and every result its call (docs/spec/cases.md#case-2).

use std::collections::HashSet;

use crate::canonical::{Malformed, PartKind, Role, Turn};

/// Where results must stand.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Order {
    /// Directly behind the turn with the calls.
    Next,
    /// Anywhere behind it.
    Later,
}

/// Checks a conversation; calls without ids are tied by name and order, which others check.
///
/// # Errors
/// Names the call without a result, or the result without a call.
pub(crate) fn check(turns: &[Turn<'_>], list: &str, order: Order) -> Result<(), Malformed> {
    let mut open: HashSet<&str> = HashSet::new();
    for turn in turns {
        if turn.role != Role::Tool && order == Order::Next {
            unanswered(&open, list)?;
        }
        for part in &turn.parts {
            match &part.kind {
                PartKind::ToolCall(call) if !call.id.is_empty() => {
                    open.insert(&call.id);
                }
                PartKind::ToolResult(result) if !result.id.is_empty() && !open.remove(&*result.id) => {
                    let what = format!("holds a result for `{}`, a call that is not open", result.id);
                    return Err(Malformed::new(list, what));
                }
                _ => {}
            }
        }
    }
    unanswered(&open, list)
}

fn unanswered(open: &HashSet<&str>, list: &str) -> Result<(), Malformed> {
    match open.iter().min() {
        None => Ok(()),
        Some(id) => Err(Malformed::new(list, format!("holds no result for the call `{id}`"))),
    }
}
