//! How much of what the user wrote is program code.

use super::line::{self, FenceLanguage, Sign};
use crate::canonical::{Call, Part, PartKind, Role};

/// How many user turns are looked at, from the last on: the ninth would weigh less than half a hundredth.
const MAX_TURNS: usize = 8;
/// Most bytes that are looked at of one turn, and of all of them.
const MAX_TURN: usize = 64 << 10;
const MAX_TOTAL: usize = 128 << 10;

/// The share of the user's text that is code.
pub(super) fn share(call: &Call<'_>) -> f64 {
    let (mut weight, mut code, mut all) = (1.0, 0.0, 0.0);
    let mut left = MAX_TOTAL;
    let turns = call.turns.iter().rev().filter(|turn| turn.role == Role::User);
    for turn in turns.take(MAX_TURNS) {
        let mut reader = Reader::default();
        let mut room = left.min(MAX_TURN);
        for text in turn.parts.iter().filter_map(text) {
            let text = &text[..text.floor_char_boundary(room)];
            (room, left) = (room - text.len(), left - text.len());
            reader.read(text);
        }
        let (of_code, of_all) = reader.end();
        code += weight * bytes(of_code);
        all += weight * bytes(of_all);
        weight /= 2.0;
    }
    if all > 0.0 { code / all } else { 0.0 }
}

#[allow(clippy::cast_precision_loss, reason = "at most 64 KiB")]
const fn bytes(count: usize) -> f64 {
    count as f64
}

fn text<'p>(part: &'p Part<'_>) -> Option<&'p str> {
    match &part.kind {
        PartKind::Text(text) => Some(text),
        PartKind::Document(document) => document.text.as_deref(),
        _ => None,
    }
}

/// Reads one turn line by line and counts bytes.
#[derive(Default)]
struct Reader {
    code: usize,
    all: usize,
    /// Of lines that may be either, since the last one that is not.
    pending: usize,
    /// Whether the last line that said so was code.
    in_code: bool,
    /// What ends the comment that was begun.
    comment: Option<&'static str>,
    /// Whether the lines are those of a difference between two files.
    in_diff: bool,
}

/// A fence that is open (CommonMark §4.5).
struct Fence<'t> {
    mark: &'t str,
    language: FenceLanguage,
}

impl Reader {
    fn read(&mut self, text: &str) {
        let mut fence: Option<Fence<'_>> = None;
        for line in text.lines() {
            let trimmed = line.trim();
            let mark = fence_mark(trimmed);
            match (&fence, mark) {
                (Some(open), Some(mark)) if mark == trimmed && mark.starts_with(open.mark) => {
                    fence = None;
                    self.rest();
                    continue;
                }
                (None, Some(mark)) => {
                    self.rest();
                    fence = Some(Fence { mark, language: line::language(trimmed[mark.len()..].trim()) });
                    continue;
                }
                _ => {}
            }
            if trimmed.is_empty() {
                continue;
            }
            self.all += trimmed.len();
            match fence.as_ref().map(|fence| fence.language) {
                Some(FenceLanguage::Program) => self.code += trimmed.len(),
                Some(FenceLanguage::Other) => {}
                // A fenced text that is no program is mostly a log or data.
                Some(FenceLanguage::Unnamed) if line::sign(line) == Sign::Data => {}
                Some(FenceLanguage::Unnamed) => self.code += trimmed.len(),
                None => self.unfenced(line, trimmed),
            }
        }
        self.rest();
    }

    fn unfenced(&mut self, line: &str, trimmed: &str) {
        let sign = match self.comment {
            Some(end) => {
                if trimmed.contains(end) {
                    self.comment = None;
                }
                Sign::Either
            }
            None => {
                self.comment = line::opens_comment(trimmed);
                if self.comment.is_some() { Sign::Either } else { self.sign(line) }
            }
        };
        match sign {
            Sign::Code => {
                self.in_code = true;
                self.code += trimmed.len() + std::mem::take(&mut self.pending);
            }
            Sign::Either if self.in_code => self.code += trimmed.len(),
            Sign::Either => self.pending += trimmed.len(),
            Sign::Prose | Sign::Data => (self.in_code, self.pending) = (false, 0),
        }
    }

    fn sign(&mut self, line: &str) -> Sign {
        if line.starts_with("@@ ") || line.starts_with("diff --git ") {
            self.in_diff = true;
            return Sign::Code;
        }
        self.in_diff &= line.starts_with(['+', '-', ' ']) || line.starts_with("index ");
        if self.in_diff { Sign::Code } else { line::sign(line) }
    }

    /// What could be either, behind the last line that said so, is what that line was.
    const fn rest(&mut self) {
        (self.pending, self.in_code, self.in_diff, self.comment) = (0, false, false, None);
    }

    const fn end(self) -> (usize, usize) {
        (self.code, self.all)
    }
}

/// The three or more backticks or tildes that a line begins with.
fn fence_mark(trimmed: &str) -> Option<&str> {
    let first = trimmed.chars().next().filter(|mark| matches!(mark, '`' | '~'))?;
    let rest = trimmed.trim_start_matches(first);
    let mark = &trimmed[..trimmed.len() - rest.len()];
    // Code inside a line is no fence.
    (mark.len() >= 3 && !(first == '`' && rest.contains('`'))).then_some(mark)
}
