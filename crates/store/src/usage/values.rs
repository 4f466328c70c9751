//! Bounds of single values, so that no event can be one that the database refuses for ever.

use std::borrow::Cow;

use domain::{Attempt, Money, Usage, UsageEvent};

/// Most of one kind that an attempt is believed to have used. A provider that reports more is wrong; below it,
/// no sum within reach overflows 64 bits.
const MAX_COUNT: u64 = 1 << 40;
/// Highest believable cost of one attempt: a million dollars.
const MAX_COST: Money = Money::from_nanos(1_000_000_000_000_000);
/// Longest text, in bytes: seven of them must fit one index entry of PostgreSQL, a third of a page.
const MAX_TEXT: usize = 320;

/// The text as it can be stored: PostgreSQL takes no zero bytes, and an index no long values.
pub(super) fn text(text: &str) -> Cow<'_, str> {
    let cut = &text[..text.floor_char_boundary(MAX_TEXT)];
    if cut.contains('\0') { cut.replace('\0', "\u{fffd}").into() } else { cut.into() }
}

/// The attempt with every number within its bound; one that had to be bounded is an estimate.
pub(super) fn bounded(event: &UsageEvent, attempt: &Attempt) -> Attempt {
    let mut bounded = attempt.clone();
    let counts = attempt.usage.counts().map(|count| count.min(MAX_COUNT));
    bounded.usage = Usage { service_tier: attempt.usage.service_tier, ..Usage::from_counts(counts) };
    bounded.cost = attempt.cost.min(MAX_COST);
    if bounded != *attempt {
        tracing::warn!(request = %event.request, provider = %attempt.provider, "usage beyond belief was bounded");
        bounded.estimated = true;
    }
    bounded
}

/// The columns of the counts, as both tables name them.
pub(super) fn count_columns() -> String {
    Usage::NAMES.join(", ")
}

/// `($1, $2), ($3, $4), …`: placeholders for several rows of one statement.
pub(crate) fn placeholders(rows: usize, columns: usize) -> String {
    let row = |row: usize| {
        let numbers = (1..=columns).map(|column| format!("${}", row * columns + column));
        format!("({})", numbers.collect::<Vec<_>>().join(","))
    };
    (0..rows).map(row).collect::<Vec<_>>().join(",")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_text_is_cut_between_characters_and_holds_no_zero() {
        assert_eq!(text("a\0b"), "a\u{fffd}b");
        let long = "é".repeat(MAX_TEXT);
        assert_eq!(text(&long).chars().count(), MAX_TEXT / 2);
        assert_eq!(text("as it is"), "as it is");
    }

    #[test]
    fn placeholders_are_numbered_through() {
        assert_eq!(placeholders(2, 3), "($1,$2,$3),($4,$5,$6)");
    }
}
