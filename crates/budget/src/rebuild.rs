//! The way from lost data to a new book: one epoch, step by step. Any ledger may walk it; none resumes another's.

use domain::BudgetRef;

use crate::{Begin, ClosedBook, Load, Row, Seal, SealOutcome, Token};

/// Rows in one call.
const CHUNK: usize = 1_000;

/// One attempt, under an epoch of its own.
#[derive(Clone, Debug)]
pub struct Rebuild {
    epoch: u64,
    /// The book that was open before, and what it said when it was closed.
    old: Option<Token>,
    closed: Option<ClosedBook>,
    stage: Stage,
}

#[derive(Clone, Debug)]
enum Stage {
    Seal,
    Begin(Seal),
    Open(Token, Seal),
    Load { left: Vec<Load> },
    Over { whole: bool },
}

/// What comes next.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum RebuildStep {
    /// [`crate::Books::close`] on the old book, if the store can be reached, then [`crate::Ledger::seal`]; again later if
    /// that says that a member is unknown.
    Seal {
        /// The old book.
        close: Option<Token>,
    },
    /// [`crate::Books::begin`], once.
    Begin(Begin),
    /// [`crate::Ledger::open`], with this token.
    Open(Token),
    /// [`crate::Books::load`].
    Load(Load),
    /// The book is open and complete.
    Done,
    /// Another attempt has to start from the beginning.
    Failed,
}

impl Rebuild {
    /// An attempt under an epoch that was just taken ([`crate::Ledger::next_epoch`]); `old` is the newest book that was
    /// open before.
    #[must_use]
    pub const fn new(epoch: u64, old: Option<Token>) -> Self {
        Self { epoch, old, closed: None, stage: Stage::Seal }
    }

    /// Its epoch.
    #[must_use]
    pub const fn epoch(&self) -> u64 {
        self.epoch
    }

    /// What comes next.
    #[must_use]
    pub fn step(&self) -> RebuildStep {
        match &self.stage {
            Stage::Seal => RebuildStep::Seal { close: self.old.clone().filter(|_| self.closed.is_none()) },
            Stage::Begin(Seal { caps, edges, .. }) => {
                RebuildStep::Begin(Begin { epoch: self.epoch, caps: caps.clone(), edges: edges.clone() })
            }
            Stage::Open(token, _) => RebuildStep::Open(token.clone()),
            Stage::Load { left } => {
                left.first().map_or(RebuildStep::Done, |load| RebuildStep::Load(load.clone()))
            }
            Stage::Over { whole: true } => RebuildStep::Done,
            Stage::Over { whole: false } => RebuildStep::Failed,
        }
    }

    /// What the old book said.
    pub fn closed(&mut self, book: Option<ClosedBook>) {
        self.closed = book.or_else(|| self.closed.take());
    }

    /// The old book's token and what it said, where it said something.
    #[must_use]
    pub fn old_book(&self) -> Option<(&Token, &ClosedBook)> {
        self.old.as_ref().zip(self.closed.as_ref())
    }

    /// Whether it was decided what the new book is loaded with.
    pub fn sealed(&mut self, outcome: SealOutcome) {
        match outcome {
            SealOutcome::Sealed(seal) => self.stage = Stage::Begin(seal),
            SealOutcome::Unknown => {}
            SealOutcome::Over => self.stage = Stage::Over { whole: false },
        }
    }

    /// The new book's token. Without one, because the answer was lost or an epoch as new is there, this attempt is over:
    /// nobody could tell whose book it is.
    pub fn begun(&mut self, token: Option<Token>) {
        self.stage = match (std::mem::replace(&mut self.stage, Stage::Over { whole: false }), token) {
            (Stage::Begin(seal), Some(token)) => Stage::Open(token, seal),
            _ => Stage::Over { whole: false },
        };
    }

    /// Whether the token was committed.
    pub fn opened(&mut self, committed: bool) {
        self.stage = match std::mem::replace(&mut self.stage, Stage::Over { whole: false }) {
            Stage::Open(token, seal) if committed => {
                let left = loads(&token, seal);
                Stage::Load { left }
            }
            _ => Stage::Over { whole: false },
        };
    }

    /// Whether the load was carried out.
    pub fn loaded(&mut self, done: bool) {
        match &mut self.stage {
            Stage::Load { left } if done && !left.is_empty() => {
                left.remove(0);
            }
            _ => self.stage = Stage::Over { whole: false },
        }
        if matches!(&self.stage, Stage::Load { left } if left.is_empty()) {
            self.stage = Stage::Over { whole: true };
        }
    }
}

/// Flat budgets first: they are few, and most requests draw from them. A budget is complete when its rows are in.
fn loads(token: &Token, seal: Seal) -> Vec<Load> {
    let (flat, long): (Vec<Row>, Vec<Row>) = seal.rows.into_iter().partition(|row| row.account.is_flat());
    let has = |rows: &[Row], budget: BudgetRef| rows.iter().any(|row| row.account.budget == budget);
    let (late, early): (Vec<BudgetRef>, Vec<BudgetRef>) =
        seal.caps.iter().map(|cap| cap.budget).partition(|budget| has(&long, *budget));
    let mut loads = Vec::new();
    for (rows, complete) in [(flat, early), (long, late)] {
        let chunks = rows.chunks(CHUNK).map(<[Row]>::to_vec);
        loads.extend(chunks.map(|rows| Load { token: token.clone(), rows, complete: Vec::new() }));
        loads.push(Load { token: token.clone(), rows: Vec::new(), complete });
    }
    loads
}
